"""How long an order and its stock are reserved while payment is awaited."""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from orders.hold_policy import HoldKind
from orders.holds import order_hold_check
from orders.models import Order
from orders.selectors import is_known_buyer
from orders.services.settlement import order_set_hold
from orders.statuses import OrderStatus
from payments.methods import (
    GUEST_HOLD,
    LONGEST_ONLINE_HOLD,
    NO_PAYMENT_HOLD,
    OFFLINE_METHODS,
    SPECS,
    PaymentMethod,
)
from payments.models import Payment


class Hold(NamedTuple):
    """`pay_by`: the deadline shown to the buyer. `expires_at`: when the stock is released. None: no deadline."""

    pay_by: datetime | None
    expires_at: datetime | None


def hold_kind(method: PaymentMethod | None) -> HoldKind:
    if method == PaymentMethod.CASH_ON_DELIVERY:
        return HoldKind.CASH
    return HoldKind.OFFLINE if method in OFFLINE_METHODS else HoldKind.ONLINE


def compute_hold(
    method: PaymentMethod | None,
    *,
    is_known_buyer: bool,
    placed_at: datetime,
    since: datetime | None = None,
    is_short: bool = False,
) -> Hold:
    """The hold for a payment method, or for an order without one.

    Counted from `since` (default: now), but never beyond the method's longest, counted from when the order was
    placed: changing the method again and again extends nothing. `is_short`: above the limits for unknown buyers.
    """
    since = since or timezone.now()
    if method is None:
        return Hold(None, placed_at + (short_hold() if is_short else NO_PAYMENT_HOLD))
    window, grace = SPECS[method].payment_window, SPECS[method].grace_period
    if window is None:
        return Hold(None, None)
    is_offline = method in OFFLINE_METHODS
    longest = placed_at + (window + grace if is_offline else max(window, LONGEST_ONLINE_HOLD))
    pay_by, ends = min(since + window, longest - grace), min(since + window + grace, longest)
    if is_short:
        ends = min(ends, placed_at + short_hold())
        return Hold(ends, ends)
    if is_offline and not is_known_buyer:
        return Hold(pay_by, placed_at + GUEST_HOLD)  # until the emailed link is opened
    return Hold(pay_by, ends)


def short_hold() -> timedelta:
    return timedelta(minutes=settings.SHORT_HOLD_MINUTES)


def change_order_hold(order: Order, method: PaymentMethod) -> None:
    """The buyer chose another method. Errors: TooManyOpenOrders, TooManyUnitsHeld."""
    if order.status == OrderStatus.PENDING:
        is_short = order_hold_check(order, kind=hold_kind(method))
        extend_hold(order, method, is_short=is_short)


def renew_order_hold(order: Order, method: PaymentMethod) -> None:
    """Restart the order's hold for another attempt with the same method."""
    if order.status == OrderStatus.PENDING:
        kind = hold_kind(method)
        extend_hold(order, method, is_short=kind is HoldKind.ONLINE and order_hold_check(order, kind=kind))


def confirm_order_hold(order: Order, payment: Payment) -> None:
    """The mailbox was confirmed: hold the order as long as any other, counted from the start of its payment."""
    if order.status == OrderStatus.PENDING and order.expires_at is not None:
        extend_hold(order, PaymentMethod(payment.payment_method), since=payment.created_at)


def extend_hold(
    order: Order, method: PaymentMethod, *, since: datetime | None = None, is_short: bool = False
) -> None:
    """Set the order's hold for this method. It is never shortened."""
    hold = compute_hold(
        method,
        is_known_buyer=is_known_buyer(order),
        placed_at=order.created_at,
        since=since,
        is_short=is_short,
    )
    order_set_hold(
        order, pay_by=later(order.pay_by, hold.pay_by), expires_at=later(order.expires_at, hold.expires_at)
    )


def later(old: datetime | None, new: datetime | None) -> datetime | None:
    return max(old, new) if old is not None and new is not None else new
