"""What a buyer is shown: one displayed state for every stored combination, in words, with the next step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.formats import date_format

from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order, Parcel
from orders.parcel_display import Tone
from orders.statuses import OrderPaymentStatus, OrderStatus, ParcelInstruction, ParcelStatus
from payments.bookkeeping.money_notes import returned_note
from payments.methods import PaymentMethod
from payments.models import Dispute, Payment
from payments.statuses import DisputeStatus, PaymentStatus


@dataclass(frozen=True, slots=True)
class State:
    """`icon` names a shape, so that colour never speaks alone."""

    word: str
    icon: str
    tone: Tone
    headline: str
    next_step: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What goes on about the order beside its own columns. `returning`: promised, not confirmed yet.

    `is_on_hold`: a parcel waits because its money went back. `came_back`: a parcel was sent and is with us again.
    """

    returning: Money | None = None
    is_disputed: bool = False
    is_on_hold: bool = False
    came_back: bool = False


NOTHING = UnderWay()
CANCELLED = ("Cancelled", "This order was cancelled")
CAME_BACK = ("Returned", "Everything came back")
PACKING = "The artisans are packing; each parcel is sent when it is ready."


def money_under_way(orders: Sequence[Order]) -> dict[UUID, UnderWay]:
    """By order, in one query for all of them."""
    is_disputed = Exists(Dispute.objects.filter(payment=OuterRef("pk"), status=DisputeStatus.OPEN))
    parcels = Parcel.objects.filter(order=OuterRef("order"))
    on_hold = Exists(parcels.filter(instruction=ParcelInstruction.HOLD))
    came_back = Exists(parcels.filter(status=ParcelStatus.RETURNED))
    payments = Payment.objects.filter(order__in=orders).order_by()
    facts = payments.values_list("order_id", "refund_reserved_minor", is_disputed, on_hold, came_back)
    rows: dict[UUID, list[tuple[Any, ...]]] = {order.pk: [] for order in orders}
    for order_id, *row in facts:
        rows[order_id].append(tuple(row))
    return {order.pk: under_way_of(order, rows[order.pk]) for order in orders}


def under_way_of(order: Order, rows: list[tuple[Any, ...]]) -> UnderWay:
    """Each row: what is promised by one payment, whether it is disputed, and what holds of the order's parcels."""
    returning, is_disputed, is_on_hold, came_back = zip(*rows, strict=True) if rows else ((),) * 4
    return UnderWay(Money(sum(returning), order.currency), any(is_disputed), any(is_on_hold), any(came_back))


def state_of(order: Order, payment: Payment | None, under_way: UnderWay = NOTHING) -> State:
    """The displayed state; total over all statuses (a test walks every combination)."""
    if under_way.is_disputed:
        text = "We answer your bank. If you know nothing of it, or it was a mistake, please write to us."
        return State("Disputed", "alert", Tone.INFO, "Your bank asks us about the payment", text)
    is_withdrawn = order.is_waiting_for_payment
    state = withdrawn(order) if is_withdrawn else stored_state(order, payment, under_way)
    if order.is_alive and order.owed.goods and not under_way.returning:
        text = f"We will return {show(order.owed.goods)} to you for what you do not get."
        state = replace(state, next_step=f"{state.next_step} {text}")
    if not under_way.returning:
        return state
    text = f"{show(under_way.returning)} is on its way back to you, the way you paid; banks take some days."
    if order.is_alive and order.status != OrderStatus.CONFIRMED:
        return replace(state, next_step=f"{state.next_step} {text}")
    return State("Refund on its way", "return", Tone.INFO, "We are returning your money", text)


def stored_state(order: Order, payment: Payment | None, under_way: UnderWay) -> State:
    status = order.status
    if status == OrderStatus.CANCELLED:
        words = CAME_BACK if under_way.came_back else CANCELLED
        return closed(order, *words, "Nothing more will happen with it.")
    if status == OrderStatus.EXPIRED:
        return closed(
            order,
            "Expired",
            "This order was not paid in time",
            "The items went back on sale. You can order them again.",
        )
    if order.payment_status == OrderPaymentStatus.REFUNDED:
        text = f"{returned_note(order)}{still_to_pay(order)} {what_is_not_sent(under_way)}".strip()
        return State("Refunded", "return", Tone.MUTED, "Your money was returned", text)
    if status == OrderStatus.DELIVERED:
        return State(
            "Delivered", "home", Tone.OK, "Everything arrived", "Enjoy it. Write to us if anything is wrong."
        )
    if status == OrderStatus.SHIPPED:
        return State(
            "Shipped", "truck", Tone.OK, "Everything is on its way", "The parcels below show their tracking."
        )
    if status == OrderStatus.PROCESSING:
        text = what_is_not_sent(under_way) or PACKING
        return State("Being prepared", "box", Tone.OK, "The artisans are at work", text)
    if status == OrderStatus.CONFIRMED:
        return confirmed(order, payment)
    return pending(order, payment)


