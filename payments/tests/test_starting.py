"""Starting a payment: available methods, and how long the stock is held."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from artisans.catalog.tests.factories import ProductFactory
from orders.selectors import store_rules
from orders.tests.factories import place, store_of
from payments.errors import MethodNotOffered
from payments.lifecycle.start import mailbox_confirm, payment_start
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.tests.factories import start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

NEAR = timedelta(seconds=20)
TRANSFER, CHECK, CASH = PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK, PaymentMethod.CASH_ON_DELIVERY


def lasts(moment, days: float) -> bool:
    return abs(moment - timezone.now() - timedelta(days=days)) < NEAR


@pytest.mark.parametrize(("method", "result", "held"), [(TRANSFER, 7, 10), (CHECK, 14, 14)])
def test_hold_lasts_as_long_as_the_method_needs(shopper, method, result, held):
    payment = start(method, user=shopper)

    assert (payment.status, payment.order.status) == ("PENDING", "PENDING")
    assert lasts(payment.order.pay_by, result)
    assert lasts(payment.order.expires_at, held)


def test_cash_confirms_the_order_and_its_hold_does_not_expire(shopper):
    payment = start(CASH, user=shopper)

    assert (payment.status, payment.order.status) == ("PENDING", "CONFIRMED")
    assert payment.order.expires_at is None
    assert payment.order.pay_by is None
    assert payment.order.released_at is not None


@pytest.mark.parametrize(("method", "held"), [(TRANSFER, 10), (CHECK, 14)])
def test_guest_order_is_held_two_hours_until_the_mailbox_is_confirmed(method, held):
    order = start(method).order
    assert lasts(order.expires_at, 2 / 24)

    confirmed = mailbox_confirm(order_id=order.pk)

    assert lasts(confirmed.expires_at, held)
    assert confirmed.pay_by == order.pay_by


def test_second_confirmation_of_the_mailbox_changes_nothing():
    order = start(TRANSFER).order
    first = mailbox_confirm(order_id=order.pk)

    again = mailbox_confirm(order_id=order.pk)

    assert again.mailbox_confirmed_at == first.mailbox_confirmed_at
    assert again.expires_at == first.expires_at


def test_guest_can_choose_cash_only_after_confirming_the_mailbox():
    placed = place()
    with (
        pytest.raises(MethodNotOffered, match="Only for buyers with a confirmed email address"),
        transaction.atomic(),
    ):
        payment_start(placed, method=CASH, store=store_rules())

    mailbox_confirm(order_id=placed.order.pk)
    placed.order.refresh_from_db()
    payment_start(placed, method=CASH, store=store_rules())

    assert placed.order.status == "CONFIRMED"


def test_cash_is_refused_above_the_limit_of_the_store(shopper):
    dear = ProductFactory.create(price_minor=13_092)  # 144.01 with tax, 150.00 with shipping: the exact limit
    start(CASH, {dear: 1}, user=shopper)
    dearer = ProductFactory.create(price_minor=13_093)

    with (
        pytest.raises(MethodNotOffered, match=r"up to \$150\.00; this order is \$150\.01"),
        transaction.atomic(),
    ):
        start(CASH, {dearer: 1}, user=shopper)

    assert Payment.objects.count() == 1


@pytest.mark.parametrize(("method", "missing"), [(TRANSFER, "account_iban"), (CHECK, "check_payee")])
def test_method_is_refused_when_the_store_has_no_account_for_it(shopper, method, missing):
    store_of(**{missing: ""})

    with pytest.raises(MethodNotOffered, match="set up"), transaction.atomic():
        start(method, user=shopper)


@pytest.mark.parametrize("method", ["credit_card", "debit_card", "paypal"])
def test_methods_of_later_providers_are_not_offered_yet(shopper, method):
    with pytest.raises(MethodNotOffered), transaction.atomic():
        start(PaymentMethod(method), user=shopper)

    assert not Payment.objects.exists()


def test_database_refuses_a_second_open_payment_of_an_order(shopper):
    payment = start(user=shopper)

    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(
            order=payment.order,
            payment_method=CHECK,
            payment_provider="manual",
            currency="USD",
            amount_minor=100,
        )
