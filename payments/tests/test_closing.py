"""The end of an order that nobody paid, and of one that staff call off: who may, what returns, what is told."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.catalog.models import StockMove
from artisans.core.errors import Missing
from orders.errors import NotCancellable
from orders.services import parcel_ship
from orders.tests.factories import place
from payments.errors import NoPermission
from payments.methods import PaymentMethod
from payments.services.closing import order_cancel, order_expire, orders_due_to_expire
from payments.tasks import expire_orders_task
from payments.tests.factories import record, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

CASH = PaymentMethod.CASH_ON_DELIVERY


def cancel(payment, actor, reason=""):
    order_cancel(order_id=payment.order_id, reason=reason, actor=actor)
    return reread(payment)


def stock(product) -> int:
    product.refresh_from_db()
    return product.stock


def returns() -> int:
    return StockMove.objects.filter(kind="return").count()


def test_buyer_cancels_an_unpaid_order_and_the_stock_returns_once(shopper, bowl, mails):
    payment = start(pieces={bowl: 3}, user=shopper)
    assert stock(bowl) == 7

    cancel(payment, shopper, "too dear")
    cancel(payment, shopper, "too dear")

    assert (payment.status, payment.order.status) == ("CANCELLED", "CANCELLED")
    assert (stock(bowl), returns()) == (10, 1)
    [told] = [m for m in mails(shopper.email) if m.subject.endswith(": cancelled")]
    assert "You have not been charged." in told.body
    assert "too dear" in told.body


def test_buyer_cancels_cash_until_an_artisan_has_started(shopper, bowl, seller, mails):
    payment = start(CASH, {bowl: 1}, user=shopper)

    cancel(payment, shopper)

    assert (payment.status, payment.order.status) == ("CANCELLED", "CANCELLED")
    assert stock(bowl) == 10
    assert payment.order.parcels.get().status == "CANCELLED"
    assert [m.subject.split(": ")[1] for m in mails(seller.email)] == ["a parcel to send", "do not send"]


def test_buyer_does_not_cancel_cash_once_it_is_on_its_way(shopper, bowl, seller):
    payment = start(CASH, {bowl: 1}, user=shopper)
    parcel_ship(parcel_id=payment.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, shopper)

    assert reread(payment).order.status == "SHIPPED"
    assert stock(bowl) == 9


@pytest.mark.parametrize("amount", ["99.99", "1.00"])
def test_buyer_does_not_cancel_once_money_is_here(shopper, staff, amount):
    payment = start(user=shopper)
    record(payment, amount, actor=staff)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, shopper)

    assert reread(payment).order.is_alive


def test_staff_cancel_a_paid_order_and_the_money_is_listed_to_return(shopper, staff, bowl, mails):
    payment = start(pieces={bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff)

    cancel(payment, staff, "kiln broke")

    assert (payment.status, payment.order.status, payment.order.payment_status) == (
        "COMPLETED",
        "CANCELLED",
        "PAID",
    )
    assert payment.order.to_return == usd("99.99")
    assert stock(bowl) == 10
    [told] = [m for m in mails(shopper.email) if m.subject.endswith(": cancelled")]
    assert "We will return the $99.99 that we received." in told.body
    assert AuditEntry.objects.filter(action="order.cancel", actor=staff).count() == 1


def test_staff_do_not_cancel_what_is_on_its_way(shopper, staff, seller, bowl):
    payment = start(pieces={bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff)
    parcel_ship(parcel_id=payment.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, staff)


def test_one_parcel_on_its_way_keeps_the_whole_order(shopper, staff, seller, bowl, scarf):
    payment = start(pieces={bowl: 1, scarf: 1}, user=shopper)
    record(payment, "136.65", actor=staff)
    mine = payment.order.parcels.get(artisan__user=seller)
    parcel_ship(parcel_id=mine.pk, carrier="USPS", tracking="", actor=seller)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, staff)

    assert reread(payment).order.status == "PROCESSING"
    assert stock(scarf) == 9


@pytest.mark.parametrize("who", ["stranger", "seller", "powerless_staff"])
def test_nobody_else_cancels(shopper, request, who, bowl):
    payment = start(pieces={bowl: 1}, user=shopper)

    with pytest.raises(NoPermission), transaction.atomic():
        cancel(payment, request.getfixturevalue(who))

    assert reread(payment).order.status == "PENDING"


def test_guest_order_belongs_to_no_account(stranger):
    payment = start(email="guest@example.test")
    stranger.email = "guest@example.test"
    stranger.save()

    with pytest.raises(NoPermission), transaction.atomic():
        cancel(payment, stranger)


def test_missing_order_cannot_be_cancelled(shopper):
    with pytest.raises(Missing):
        order_cancel(order_id=shopper.pk, reason="", actor=shopper)


def test_order_expires_when_its_hold_is_over_and_not_before(shopper, bowl, time_machine, mails):
    payment = start(pieces={bowl: 2}, user=shopper)
    time_machine.move_to(payment.order.expires_at - timedelta(seconds=5))
    assert not order_expire(order_id=payment.order_id)
    time_machine.move_to(payment.order.expires_at + timedelta(seconds=5))

    expired = [order_expire(order_id=payment.order_id) for _ in range(3)]

    assert expired == [True, False, False]
    assert (reread(payment).status, payment.order.status) == ("CANCELLED", "EXPIRED")
    assert (stock(bowl), returns()) == (10, 1)
    assert sum("ended without payment" in m.subject for m in mails(shopper.email)) == 1


def test_order_without_a_payment_expires_after_half_an_hour(bowl, time_machine):
    order = place({bowl: 1}).order
    time_machine.move_to(timezone.now() + timedelta(minutes=29))
    assert orders_due_to_expire() == []
    time_machine.move_to(timezone.now() + timedelta(minutes=2))

    expire_orders_task()

    order.refresh_from_db()
    assert order.status == "EXPIRED"
    assert stock(bowl) == 10


def test_unconfirmed_guest_loses_the_hold_after_two_hours(bowl, time_machine):
    payment = start(pieces={bowl: 1})
    time_machine.move_to(timezone.now() + timedelta(hours=2, seconds=1))

    expire_orders_task()

    assert reread(payment).order.status == "EXPIRED"
    assert stock(bowl) == 10


@pytest.mark.parametrize("method", [CASH, PaymentMethod.BANK_TRANSFER])
def test_confirmed_orders_never_expire(shopper, staff, method, time_machine):
    payment = start(method, user=shopper)
    if method != CASH:
        record(payment, "99.99", actor=staff)
    time_machine.move_to(timezone.now() + timedelta(days=90))

    expire_orders_task()

    assert reread(payment).order.status == "CONFIRMED"


def test_one_stuck_order_does_not_hold_up_the_others(shopper, bowl, scarf, time_machine, broken_books):
    stuck, other = start(pieces={bowl: 1}, user=shopper), start(pieces={scarf: 1}, user=shopper)
    line = stuck.order.lines.get()
    StockMove.objects.create(product=bowl, kind="return", quantity=1, order_line=line.pk, reason="by hand")
    time_machine.move_to(timezone.now() + timedelta(days=11))

    expire_orders_task()

    assert reread(stuck).order.status == "PENDING"
    assert reread(other).order.status == "EXPIRED"
