"""Changing the payment method: a new payment replaces the open one, and nothing is paid twice."""

import pytest
from django.db import transaction

from artisans.core.errors import NotFound
from payments.errors import AmountMismatch, MethodNotOffered, NothingDue
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.choose_method import payment_choose_method
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.tests.factories import record, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

TRANSFER, CHECK, CASH = PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK, PaymentMethod.CASH_ON_DELIVERY


def choose(payment, method, actor=None, **asserted):
    chosen = payment_choose_method(order_id=payment.order_id, method=method, actor=actor, **asserted)
    reread(payment)
    return chosen.payment, chosen.is_new


def test_same_method_returns_the_open_payment(shopper):
    payment = start(user=shopper)

    assert choose(payment, TRANSFER, shopper) == (payment, False)
    assert Payment.objects.count() == 1


def test_other_method_replaces_the_open_payment(shopper):
    payment = start(user=shopper)

    check, is_new = choose(payment, CHECK, shopper)

    assert is_new
    assert (payment.status, check.status) == ("CANCELLED", "PENDING")
    assert check.amount == usd("99.99")
    assert (payment.order.pay_by - payment.order.created_at).days == 14


def test_switching_to_cash_releases_the_order(shopper):
    payment = start(user=shopper)

    choose(payment, CASH, shopper)

    assert (payment.status, payment.order.status) == ("CANCELLED", "CONFIRMED")
    assert payment.order.expires_at is None


def test_unavailable_method_does_not_change_the_open_payment(shopper):
    payment = start(user=shopper)

    with pytest.raises(MethodNotOffered), transaction.atomic():
        choose(payment, PaymentMethod.CREDIT_CARD, shopper)

    assert reread(payment).status == "PENDING"
    assert Payment.objects.count() == 1


def test_other_method_requests_the_rest_of_a_partial_payment(shopper, staff):
    payment = start(user=shopper)
    record(payment, "40.00", actor=staff)

    check, _ = choose(payment, CHECK, shopper)
    record(check, "59.99", actor=staff, reference="check 1")

    assert check.amount == usd("59.99")
    assert (check.status, check.order.status, check.order.payment_status) == (
        "COMPLETED",
        "CONFIRMED",
        "PAID",
    )


def test_late_money_for_the_replaced_payment_closes_the_open_one(shopper, staff):
    """Otherwise the buyer of a paid order would still see where to send a check."""
    payment = start(user=shopper)
    check, _ = choose(payment, CHECK, shopper)

    record(payment, "99.99", actor=staff)

    assert (payment.status, payment.order.status, payment.order.payment_status) == (
        "COMPLETED",
        "CONFIRMED",
        "PAID",
    )
    assert reread(check).status == "CANCELLED"


@pytest.mark.parametrize(
    ("amount", "currency"), [("99.98", None), ("100", None), ("0", None), ("99.99", "EUR")]
)
def test_different_amount_is_refused(shopper, amount, currency):
    payment = start(user=shopper)

    with pytest.raises(AmountMismatch) as refused, transaction.atomic():
        choose(payment, CHECK, shopper, amount=usd(amount).as_decimal(), currency=currency)

    assert refused.value.extra["amount"] == "99.99"
    assert reread(payment).status == "PENDING"


def test_amount_is_compared_with_the_open_balance_not_the_total(shopper, staff):
    payment = start(user=shopper)
    record(payment, "40.00", actor=staff)

    with pytest.raises(AmountMismatch), transaction.atomic():
        choose(payment, CHECK, shopper, amount=usd("99.99").as_decimal())
    choose(payment, CHECK, shopper, amount=usd("59.99").as_decimal(), currency="USD")


@pytest.mark.parametrize("how", ["paid", "cancelled"])
def test_nothing_is_due_once_paid_or_closed(shopper, staff, how):
    payment = start(user=shopper)
    if how == "paid":
        record(payment, "99.99", actor=staff)
    else:
        order_cancel(order_id=payment.order_id, reason="", actor=shopper)

    with pytest.raises(NothingDue), transaction.atomic():
        choose(payment, CHECK, shopper)

    assert Payment.objects.count() == 1


def test_unknown_order_is_not_found(shopper):
    payment = start(user=shopper)

    with pytest.raises(NotFound):
        payment_choose_method(order_id=payment.pk, method=CHECK, actor=shopper)
