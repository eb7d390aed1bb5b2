"""Pages where an owner enters the workshop's own shipping methods, which take the place of the shop's."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.access import require_owner
from artisans.core.errors import DomainError
from artisans.core.forms import LineField
from artisans.shipping.models import ChargedPer, MethodKind, ShippingMethod, ShippingZone
from orders.services.places import areas_text, prices_text, shipping_method_delete, shipping_method_save

COLUMNS = ("zone", "name", "kind", "min_days", "max_days", "is_active")
DAYS: dict[str, Any] = {"required": False, "min_value": 0, "max_value": 365}


class MethodForm(forms.Form):
    zone = forms.ModelChoiceField(
        ShippingZone.objects.order_by("name"), label=gettext_lazy("Where to"), empty_label=None
    )
    name = LineField(label=gettext_lazy("Name"), max_length=60, help_text=gettext_lazy("Such as Parcel."))
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=MethodKind.choices)
    prices = forms.CharField(
        label=gettext_lazy("Prices"),
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy(
            "For your parcel, a line each: USD 5.99, and from a weight or a value of your goods on: USD 0 from 50.00, "
            "USD 12.00 from 2000 g. The highest limits that are reached apply, weight first."
        ),
    )
    min_days = forms.IntegerField(label=gettext_lazy("Business days, at least"), **DAYS)
    max_days = forms.IntegerField(label=gettext_lazy("Business days, at most"), **DAYS)
    is_active = forms.BooleanField(label=gettext_lazy("Offered to buyers"), required=False, initial=True)


@login_required
@require_GET
def method_list(request: HttpRequest) -> HttpResponse:
    artisan = require_owner(request)
    methods = artisan.shipping_methods.select_related("zone").prefetch_related("rates", "zone__areas")
    shown = [
        {"method": method, "prices": prices_text(method.rates.all()), "areas": zone_areas(method.zone)}
        for method in methods
    ]
    return render(request, "workshop/shipping_list.html", {"methods": shown})


def zone_areas(zone: ShippingZone) -> str:
    return areas_text(zone.areas.all()).replace("\n", ", ")


@login_required
@require_http_methods(["GET", "POST"])
def method_form(request: HttpRequest, method_id: int | None = None) -> HttpResponse:
    artisan = require_owner(request)
    method = (
        get_object_or_404(artisan.shipping_methods, pk=method_id)
        if method_id
        else ShippingMethod(artisan=artisan, charged_per=ChargedPer.PARCEL)
    )
    form = MethodForm(request.POST or None, initial=shown_values(method) if method_id else None)
    if request.method == "POST" and form.is_valid():
        fields = dict(form.cleaned_data)
        prices = fields.pop("prices")
        try:
            shipping_method_save(method, fields=fields, prices=prices, actor=require_user(request))
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("Saved."))
            return redirect("workshop:shipping_list")
    return render(request, "workshop/shipping_form.html", {"form": form, "method": method})


@login_required
@require_http_methods(["GET", "POST"])
def method_delete(request: HttpRequest, method_id: int) -> HttpResponse:
    """GET asks, POST deletes."""
    method = get_object_or_404(require_owner(request).shipping_methods, pk=method_id)
    if request.method == "GET":
        return render(request, "workshop/shipping_delete.html", {"method": method})
    try:
        shipping_method_delete(method, actor=require_user(request))
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Deleted."))
    return redirect("workshop:shipping_list")


def shown_values(method: ShippingMethod) -> dict[str, Any]:
    return {name: getattr(method, name) for name in COLUMNS} | {"prices": prices_text(method.rates.all())}
