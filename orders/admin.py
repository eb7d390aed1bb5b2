from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from artisans.accounts.setting_admin import AuditedAdmin
from artisans.approvals.selectors import approvers_of
from artisans.catalog.models import Artisan
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.forms import FiguresForm, amount_text, percent_text
from artisans.core.admin.pages import BAD, GOOD, WAIT, EditAdmin, ReadOnlyAdmin, column, link_to, money, when
from artisans.core.admin.search import containing
from artisans.core.numbers import split_number
from artisans.core.templatetags.money import show
from orders import place_admin  # noqa: F401  # registers itself
from orders.approvals import kinds_of_rule
from orders.models import NO_CONTACT, Carrier, Parcel, Shipment, StoreRules
from orders.rate_admin import CommissionRateAdmin  # registers itself
from orders.selectors import orders_containing_newest, store_of_request
from orders.statuses import ParcelStatus, ShippingTax

PARCEL_TONES = {
    ParcelStatus.NEW: WAIT,
    ParcelStatus.STARTED: WAIT,
    ParcelStatus.PACKED: WAIT,
    ParcelStatus.SHIPPED: GOOD,
    ParcelStatus.DELIVERED: GOOD,
    ParcelStatus.CANCELLED: BAD,
    ParcelStatus.RETURNED: BAD,
}


TWO_PEOPLE = 2
__all__ = ["CarrierAdmin", "CommissionRateAdmin", "ParcelAdmin", "ShipmentAdmin", "StoreRulesAdmin"]


