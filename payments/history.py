"""The history of payments as plain facts in chronological order; each caller decides who may read what of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from artisans.core.money import Money
from orders.models import Transition
from payments.models import (
    Capture,
    Dispute,
    DisputeTransition,
    Payment,
    PaymentRefund,
    PaymentTransition,
    Receipt,
    ReceiptReversal,
    RefundTransition,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """`kind`: payment, capture, receipt, receipt_taken_back, refund or dispute. A change of a status has `new`, and
    `old` unless it is the first. `who` and `why` are for staff."""

    at: datetime
    kind: str
    number: str
    who: str
    why: str
    old: str = ""
    new: str = ""
    amount: Money | None = None


def facts_of(payments: Iterable[Payment]) -> list[Fact]:
    """Oldest first. Seven queries, however many payments."""
    numbers = {payment.pk: payment.payment_number for payment in payments}
    refunds = {row.pk: row for row in PaymentRefund.objects.filter(payment__in=numbers)}
    disputes = {row.pk: row for row in Dispute.objects.filter(payment__in=numbers)}
    facts = [
        *(
            changed("payment", row, numbers[row.payment_id])
            for row in PaymentTransition.objects.filter(payment__in=numbers)
        ),
        *(
            changed("refund", row, refunds[row.refund_id].refund_number, refunds[row.refund_id].amount)
            for row in RefundTransition.objects.filter(refund__in=refunds)
        ),
        *(
            changed(
                "dispute", row, numbers[disputes[row.dispute_id].payment_id], disputes[row.dispute_id].amount
            )
            for row in DisputeTransition.objects.filter(dispute__in=disputes)
        ),
        *money_in("capture", Capture.objects.filter(payment__in=numbers)),
        *money_in("receipt", Receipt.objects.filter(payment__in=numbers)),
        *(
            Fact(
                row.created_at,
                "receipt_taken_back",
                row.receipt.bank_reference,
                row.actor_name,
                f"{row.get_reason_display()} {row.note}".strip(),
                amount=row.receipt.amount,
            )
            for row in ReceiptReversal.objects.filter(receipt__payment__in=numbers).select_related("receipt")
        ),
    ]
    return sorted(facts, key=lambda fact: fact.at)


def changed(kind: str, row: Transition, number: str, amount: Money | None = None) -> Fact:
    return Fact(row.at, kind, number, row.actor_name, row.cause, row.old, row.new, amount)


def money_in(kind: str, rows: Iterable[Capture | Receipt]) -> Iterator[Fact]:
    for row in rows:
        reference = row.provider_capture_id if isinstance(row, Capture) else row.bank_reference
        yield Fact(row.created_at, kind, reference, row.actor_name, "", amount=row.amount)
