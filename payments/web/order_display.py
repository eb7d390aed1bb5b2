"""The one state that a buyer sees for every stored combination of statuses, with the next step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order, Parcel
from orders.parcel_display import Tone
from orders.statuses import OrderPaymentStatus, OrderStatus, ParcelInstruction, ParcelStatus
from payments.bookkeeping.attempts import TOO_MANY_DECLINES
from payments.bookkeeping.money_notes import returned_note
from payments.methods import PaymentMethod
from payments.models import Dispute, Payment
from payments.providers.contract import PendingReason
from payments.statuses import DisputeStatus, PaymentStatus


@dataclass(frozen=True, slots=True)
class State:
    """`icon` names a shape, because color alone must not carry meaning."""

    label: str
    icon: str
    tone: Tone
    headline: str
    next_step: str


@dataclass(frozen=True, slots=True)
class PendingMoney:
    """What is pending beside the order's own columns. `returning`: refunds that are not confirmed yet.

    `is_on_hold`: a parcel is held because it was refunded. `came_back`: a shipped parcel was returned.
    """

    returning: Money | None = None
    is_disputed: bool = False
    is_on_hold: bool = False
    came_back: bool = False


NOTHING = PendingMoney()


def load_pending_money(orders: Sequence[Order]) -> dict[UUID, PendingMoney]:
    """Keyed by order, in one query for all of them."""
    is_disputed = Exists(Dispute.objects.filter(payment=OuterRef("pk"), status=DisputeStatus.OPEN))
    parcels = Parcel.objects.filter(order=OuterRef("order"))
    on_hold = Exists(parcels.filter(instruction=ParcelInstruction.HOLD))
    came_back = Exists(parcels.filter(status=ParcelStatus.RETURNED))
    payments = Payment.objects.filter(order__in=orders).order_by()
    facts = payments.values_list("order_id", "refund_reserved_minor", is_disputed, on_hold, came_back)
    rows: dict[UUID, list[tuple[Any, ...]]] = {order.pk: [] for order in orders}
    for order_id, *row in facts:
        rows[order_id].append(tuple(row))
    return {order.pk: build_pending_money(order, rows[order.pk]) for order in orders}


def build_pending_money(order: Order, rows: list[tuple[Any, ...]]) -> PendingMoney:
    """Each row: what one payment has reserved for refunds, whether it is disputed, and the status of the
    order's parcels."""
    returning, is_disputed, is_on_hold, came_back = zip(*rows, strict=True) if rows else ((),) * 4
    return PendingMoney(
        Money(sum(returning), order.currency), any(is_disputed), any(is_on_hold), any(came_back)
    )


def get_display_state(order: Order, payment: Payment | None, under_way: PendingMoney = NOTHING) -> State:
    """The displayed state, defined for all combinations of statuses (a test covers each)."""
    if under_way.is_disputed:
        text = _(
            "We are answering your bank. If you did not open the dispute or it was a mistake, please contact us."
        )
        return State(_("Disputed"), "alert", Tone.INFO, _("This payment was disputed with your bank"), text)
    state = state_by_payment(order, payment) or stored_state(order, payment, under_way)
    if order.is_alive and order.owed.goods and not under_way.returning:
        text = _("We will refund %(amount)s for the items you will not receive.") % {
            "amount": show(order.owed.goods)
        }
        state = replace(state, next_step=f"{state.next_step} {text}")
    if not under_way.returning:
        return state
    text = _("%(amount)s is being refunded to the payment method you used. This can take a few days.") % {
        "amount": show(under_way.returning)
    }
    if order.is_alive and order.status != OrderStatus.CONFIRMED:
        return replace(state, next_step=f"{state.next_step} {text}")
    return State(_("Refund on its way"), "return", Tone.INFO, _("Your refund is on its way"), text)


def is_undecided(payment: Payment | None) -> bool:
    """Whether the outcome of this payment is not known yet, so that the buyer must not pay again."""
    return payment is not None and (payment.in_review or payment.status == PaymentStatus.PROCESSING)


