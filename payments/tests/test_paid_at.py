"""When an order was first paid in full: set once, and filled in for orders of release 0.1.0 where that is certain."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from artisans.core.changes import day_of
from artisans.core.models import ChangeMark
from orders.models import Order
from payments.bookkeeping.deployment import paid_at_fill
from payments.bookkeeping.payments import order_settle
from payments.models import PaymentRefund, Receipt
from payments.tasks import reconcile_task
from payments.tests.factories import give_back, record, start
from tests.append_only import rewriting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

migration = import_module("payments.migrations.0005_order_paid_at")
TOTAL = 9999


def fill_paid_at() -> None:
    [operation] = migration.Migration.operations
    operation.size = 4  # several batches
    operation.run(connection)


def test_order_keeps_the_time_when_it_was_first_paid_in_full(shopper, staff, time_machine):
    payment = start(user=shopper)
    record(payment, "90.00", actor=staff)
    assert payment.order.paid_at is None

    record(payment, "9.99", actor=staff)
    first = payment.order.paid_at
    assert first is not None
    assert abs(first - timezone.now()) < timedelta(minutes=1)

    time_machine.move_to(timezone.now() + timedelta(hours=1))
    give_back(payment, "50.00", actor=staff)
    record(payment, "50.00", actor=staff)
    assert payment.order.paid_at == first


def test_database_refuses_another_time(shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)
    order = Order.objects.get()

    for other in (None, timezone.now() + timedelta(hours=1)):
        with pytest.raises(IntegrityError, match="set once"), transaction.atomic():
            Order.objects.update(paid_at=other)

    order.save()  # whole, with the same time
    assert Order.objects.get().paid_at == order.paid_at


def test_time_of_orders_that_release_0_1_0_settled_is_filled_in_at_night(shopper, staff, time_machine):
    payment = start(user=shopper)
    record(payment, "90.00", actor=staff)
    record(payment, "9.99", actor=staff)
    paid_at = Receipt.objects.latest("created_at").created_at
    with rewriting():
        Order.objects.update(paid_at=None)  # as written by a process that does not know the column

    time_machine.move_to(timezone.now() + timedelta(hours=1))
    order_settle(payment.order, cause="test", actor=None)
    assert Order.objects.get().paid_at is None, "not the time of a later change"

    reconcile_task()
    assert Order.objects.get().paid_at == paid_at


def test_figures_of_orders_that_release_0_1_0_settled_are_counted_again(shopper, staff, time_machine):
    now = timezone.now()
    time_machine.move_to(now - timedelta(days=9), tick=False)
    payment = start(user=shopper)
    time_machine.move_to(now - timedelta(days=1), tick=False)
    record(payment, "99.99", actor=staff)
    with rewriting():
        Order.objects.update(paid_at=None)
        ChangeMark.objects.all().delete()
    time_machine.move_to(now, tick=False)

    paid_at_fill()

    placed_on, paid_on = day_of(now - timedelta(days=9)), day_of(now - timedelta(days=1))
    assert set(ChangeMark.objects.values_list("family", "day")) == {
        *(("orders", placed_on), ("payments", placed_on), ("settled", paid_on))
    }


@pytest.mark.usefixtures("broken_books")
def test_time_is_filled_in_only_if_it_is_certain(shopper, time_machine):
    refund = 0
    cases = [  # the amounts received in turn, what was cancelled, and which amount paid the order
        ("paid at once", [TOTAL], 0, 0),
        ("in parts", [4000, 5999], 0, 1),
        ("too much", [TOTAL + 1, 5], 0, 0),
        ("refunded later", [TOTAL, refund], 0, 0),
        ("refunded before", [6000, refund, 6000], 0, None),
        ("not in full", [6000], 0, None),
        ("in full before a parcel was cancelled", [TOTAL], 3000, 0),
        ("in full before all of it was cancelled", [TOTAL], TOTAL, 0),
        ("perhaps when a parcel was cancelled", [8000, 1999], 3000, None),
    ]
    expected, now = {}, timezone.now()
    for name, amounts, cancelled, paid_by in cases:
        payment = start(user=shopper)
        Order.objects.filter(pk=payment.order_id).update(
            status="CONFIRMED", released_at=now, cancelled_minor=cancelled
        )
        times = [now + timedelta(minutes=minute) for minute in range(len(amounts))]
        for at, amount in zip(times, amounts, strict=True):
            time_machine.move_to(at, tick=False)
            if amount == refund:
                PaymentRefund.objects.create(payment=payment, currency="USD", amount_minor=1)
            else:
                Receipt.objects.create(
                    payment=payment,
                    currency="USD",
                    amount_minor=amount,
                    value_date=at.date(),
                    reference_key=f"{name} {at}",
                )
        expected[payment.order_id] = None if paid_by is None else times[paid_by]

    fill_paid_at()

    assert dict(Order.objects.values_list("pk", "paid_at")) == expected
