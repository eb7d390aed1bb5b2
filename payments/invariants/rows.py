"""Rows of payments that belong to a chunk of orders, and what the invariants of all subjects share."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Rows, flat
from artisans.core.money import Money
from orders.invariants.rows import Orders
from payments.models import (
    Capture,
    Dispute,
    Payment,
    PaymentRefund,
    Receipt,
    ReceiptReversal,
    RefundLine,
)

TO_BE_REVIEWED = _("Compare the payment with the provider or the bank: manage.py reconcile.")


def payments_of(chunk: Orders) -> Rows:
    """By order."""
    return chunk.children(Payment, "order")


def captures_of(chunk: Orders) -> Rows:
    """By payment, as the three below."""
    return chunk.children(Capture, "payment", flat(payments_of(chunk)))


def receipts_of(chunk: Orders) -> Rows:
    return chunk.children(Receipt, "payment", flat(payments_of(chunk)))


def refunds_of(chunk: Orders) -> Rows:
    return chunk.children(PaymentRefund, "payment", flat(payments_of(chunk)))


def disputes_of(chunk: Orders) -> Rows:
    return chunk.children(Dispute, "payment", flat(payments_of(chunk)))


def refund_lines_of(chunk: Orders) -> Rows:
    """By refund."""
    return chunk.children(RefundLine, "refund", flat(refunds_of(chunk)))


def standing_receipts(chunk: Orders, payment: Payment) -> list[Receipt]:
    reversed_ones = chunk.children(ReceiptReversal, "receipt", flat(receipts_of(chunk)))
    return [receipt for receipt in receipts_of(chunk)[payment.pk] if not reversed_ones[receipt.pk]]


def money(payment: Payment, minor: int) -> Money:
    return Money.stored(minor, payment.currency)


def total(rows: Iterable[Any]) -> int:
    return sum(row.amount_minor for row in rows)
