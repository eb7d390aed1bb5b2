"""Tax zones, tax rates and shipping methods in the admin, and what applies at an address."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.validators import validate_slug
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.accounts.setting_admin import WAITS
from artisans.core.admin.forms import DayField, percent_text
from artisans.core.admin.pages import (
    ReadOnlyAdmin,
    StrOrPromise,
    admin_list_url,
    button_to,
    column,
    posted,
    when,
)
from artisans.core.csv_files import MAX_BYTES, csv_response
from artisans.core.errors import DomainError, InvalidInput
from artisans.core.money import PPM, Money
from artisans.core.money import percent_text as percent_of
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.core.templatetags.money import show
from artisans.regions.models import Place, TaxClass, TaxRate, TaxRounding, TaxZone
from artisans.regions.selectors import taxes_at
from artisans.shipping.choosing import price_at
from artisans.shipping.models import ChargedPer, MethodKind, ShippingMethod, ShippingZone
from artisans.shipping.selectors import methods_at
from artisans.tax_ids.models import TaxId, TaxIdStatus
from artisans.tax_ids.numbers import country_of, vat_id_read
from orders.address_rules import address_normalize, country_error
from orders.quoting import Destination, vat_id_effect
from orders.selectors import store_rules
from orders.services.places import (
    PERMISSION,
    NewTaxRate,
    areas_text,
    prices_text,
    shipping_method_save,
    shipping_zone_save,
    tax_class_save,
    tax_rate_add,
    tax_zone_save,
)
from orders.services.tax_import import (
    FileRates,
    describe_rates,
    tax_rates_import,
    tax_rates_read,
    template_rows,
)

SALT = "orders.tax_rates"
PREVIEW_LASTS = timedelta(hours=1)
AREAS_HELP = _(
    "A line each: DE for a country, US OR for a state, GB: BT for postal codes that start with BT, "
    "* for everywhere else. The most specific one applies. The shop does not sell where no zone has the address."
)
PRICES_HELP = _(
    "A line each: USD 5.99, and from a weight or a value of goods on: USD 0 from 50.00, USD 12.00 from 2000 g, USD "
    "7.00 from 2000 g and 50.00. The highest limits that are reached apply, weight first. A method is not offered in a "
    "currency without a price."
)


def text_field(label: StrOrPromise, *, max_length: int = 60, **options: Any) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget({"autocomplete": "off"})
    return forms.CharField(label=label, max_length=max_length, widget=widget, **options)


def lines_field(label: StrOrPromise, help_text: StrOrPromise) -> forms.CharField:
    widget = UnfoldAdminTextareaWidget({"rows": 8})
    return forms.CharField(label=label, help_text=help_text, required=False, max_length=50_000, widget=widget)


def choice_field(label: StrOrPromise, choices: Any, **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget, **options)


def switch_field(label: StrOrPromise, **options: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=UnfoldBooleanSwitchWidget, **options)


def row_field(label: StrOrPromise, model: type[Model]) -> "forms.ModelChoiceField[Any]":
    rows = model._default_manager.order_by("name")
    return forms.ModelChoiceField(rows, label=label, widget=UnfoldAdminSelectWidget, empty_label=None)


class TaxClassForm(forms.Form):
    name = text_field(_("Name"))
    code = text_field(
        _("Code"),
        max_length=30,
        validators=[validate_slug],
        help_text=_("“standard” is the class of products without one."),
    )


class TaxZoneForm(forms.Form):
    name = text_field(_("Name"))
    areas = lines_field(_("Areas"), AREAS_HELP)
    rounding = choice_field(_("Tax is rounded"), TaxRounding.choices)
    has_reverse_charge = switch_field(
        _("Reverse charge"),
        help_text=_(
            "Businesses there with a valid VAT ID of another country than yours pay no tax to the shop. It never "
            "applies to orders within your own country, even if this zone holds it."
        ),
    )


class TaxRateForm(forms.Form):
    zone = row_field(_("Zone"), TaxZone)
    tax_class = row_field(_("Tax class"), TaxClass)
    rate = percent_text(_("Rate"), help_text=_("In percent, such as 10 or 8.875."))
    name = text_field(_("Name"), max_length=30, required=False, help_text=_("What buyers read, such as VAT."))
    starts = DayField(
        label=_("Starts"),
        required=False,
        help_text=_(
            "At midnight in the shop’s time zone. Leave it empty to apply the rate immediately. Orders placed before "
            "keep theirs."
        ),
    )

    def new_rate(self) -> NewTaxRate:
        data, day = self.cleaned_data, self.cleaned_data["starts"]
        start = timezone.make_aware(datetime.combine(day, time.min)).isoformat() if day else ""
        return NewTaxRate(
            data["zone"].pk, data["tax_class"].pk, int(data["rate"] * PPM / 100), data["name"], start
        )


class TaxImportForm(forms.Form):
    """`previewed`: the signed rates that were shown; sent again, they are added."""

    previewed = forms.CharField(required=False, widget=forms.HiddenInput)
    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,  # read_table says so
        widget=UnfoldAdminFileFieldWidget,
        help_text=_(
            "CSV with the columns zone, tax_class (its code), rate (in percent), name and valid_from (such as "
            "2027-01-01, or empty to apply it immediately). Lines without a rate are left out."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].required = not self.data.get("previewed")

    def previewed_rates(self) -> list[NewTaxRate]:
        """Those that were shown; none if a file is sent. Errors: InvalidInput."""
        token = self.cleaned_data["previewed"]
        if not token or self.cleaned_data.get("file"):
            return []
        try:
            return [NewTaxRate(*new) for new in signing.loads(token, salt=SALT, max_age=PREVIEW_LASTS)]
        except signing.BadSignature:
            raise InvalidInput(gettext("The preview is too old. Upload the file again.")) from None

    def ask_to_confirm(self, rates: Sequence[NewTaxRate]) -> None:
        token = signing.dumps([astuple(new) for new in rates], salt=SALT, compress=True)
        self.data = {"previewed": token}
        del self.fields["file"]


class ShippingZoneForm(forms.Form):
    name = text_field(_("Name"))
    areas = lines_field(_("Areas"), AREAS_HELP)


class ShippingMethodForm(forms.Form):
    zone = row_field(_("Zone"), ShippingZone)
    name = text_field(_("Name"))
    kind = choice_field(_("Kind"), MethodKind.choices)
    charged_per = choice_field(
        _("Charged"),
        ChargedPer.choices,
        help_text=_("Per parcel, limits apply to the goods of each artisan; per order, to all of them."),
    )
    prices = lines_field(_("Prices"), PRICES_HELP)
    min_days = forms.IntegerField(
        label=_("Business days, at least"),
        required=False,
        min_value=0,
        max_value=365,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
    )
    max_days = forms.IntegerField(
        label=_("Business days, at most"),
        required=False,
        min_value=0,
        max_value=365,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
    )
    position = forms.IntegerField(
        label=_("Position"),
        initial=0,
        min_value=0,
        max_value=32767,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
    )
    is_active = switch_field(_("Offered"), initial=True)


class PlacesAdmin(ReadOnlyAdmin):
    """Rows that staff add and change on a page with one form, which a service saves."""

    form_class: ClassVar[type[forms.Form]]
    add_label: ClassVar[StrOrPromise]
    can_change: ClassVar[bool] = True
    list_before_template = "admin/orders/places/before_list.html"
    row_fields: ClassVar[tuple[str, ...]] = ()

    def save_form(self, row: Any, form: Any, actor: User) -> str:
        """Call the service; a text for the user. Errors: DomainError."""
        raise NotImplementedError

    def initial(self, row: Any) -> dict[str, Any]:
        return {name: getattr(row, name) for name in self.row_fields}

    def permission(self, action: str) -> str:
        return f"{self.opts.app_label}.{action}_{self.opts.model_name}"

    def get_urls(self) -> list[URLPattern]:
        base = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        own = [path("new/", view(partial(self.form_page, pk=None)), name=f"{base}_new")]
        if self.can_change:
            own.append(path("<int:pk>/edit/", view(self.form_page), name=f"{base}_edit"))
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        own = {"may_add": request.user.has_perm(self.permission("add")), "add_label": self.add_label}
        own["add_url"] = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_new")
        return super().changelist_view(request, own | (extra_context or {}))

    @column("", file=())
    def edit(self, row: Any) -> str:
        address = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_edit", args=[row.pk])
        return button_to(address, gettext("Change"))

    def form_page(self, request: HttpRequest, pk: int | None) -> HttpResponse:
        if not request.user.has_perm(self.permission("change" if pk else "add")):
            raise PermissionDenied
        row = get_object_or_404(self.get_queryset(request), pk=pk) if pk else self.model()
        form = self.form_class(posted(request), initial=self.initial(row) if pk else None)
        if request.method == "POST":
            require_fresh_sign_in(request)
            if form.is_valid():
                try:
                    messages.success(request, self.save_form(row, form, require_user(request)))
                except DomainError as refusal:
                    form.add_error(None, refusal.detail)
                else:
                    return redirect(admin_list_url(self.model))
        request.current_app = self.admin_site.name
        base = {"opts": self.opts, "title": str(row) if pk else self.add_label, "media": self.media}
        context = {"form": form, "back": admin_list_url(self.model)}
        return TemplateResponse(
            request, "admin/orders/places/form.html", self.admin_site.each_context(request) | base | context
        )


@admin.register(TaxClass)
class TaxClassAdmin(PlacesAdmin):
    form_class, add_label, row_fields = TaxClassForm, _("Add a tax class"), ("name", "code")
    list_display = ("name", "code", "edit")

    def save_form(self, row: TaxClass, form: TaxClassForm, actor: User) -> str:
        tax_class_save(row, **form.cleaned_data, actor=actor)
        return gettext("The tax class was saved.")


@admin.register(TaxZone)
class TaxZoneAdmin(PlacesAdmin):
    form_class, add_label = TaxZoneForm, _("Add a tax zone")
    row_fields = ("name", "rounding", "has_reverse_charge")
    list_display = ("name", "shown_areas", "shown_rates", "has_reverse_charge", "edit")
    fields = ("name", "shown_areas", "rounding", "has_reverse_charge", "shown_rates")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("areas", "rates__tax_class")

    def get_urls(self) -> list[URLPattern]:
        address = path("try/", self.admin_site.admin_view(self.try_page), name="regions_taxzone_try")
        return [address, *super().get_urls()]

    @column(_("Areas"))
    def shown_areas(self, zone: TaxZone) -> str:
        return areas_text(zone.areas.all()).replace("\n", ", ") or self.empty_value_display

    @column(_("Rates in force"))
    def shown_rates(self, zone: TaxZone) -> str:
        now, found = timezone.now(), {}
        for rate in sorted(zone.rates.all(), key=lambda rate: rate.valid_from):
            if rate.valid_from <= now:
                found[rate.tax_class.name] = f"{rate.tax_class.name} {percent_of(rate.rate_ppm)} %"
        return ", ".join(found.values()) or self.empty_value_display

    def initial(self, row: TaxZone) -> dict[str, Any]:
        return super().initial(row) | {"areas": areas_text(row.areas.all())}

    def save_form(self, row: TaxZone, form: TaxZoneForm, actor: User) -> str:
        tax_zone_save(row, **form.cleaned_data, actor=actor)
        return gettext("The tax zone was saved.")

    def try_page(self, request: HttpRequest) -> HttpResponse:
        """What applies at an address: the zone, its rates, and the shop's shipping methods."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = TryForm(request.GET or None)
        is_wrong = bool(request.GET) and not form.is_valid()
        request.current_app = self.admin_site.name
        context = {"opts": self.opts, "title": gettext("Try an address"), "media": self.media, "form": form}
        context |= form.found() if request.GET and not is_wrong else {}
        return TemplateResponse(
            request,
            "admin/orders/places/try.html",
            self.admin_site.each_context(request) | context,
            status=400 if is_wrong else 200,
        )