def state_by_payment(order: Order, payment: Payment | None) -> State | None:
    """The state while a payment is undecided or was withdrawn; None when the order's status says it all."""
    if payment is not None and is_undecided(payment) and order.may_change_method:
        return undecided_state(payment)
    return withdrawn_state(order) if order.is_waiting_for_payment else None


def stored_state(order: Order, payment: Payment | None, under_way: PendingMoney) -> State:
    status = order.status
    if status == OrderStatus.CANCELLED:
        return cancelled(order, under_way)
    if status == OrderStatus.EXPIRED:
        return closed_state(
            order,
            pgettext("order", "Expired"),
            _("This order was not paid in time"),
            _("The items are back on sale. You can order them again."),
        )
    if order.payment_status == OrderPaymentStatus.REFUNDED:
        text = (
            f"{returned_note(order)}{awaiting_payment_state(order)} {describe_unshipped(under_way)}".strip()
        )
        return State(_("Refunded"), "return", Tone.MUTED, _("Your payment was refunded"), text)
    if status == OrderStatus.DELIVERED:
        text = _("Enjoy your order. Contact us if anything is wrong.")
        return State(_("Delivered"), "home", Tone.OK, _("Your order was delivered"), text)
    if status == OrderStatus.SHIPPED:
        text = _("Find the tracking details of your parcels below.")
        return State(_("Shipped"), "truck", Tone.OK, _("Your order is on its way"), text)
    if status == OrderStatus.PROCESSING:
        text = describe_unshipped(under_way) or _("Each artisan ships their parcel as soon as it is ready.")
        return State(_("Being prepared"), "box", Tone.OK, _("Your order is being prepared"), text)
    if status == OrderStatus.CONFIRMED:
        return confirmed_state(order, payment)
    return pending_state(order, payment)


def cancelled(order: Order, under_way: PendingMoney) -> State:
    text = _("No further action is needed.")
    if under_way.came_back:
        return closed_state(order, _("Returned"), _("Your order was returned"), text)
    return closed_state(order, pgettext("order", "Cancelled"), _("This order was cancelled"), text)


def withdrawn_state(order: Order) -> State:
    text = amount_due(order)
    if order.status in {OrderStatus.CONFIRMED, OrderStatus.PROCESSING}:
        text = text + " " + _("Parcels that have not shipped are on hold until we receive it.")
    return State(_("Payment missing"), "alert", Tone.WARN, _("The payment for this order is missing"), text)


def describe_unshipped(under_way: PendingMoney) -> str:
    return _("Parcels whose payment is being refunded are on hold.") if under_way.is_on_hold else ""


def closed_state(order: Order, label: str, headline: str, text: str) -> State:
    if order.refund_due:
        text = _("We will refund the %(amount)s that we received.") % {"amount": show(order.refund_due)}
    elif not order.received:
        text = _("You have not been charged.") + " " + text
    else:
        text = returned_note(order)
    return State(label, "cross", Tone.MUTED, headline, text)


def confirmed_state(order: Order, payment: Payment | None) -> State:
    if order.owed.surplus:
        text = _("You paid %(amount)s more than the total. We will refund the difference.") % {
            "amount": show(order.owed.surplus)
        }
        return paid(text)
    if order.payment_status == OrderPaymentStatus.PARTIALLY_REFUNDED:
        sums = {"refunded": show(order.refunded), "received": show(order.received)}
        text = _(
            "We refunded %(refunded)s of the %(received)s that we received."
        ) % sums + awaiting_payment_state(order)
        return State(_("Partly refunded"), "return", Tone.OK, _("Your payment was partly refunded"), text)
    if order.balance_due:
        if payment is not None and payment.payment_method == PaymentMethod.CASH_ON_DELIVERY:
            text = _("There is nothing to pay now. You will pay %(amount)s in cash on delivery.")
            text %= {"amount": show(order.balance_due)}
            return State(_("Pay on delivery"), "cash", Tone.OK, _("Your order is confirmed"), text)
        text = _("The artisans have been notified.") + awaiting_payment_state(order)
        return State(_("Confirmed"), "check", Tone.INFO, _("Your order is confirmed"), text)
    text = _("The artisans are preparing your parcels.")
    if not order.total:
        return State(_("Confirmed"), "check", Tone.OK, _("Your order is confirmed"), text)
    return paid(text)


