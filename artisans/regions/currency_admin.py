"""Currencies of the shop and exchange rates in the admin."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from artisans.accounts.principals import require_user
from artisans.accounts.setting_admin import AuditedAdmin
from artisans.core.admin.forms import DayField, FiguresForm, amount_text
from artisans.core.admin.pages import ReadOnlyAdmin, admin_list_url, admin_page_url, column
from artisans.core.errors import DomainError
from artisans.core.money import CURRENCIES, Money
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.core.templatetags.money import show
from artisans.core.validators import validate_currency
from artisans.regions.currencies import BASE_CURRENCY, base_currency
from artisans.regions.errors import RatesJump
from artisans.regions.models import RateSheet, RateSource, ShopCurrency
from artisans.regions.rate_files import (
    BASE,
    MAX_BYTES,
    PARTS,
    DayRates,
    RatesRefused,
    rate_text,
    read_rate,
    read_rates,
)
from artisans.regions.services import digest_of_file, digest_of_typed, rates_import

__all__ = ["RateSheetAdmin", "ShopCurrencyAdmin"]
SALT = "regions.rates"
PERMISSION = "regions.add_ratesheet"
DAYS_AHEAD = 1


class ShopCurrencyForm(FiguresForm):
    amounts = {
        "step": "step_minor",
        "price_step": "price_step_minor",
        "price_charm": "price_charm_minor",
        "cash_limit": "cash_limit_minor",
    }

    step = amount_text(
        _("Smallest step of amounts"),
        help_text=_(
            "Every price and charge is a multiple of it: 0.01 in USD, 0.05 in CHF, 0.010 in KWD, 1 in JPY."
        ),
    )
    price_step = amount_text(_("Step of converted prices"), help_text=_("1.00 with 0.01 taken off: 12.99."))
    price_charm = amount_text(_("Taken off converted prices"))
    cash_limit = amount_text(
        _("Cash on delivery limit"),
        required=False,
        help_text=_("Empty: not offered in it. That of the shop’s own currency is in the store rules."),
    )

    class Meta:
        model = ShopCurrency
        fields = ("code", "is_active", "position", "rounding")

    def clean(self) -> dict[str, Any]:
        if "code" in self.cleaned_data:
            self.instance.code = self.cleaned_data["code"]
        data = super().clean()
        row = self.instance
        if not data.get("is_active", row.is_active) and row.code == base_currency():
            self.add_error("is_active", gettext("The shop’s own currency is always offered."))
        if data.get("cash_limit") and "cash_limit" in self.changed_data and row.code == base_currency():
            self.add_error(
                "cash_limit",
                gettext("That of the shop’s own currency is in the store rules: change it there."),
            )
        for name, column_name in (("price_step", "price_step_minor"), ("price_charm", "price_charm_minor")):
            if name not in self.errors and row.step_minor and getattr(row, column_name) % row.step_minor:
                text = gettext("Enter a multiple of %(step)s.")
                self.add_error(name, text % {"step": show(Money.stored(row.step_minor, row.code))})
        if row.step_minor <= 0:
            self.add_error("step", gettext("Enter more than 0."))
        if row.price_charm_minor >= row.price_step_minor:
            self.add_error("price_charm", gettext("Enter less than the step of converted prices."))
        return data


@admin.register(ShopCurrency)
class ShopCurrencyAdmin(AuditedAdmin):
    form = ShopCurrencyForm
    saving_needs_fresh_sign_in = True
    list_display = ("code", "is_active", "steps", "cash")
    fields = (
        "code",
        "is_active",
        "position",
        "step",
        ("price_step", "price_charm", "rounding"),
        "cash_limit",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(base=Subquery(BASE_CURRENCY[-1]()))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the limit of the shop's own currency, which is in the store rules."""
        is_base = obj is not None and obj.code == base_currency()
        return [name for name in self.fields if not is_base or name != "cash_limit"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *(("code",) if obj else ()))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @column(_("Steps"), file="step_minor")
    def steps(self, currency: ShopCurrency) -> str:
        return show(Money.stored(currency.step_minor, currency.code))

    @column(_("Cash on delivery up to"), file="cash_limit_minor")
    def cash(self, currency: Any) -> str:
        if currency.code == currency.base:
            return gettext("In the store rules")
        return show(currency.cash_limit) if currency.cash_limit else self.empty_value_display


class RatesForm(forms.Form):
    """`checked`: the signed rates that were shown because they jump; sent again, they are imported."""

    checked = forms.CharField(required=False, widget=forms.HiddenInput)
    source = RateSource.ECB

    def read(self) -> tuple[DayRates, str]:
        """The rates with their digest. Errors: RatesRefused."""
        raise NotImplementedError


