"""Marks and counting at the same moment lose no change; with real transactions on PostgreSQL."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone

from artisans.core.models import ChangeMark
from artisans.figures import counting
from artisans.figures.counting import Pair, find_differences, marks_drain
from artisans.figures.days import DAY, today
from artisans.figures.models import PaymentCell
from orders.models import Order
from payments.bookkeeping.payments import payment_move
from payments.models import Payment
from payments.statuses import PaymentStatus
from payments.tests.factories import start

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]

WRITERS, DRAINS, PAYMENTS, DAYS = 8, 3, 12, 3  # payments: of each writer


class RolledBack(Exception):
    pass


def make_payments(bowl) -> list[UUID]:
    """Each alone with its order, on days that nobody counts by itself."""
    with transaction.atomic():
        first = start(items={bowl: 1})
    keys = [first.pk]
    columns = {field.attname for field in Order._meta.concrete_fields} - {"id", "order_number"}
    for _ in range(WRITERS * PAYMENTS - 1):
        order = Order.objects.create(**{name: getattr(first.order, name) for name in columns})
        copy = {name: getattr(first, name) for name in ("payment_method", "payment_provider", "currency")}
        keys.append(Payment.objects.create(order=order, amount_minor=first.amount_minor, **copy).pk)
    for number, key in enumerate(keys):
        at = timezone.now() - timedelta(days=3 + number % DAYS)
        Payment.objects.filter(pk=key).update(created_at=at)
    return keys


def cancel(key: UUID, chance: random.Random, *, is_undone: bool) -> None:
    with suppress(RolledBack), transaction.atomic():
        payment_move(Payment.objects.select_for_update().get(pk=key), PaymentStatus.CANCELLED, cause="race")
        time.sleep(chance.random() / 50)  # transactions commit in another order than they wrote their marks
        if is_undone:
            raise RolledBack


def write(keys: list[UUID], number: int) -> None:
    chance = random.Random(number)  # noqa: S311  # a test
    for key in keys[number::WRITERS]:
        if chance.random() < 0.5:
            cancel(key, chance, is_undone=True)
        cancel(key, chance, is_undone=False)


def at_once(write_one: Callable[[int], None]) -> None:
    """All writers, with drains that go on until they are done."""
    barrier, done = threading.Barrier(WRITERS + DRAINS), threading.Event()

    def run(number: int) -> None:
        try:
            barrier.wait(30)
            if number < WRITERS:
                write_one(number)
            while number >= WRITERS and not done.is_set():
                marks_drain()
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS + DRAINS) as pool:
        running = [pool.submit(run, number) for number in range(WRITERS + DRAINS)]
        try:
            for writer in running[:WRITERS]:
                writer.result()
        finally:
            done.set()
        for drain in running[WRITERS:]:
            drain.result()


def test_no_change_is_lost_between_writers_and_drains(bowl, monkeypatch, broken_books):
    monkeypatch.setattr(counting, "REST", 0)
    keys = make_payments(bowl)
    days = [today() - (3 + n) * DAY for n in range(DAYS)]
    marks_drain()

    at_once(lambda number: write(keys, number))
    marks_drain()

    assert list(find_differences(Pair("payments", day) for day in days)) == []
    assert sum(PaymentCell.objects.filter(day__in=days).values_list("lost", flat=True)) == WRITERS * PAYMENTS
    assert not ChangeMark.objects.exists()
