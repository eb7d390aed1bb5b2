"""Payments as the checkout starts them, and money as staff record it."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.core.money import Money
from orders.selectors import store_rules
from orders.tests.factories import place
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentRefund, Receipt
from payments.services.manual import receipt_record
from payments.services.payments import payment_start
from payments.services.returns import money_return_record


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def start(
    method: PaymentMethod = PaymentMethod.BANK_TRANSFER,
    pieces: Mapping[Product, int] | None = None,
    *,
    user: User | None = None,
    **buyer: Any,
) -> Payment:
    """A placed order with its open payment; one piece at 99.99 in all unless told otherwise."""
    return payment_start(place(pieces, user=user, **buyer), method=method, store=store_rules())


def record(
    payment: Payment, amount: str | Money, *, actor: User, reference: str = "STMT-1", **changes: Any
) -> Receipt:
    """Staff book money for a payment; payment and order are read again."""
    receipt = receipt_record(
        **{
            "payment_id": payment.pk,
            "amount": amount if isinstance(amount, Money) else Money.parse(amount, payment.currency),
            "value_date": timezone.localdate(),
            "bank_reference": reference,
            "actor": actor,
        }
        | changes
    )
    reread(payment)
    return receipt


def give_back(
    payment: Payment, amount: str, *, actor: User, reference: str = "OUT-1", **changes: Any
) -> PaymentRefund:
    refund = money_return_record(
        **{
            "payment_id": payment.pk,
            "amount": Money.parse(amount, payment.currency),
            "value_date": timezone.localdate(),
            "bank_reference": reference,
            "reason": "sent back by hand",
            "actor": actor,
        }
        | changes
    )
    reread(payment)
    return refund


def reread(payment: Payment) -> Payment:
    payment.refresh_from_db()
    payment.order.refresh_from_db()
    return payment
