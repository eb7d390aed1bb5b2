"""What is owed to a buyer: undelivered products, surplus and late money; goodwill refunds do not reduce it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.catalog.services import stock_adjust
from orders.models import Order
from orders.owed import IS_OWED
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.statuses import CashHolder, ParcelDecision
from payments.bookkeeping.payments import payment_move
from payments.bookkeeping.refunds import refund_finish
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire, parcel_cannot_deliver
from payments.methods import PaymentMethod
from payments.models import Bearer, Earning, PaymentRefund, RefundDecision
from payments.providers.contract import RemoteRefund, RemoteRefundStatus
from payments.refunds.staff import refund_decide, refund_open
from payments.selectors import refund_due
from payments.statuses import PaymentStatus
from payments.tests.factories import (
    apply_card_captures,
    give_back,
    record,
    remote_refund_of,
    reread,
    start,
    unit_selection,
    usd,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "card_shop")]


@pytest.fixture
def paid(bowl, scarf, shopper):
    """136.65 by card, from two artisans: the bowl's parcel 98.31, the scarf's 38.34."""
    return apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1, scarf: 1}, user=shopper))


def parcel(payment, user):
    return payment.order.parcels.get(artisan__user=user)


def not_coming(payment, user):
    gone = parcel_cannot_deliver(parcel_id=parcel(payment, user).pk, reason="The loom broke.", actor=user)
    reread(payment)
    return gone


def refunded(payment, staff, **create_request) -> PaymentRefund:
    """Staff refund, and the provider has executed it."""
    refund = refund_open(payment_id=payment.pk, reason="Chipped.", actor=staff, **create_request)
    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))
    reread(payment)
    return refund


def is_listed(order: Order) -> bool:
    return Order.objects.filter(IS_OWED, pk=order.pk).exists()


def test_refund_of_units_does_not_reduce_the_refund_due_of_a_parcel_cancelled_later(
    paid, seller, other_seller, staff, mails, shopper
):
    refunded(paid, staff, items=unit_selection((paid.order.lines.get(parcel=parcel(paid, seller)), 1)))
    assert (paid.order.refunded, paid.order.refund_due) == (usd("94.00"), usd("0"))

    not_coming(paid, other_seller)

    assert paid.order.refund_due == paid.order.owed.goods == usd("38.34")
    assert refund_due(paid.order, paid) == 3834
    assert is_listed(paid.order)
    assert "We will refund $38.34." in mails(shopper.email)[-1].body


def test_refund_of_units_does_not_reduce_the_refund_due_of_a_cancelled_parcel(
    paid, seller, other_seller, staff
):
    not_coming(paid, other_seller)

    refunded(paid, staff, items=unit_selection((paid.order.lines.get(parcel=parcel(paid, seller)), 1)))

    assert paid.order.refund_due == usd("38.34")
    assert is_listed(paid.order)


def test_goodwill_does_not_reduce_the_refund_due_of_a_parcel_cancelled_later(paid, other_seller, staff):
    refund = refunded(paid, staff, amount=usd("20.00"))
    assert (refund.goodwill, paid.order.refund_due) == (usd("20.00"), usd("0"))

    not_coming(paid, other_seller)

    assert paid.order.refund_due == usd("38.34")
    assert paid.order.goodwill == usd("20.00")


def test_refund_of_an_amount_first_covers_the_refund_due(paid, other_seller, staff):
    not_coming(paid, other_seller)

    refund = refunded(paid, staff, amount=usd("40.00"))

    assert refund.goodwill == usd("1.66")
    assert not paid.order.refund_due
    assert not is_listed(paid.order)


def test_units_decided_as_restocked_with_their_parcel_returned_are_given_back_once(
    paid, seller, other_seller, staff
):
    """All of it was refunded at the provider, and one of two parcels came back: the other one was a gift."""
    for shipped in (parcel(paid, seller), parcel(paid, other_seller)):
        parcel_ship(parcel_id=shipped.pk, carrier="USPS", tracking="", actor=shipped.artisan.user)
    parcel_deliver(parcel_id=parcel(paid, other_seller).pk, actor=other_seller)
    apply_card_captures(paid, refunds=(RemoteRefund("re_1", paid.amount, RemoteRefundStatus.SUCCEEDED),))
    came_back = parcel(paid, seller)

    refund_decide(
        refund_id=PaymentRefund.objects.get().pk,
        decision=RefundDecision.RESTOCK,
        actor=staff,
        lines=unit_selection((paid.order.lines.get(parcel=came_back), 1)).lines,
        parcels={came_back.pk: ParcelDecision.RETURNED},
    )

    order = reread(paid).order
    assert (order.goodwill, order.balance_due) == (usd("38.34"), usd("0"))
    assert Earning.objects.get(parcel=parcel(paid, other_seller)).status == "pending"


def test_refund_due_is_never_more_than_the_money_held(paid, seller, other_seller, staff, mails, shopper):
    refunded(paid, staff, amount=usd("120.00"))

    not_coming(paid, other_seller)
    assert paid.order.refund_due == usd("16.65")
    refunded(paid, staff, amount=usd("16.65"))
    not_coming(paid, seller)

    assert not paid.order.refund_due
    assert (paid.order.status, paid.order.payment_status) == ("CANCELLED", "REFUNDED")
    assert "not been charged" not in mails(shopper.email)[-1].body
    assert "We refunded $136.65" in mails(shopper.email)[-1].body


def test_late_failure_of_a_refund_makes_its_units_owed_again(paid, other_seller, staff):
    not_coming(paid, other_seller)
    refund = refunded(paid, staff, amount=usd("38.34"))

    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund, RemoteRefundStatus.FAILED))

    assert reread(paid).order.refund_due == usd("38.34")


def test_units_of_a_refund_in_progress_are_not_owed_twice(paid, other_seller, staff):
    refund_open(
        payment_id=paid.pk,
        reason="Torn.",
        actor=staff,
        items=unit_selection((paid.order.lines.get(parcel=parcel(paid, other_seller)), 1)),
    )
    not_coming(paid, other_seller)

    assert paid.order.refund_due == usd("38.34")
    assert refund_due(paid.order, paid) == 3834 - 3666  # its shipping


@pytest.fixture
def cash(bowl, scarf, shopper):
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)


def test_nothing_is_owed_for_an_unpaid_parcel(cash, other_seller, mails, shopper):
    not_coming(cash, other_seller)

    assert (cash.order.refund_due, cash.order.balance_due) == (usd("0"), usd("98.31"))
    assert "Your total is now $38.34 lower. Amount due: $98.31." in mails(shopper.email)[-1].body


def test_refunded_partial_payment_is_due_again(cash, staff):
    record(cash, "50.00", actor=staff)

    refund = give_back(cash, "50.00", actor=staff)

    assert (refund.goodwill, cash.order.balance_due) == (usd("0"), usd("136.65"))


def collect(payment, user, staff, amount: str = ""):
    """The cash for the artisan's parcel, or a part of it."""
    due = parcel(payment, user)
    record(payment, amount or due.total.amount, actor=staff, parcel_id=due.pk, holder=CashHolder.SHOP)


