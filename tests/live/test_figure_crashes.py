"""SIGKILL of processes that count figures while others change what they count."""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connections

from artisans.catalog.tests.factories import ProductFactory
from artisans.core.models import ChangeMark
from artisans.figures import counting
from artisans.figures.counting import Pair, find_differences, marks_drain
from artisans.figures.days import DAY, today
from artisans.figures.models import PaymentCell
from artisans.figures.tests.test_races import DAYS, DRAINS, PAYMENTS, WRITERS, make_payments, write
from tests.live.conftest import end_sessions

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "clean_database", "broken_books")]


def start_process(act: Callable[[], object]) -> int:
    connections.close_all()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        act()
        status = 0
    finally:
        os._exit(status)


def drain_forever() -> None:
    while True:
        marks_drain()


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def test_killed_drains_lose_no_change(monkeypatch):
    monkeypatch.setattr(counting, "REST", 0)
    keys = make_payments(ProductFactory.create(stock=5))
    marks_drain()
    chance, kills = random.Random(1), 0  # noqa: S311  # a test
    drains = [start_process(drain_forever) for _ in range(DRAINS)]
    writers = [start_process(partial(write, keys, number)) for number in range(WRITERS)]

    while writers:
        time.sleep(chance.random() / 10)  # so that they die at different moments
        kill(drains.pop(0))
        drains.append(start_process(drain_forever))
        kills += 1
        ended = {pid: status for pid in writers if (status := os.waitpid(pid, os.WNOHANG))[0]}
        assert all(status == 0 for _pid, status in ended.values())
        writers = [pid for pid in writers if pid not in ended]
    for drain in drains:
        kill(drain)
    end_sessions()
    marks_drain()

    days = [today() - (3 + n) * DAY for n in range(DAYS)]
    assert kills > DRAINS
    assert list(find_differences(Pair("payments", day) for day in days)) == []
    assert sum(PaymentCell.objects.filter(day__in=days).values_list("lost", flat=True)) == WRITERS * PAYMENTS
    assert not ChangeMark.objects.exists()
