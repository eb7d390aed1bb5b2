"""The history of an order or a payment as one list: who, when, what and why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.audit.admin import action_label
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
FACT_LABELS = {
    "payment": _("Payment %(number)s"),
    "refund": _("Refund %(number)s"),
    "dispute": _("Dispute of %(number)s"),
    "capture": _("Capture of %(number)s"),
}
ICONS = {"payment": "payments", "refund": "undo", "dispute": "gavel", "capture": "credit_score"}


@dataclass(frozen=True, slots=True)
class Entry:
    """`icon` names an icon of the theme. Audit log entries have neither `old` nor `new`."""

    at: datetime
    who: str
    what: str
    why: str
    icon: str
    old: str = ""
    new: str = ""


def order_timeline(order: Order, payments: list[Payment]) -> list[Entry]:
    """Oldest first: order, parcels, payments, refunds and their audit log."""
    parcels = list(ParcelTransition.objects.filter(parcel__order=order).select_related("parcel"))
    targets = [order.pk, *(p.pk for p in payments), *order.parcels.values_list("pk", flat=True)]
    return in_time(
        changes(OrderTransition.objects.filter(order=order), OrderStatus, gettext("Order"), "receipt_long"),
        *(
            changes(
                [row], ParcelStatus, gettext("Parcel %(number)s") % {"number": row.parcel.number}, "package_2"
            )
            for row in parcels
        ),
        payment_changes(payments),
        audit(targets),
    )


def payment_timeline(payment: Payment) -> list[Entry]:
    return in_time(payment_changes([payment]), audit([payment.pk, payment.order_id]))


def payment_changes(payments: list[Payment]) -> Iterator[Entry]:
    """Receipts come from the audit log, which has more details."""
    for fact in facts_of(payments):
        if fact.kind in {"receipt", "receipt_taken_back"}:
            continue
        what = FACT_LABELS[fact.kind] % {"number": fact.number}
        about = f"{show(fact.amount)}: {fact.why}".removesuffix(": ") if fact.amount else fact.why
        statuses = STATUSES.get(fact.kind)
        old, new = (label_of(statuses, s) if statuses else "" for s in (fact.old, fact.new))
        yield Entry(fact.at, fact.who, what, about, ICONS[fact.kind], old, new)
    yield from calls(payments)


def calls(payments: list[Payment]) -> Iterator[Entry]:
    """API calls to the provider and their results."""
    made = ProviderCall.objects.filter(payment__in=[payment.pk for payment in payments])
    for call in made:
        tries = ngettext("%(n)d attempt", "%(n)d attempts", call.tries) % {"n": call.tries}
        why = scrub(call.error) or (tries if call.tries > 1 else "")
        at = call.finished_at or call.created_at
        what = gettext("%(operation)s at %(provider)s: %(status)s") % {
            "operation": call.get_operation_display(),
            "provider": call.get_provider_display(),
            "status": call.get_state_display().lower(),
        }
        yield Entry(at, "system", what, why, "cloud_upload")


def changes(rows: Iterable[Transition], statuses: Statuses, subject: str, icon: str) -> Iterator[Entry]:
    for row in rows:
        old, new = label_of(statuses, row.old), label_of(statuses, row.new)
        yield Entry(row.at, row.actor_name, subject, row.cause, icon, old, new)


def audit(targets: list[UUID]) -> Iterator[Entry]:
    for row in AuditEntry.objects.filter(target_id__in=targets):
        data = row.data if isinstance(row.data, dict) else {"data": row.data}
        why = ", ".join(f"{name}: {value}" for name, value in data.items())
        yield Entry(row.at, row.actor_name, action_label(row.action), why, "history_edu")


def in_time(*parts: Iterable[Entry]) -> list[Entry]:
    return sorted((entry for part in parts for entry in part), key=lambda entry: entry.at)