@pytest.mark.parametrize("bearer", Bearer)
def test_goodwill_for_a_parcel_paid_on_delivery_is_not_due_again(cash, seller, other_seller, staff, bearer):
    """Although the other one is still to be paid."""
    collect(cash, other_seller, staff)
    earned = Earning.objects.get(artisan__user=other_seller)

    refund = give_back(cash, "10.00", actor=staff, borne_by=bearer, beyond_owed=True)

    assert (refund.goodwill, cash.order.balance_due) == (usd("10.00"), usd("98.31"))
    assert (cash.outstanding, cash.status) == (usd("98.31"), "PENDING")
    earned.refresh_from_db()
    assert bool(earned.returned_minor) is (bearer == Bearer.ARTISAN)
    collect(cash, seller, staff)
    assert (cash.status, cash.order.payment_status) == ("COMPLETED", "PARTIALLY_REFUNDED")


def test_such_goodwill_is_not_due_again_either_once_the_other_parcel_was_cancelled(
    cash, seller, other_seller, staff
):
    collect(cash, other_seller, staff)
    give_back(cash, "10.00", actor=staff, beyond_owed=True)

    not_coming(cash, seller)

    assert (cash.order.balance_due, cash.order.refund_due) == (usd("0"), usd("0"))


def test_part_payment_for_another_parcel_is_due_again_before_anything_is_goodwill(
    cash, seller, other_seller, staff
):
    collect(cash, other_seller, staff)
    collect(cash, seller, staff, "8.00")

    refund = give_back(cash, "10.00", actor=staff, beyond_owed=True)

    assert (refund.goodwill, cash.order.balance_due) == (usd("2.00"), usd("98.31"))
    collect(cash, seller, staff, "90.31")
    assert cash.order.balance_due == usd("8.00")


