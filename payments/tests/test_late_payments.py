"""Money that arrives after its order ended: it is always booked; then the order is revived or a refund is due."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.catalog.services import stock_adjust
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.tests.factories import give_back, record, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def expired(shopper, bowl, time_machine) -> Payment:
    payment = start(items={bowl: 4}, user=shopper)
    time_machine.move_to(payment.order.expires_at + timedelta(hours=1))
    assert order_expire(order_id=payment.order_id)
    return reread(payment)


TOTAL = "381.97"  # 4 × 85.45 + 34.18 + 5.99


def statuses_of(payment) -> tuple[str, str, str]:
    return payment.status, payment.order.status, payment.order.payment_status


def test_expired_order_is_revived_when_its_products_are_available(expired, bowl, staff, seller, mails):
    record(expired, TOTAL, actor=staff)

    assert statuses_of(expired) == ("COMPLETED", "CONFIRMED", "PAID")
    assert expired.order.stock_round == 1
    assert expired.order.expires_at is None
    bowl.refresh_from_db()
    assert bowl.stock == 6
    assert [m.subject.split(": ")[1] for m in mails(seller.email)] == ["new parcel to ship"]
    assert "payment received" in mails("shopper@example.test")[-1].subject


def test_refund_is_due_when_the_products_are_sold_out(expired, bowl, staff, seller, mails):
    stock_adjust(product_id=bowl.pk, counted=3, reason="sold at the market", actor=staff)

    record(expired, TOTAL, actor=staff)

    assert statuses_of(expired) == ("COMPLETED", "EXPIRED", "PAID")
    assert expired.order.refund_due == usd(TOTAL)
    assert expired.order.stock_round == 0
    bowl.refresh_from_db()
    assert bowl.stock == 3
    assert mails(seller.email) == []
    assert "payment arrived too late" in mails("shopper@example.test")[-1].subject

    give_back(expired, TOTAL, actor=staff)
    assert statuses_of(expired) == ("REFUNDED", "EXPIRED", "REFUNDED")
    assert not expired.order.refund_due


def test_partial_payment_does_not_revive_an_order(expired, staff):
    record(expired, "381.96", actor=staff)

    assert statuses_of(expired) == ("CANCELLED", "EXPIRED", "PARTIALLY_PAID")
    assert expired.order.refund_due == usd("381.96")

    record(expired, "0.01", actor=staff, reference="STMT-2")
    assert statuses_of(expired) == ("COMPLETED", "CONFIRMED", "PAID")


def test_inactive_product_is_not_reserved_again(expired, bowl, staff):
    bowl.is_active = False
    bowl.save()

    record(expired, TOTAL, actor=staff)

    assert statuses_of(expired) == ("COMPLETED", "EXPIRED", "PAID")


def test_cancelled_order_is_not_revived(shopper, staff, bowl):
    payment = start(items={bowl: 1}, user=shopper)
    order_cancel(order_id=payment.order_id, reason="", actor=shopper)

    record(payment, "99.99", actor=staff)

    assert statuses_of(reread(payment)) == ("COMPLETED", "CANCELLED", "PAID")
    assert payment.order.refund_due == usd("99.99")
    bowl.refresh_from_db()
    assert bowl.stock == 10


def test_cancelling_a_revived_order_returns_its_stock(expired, bowl, staff):
    record(expired, TOTAL, actor=staff)

    order_cancel(order_id=expired.order_id, reason="kiln broke", actor=staff)

    bowl.refresh_from_db()
    assert bowl.stock == 10
    assert statuses_of(reread(expired)) == ("COMPLETED", "CANCELLED", "PAID")


def test_payment_is_accepted_until_the_expiry_task_runs(shopper, staff, bowl, time_machine):
    payment = start(items={bowl: 1}, user=shopper)
    time_machine.move_to(timezone.now() + timedelta(days=30))

    record(payment, "99.99", actor=staff)

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")
    assert not order_expire(order_id=payment.order_id)


def test_late_money_for_a_replaced_payment_also_revives_the_order(shopper, staff, bowl, time_machine):
    payment = start(items={bowl: 1}, user=shopper)
    payment_choose_method(order_id=payment.order_id, method=PaymentMethod.CHECK, actor=shopper)
    time_machine.move_to(timezone.now() + timedelta(days=15))
    assert order_expire(order_id=payment.order_id)

    record(payment, "99.99", actor=staff)

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")
