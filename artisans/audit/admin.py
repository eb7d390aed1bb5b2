from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from artisans.audit.models import AuditEntry
from artisans.audit.selectors import targets_named
from artisans.audit.services import row_key
from artisans.core.admin.filters import DayRangeFilter, RecentValuesFilter
from artisans.core.admin.pages import ReadOnlyAdmin, column, when
from artisans.core.admin.search import containing
from artisans.core.models import is_uuid

ACTION_LABELS = {
    "account.register": _("Account created"),
    "approval.approve": _("Approved by a second person"),
    "approval.expire": _("Approval request expired"),
    "approval.fail": _("Approved, but failed"),
    "approval.reject": _("Approval request rejected"),
    "approval.request": _("Second person’s approval requested"),
    "approval.withdraw": _("Approval request withdrawn"),
    "address.add": _("Email address added"),
    "address.change": _("Primary email address changed"),
    "address.remove": _("Email address removed"),
    "cash.deposit": _("Cash deposited in the bank"),
    "cash.deposit_reverse": _("Cash deposit reversed"),
    "cash.report": _("Cash reported as collected"),
    "debt.reverse": _("Payment or write-off of an artisan’s debt reversed"),
    "debt.settle": _("Payment of an artisan’s debt recorded"),
    "debt.write_off": _("Artisan’s debt written off"),
    "flag.resolve": _("Flag resolved"),
    "hold.end": _("Hold on an artisan’s money ended"),
    "hold.place": _("Hold placed on an artisan’s money"),
    "ledger.close": _("Month of the ledger closed"),
    "method.remove": _("Saved payment method removed"),
    "method.save": _("Payment method saved"),
    "money.return": _("Offline refund recorded"),
    "movement.close": _("Movement at a provider closed as not the shop’s"),
    "movement.reopen": _("Movement at a provider reopened"),
    "order.cancel": _("Order cancelled"),
    "order.expire": _("Order expired"),
    "order.release": _("Order released for shipping"),
    "order.revoke_links": _("Links to the order revoked"),
    "parcel.decide": _("Parcel decisions saved"),
    "parcel.instruct": _("Parcel put on hold or released"),
    "shipment.correct": _("Tracking number corrected"),
    "parcel.move": _("Parcel status changed"),
    "password.change": _("Password changed"),
    "payment.sync": _("Synced with the provider"),
    "payment.reject": _("Payment rejected"),
    "person.erase": _("Personal data erased"),
    "person.export": _("Personal data exported"),
    "picture.add": _("Picture of a product uploaded"),
    "picture.change": _("Picture of a product moved or described"),
    "picture.remove": _("Picture of a product removed"),
    "portrait.change": _("Portrait of an artisan changed"),
    "portrait.remove": _("Portrait of an artisan removed"),
    "product.allow_sale": _("Sale of a product allowed again"),
    "product.archive": _("Product archived"),
    "product.change": _("Product changed"),
    "product.create": _("Product created"),
    "product.publish": _("Product published"),
    "product.take_off_sale": _("Product taken off sale by the shop"),
    "prices.change": _("Prices in other currencies changed"),
    "prices.convert": _("Prices converted into another currency"),
    "profile.change": _("Profile of a workshop changed"),
    "record.view": _("Locked record viewed"),
    "rates.import": _("Exchange rates added"),
    "receipt.record": _("Payment recorded"),
    "recovery_codes.make": _("Recovery codes generated"),
    "receipt.reverse": _("Receipt reversed"),
    "difference.close": _("Difference closed"),
    "difference.reopen": _("Closed difference reopened"),
    "refund.decide": _("External refund reviewed"),
    "refund.open": _("Refund started"),
    "setting.change": _("Setting changed"),
    "second_factor.add": _("Second factor added"),
    "second_factor.remove": _("Second factor removed"),
    "sessions.end": _("Other sessions signed out"),
    "shipping_method.save": _("Shipping method saved"),
    "shipping_method.delete": _("Shipping method deleted"),
    "shipping_zone.save": _("Shipping zone saved"),
    "tax_class.save": _("Tax class saved"),
    "tax_rate.add": _("Tax rate added"),
    "tax_zone.save": _("Tax zone saved"),
    "tax_id.ask_again": _("VIES asked again about a VAT ID"),
    "tax_id.decide": _("Decision on a VAT ID"),
    "stock.adjust": _("Stock counted"),
    "list.export": _("List exported"),
    "stock.import": _("Stock imported from a file"),
    "artisan.move": _("State of a workshop changed"),
    "application.move": _("Application to sell changed"),
    "terms.publish": _("Terms for artisans published"),
    "terms.accept": _("Terms for artisans accepted"),
    "team.invite": _("Invitation to a workshop sent"),
    "team.join": _("Team of a workshop joined"),
    "team.leave": _("Team of a workshop left"),
    "team.remove": _("Member of a workshop removed"),
    "team.withdraw": _("Invitation to a workshop withdrawn"),
    "token.issue": _("API token issued"),
    "token.revoke": _("API token revoked"),
    "variants.change": _("Variants changed"),
    "webhook.close": _("Bank event resolved"),
    "webhook.replay": _("Webhook event reprocessed"),
}


def action_label(action: str) -> str:
    return str(ACTION_LABELS.get(action, action))


def details_of(data: Any) -> str:
    """An entry's data as text; unknown shapes are shown unchanged."""
    if not isinstance(data, dict):
        return str(data)
    changes = data.get("changes", [])
    known = changes if isinstance(changes, list) else [changes]
    others = [f"{name}: {value}" for name, value in data.items() if name != "changes"]
    return ", ".join([*map(change_text, known), *others]) or "–"


def change_text(change: Any) -> str:
    if not isinstance(change, dict):
        return str(change)
    old, new = (change.get(name) or gettext("none") for name in ("old", "new"))
    return f"{change.get('label', '')}: {old} → {new}"


class ActionFilter(admin.SimpleListFilter):
    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(
            ((action, str(text)) for action, text in ACTION_LABELS.items()), key=lambda pair: pair[1]
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class TargetFilter(RecentValuesFilter):
    title = _("target type")
    parameter_name = column = "target_type"
    newest = "-id"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("time", "actor_name", "what", "about", "why")
    list_filter = (ActionFilter, ("at", DayRangeFilter), TargetFilter)
    list_filter_submit = True
    search_fields = ("actor_name",)
    search_help_text = _("User, order, payment or refund number, id of an object, or request id")
    ordering = ("-id",)

    @column(_("Date"), ordering="at", file="at")
    def time(self, entry: AuditEntry) -> str:
        return when(entry.at)

    @column(_("Action"), ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return action_label(entry.action)

    @column(_("Object"), file=("target_type", "target_id"))
    def about(self, entry: AuditEntry) -> str | SafeString:
        label, _, name = entry.target_type.partition(".")
        key = row_key(entry.target_type, entry.target_id)
        try:
            address = reverse(f"admin:{label.lower()}_{name.lower()}_change", args=[key])
        except NoReverseMatch:
            return name
        return format_html('<a class="aa-link" href="{}">{} …{}</a>', address, name, str(key)[-6:])

    @column(_("Details"))
    def why(self, entry: AuditEntry) -> str:
        return details_of(entry.data)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if is_uuid(term):
            return queryset.filter(target_id=term), False
        if targets := targets_named(term):
            return queryset.filter(target_id__in=targets), False
        by_name = containing(queryset, "actor_name", term)
        by_request = queryset.filter(request_id=term).exclude(request_id="")
        return by_name | by_request, False
