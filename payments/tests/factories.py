"""Payments as the checkout starts them, and receipts as staff record them."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.core.money import Money
from orders.models import OrderLine
from orders.selectors import store_rules
from orders.tests.factories import place
from payments.bookkeeping.refund_amounts import RefundLineInput, RefundSelection
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.gateway.sync import payment_apply_remote_state
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import receipt_record
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentRefund, Receipt
from payments.providers.contract import (
    Capture,
    RemoteAttempt,
    RemotePayment,
    RemoteRefund,
    RemoteRefundStatus,
    RemoteStatus,
)
from payments.refunds.manual import money_return_record
from payments.refunds.staff import refund_open, refund_send


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def start(
    method: PaymentMethod = PaymentMethod.BANK_TRANSFER,
    items: Mapping[Product, int] | None = None,
    *,
    user: User | None = None,
    **buyer: Any,
) -> Payment:
    """A placed order with its open payment; by default one unit for a total of 99.99."""
    return payment_start(place(items, user=user, **buyer), method=method, store=store_rules())


def record(
    payment: Payment, amount: str | Money, *, actor: User, reference: str = "", **changes: Any
) -> Receipt:
    """Staff record a receipt, the first with reference STMT-1; payment and order are reloaded."""
    money = {
        "amount": amount if isinstance(amount, Money) else Money.parse(amount, payment.currency),
        "value_date": timezone.localdate(),
        "reference": reference or f"STMT-{Receipt.objects.count() + 1}",
    }
    money |= {name: changes.pop(name) for name in IncomingMoney.__slots__ if name in changes}
    receipt = receipt_record(
        **{
            "payment_id": payment.pk,
            "money": IncomingMoney(**money),
            "actor": actor,
            "beyond_due": True,
        }
        | changes
    )
    reread(payment)
    return receipt


def give_back(
    payment: Payment, amount: str, *, actor: User, reference: str = "", **changes: Any
) -> PaymentRefund:
    refund = money_return_record(
        **{
            "payment_id": payment.pk,
            "amount": Money.parse(amount, payment.currency),
            "value_date": timezone.localdate(),
            "bank_reference": reference or f"OUT-{PaymentRefund.objects.count() + 1}",
            "reason": "refunded offline",
            "actor": actor,
            "beyond_owed": True,
        }
        | changes
    )
    reread(payment)
    return refund


def reread(payment: Payment) -> Payment:
    payment.refresh_from_db()
    payment.order.refresh_from_db()
    return payment


def paid_by_card(
    stripe: Any, items: Mapping[Product, int] | None = None, *, user: User | None = None, card: str = "visa"
) -> Payment:
    """An order paid in the sandbox with this test card, and booked."""
    payment = start(PaymentMethod.CREDIT_CARD, items, user=user)
    payment_ensure_at_provider(payment)
    stripe.pay(payment, card)
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def refund(payment: Payment, amount: str = "", *, actor: User, **changes: Any) -> PaymentRefund:
    """Staff refund an amount, or `unit_selection(…)`, and the provider is called; payment and order are reloaded."""
    arguments = {"payment_id": payment.pk, "reason": "The bowl was chipped.", "actor": actor} | changes
    if amount:
        arguments["amount"] = Money.parse(amount, payment.currency)
    done = refund_send(refund_open(**arguments))
    reread(payment)
    return done


def unit_selection(
    *lines: tuple[OrderLine, int], shipping: bool = False, restock: bool = False
) -> RefundSelection:
    asked = tuple(RefundLineInput(line.pk, quantity) for line, quantity in lines)
    return RefundSelection(asked, with_shipping=shipping, restock=restock)


def apply_card_captures(
    payment: Payment, *, fees: tuple[int | None, int | None] = (None, None), **news: Any
) -> Payment:
    """Apply Stripe's state to a card payment without a Stripe: paid in two captures with `fees`, changed by `news`."""
    half = Money(payment.amount_minor // 2, payment.currency)
    first, second = (None if fee is None else Money(fee, payment.currency) for fee in fees)
    Payment.objects.filter(pk=payment.pk).update(provider_payment_id=f"pi_{payment.pk.hex}")
    remote = RemotePayment(
        **{
            "object_id": f"pi_{payment.pk.hex}",
            "status": RemoteStatus.SUCCEEDED,
            "amount": payment.amount,
            "reference": str(payment.pk),
            "is_live": False,
            "captures": (
                Capture(f"ch_{payment.pk.hex}_1", half, first),
                Capture(f"ch_{payment.pk.hex}_2", payment.amount - half, second),
            ),
            "attempts": (
                RemoteAttempt(f"ch_{payment.pk.hex}_1", half, is_success=True),
                RemoteAttempt(f"ch_{payment.pk.hex}_2", payment.amount - half, is_success=True),
            ),
        }
        | news
    )
    payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="test")
    return reread(payment)


def remote_refund_of(
    refund: PaymentRefund, status: RemoteRefundStatus = RemoteRefundStatus.SUCCEEDED
) -> RemoteRefund:
    """The provider's side of a refund of ours."""
    return RemoteRefund(f"re_{refund.pk.hex}", refund.amount, status, reference=str(refund.pk))