def paid(text: str) -> State:
    return State(pgettext("order", "Paid"), "check", Tone.OK, _("Your order is paid"), text)


def amount_due(order: Order) -> str:
    return _("Amount due: %(amount)s.") % {"amount": show(order.balance_due)}


def awaiting_payment_state(order: Order) -> str:
    """A partial payment that was refunded is due again."""
    return f" {amount_due(order)}" if order.balance_due else ""


def undecided_state(payment: Payment) -> State:
    if payment.in_review:
        return in_review_state(payment)
    text = _(
        "Do not pay again. We do not know the outcome yet. This page updates by itself, and we will email you."
    )
    return State(_("Checking"), "clock", Tone.INFO, _("We are checking your payment"), text)


def pending_state(order: Order, payment: Payment | None) -> State:
    if payment is None or payment.status == PaymentStatus.CANCELLED:
        return no_payment_state(order, payment)
    if payment.status == PaymentStatus.FAILED:
        sentences = [not_charged(order), reserved(order)]
        if not (payment.is_remote and payment.failure_reason):  # what a decline says ends with advice
            sentences.append(_("Try again, or pay another way."))
        text = " ".join(sentences)
        headline = _("Your payment did not go through")
        return State(_("Payment failed"), "alert", Tone.BAD, headline, payment_reason(payment, text))
    if order.payment_status == OrderPaymentStatus.PARTIALLY_PAID:
        text = _("We received %(received)s. Please send the remaining %(due)s with the same reference.") % {
            "received": show(order.received),
            "due": show(order.balance_due),
        }
        return State(_("Partly paid"), "clock", Tone.WARN, _("We received part of the payment"), text)
    texts: dict[str, tuple[str, str]] = {
        PaymentMethod.BANK_TRANSFER: (_("Awaiting transfer"), _("We are waiting for your transfer")),
        PaymentMethod.CHECK: (_("Awaiting check"), _("We are waiting for your check")),
    }
    if payment.is_remote:
        text = " ".join([_("Your order is placed."), reserved(order), amount_due(order)])
        return State(_("Awaiting payment"), "clock", Tone.WARN, _("Complete your payment"), text)
    label, headline = texts.get(
        payment.payment_method, (_("Awaiting payment"), _("We are waiting for your payment"))
    )
    text = amount_due(order) + " " + _("The artisans start once we receive it.")
    return State(label, "clock", Tone.INFO, headline, text)


def not_charged(order: Order) -> str:
    """For a failed attempt; an earlier part payment stays received."""
    return _("Nothing more was charged.") if order.received else _("Nothing was charged.")


def no_payment_state(order: Order, payment: Payment | None) -> State:
    text = amount_due(order)
    if payment is not None and payment.failure_code == TOO_MANY_DECLINES:
        text = f"{payment.failure_reason} {reserved(order)} {text}"
    return State(_("Awaiting payment"), "clock", Tone.WARN, _("Choose a payment method"), text)


def in_review_state(payment: Payment) -> State:
    if payment.pending_reason == PendingReason.BANK:
        text = _(
            "Do not pay again. Your bank is still sending the money to %(provider)s, which usually takes 3 to 6 "
            "working days. Your items are reserved, and we will email you."
        ) % {"provider": payment.get_payment_provider_display()}
        return State(_("Awaiting bank"), "clock", Tone.INFO, _("Your payment is on its way"), text)
    text = _(
        "Do not pay again. The payment is being reviewed, which usually takes minutes and rarely days. "
        "Your items are reserved, and we will email you."
    )
    return State(_("In review"), "clock", Tone.INFO, _("Your payment is being reviewed"), text)


def payment_reason(payment: Payment, text: str) -> str:
    return f"{payment.failure_reason} {text}" if payment.failure_reason else text


def reserved(order: Order) -> str:
    if order.expires_at is None:
        return _("Your items are reserved.")
    end = date_format(timezone.localtime(order.expires_at), "DATETIME_FORMAT")
    return _("Your items are reserved until %(time)s.") % {"time": end}
