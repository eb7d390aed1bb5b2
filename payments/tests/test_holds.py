"""How long stock is held: no switch, retry or confirmation passes the method's longest hold, or shortens one."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone

from orders.holds import TooManyOpenOrders, TooManyUnitsHeld
from orders.models import Order
from orders.tests.factories import place
from payments.bookkeeping.holds import renew_order_hold
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.start import mailbox_confirm
from payments.methods import PaymentMethod
from payments.tests.factories import start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

TRANSFER, CHECK, CASH = PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK, PaymentMethod.CASH_ON_DELIVERY
CARD, PAYPAL = PaymentMethod.CREDIT_CARD, PaymentMethod.PAYPAL


def held(order: Order) -> timedelta:
    order.refresh_from_db()
    assert order.expires_at is not None
    return order.expires_at - order.created_at


def choose(order: Order, method: PaymentMethod) -> None:
    payment_choose_method(order_id=order.pk, method=method, actor=None)


def near(duration: timedelta) -> object:
    return pytest.approx(duration, abs=timedelta(seconds=20))


def test_guest_who_switches_between_transfer_and_check_gains_nothing(time_machine):
    order = start(TRANSFER).order
    for method in (CHECK, TRANSFER, CHECK):
        time_machine.move_to(timezone.now() + timedelta(minutes=35))
        choose(order, method)

    assert held(order) == near(timedelta(hours=2))


def test_switches_of_an_account_end_with_the_longest_hold_of_the_method(shopper, time_machine):
    order = start(TRANSFER, user=shopper).order
    time_machine.move_to(timezone.now() + timedelta(days=9))

    choose(order, CHECK)

    assert held(order) == near(timedelta(days=14))
    time_machine.move_to(timezone.now() + timedelta(days=4))
    choose(order, TRANSFER)
    assert held(order) == near(timedelta(days=14)), "not shortened either"


def test_new_attempts_online_renew_the_hold_for_three_hours_at_most(shopper, time_machine):
    order = start(TRANSFER).order
    Order.objects.filter(pk=order.pk).update(expires_at=order.created_at + timedelta(minutes=30))
    for _ in range(12):
        order.refresh_from_db()
        time_machine.move_to(order.expires_at - timedelta(minutes=5))
        renew_order_hold(order, CARD)

    assert held(order) == near(timedelta(hours=3))


@pytest.mark.parametrize(("method", "longest"), [(TRANSFER, 10), (CHECK, 14)])
def test_late_confirmation_counts_from_the_start_of_the_payment(method, longest, time_machine):
    order = start(method).order
    time_machine.move_to(timezone.now() + timedelta(minutes=100))

    mailbox_confirm(order_id=order.pk)

    assert held(order) == near(timedelta(days=longest))


def test_confirmation_does_not_shorten_a_hold():
    order = start(TRANSFER).order
    Order.objects.filter(pk=order.pk).update(expires_at=order.created_at + timedelta(days=17))

    mailbox_confirm(order_id=order.pk)

    assert held(order) == near(timedelta(days=17))


def test_unverified_account_is_held_two_hours_until_the_link_is_opened(shopper):
    EmailAddress.objects.create(user=shopper, email=shopper.email, primary=True, verified=False)
    order = start(TRANSFER, user=shopper).order
    assert held(order) == near(timedelta(hours=2))

    mailbox_confirm(order_id=order.pk)

    assert held(order) == near(timedelta(days=10))


def test_link_is_asked_for_while_the_hold_ends_before_the_payment_is_due(shopper):
    address = EmailAddress.objects.create(user=shopper, email=shopper.email, primary=True, verified=False)
    order = start(TRANSFER, user=shopper).order
    assert order.ends_unless_confirmed
    address.verified = True
    address.save()

    assert order.ends_unless_confirmed, "the account was verified later; the hold is still the short one"
    assert not mailbox_confirm(order_id=order.pk).ends_unless_confirmed
    assert not start(CHECK, user=shopper).order.ends_unless_confirmed


def test_short_online_hold_is_no_way_to_a_long_offline_one(bowl):
    start(TRANSFER, {bowl: 5}, network="n", email="other@example.test")
    online = place({bowl: 1}, network="n").order
    Order.objects.filter(pk=online.pk).update(expires_at=online.created_at + timedelta(minutes=10))

    with pytest.raises(TooManyUnitsHeld) as refused, transaction.atomic():
        choose(online, CHECK)

    assert "Your cart" not in refused.value.detail
    assert held(online) == near(timedelta(minutes=10))
    mailbox_confirm(order_id=online.pk)
    choose(online, CHECK)
    assert held(online) == near(timedelta(days=14))


def test_retry_above_the_caps_stays_short(bowl):
    start(TRANSFER, {bowl: 5}, network="n", email="other@example.test")
    order = place({bowl: 1}, network="n").order
    Order.objects.filter(pk=order.pk).update(expires_at=order.created_at + timedelta(minutes=10))

    order.refresh_from_db()
    renew_order_hold(order, CARD)

    assert held(order) == near(timedelta(minutes=10))


def test_third_cash_order_is_refused_by_a_switch_too(shopper):
    for _ in range(2):
        start(CASH, user=shopper)
    order = start(TRANSFER, user=shopper).order

    with pytest.raises(TooManyOpenOrders, match="cash on delivery"), transaction.atomic():
        choose(order, CASH)

    assert order.payments.get().status == "PENDING"
