"""Pages for artisans: their parcels, once they may be shipped. For buyers: the addresses that are filled in."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from artisans.accounts.principals import require_user
from artisans.catalog.services import units_restocked
from artisans.core.errors import DomainError
from artisans.core.models import save_columns
from orders.forms import ShipForm
from orders.models import Parcel
from orders.parcel_display import ParcelDisplay
from orders.selectors import last_addressed_order, parcels_of_artisan
from orders.services.parcels import parcel_deliver, parcel_report_cash, parcel_ship, parcel_start
from orders.statuses import PARCELS_SHIPPED, PARCELS_UNSHIPPED, ParcelStatus

FILTERS = {"to_ship": PARCELS_UNSHIPPED, "sent": PARCELS_SHIPPED, "all": tuple(ParcelStatus)}


@login_required
@require_GET
def parcel_list(request: HttpRequest) -> HttpResponse:
    if not require_user(request).is_artisan:
        raise Http404
    chosen = request.GET.get("filter", "to_ship")
    chosen = chosen if chosen in FILTERS else "to_ship"
    parcels = parcels_of_artisan(require_user(request)).filter(status__in=FILTERS[chosen])
    page = Paginator(parcels, 20).get_page(request.GET.get("page"))
    return render(request, "orders/parcel_list.html", {"page_obj": page, "filter": chosen})


@login_required
@require_http_methods(["GET", "POST"])
def parcel_detail(request: HttpRequest, parcel_id: UUID) -> HttpResponse:
    parcel = get_object_or_404(parcels_of_artisan(require_user(request)), pk=parcel_id)
    form = ShipForm(request.POST if "ship" in request.POST else None)
    if request.method == "POST" and handle_action(request, parcel, form):
        return redirect("orders:parcel", parcel_id=parcel.pk)
    lines = list(parcel.lines.all())
    context = {
        "parcel": parcel,
        "display": ParcelDisplay(parcel, lines, units_restocked([line.pk for line in lines])),
        "address_lines": parcel.order.shipping_address_lines,
        "form": form,
    }
    return render(request, "orders/parcel_detail.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def address_page(request: HttpRequest) -> HttpResponse:
    """The addresses that are filled in at the next checkout. POST has them forgotten."""
    user = require_user(request)
    if request.method == "POST":
        user.addresses_forgotten_at = timezone.now()
        save_columns(user, ["addresses_forgotten_at"])
        messages.success(request, _("Your addresses will not be filled in at your next checkout."))
        return redirect("orders:address")
    return render(request, "orders/address.html", {"last": last_addressed_order(user)})


def handle_action(request: HttpRequest, parcel: Parcel, form: ShipForm) -> bool:
    """Perform the action of the submitted button. Returns whether to redirect."""
    if "ship" in request.POST and not form.is_valid():
        return False
    try:
        if "ship" in request.POST:
            parcel_ship(parcel_id=parcel.pk, actor=require_user(request), **form.cleaned_data)
            messages.success(request, _("Marked as shipped. We will email the buyer."))
        elif "start" in request.POST:
            parcel_start(parcel_id=parcel.pk, actor=require_user(request))
            messages.success(request, _("Marked as started. The buyer can no longer cancel it."))
        elif "deliver" in request.POST:
            parcel_deliver(parcel_id=parcel.pk, actor=require_user(request))
            messages.success(request, _("Marked as delivered."))
        elif "report_cash" in request.POST:
            parcel_report_cash(parcel_id=parcel.pk, actor=require_user(request))
            messages.success(request, _("Thank you. Our staff will now record the payment."))
    except DomainError as error:
        messages.error(request, error.detail)
    return True
