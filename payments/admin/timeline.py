"""Everything that happened to an order or a payment, as one list: who, when, what and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from artisans.audit.admin import words
from artisans.audit.models import AuditEntry
from artisans.core.models import label_of
from artisans.core.security.redaction import scrub
from artisans.core.templatetags.money import show
from orders.models import Order, OrderTransition, ParcelTransition, Transition
from orders.statuses import OrderStatus, ParcelStatus
from payments.history import facts_of
from payments.models import Payment, ProviderCall
from payments.statuses import DisputeStatus, PaymentStatus, RefundStatus

Statuses = (
    type[OrderStatus] | type[ParcelStatus] | type[PaymentStatus] | type[RefundStatus] | type[DisputeStatus]
)
STATUSES: dict[str, Statuses] = {"payment": PaymentStatus, "refund": RefundStatus, "dispute": DisputeStatus}
WORDS = {"payment": "Payment", "refund": "Refund", "dispute": "Dispute of", "capture": "Money taken"}
ICONS = {"payment": "payments", "refund": "undo", "dispute": "gavel", "capture": "credit_score"}


@dataclass(frozen=True, slots=True)
class Entry:
    """`icon` names a symbol of the theme. An entry of the audit trail has neither of the two states."""

    at: datetime
    who: str
    what: str
    why: str
    icon: str
    old: str = ""
    new: str = ""


def order_timeline(order: Order, payments: list[Payment]) -> list[Entry]:
    """Oldest first: order, parcels, payments, returns and the audit trail of them all."""
    parcels = list(ParcelTransition.objects.filter(parcel__order=order).select_related("parcel"))
    targets = [order.pk, *(p.pk for p in payments), *order.parcels.values_list("pk", flat=True)]
    return in_time(
        changes(OrderTransition.objects.filter(order=order), OrderStatus, "Order", "receipt_long"),
        *(changes([row], ParcelStatus, f"Parcel {row.parcel.number}", "package_2") for row in parcels),
        payment_changes(payments),
        audit(targets),
    )


def payment_timeline(payment: Payment) -> list[Entry]:
    return in_time(payment_changes([payment]), audit([payment.pk, payment.order_id]))


def payment_changes(payments: list[Payment]) -> Iterator[Entry]:
    """Receipts are told by the audit trail, which knows more of them."""
    for fact in facts_of(payments):
        if fact.kind in {"receipt", "receipt_taken_back"}:
            continue
        what = f"{WORDS[fact.kind]} {fact.number}"
        about = f"{show(fact.amount)}: {fact.why}".removesuffix(": ") if fact.amount else fact.why
        statuses = STATUSES.get(fact.kind)
        old, new = (label_of(statuses, s) if statuses else "" for s in (fact.old, fact.new))
        yield Entry(fact.at, fact.who, what, about, ICONS[fact.kind], old, new)
    yield from calls(payments)


def calls(payments: list[Payment]) -> Iterator[Entry]:
    """What the provider was asked to do, and how that ended."""
    made = ProviderCall.objects.filter(payment__in=[payment.pk for payment in payments])
    for call in made:
        subject = f"{call.get_operation_display()}, by {call.get_provider_display()}"
        why = scrub(call.error) or (f"{call.tries} tries" if call.tries > 1 else "")
        at = call.finished_at or call.created_at
        yield Entry(at, "system", f"{subject}: {call.get_state_display().lower()}", why, "cloud_upload")


def changes(rows: Iterable[Transition], statuses: Statuses, subject: str, icon: str) -> Iterator[Entry]:
    for row in rows:
        old, new = label_of(statuses, row.old), label_of(statuses, row.new)
        yield Entry(row.at, row.actor_name, subject, row.cause, icon, old, new)


def audit(targets: list[UUID]) -> Iterator[Entry]:
    for row in AuditEntry.objects.filter(target_id__in=targets):
        data = row.data if isinstance(row.data, dict) else {"data": row.data}
        why = ", ".join(f"{name}: {value}" for name, value in data.items())
        yield Entry(row.at, row.actor_name, words(row.action), why, "history_edu")


def in_time(*parts: Iterable[Entry]) -> list[Entry]:
    return sorted((entry for part in parts for entry in part), key=lambda entry: entry.at)