class StoreRulesForm(FiguresForm):
    amounts = {
        "cash_limit": "cash_limit_minor",
        "second_person_above": "second_person_above_minor",
    }
    percents = {
        "commission_tax": "commission_tax_ppm",
        "reserve": "reserve_ppm",
    }

    cash_limit = amount_text(
        _("Cash on delivery limit"), help_text=_("Highest order total that can be paid in cash on delivery.")
    )
    second_person_above = amount_text(
        _("Approval required above"),
        required=False,
        help_text=_(
            "Refunds and recorded payments above this amount per order need a second person’s approval. Leave empty to "
            "never require one."
        ),
    )
    commission_tax = percent_text(
        _("Tax rate on commission"),
        help_text=_(
            "In percent. Added to the commission of artisans with domestic tax on commission; for new orders only."
        ),
    )
    reserve = percent_text(
        _("Reserve"), help_text=_("The part of each release that is held back, in percent; 0 for none.")
    )

    class Meta:
        model = StoreRules
        exclude = (
            "tax_rate_ppm",  # of release 0.1.0: zones have the rates
            "commission_tax_ppm",
            "reserve_ppm",
            "shipping_minor",
            "cash_limit_minor",
            "second_person_above_minor",
        )  # every other field is on the form
        widgets: ClassVar = {
            "account_iban": UnfoldAdminTextInputWidget,
            "account_bic": UnfoldAdminTextInputWidget,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            self.initial.update(commission_tax="0", reserve="0")
        if self.instance.support_email == NO_CONTACT:
            self.initial["support_email"] = ""

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        for name in ("second_person_above", "second_person_for_settings"):
            if name in self.changed_data and data.get(name) not in {None, "", False}:
                self.check_second_people(name)
        self.check_days(data)
        now = self.instance
        if data.get("shipping_tax", now.shipping_tax) == ShippingTax.CLASS and not data.get(
            "shipping_tax_class", now.shipping_tax_class
        ):
            self.add_error("shipping_tax_class", gettext("Choose the tax class of shipping."))
        return data

    def check_days(self, data: dict[str, Any]) -> None:
        """Earnings are released when buyers can no longer return what they bought."""
        names = ("return_days", "hold_days", "longest_hold_days")
        days = {name: data.get(name, getattr(self.instance, name)) for name in names}
        if days["hold_days"] < days["return_days"]:
            message = gettext("Buyers can return goods for %(days)d days: enter at least as many.")
            self.add_error("hold_days", message % {"days": days["return_days"]})
        elif days["longest_hold_days"] < days["hold_days"]:
            message = gettext("Earnings are released %(days)d days after delivery: enter at least as many.")
            self.add_error("longest_hold_days", message % {"days": days["hold_days"]})

    def check_second_people(self, name: str) -> None:
        people_of = approvers_of(kinds_of_rule(name))
        too_few = [label for label, people in people_of.items() if len(people) < TWO_PEOPLE]
        if too_few:
            self.add_error(
                name,
                gettext(
                    "Nobody could give the second approval for: %(permissions)s. Give the permission to at least two "
                    "active users first."
                )
                % {"permissions": ", ".join(map(str, too_few))},
            )


@admin.register(StoreRules)
class StoreRulesAdmin(AuditedAdmin):
    saving_needs_fresh_sign_in = True
    form = StoreRulesForm
    list_display = ("name", "currency", "country", "cash_limit_shown")
    fieldsets = (
        (_("Store"), {"fields": ("name", "support_email", "country", "currency")}),
        (_("Pricing"), {"fields": ("cash_limit", "cash_holder")}),
        (
            _("Tax"),
            {
                "fields": (
                    *("prices_include_tax", "gross_fixed", "shipping_tax", "shipping_tax_class", "tax_by"),
                    *("subsidy_is_taxed", "tax_remitter"),
                )
            },
        ),
        (_("Commission"), {"fields": ("commission_tax", "commission_on_refund", "payment_fee_bearer")}),
        (
            _("Artisans’ earnings"),
            {
                "fields": (
                    "return_days",
                    "hold_days",
                    "longest_hold_days",
                    "reserve",
                    "reserve_days",
                    "debt_days",
                )
            },
        ),
        (
            _("Bank account for transfers"),
            {"fields": ("account_holder", "account_iban", "account_bic", "account_bank")},
        ),
        (_("Checks"), {"fields": ("check_payee", "check_address")}),
        (_("Second-person approval"), {"fields": ("second_person_above", "second_person_for_settings")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """`manage.py setup_shop` or a superuser creates the only row."""
        return bool(request.user.is_superuser) and store_of_request(request)._state.adding

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        if not change:
            obj.pk = 1
        super().save_model(request, obj, form, change)

    def has_change_permission(self, request: HttpRequest, obj: StoreRules | None = None) -> bool:
        """Settings and the bank account have separate permissions; fields without permission are read-only."""
        may_rules = super().has_change_permission(request, obj)
        return may_rules or bool(request.user.has_perm("orders.change_bank_account"))

    def has_view_permission(self, request: HttpRequest, obj: StoreRules | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: StoreRules | None = None) -> bool:
        return False

    def write(self, request: HttpRequest, obj: StoreRules, form: Any, columns: list[str]) -> None:
        super().write(request, obj, form, columns)
        rules = {"second_person_above_minor", "second_person_for_settings"} & set(columns)
        for rule in sorted(rules):
            for label, people in approvers_of(kinds_of_rule(rule)).items():
                names = ", ".join(user.email for user in people)
                message = gettext("%(permission)s: any two of these users can approve together: %(users)s.")
                messages.info(request, message % {"permission": label, "users": names})

    @column(_("Tax rate on commission"))
    def commission_tax(self, rules: StoreRules) -> str:
        return f"{rules.commission_tax_ppm / 10_000:g} %"

    @column(_("Reserve"))
    def reserve(self, rules: StoreRules) -> str:
        return f"{rules.reserve_ppm / 10_000:g} %"

    @column(_("Cash on delivery limit"), file=money("cash_limit"))
    def cash_limit_shown(self, rules: StoreRules) -> str:
        return show(rules.cash_limit)


@admin.register(Carrier)
class CarrierAdmin(EditAdmin):
    list_display = ("name", "countries", "tracking_url")


@admin.register(Shipment)
class ShipmentAdmin(ReadOnlyAdmin):
    list_display = ("parcel", "number", "carrier", "tracking", "when_shipped", "shipped_by")
    list_filter = (("shipped_at", DayRangeFilter),)
    list_filter_submit = True
    list_select_related = ("parcel__order", "shipped_by")
    search_fields = ("tracking",)  # shows the box; `get_search_results` searches
    search_help_text = _("Order or tracking number")
    ordering = ("-shipped_at", "-created_at")
    fields = ("parcel", "number", "carrier", "tracking", "shipped_at", "shipped_by", "units")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Shipment], search_term: str
    ) -> tuple[QuerySet[Shipment], bool]:
        """Without an OR over two tables, which no index can find."""
        term = search_term.strip()
        if not term:
            return queryset, False
        rows = Shipment.objects.order_by().values("pk")
        found = rows.filter(tracking__iexact=term).exclude(tracking="")
        order_number, _number = split_number(term.removeprefix("#"))
        if order_number:
            found = found.union(rows.filter(parcel__order__order_number__startswith=order_number))
        return queryset.filter(pk__in=found), False

    @column(_("Shipped"), ordering="shipped_at", file="shipped_at")
    def when_shipped(self, shipment: Shipment) -> str:
        return when(shipment.shipped_at)

    @column(_("Units"))
    def units(self, shipment: Shipment) -> str:
        rows = shipment.lines.values_list("quantity", "line__product_name")
        return ", ".join(f"{quantity} × {name}" for quantity, name in rows)


@admin.register(Parcel)
class ParcelAdmin(ReadOnlyAdmin):
    list_display = ("label", "artisan", "state", "total_shown", "tracking", "cash", "created")
    list_filter = ("status", ("artisan", RelatedDropdownFilter), ("created_at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("order", "artisan")
    search_fields = ("tracking",)  # shows the box; `get_search_results` searches
    search_help_text = _("Order, parcel or tracking number, or name of the buyer or artisan")
    ordering = ("-created_at", "number")
    fields = (
        "order_link",
        "artisan",
        "number",
        "status",
        "carrier",
        "tracking",
        "cash_reported_at",
        ("subtotal_shown", "tax_shown"),
        ("shipping_shown", "total_shown"),
        "share_shown",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Parcel], search_term: str
    ) -> tuple[QuerySet[Parcel], bool]:
        """Without an OR over two tables, which no index can find."""
        term = search_term.strip()
        if not term:
            return queryset, False
        rows = Parcel.objects.order_by().values("pk")
        order_number, number = split_number(term.removeprefix("#"))
        by_order = rows.filter(order__order_number__startswith=order_number) if order_number else rows.none()
        found = (by_order.filter(number=number) if number else by_order).union(
            rows.filter(tracking__iexact=term).exclude(tracking=""),
            rows.filter(order__in=orders_containing_newest(term).values("pk")),
            rows.filter(artisan__in=containing(Artisan.objects.order_by(), "name", term).values("pk")),
        )
        return queryset.filter(pk__in=found), False

    @column(_("Parcel"), ordering="order__order_number")
    def label(self, parcel: Parcel) -> str:
        return str(parcel)

    @column(_("Order"))
    def order_link(self, parcel: Parcel) -> SafeString:
        return link_to(parcel.order)

    @column(_("Status"), ordering="status", label=PARCEL_TONES)
    def state(self, parcel: Parcel) -> tuple[str, str]:
        return parcel.status, parcel.get_status_display()

    @column(_("Cash reported"), ordering="cash_reported_at", file="cash_reported_at")
    def cash(self, parcel: Parcel) -> str:
        return when(parcel.cash_reported_at)

    @column(_("Total"), ordering="total_minor", file=money("total"))
    def total_shown(self, parcel: Parcel) -> str:
        return show(parcel.total)

    @column(_("Subtotal"), file=money("subtotal"))
    def subtotal_shown(self, parcel: Parcel) -> str:
        return show(parcel.subtotal)

    @column(_("Tax"), file=money("tax"))
    def tax_shown(self, parcel: Parcel) -> str:
        return show(parcel.tax)

    @column(_("Shipping"), file=money("shipping"))
    def shipping_shown(self, parcel: Parcel) -> str:
        return show(parcel.shipping)

    @column(_("Artisan’s share"), file=money("share"))
    def share_shown(self, parcel: Parcel) -> str:
        return show(parcel.share)