def withdrawn(order: Order) -> State:
    text = f"{show(order.balance_due)} is to be paid."
    if order.status in {OrderStatus.CONFIRMED, OrderStatus.PROCESSING}:
        text = f"{text} Parcels that were not sent wait until it is here."
    return State("Payment missing", "alert", Tone.WARN, "The money for this order is not here", text)


def what_is_not_sent(under_way: UnderWay) -> str:
    return "Parcels whose payment goes back are not sent for now." if under_way.is_on_hold else ""


def closed(order: Order, word: str, headline: str, text: str) -> State:
    if order.to_return:
        text = f"We hold {show(order.to_return)} of yours and will return it."
    elif not order.received:
        text = f"You have not been charged. {text}"
    else:
        text = returned_note(order)
    return State(word, "cross", Tone.MUTED, headline, text)


def confirmed(order: Order, payment: Payment | None) -> State:
    if order.owed.surplus:
        text = f"You paid {show(order.owed.surplus)} more than the total; we will return the difference."
        return State("Paid", "check", Tone.OK, "Paid, thank you", text)
    if order.payment_status == OrderPaymentStatus.PARTIALLY_REFUNDED:
        text = f"We returned {show(order.refunded)} of {show(order.received)}.{still_to_pay(order)}"
        return State("Partly refunded", "return", Tone.OK, "Part of the money was returned", text)
    if order.balance_due:
        if payment is not None and payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
            text = f"Have {show(order.balance_due)} ready in cash. There is nothing to pay now."
            return State("Pay on delivery", "cash", Tone.OK, "Your order is confirmed", text)
        text = f"The artisans start already. {show(order.balance_due)} is still to be paid."
        return State("Confirmed", "check", Tone.INFO, "Your order is confirmed", text)
    return State("Paid", "check", Tone.OK, "Paid, thank you", "The artisans prepare your parcels now.")


def still_to_pay(order: Order) -> str:
    """A part payment that was returned is due again."""
    return f" {show(order.balance_due)} is still to be paid." if order.balance_due else ""


def pending(order: Order, payment: Payment | None) -> State:
    due = show(order.balance_due)
    if payment is None or payment.status == PaymentStatus.CANCELLED:
        return State("Awaiting payment", "clock", Tone.WARN, "Choose how to pay", f"{due} is to be paid.")
    if payment.status == PaymentStatus.FAILED:
        text = f"Nothing was charged. Your items are kept{until(order.expires_at)}; try again or pay another way."
        return State(
            "Payment failed", "alert", Tone.BAD, "The payment did not work", payment_reason(payment, text)
        )
    if payment.in_review:
        text = (
            "Do not pay again. The payment is looked at before it goes through, mostly for minutes, seldom for days. "
            "Your items are kept, and we write to you."
        )
        return State("In review", "clock", Tone.INFO, "Your payment is being reviewed", text)
    if payment.status == PaymentStatus.PROCESSING:
        text = "Do not pay again. We do not know the outcome yet; this page finds out by itself, and we write to you."
        return State("Checking", "clock", Tone.INFO, "We are checking your payment", text)
    if order.payment_status == OrderPaymentStatus.PARTIALLY_PAID:
        text = (
            f"{show(order.received)} arrived, {due} is missing. Please send the rest with the same reference."
        )
        return State("Partly paid", "clock", Tone.WARN, "A part of the money arrived", text)
    words: dict[str, tuple[str, str]] = {
        PaymentMethod.BANK_TRANSFER: ("Awaiting transfer", "We are waiting for your transfer"),
        PaymentMethod.CHECK: ("Awaiting check", "We are waiting for your check"),
    }
    if payment.is_remote:
        kept = until(order.expires_at)
        text = f"Your order is placed and your things are set aside{kept}. {due} is to be paid."
        return State("Awaiting payment", "clock", Tone.WARN, "One step is left: the payment", text)
    word, headline = words.get(
        payment.payment_method, ("Awaiting payment", "We are waiting for your payment")
    )
    return State(
        word, "clock", Tone.INFO, headline, f"{due} is to be paid. The artisans start when it is here."
    )


def payment_reason(payment: Payment, text: str) -> str:
    return f"{payment.failure_reason} {text}" if payment.failure_reason else text


def until(moment: datetime | None) -> str:
    """ " until 14:35", or with its day when that is not today; "" for no end."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    is_today = local.date() == timezone.localdate()
    return f" until {date_format(local, 'H:i' if is_today else 'j F, H:i')}"
