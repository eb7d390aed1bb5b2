from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from artisans.audit.models import AuditEntry
from artisans.audit.services import row_key
from artisans.core.admin.filters import DayRangeFilter
from artisans.core.admin.pages import ReadOnlyAdmin, column, when
from artisans.core.models import is_uuid

WORDS = {
    "account.register": "Account opened",
    "approval.approve": "Approved by a second person",
    "approval.expire": "Approval request expired",
    "approval.fail": "Approved, but could not be carried out",
    "approval.reject": "Approval request rejected",
    "approval.request": "Approval of a second person requested",
    "approval.withdraw": "Approval request withdrawn",
    "address.add": "E-mail address added",
    "address.change": "Main e-mail address changed",
    "address.remove": "E-mail address removed",
    "cash.report": "Cash reported as collected",
    "flag.resolve": "What was flagged is settled",
    "method.remove": "Saved way to pay removed",
    "method.save": "Way to pay saved",
    "money.return": "Money returned",
    "order.cancel": "Order cancelled",
    "order.expire": "Order expired",
    "order.release": "Order released for shipping",
    "order.revoke_links": "Links to the order revoked",
    "parcel.decide": "Decided about parcels",
    "parcel.instruct": "Parcel put on hold or released",
    "parcel.move": "Parcel moved on",
    "password.change": "Password changed",
    "payment.ask": "Provider asked",
    "payment.reject": "Payment rejected",
    "receipt.record": "Money recorded",
    "recovery_codes.make": "Recovery codes made",
    "receipt.take_back": "Receipt taken back",
    "refund.decide": "Decided about a refund from outside",
    "refund.open": "Refund decided on",
    "setting.change": "Setting changed",
    "second_factor.add": "Second factor added",
    "second_factor.remove": "Second factor removed",
    "sessions.end": "Other sessions signed out",
    "stock.adjust": "Stock counted",
    "token.issue": "API token issued",
    "token.revoke": "API token revoked",
    "webhook.close": "Message of the bank settled",
    "webhook.replay": "Message of a provider processed again",
}


def words(action: str) -> str:
    return WORDS.get(action, action)


def details_of(data: Any) -> str:
    """An entry's data in words; of another shape than ours, as it is."""
    if not isinstance(data, dict):
        return str(data)
    changes = data.get("changes", [])
    known = changes if isinstance(changes, list) else [changes]
    others = [f"{name}: {value}" for name, value in data.items() if name != "changes"]
    return ", ".join([*map(change_text, known), *others]) or "–"


def change_text(change: Any) -> str:
    if not isinstance(change, dict):
        return str(change)
    old, new = (change.get(name) or "none" for name in ("old", "new"))
    return f"{change.get('label', '')}: {old} → {new}"


class ActionFilter(admin.SimpleListFilter):
    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(WORDS.items(), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("time", "actor_name", "what", "about", "why")
    list_filter = (ActionFilter, ("at", DayRangeFilter), "target_type")
    list_filter_submit = True
    search_fields = ("actor_name",)
    search_help_text = "Who, the id of an order, payment or product, or a request id"
    ordering = ("-id",)

    @column("When", ordering="at")
    def time(self, entry: AuditEntry) -> str:
        return when(entry.at)

    @column("What", ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return words(entry.action)

    @column("About")
    def about(self, entry: AuditEntry) -> str | SafeString:
        label, _, name = entry.target_type.partition(".")
        key = row_key(entry.target_type, entry.target_id)
        try:
            address = reverse(f"admin:{label.lower()}_{name.lower()}_change", args=[key])
        except NoReverseMatch:
            return name
        return format_html('<a class="aa-link" href="{}">{} …{}</a>', address, name, str(key)[-6:])

    @column("Details")
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
        by_name = queryset.filter(actor_name__istartswith=term)
        return by_name | queryset.filter(request_id=term), False