class UploadForm(RatesForm):
    file = forms.FileField(
        label=_("File of the European Central Bank"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_(
            "“Euro foreign exchange reference rates”, daily or historical, as XML or as the zip with CSV. "
            "Its latest day is imported."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].required = not self.data.get("checked")

    def read(self) -> tuple[DayRates, str]:
        raw = self.cleaned_data["file"].read(MAX_BYTES + 1)
        return read_rates(raw), digest_of_file(raw)


class TypeForm(RatesForm):
    source = RateSource.MANUAL
    base = forms.CharField(
        label=_("Rates of one unit of"),
        max_length=3,
        initial=BASE,
        validators=[validate_currency],
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    valid_on = DayField(label=_("Day"))
    lines = forms.CharField(
        label=_("Rates"),
        max_length=5000,
        widget=UnfoldAdminTextareaWidget,
        help_text=_("A line each: the currency and what it is worth, such as “USD 1.0705”."),
    )

    def clean_valid_on(self) -> Any:
        day = self.cleaned_data["valid_on"]
        if (day - date.today()).days > DAYS_AHEAD:  # noqa: DTZ011  # a day ahead of any zone is enough
            raise forms.ValidationError(gettext("Enter today or an earlier date."))
        return day

    def clean_lines(self) -> dict[str, int]:
        rates: dict[str, int] = {}
        for line in filter(str.strip, self.cleaned_data["lines"].splitlines()):
            code, _space, text = line.strip().partition(" ")
            if code not in CURRENCIES or code in rates:
                message = gettext("“%(line)s”: enter each currency in use once, such as “USD 1.0705”.")
                raise forms.ValidationError(message % {"line": line[:40]})
            try:
                rates[code] = read_rate(text.strip() or "0", code)
            except DomainError as refusal:
                raise forms.ValidationError(refusal.detail) from refusal
        return rates

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("base") in data.get("lines", {}):
            self.add_error("lines", gettext("Leave out %(code)s itself.") % {"code": data["base"]})
        return data

    def read(self) -> tuple[DayRates, str]:
        data = self.cleaned_data
        day = DayRates(data["base"], data["valid_on"], data["lines"] | {data["base"]: 10**PARTS})
        return day, digest_of_typed(day)


FORMS: dict[str, tuple[type[RatesForm], Any]] = {
    "upload": (UploadForm, _("Upload exchange rates")),
    "type": (TypeForm, _("Enter exchange rates")),
}


@admin.register(RateSheet)
class RateSheetAdmin(ReadOnlyAdmin):
    list_before_template = "admin/regions/ratesheet/before_list.html"
    list_display = ("valid_on", "source", "base", "imported_by", "created")
    list_filter = ("source",)
    list_select_related = ("imported_by",)
    fields = ("valid_on", "source", "base", "shown_rates", "imported_by", "created_at")
    readonly_fields = ("shown_rates",)

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"{name}/",
                self.admin_site.admin_view(self.new_page),
                {"name": name},
                name=f"regions_ratesheet_{name}",
            )
            for name in FORMS
        ]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        own = {"may_add": request.user.has_perm(PERMISSION)}
        return super().changelist_view(request, own | (extra_context or {}))

    @column(_("Rates"))
    def shown_rates(self, sheet: RateSheet) -> str:
        return ", ".join(f"{rate.currency} {rate_text(rate.rate_e10)}" for rate in sheet.rates.all())

    def new_page(self, request: HttpRequest, name: str) -> HttpResponse:
        """Rates that jump are shown, and imported when they are sent again."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        form_class, title = FORMS[name]
        is_sent = request.method == "POST"
        form = form_class(request.POST if is_sent else None, request.FILES if is_sent else None)
        jumped: list[str] = []
        if is_sent:
            require_fresh_sign_in(request)
            if form.is_valid():
                try:
                    return self.add(request, form)
                except RatesJump as jump:
                    jumped = [jump.detail]
                except DomainError as refusal:
                    form.add_error(None, refusal.detail)
        request.current_app = self.admin_site.name
        base = {"opts": self.opts, "title": title, "media": self.media}
        context = {"form": form, "jumped": jumped, "back": admin_list_url(RateSheet)}
        return TemplateResponse(
            request,
            "admin/regions/ratesheet/new.html",
            self.admin_site.each_context(request) | base | context,
        )

    def add(self, request: HttpRequest, form: RatesForm) -> HttpResponse:
        """Errors: RatesRefused, RatesKnown, RatesJump with the form ready to be sent again."""
        checked = self.checked_rates(form)
        day, sha256 = checked or form.read()
        try:
            sheet = rates_import(
                day=day,
                source=form.source,
                sha256=sha256,
                actor=require_user(request),
                is_confirmed=checked is not None,
            )
        except RatesJump:
            shown = [day.base, day.valid_on.isoformat(), dict(day.rates), list(day.unknown), sha256]
            token = signing.dumps(shown, salt=SALT, compress=True)
            form.data = {**form.data.dict(), "checked": token}  # type: ignore[attr-defined]  # a QueryDict
            form.fields.pop("file", None)
            raise
        messages.success(request, gettext("The exchange rates were added."))
        if day.unknown:
            text = gettext("Skipped, because the shop does not use these currencies: %(codes)s.")
            messages.warning(request, text % {"codes": ", ".join(day.unknown)})
        return redirect(admin_page_url(sheet))

    def checked_rates(self, form: RatesForm) -> tuple[DayRates, str] | None:
        """Those that were shown; None if others are sent now."""
        try:
            base, day, rates, unknown, sha256 = signing.loads(form.cleaned_data["checked"], salt=SALT)
        except signing.BadSignature:
            if form.cleaned_data["checked"]:
                raise RatesRefused(gettext("The rates changed meanwhile. Start again.")) from None
            return None
        seen = DayRates(base, date.fromisoformat(day), rates, tuple(unknown)), sha256
        is_same = isinstance(form, UploadForm) or form.read() == (
            DayRates(base, seen[0].valid_on, rates),
            sha256,
        )
        return seen if is_same else None
