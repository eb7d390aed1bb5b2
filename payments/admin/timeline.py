"""Everything that happened to an order or a payment, as one list: who, when, what and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from artisans.audit.admin import words
from artisans.audit.models import AuditEntry
from orders.models import Order, OrderTransition, ParcelTransition, Transition
from orders.statuses import OrderStatus, ParcelStatus
from payments.models import Payment, PaymentRefund, PaymentTransition, RefundTransition
from payments.statuses import PaymentStatus, RefundStatus

Statuses = type[OrderStatus] | type[ParcelStatus] | type[PaymentStatus] | type[RefundStatus]


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
    numbers = {payment.pk: payment.payment_number for payment in payments}
    for moved in PaymentTransition.objects.filter(payment__in=numbers):
        yield from changes([moved], PaymentStatus, f"Payment {numbers[moved.payment_id]}", "payments")
    refunds = dict(PaymentRefund.objects.filter(payment__in=numbers).values_list("pk", "refund_number"))
    for refunded in RefundTransition.objects.filter(refund__in=refunds):
        yield from changes([refunded], RefundStatus, f"Return {refunds[refunded.refund_id]}", "undo")


def changes(rows: Iterable[Transition], statuses: Statuses, subject: str, icon: str) -> Iterator[Entry]:
    for row in rows:
        old = str(statuses(row.old).label) if row.old else ""
        yield Entry(row.at, row.actor_name, subject, row.cause, icon, old, str(statuses(row.new).label))


def audit(targets: list[UUID]) -> Iterator[Entry]:
    for row in AuditEntry.objects.filter(target_id__in=targets):
        why = ", ".join(f"{name}: {value}" for name, value in row.data.items())
        yield Entry(row.at, row.actor_name, words(row.action), why, "history_edu")


def in_time(*parts: Iterable[Entry]) -> list[Entry]:
    return sorted((entry for part in parts for entry in part), key=lambda entry: entry.at)
