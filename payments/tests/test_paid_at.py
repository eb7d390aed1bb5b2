"""When an order was first paid in full: set once, and filled in for orders of release 0.1.0 where that is certain."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.utils import timezone

from orders.models import Order
from payments.tests.factories import give_back, record, start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

migration = import_module("payments.migrations.0005_order_paid_at")


def test_order_keeps_the_time_when_it_was_first_paid_in_full(shopper, staff, time_machine):
    payment = start(user=shopper)
    record(payment, "90.00", actor=staff)
    assert payment.order.paid_at is None

    record(payment, "9.99", actor=staff)
    first = payment.order.paid_at
    assert first is not None
    assert abs(first - timezone.now()) < timedelta(minutes=1)

    Order.objects.update(paid_at=None)  # as written by release 0.1.0
    migration.fill_paid_at(apps, None)
    payment.order.refresh_from_db()
    assert payment.order.paid_at == payment.receipts.last().created_at

    time_machine.move_to(timezone.now() + timedelta(hours=1))
    before = payment.order.paid_at
    give_back(payment, "50.00", actor=staff)
    record(payment, "50.00", actor=staff)
    assert payment.order.paid_at == before


def test_time_is_filled_in_only_if_it_is_certain():
    now = timezone.now()
    at = [now + timedelta(minutes=number) for number in range(4)]
    cases = [
        ("paid at once", [(at[0], 100)], 0, at[0]),
        ("in parts, in any order of rows", [(at[2], 60), (at[1], 40)], 0, at[2]),
        ("refunded later", [(at[0], 100), (at[1], 0)], 0, at[0]),
        ("refunded before", [(at[0], 60), (at[1], 0), (at[2], 60)], 0, None),
        ("not in full", [(at[0], 60)], 0, None),
        ("in full before a parcel was cancelled", [(at[0], 100)], 30, at[0]),
        ("in full before all of it was cancelled", [(at[0], 100)], 100, at[0]),
        ("perhaps when a parcel was cancelled", [(at[0], 80), (at[1], 20)], 30, None),
    ]
    found = {name: migration.find_paid_at(moves, 100, cancelled) for name, moves, cancelled, _ in cases}
    assert found == {name: wanted for name, _, _, wanted in cases}
