"""Commission rates in the admin. A new one is added after a preview of what it changes."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import (
    BASE_INPUT_CLASSES,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from artisans.accounts.models import User
from artisans.accounts.principals import require_user
from artisans.accounts.setting_admin import WAITS
from artisans.catalog.models import Artisan, Category, CommissionRate
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.forms import amount_read, percent_text
from artisans.core.admin.pages import GOOD, PLAIN, WAIT, ReadOnlyAdmin, admin_list_url, column, when
from artisans.core.errors import DomainError
from artisans.core.money import PPM, Money
from artisans.core.security.fresh_sign_in import require_fresh_sign_in
from artisans.core.validators import validate_currency
from orders.commission import terms_of
from orders.mails import terms_text
from orders.selectors import store_rules
from orders.services.rates import (
    PERMISSION,
    NewRate,
    RateChange,
    changes_by_terms,
    later_text,
    names_text,
    rate_add,
    rate_changes,
    rate_check,
    rate_examples,
    scope_text,
    start_text,
    terms_of_new,
)

NOW, PLANNED, FORMER = "now", "planned", "former"
STATES = {NOW: _("Applies"), PLANNED: _("Planned"), FORMER: _("Former")}
TONES = {NOW: GOOD, PLANNED: WAIT, FORMER: PLAIN}
AMOUNTS = {
    "fixed": (_("Fixed part"), _("Per parcel, in addition.")),
    "minimum": (_("At least"), _("Per parcel.")),
    "cap": (_("At most"), _("Per parcel; empty for no limit.")),
}
SALT = "orders.rate_preview"
CENT = Decimal("0.01")


class RateForm(forms.Form):
    """A new rate. `previewed` is a signed copy of what the preview showed."""

    artisan = forms.ModelChoiceField(
        Artisan.objects.filter(is_active=True).order_by("name"),
        label=_("Artisan"),
        required=False,
        empty_label=_("All artisans"),
        widget=UnfoldAdminSelectWidget,
    )
    category = forms.ModelChoiceField(
        Category.objects.order_by("name"),
        label=_("Category"),
        required=False,
        empty_label=_("All categories"),
        widget=UnfoldAdminSelectWidget,
    )
    is_end = forms.BooleanField(
        label=_("No longer a rate of their own"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_(
            "Instead of the amounts below: the more general rate applies again, such as the store’s."
        ),
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        validators=[validate_currency],
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text=_("The rate is for sales in it. Rates can be added before the shop sells in a currency."),
    )
    rate = percent_text(
        _("Commission"), required=False, help_text=_("Of the goods without tax, in percent, such as 10.")
    )
    valid_from = forms.DateTimeField(
        label=_("Starts"),
        required=False,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M",
            attrs={"type": "datetime-local", "class": " ".join(BASE_INPUT_CLASSES)},
        ),
        help_text=_("In the shop’s time zone. Leave it empty to apply the rate immediately."),
    )
    on_shipping = forms.BooleanField(
        label=_("Also on shipping"), required=False, widget=UnfoldBooleanSwitchWidget
    )
    is_agreed = forms.BooleanField(
        label=_("The artisans concerned have agreed to this start"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("Needed for an increase with less notice than the shop gives."),
    )
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (label, help_text) in AMOUNTS.items():
            widget = UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"})
            self.fields[name] = forms.CharField(
                label=label, help_text=help_text, required=False, max_length=30, widget=widget
            )
        self.fields["rate"].required = not self.data.get("is_end")
        order = ("artisan", "category", "is_end", "currency", "rate", *AMOUNTS, "on_shipping", "valid_from")
        self.order_fields(order)

    def clean_rate(self) -> Any:
        rate = self.cleaned_data["rate"]
        if rate is not None and rate != rate.quantize(CENT):
            raise forms.ValidationError(gettext("Enter at most two decimals."))
        return rate

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in AMOUNTS if "currency" in data else ():
            try:
                data[name] = amount_read(data[name], data["currency"]) if data.get(name) else None
            except forms.ValidationError as error:
                self.add_error(name, error)
        terms = [name for name in ("rate", "fixed", "minimum", "cap") if data.get(name)]
        if data.get("is_end") and (terms or data.get("on_shipping")):
            self.add_error("is_end", gettext("Leave the amounts empty, or turn this off."))
        cap, minimum = data.get("cap"), data.get("minimum")
        if cap is not None and minimum is not None and cap < minimum:
            self.add_error("cap", gettext("Enter at least the amount under “At least”."))
        return data

    def new_rate(self) -> NewRate:
        data = self.cleaned_data

        def minor(name: str) -> int:
            amount: Money | None = data[name]
            return amount.minor if amount else 0

        return NewRate(
            currency=data["currency"],
            artisan_id=str(data["artisan"].pk) if data["artisan"] else "",
            category_id=data["category"].pk if data["category"] else None,
            is_end=data["is_end"],
            rate_ppm=int((data["rate"] or 0) * PPM / 100),
            minimum_minor=minor("minimum"),
            cap_minor=None if data["cap"] is None else minor("cap"),
            fixed_minor=minor("fixed"),
            on_shipping=data["on_shipping"],
            valid_from=data["valid_from"].isoformat() if data["valid_from"] else "",
            is_agreed=data["is_agreed"],
        )


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(STATES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[CommissionRate]) -> QuerySet[CommissionRate]:
        if self.value() not in STATES:
            return queryset
        return queryset.filter(Q(current_state=self.value()))


def rate_states() -> dict[int, str]:
    """The state of each rate: of one kind, the latest that has started applies."""
    now, states, seen = timezone.now(), {}, set()
    rows = CommissionRate.objects.order_by("-valid_from")
    for pk, valid_from, *kind in rows.values_list(
        "pk", "valid_from", "artisan_id", "category_id", "currency"
    ):
        has_started = valid_from <= now
        states[pk] = PLANNED if not has_started else FORMER if tuple(kind) in seen else NOW
        if has_started:
            seen.add(tuple(kind))
    return states


@admin.register(CommissionRate)
class CommissionRateAdmin(ReadOnlyAdmin):
    list_before_template = "admin/catalog/commissionrate/_views.html"
    list_display = ("scope", "takes", "currency", "state", "starts", "made_by")
    list_filter = (
        StateFilter,
        ("artisan", RelatedDropdownFilter),
        ("category", RelatedDropdownFilter),
        ("valid_from", DayRangeFilter),
    )
    list_filter_submit = True
    list_select_related = ("artisan", "category", "made_by")
    views = {"state=now": _("In force"), "state=planned": _("Planned"), "": _("All")}
    fields = ("scope", "takes", "currency", "starts", "made_by", "created_at")

    def get_urls(self) -> list[URLPattern]:
        address = path("new/", self.admin_site.admin_view(self.new_page), name="catalog_commissionrate_new")
        return [address, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        own = {"may_add": request.user.has_perm(PERMISSION)}
        return super().changelist_view(request, own | (extra_context or {}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[CommissionRate]:
        applying = [pk for pk, state in rate_states().items() if state == NOW]
        state = Case(
            When(pk__in=applying, then=Value(NOW)),
            When(valid_from__gt=timezone.now(), then=Value(PLANNED)),
            default=Value(FORMER),
        )
        queryset: QuerySet[CommissionRate] = super().get_queryset(request).annotate(current_state=state)
        return queryset

    @column(_("For"))
    def scope(self, rate: CommissionRate) -> str:
        return scope_text(rate)

    @column(_("Commission"))
    def takes(self, rate: CommissionRate) -> str:
        if rate.is_end:
            return gettext("no rate of its own")
        return terms_text(list(terms_of(rate)), rate.currency)

    @column(_("State"), label=TONES)
    def state(self, rate: Any) -> tuple[str, Any]:
        return rate.current_state, STATES[rate.current_state]

    @column(_("Starts"), ordering="valid_from", file="valid_from")
    def starts(self, rate: CommissionRate) -> str:
        return when(rate.valid_from)

    def new_page(self, request: HttpRequest) -> HttpResponse:
        """First a preview of what the rate means; the same rate sent again is added."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        initial = {name: request.GET.get(name) for name in ("artisan", "category")}
        initial["currency"] = store_rules().currency
        form = RateForm(request.POST if request.method == "POST" else None, initial=initial)
        preview: dict[str, Any] = {}
        if request.method == "POST":
            require_fresh_sign_in(request)
            if form.is_valid():
                new, actor = form.new_rate(), require_user(request)
                try:
                    if self.was_previewed(form, new):
                        return self.add(request, new, actor)
                    changes = rate_changes(new)
                    rate_check(new, changes=changes, actor=actor)
                except DomainError as refusal:
                    form.add_error(None, refusal.detail)
                else:
                    preview = self.preview(new, changes)
                    token = signing.dumps(asdict(new), salt=SALT)
                    form.data = {**form.data.dict(), "previewed": token}  # type: ignore[attr-defined]  # a QueryDict
        context = {"form": form, "preview": preview, "back": admin_list_url(CommissionRate)}
        return self.page(request, context)

    def page(self, request: HttpRequest, context: dict[str, Any]) -> TemplateResponse:
        request.current_app = self.admin_site.name
        base = {"opts": self.opts, "title": gettext("Add a commission rate"), "media": self.media}
        return TemplateResponse(
            request,
            "admin/catalog/commissionrate/new.html",
            self.admin_site.each_context(request) | base | context,
        )

    def was_previewed(self, form: RateForm, new: NewRate) -> bool:
        try:
            seen = signing.loads(form.cleaned_data["previewed"], salt=SALT)
        except signing.BadSignature:
            return False
        return bool(seen == asdict(new))

    def add(self, request: HttpRequest, new: NewRate, actor: User) -> HttpResponse:
        if rate_add(new, actor=actor) is None:
            messages.warning(request, WAITS)
        else:
            messages.success(request, gettext("The rate was added."))
        return redirect(admin_list_url(CommissionRate))

    def preview(self, new: NewRate, changes: list[RateChange]) -> dict[str, Any]:
        examples = rate_examples(new, store_rules())
        artisans = len({change.artisan.pk for change in changes})
        return {
            "scope": scope_text(new),
            "currency": new.currency,
            "takes": terms_of_new(new),
            "starts": start_text(new),
            "changes": [
                {
                    "artisans": names_text(names),
                    "categories": ", ".join(change.categories),
                    "before": terms_text(list(change.before), new.currency),
                    "after": terms_text(list(change.after), new.currency),
                    "is_rise": change.is_rise,
                    "later": later_text(change),
                }
                for change, names in changes_by_terms(changes).items()
            ],
            "touched": ngettext("%(count)d artisan", "%(count)d artisans", artisans) % {"count": artisans},
            "mailed": len({change.artisan.pk for change in changes if change.is_rise}),
            "examples": examples,
            "takes_all": [example for example in examples if example.takes_all],
        }