def test_partial_payment_above_the_remaining_parcels_is_owed(cash, other_seller, staff, mails, shopper):
    record(cash, "100.00", actor=staff)

    not_coming(cash, other_seller)

    assert (cash.order.refund_due, cash.order.balance_due) == (usd("1.69"), usd("0"))
    body = mails(shopper.email)[-1].body
    assert "We will refund $1.69. There is nothing left to pay." in body


def test_surplus_and_late_money_are_separate_reasons(cash, other_seller, staff, admin_user):
    record(cash, "140.00", actor=staff)
    not_coming(cash, other_seller)

    owed = cash.order.owed
    assert (owed.goods, owed.surplus, owed.closed) == (usd("38.34"), usd("3.35"), usd("0"))

    order_cancel(order_id=cash.order_id, reason="kiln broke", actor=admin_user)
    owed = reread(cash).order.owed
    assert (owed.goods, owed.surplus, owed.closed) == (usd("136.65"), usd("0"), usd("3.35"))


# ---- an order whose money goes back is not revived ---------------------------------------------------------------


@pytest.fixture
def late(bowl, shopper, staff):
    """Card money for an expired order whose products are sold out: its refund is in progress."""
    payment = start(PaymentMethod.CREDIT_CARD, {bowl: 4}, user=shopper)
    payment_move(payment, PaymentStatus.CANCELLED, cause="withdrawn at the provider")
    Order.objects.filter(pk=payment.order_id).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert order_expire(order_id=payment.order_id)
    stock_adjust(product_id=bowl.pk, counted=3, reason="sold at the market", actor=staff)
    apply_card_captures(payment)
    assert payment.refund_reserved_minor == payment.received_minor
    stock_adjust(product_id=bowl.pk, counted=9, reason="came back", actor=staff)
    return payment


@pytest.mark.parametrize(
    "end", [RemoteRefundStatus.PENDING, RemoteRefundStatus.SUCCEEDED, RemoteRefundStatus.FAILED]
)
def test_order_is_not_revived_during_or_after_its_refund(late, end):
    refund = late.refunds.get()

    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund, end))
    apply_card_captures(late)

    assert reread(late).order.status == "EXPIRED"
    assert late.order.released_at is None
    assert late.order.refund_due.minor == (0 if end == RemoteRefundStatus.SUCCEEDED else late.received_minor)


def test_order_whose_whole_payment_went_back_at_once_is_still_unpaid_after_the_decision(bowl, shopper, staff):
    payment = start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper)
    back = RemoteRefund("re_1", payment.amount, RemoteRefundStatus.SUCCEEDED)
    order = apply_card_captures(payment, refunds=(back,)).order
    assert (order.status, order.balance_due) == ("PENDING", order.total)

    refund_decide(refund_id=PaymentRefund.objects.get().pk, decision=RefundDecision.NOTHING, actor=staff)

    order.refresh_from_db()
    assert (order.status, order.balance_due, order.goodwill) == ("PENDING", order.total, usd("0"))