def valid_tax_id(value: str) -> TaxId | None:
    """One that was found to be valid just now; it is not stored."""
    if not value:
        return None
    return TaxId(
        value=value, country=country_of(value), status=TaxIdStatus.VERIFIED, checked_at=timezone.now()
    )


class TryForm(forms.Form):
    country = text_field(_("Country"), help_text=_("Two letters, such as US."))
    region = text_field(_("State or region"), required=False)
    postal_code = text_field(_("Postal code"), required=False)
    goods = text_field(_("Value of goods"), required=False, max_length=30)
    weight = forms.IntegerField(
        label=_("Weight in grams"),
        required=False,
        min_value=0,
        max_value=10**8,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
    )

    vat_id = text_field(
        _("VAT ID"), required=False, max_length=40, help_text=_("What it does if it is found to be valid.")
    )

    def clean_vat_id(self) -> str:
        typed = self.cleaned_data["vat_id"]
        try:
            return vat_id_read(typed) if typed else ""
        except InvalidInput as error:
            raise forms.ValidationError(error.detail) from None

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].upper()
        if error := country_error(country):
            raise forms.ValidationError(error)
        return country

    def clean_goods(self) -> Money:
        try:
            return Money.parse(self.cleaned_data["goods"] or "0", store_rules().currency)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def found(self) -> dict[str, Any]:
        data = self.cleaned_data
        names = {name: data[name] for name in ("country", "region", "postal_code") if data[name]}
        place, goods = Place(**address_normalize(names)), data["goods"]
        taxes = taxes_at(place)
        classes = TaxClass.objects.in_bulk()
        rates = taxes.rates.items() if taxes else ()
        methods = methods_at(place, artisan_ids=[], currency=goods.currency)
        prices = [
            (method, price_at(method.tiers, weight_g=data["weight"] or 0, goods_minor=goods.minor))
            for method in methods
        ]
        return {
            "is_tried": True,
            "vat_id_effect": vat_id_effect(
                Destination(place, tax_id=valid_tax_id(data["vat_id"])), taxes, store_rules()
            ),
            "taxes": taxes,
            "rates": [(classes[pk].name, rate.name, percent_of(rate.rate_ppm)) for pk, rate in rates if pk],
            "methods": [
                (method.name, show(Money(price, goods.currency)))
                for method, price in prices
                if price is not None
            ],
        }


