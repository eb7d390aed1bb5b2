"""How long an order and its stock are reserved while payment is awaited."""

from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from orders.models import Order
from orders.services.settlement import order_set_hold
from orders.statuses import OrderStatus
from payments.methods import GUEST_HOLD, LONGEST_HOLD, OFFLINE_METHODS, SPECS, PaymentMethod
from payments.models import Payment


class Hold(NamedTuple):
    """`pay_by`: the deadline shown to the buyer. `expires_at`: when the stock is released. None: no deadline."""

    pay_by: datetime | None
    expires_at: datetime | None


def compute_hold(method: PaymentMethod, *, is_known_buyer: bool, placed_at: datetime) -> Hold:
    """The hold for a payment method. A guest's offline order is held for two hours until the emailed link is
    opened."""
    spec, now = SPECS[method], timezone.now()
    if spec.payment_window is None:
        return Hold(None, None)
    longest = placed_at + LONGEST_HOLD  # changing the method repeatedly must not extend the hold indefinitely
    pay_by = min(now + spec.payment_window, longest)
    if method in OFFLINE_METHODS and not is_known_buyer:
        return Hold(pay_by, now + GUEST_HOLD)
    return Hold(pay_by, min(pay_by + spec.grace_period, longest))


def set_order_hold(order: Order, method: PaymentMethod) -> None:
    """Restart the order's hold for this method; an order that was released does not expire."""
    if order.status != OrderStatus.PENDING:
        return
    known = order.user_id is not None or order.mailbox_confirmed_at is not None
    hold = compute_hold(method, is_known_buyer=known, placed_at=order.created_at)
    order_set_hold(order, pay_by=hold.pay_by, expires_at=hold.expires_at)


def confirmed_hold_end(payment: Payment) -> datetime | None:
    """When the hold of this payment's method ends, counted from the start of the payment."""
    spec = SPECS[PaymentMethod(payment.payment_method)]
    return (
        None if spec.payment_window is None else payment.created_at + spec.payment_window + spec.grace_period
    )
