"""MANUAL_PAYMENT_AUTO_APPROVE: artisans may start at once; no money is booked before staff record it."""

import pytest

from artisans.audit.models import AuditEntry
from orders.models import OrderTransition
from payments.methods import PaymentMethod
from payments.models import Receipt
from payments.tests.factories import record, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def auto_approve(settings):
    settings.MANUAL_PAYMENT_AUTO_APPROVE = True


@pytest.mark.parametrize("method", [PaymentMethod.BANK_TRANSFER, PaymentMethod.CHECK])
def test_order_is_released_before_any_receipt_is_booked(shopper, seller, bowl, method, mails):
    payment = start(method, {bowl: 1}, user=shopper)

    order = payment.order
    assert (payment.status, order.status, order.payment_status) == ("PENDING", "CONFIRMED", "UNPAID")
    assert order.released_at is not None
    assert (payment.received_minor, Receipt.objects.count()) == (0, 0)
    assert order.balance_due == usd("99.99")
    assert len(mails(seller.email)) == 1
    [entry] = AuditEntry.objects.filter(action="order.release")
    assert (entry.actor, entry.actor_name) == (None, "setting")


def test_history_names_the_setting_as_the_actor(shopper):
    payment = start(user=shopper)

    last = OrderTransition.objects.filter(order=payment.order).last()

    assert (last.new, last.actor_name) == ("CONFIRMED", "setting")


def test_later_receipt_does_not_notify_the_artisans_again(shopper, staff, seller, bowl, mails):
    payment = start(items={bowl: 1}, user=shopper)

    record(payment, "99.99", actor=staff)

    assert (payment.status, payment.order.status, payment.order.payment_status) == (
        "COMPLETED",
        "CONFIRMED",
        "PAID",
    )
    assert len(mails(seller.email)) == 1


def test_partial_receipt_is_mailed_as_partial(shopper, staff, mails):
    payment = start(user=shopper)

    record(payment, "90.00", actor=staff)

    assert payment.order.payment_status == "PARTIALLY_PAID"
    assert "$9.99 still due" in mails(shopper.email)[-1].subject


def test_cash_on_delivery_is_collected_and_not_booked(shopper, seller, bowl, mails):
    payment = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)

    assert (payment.status, payment.received_minor) == ("PENDING", 0)
    assert "Collect $99.99" in mails(seller.email)[0].body