@admin.register(TaxRate)
class TaxRateAdmin(PlacesAdmin):
    form_class, add_label, can_change = TaxRateForm, _("Add a tax rate"), False
    list_display = ("zone", "tax_class", "percent", "name", "starts", "made_by")
    list_filter = (("zone", RelatedDropdownFilter), ("tax_class", RelatedDropdownFilter))
    list_filter_submit = True
    list_select_related = ("zone", "tax_class", "made_by")
    fields = ("zone", "tax_class", "percent", "name", "starts", "made_by", "created_at")

    @column(_("Rate"))
    def percent(self, rate: TaxRate) -> str:
        return f"{percent_of(rate.rate_ppm)} %"

    @column(_("Starts"), ordering="valid_from", file="valid_from")
    def starts(self, rate: TaxRate) -> str:
        return when(rate.valid_from)

    def permission(self, action: str) -> str:
        return PERMISSION

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("import/", view(self.import_page), name="regions_taxrate_import"),
            path("import/template/", view(self.template_file), name="regions_taxrate_template"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        own = {"import_url": reverse("admin:regions_taxrate_import")}
        return super().changelist_view(request, own | (extra_context or {}))

    def template_file(self, request: HttpRequest) -> StreamingHttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return csv_response(template_rows(), name="tax-rates.csv")

    def import_page(self, request: HttpRequest) -> HttpResponse:
        """First a preview of all rates of the file; they are added when they are sent again."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form = TaxImportForm(posted(request), request.FILES or None)
        found: FileRates | None = None
        if request.method == "POST":
            require_fresh_sign_in(request)
            if form.is_valid():
                try:
                    if rates := form.previewed_rates():
                        is_added = tax_rates_import(rates, actor=require_user(request))
                        messages.success(request, self.imported_text(len(rates)) if is_added else str(WAITS))
                        return redirect(admin_list_url(TaxRate))
                    found = tax_rates_read(form.cleaned_data["file"].read(MAX_BYTES + 1))
                except DomainError as refusal:
                    form.add_error(None, refusal.detail)
        if found and not found.problems:
            form.ask_to_confirm(found.rates)
        request.current_app = self.admin_site.name
        base = {"opts": self.opts, "title": gettext("Import tax rates"), "media": self.media}
        context: dict[str, Any] = {"form": form, "found": found, "back": admin_list_url(TaxRate)}
        if found and not found.problems:
            context |= {"rows": describe_rates(found.rates), "count": len(found.rates)}
        return TemplateResponse(
            request, "admin/orders/places/import.html", self.admin_site.each_context(request) | base | context
        )

    def imported_text(self, count: int) -> str:
        return ngettext("%(count)d tax rate was added.", "%(count)d tax rates were added.", count) % {
            "count": count
        }

    def save_form(self, row: TaxRate, form: TaxRateForm, actor: User) -> str:
        if tax_rate_add(form.new_rate(), actor=actor) is None:
            return str(WAITS)
        return gettext("The tax rate was added.")


@admin.register(ShippingZone)
class ShippingZoneAdmin(PlacesAdmin):
    form_class, add_label, row_fields = ShippingZoneForm, _("Add a shipping zone"), ("name",)
    list_display = ("name", "shown_areas", "shown_methods", "edit")
    fields = ("name", "shown_areas", "shown_methods")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("areas", "methods")

    @column(_("Areas"))
    def shown_areas(self, zone: ShippingZone) -> str:
        return areas_text(zone.areas.all()).replace("\n", ", ") or self.empty_value_display

    @column(_("Methods"))
    def shown_methods(self, zone: ShippingZone) -> str:
        names = [method.name for method in zone.methods.all() if method.is_active and not method.artisan_id]
        return ", ".join(names) or self.empty_value_display

    def initial(self, row: ShippingZone) -> dict[str, Any]:
        return {"name": row.name, "areas": areas_text(row.areas.all())}

    def save_form(self, row: ShippingZone, form: ShippingZoneForm, actor: User) -> str:
        shipping_zone_save(row, **form.cleaned_data, actor=actor)
        return gettext("The shipping zone was saved.")


@admin.register(ShippingMethod)
class ShippingMethodAdmin(PlacesAdmin):
    form_class, add_label = ShippingMethodForm, _("Add a shipping method")
    row_fields = ("zone", "name", "kind", "charged_per", "min_days", "max_days", "position", "is_active")
    list_display = ("name", "zone", "artisan", "kind", "shown_prices", "is_active", "edit")
    list_filter = (("zone", RelatedDropdownFilter), ("artisan", RelatedDropdownFilter), "is_active")
    list_filter_submit = True
    list_select_related = ("zone", "artisan")
    fields = (*row_fields, "artisan", "shown_prices")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("rates")

    @column(_("Prices"))
    def shown_prices(self, method: ShippingMethod) -> str:
        return prices_text(method.rates.all()).replace("\n", ", ") or self.empty_value_display

    def initial(self, row: ShippingMethod) -> dict[str, Any]:
        return super().initial(row) | {"prices": prices_text(row.rates.all())}

    def save_form(self, row: ShippingMethod, form: ShippingMethodForm, actor: User) -> str:
        fields = dict(form.cleaned_data)
        prices = fields.pop("prices")
        if row.artisan_id and fields["charged_per"] != ChargedPer.PARCEL:
            raise InvalidInput(gettext("Methods of artisans are charged per parcel."))
        shipping_method_save(row, fields=fields, prices=prices, actor=actor)
        return gettext("The shipping method was saved.")
