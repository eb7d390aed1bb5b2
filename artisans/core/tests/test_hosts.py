"""Several hosts: one beat leads, and what is not shared is reported."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from celery import current_app
from django.db import OperationalError
from django.utils import timezone

from artisans.core import beat, hosts
from artisans.core.beat import LeaderScheduler
from artisans.core.doctor.hosts import check_beats, check_hosts
from artisans.core.doctor.registry import State
from artisans.core.heartbeats import TASK, heartbeat_record, keys_hash
from artisans.core.hosts import Recorded, host_problems, hosts_report
from artisans.core.leases import lease_acquire, lease_holder, lease_release
from artisans.core.models import Heartbeat, Lease

SECONDS = 20
REDIS = "artisans.core.cache.FailSafeRedisCache"
LOCAL_MEMORY = "django.core.cache.backends.locmem.LocMemCache"


@pytest.mark.django_db
def test_lease_has_one_holder_until_it_is_released_or_expires():
    assert lease_holder("x") == ""
    assert lease_acquire("x", holder="a", seconds=20)
    assert not lease_acquire("x", holder="b", seconds=20)
    assert lease_acquire("x", holder="a", seconds=20)
    lease_release("x", holder="b")
    assert lease_holder("x") == "a"
    lease_release("x", holder="a")
    assert lease_holder("x") == ""
    assert lease_acquire("x", holder="b", seconds=20)
    left = Lease.objects.get(pk="x").expires_at - timezone.now()
    assert timedelta(seconds=15) < left < timedelta(seconds=25)
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert lease_holder("x") == ""
    assert lease_acquire("x", holder="a", seconds=20)


class Clock:
    """`now`: of the clock that goes on while the host is suspended. `sent`: which host enqueued which task."""

    def __init__(self) -> None:
        self.now, self.sent = 1000.0, list[tuple[str, str]]()


@pytest.fixture
def clock(monkeypatch, settings):
    settings.BEAT_LEASE_SECONDS = SECONDS
    monkeypatch.setattr(beat, "close_old_connections", lambda: None)  # the test's transaction is open
    clock = Clock()
    assert beat.CLOCK == time.CLOCK_BOOTTIME
    monkeypatch.setattr(beat.time, "clock_gettime", lambda which: {beat.CLOCK: clock.now}[which])
    return clock


@pytest.fixture
def new_beat(clock, monkeypatch):
    def make(name: str) -> LeaderScheduler:
        made = LeaderScheduler(app=current_app)
        made.holder, made.host = f"{name}@{name}", name
        made.__dict__["producer"] = None
        monkeypatch.setattr(
            made, "apply_async", lambda entry, **_: clock.sent.append((name, entry.task)), raising=False
        )
        return made

    return make


def lease_expires() -> None:
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def run(scheduler: LeaderScheduler) -> None:
    """Call it until it wants to sleep."""
    pause = 0.0
    while pause <= 0:
        pause = scheduler.tick()
    assert pause <= SECONDS / beat.RENEWALS


@pytest.mark.django_db
def test_one_beat_enqueues_and_another_takes_over(clock, new_beat):
    ran = timezone.now() - timedelta(minutes=5)
    reconciled = timezone.now() - timedelta(hours=30)
    Heartbeat.objects.create(name="payments.expire_orders", at=ran)
    Heartbeat.objects.create(name="payments.reconcile", at=reconciled)
    Heartbeat.objects.create(name="catalog.search_index_refresh", at=timezone.now())
    one, two = new_beat("one"), new_beat("two")
    run(one)
    run(two)
    assert lease_holder("beat") == "one@one"
    assert ("one", "payments.expire_orders") in clock.sent
    assert ("one", "payments.reconcile") in clock.sent, "a missed night is made up"
    assert ("one", "catalog.search_index_refresh") not in clock.sent
    assert {host for host, _ in clock.sent} == {"one"}
    assert Heartbeat.objects.filter(name="beat@two").exists()

    clock.now += SECONDS  # the first is paused, and its lease expires
    lease_expires()
    clock.sent.clear()
    run(two)
    assert {host for host, _ in clock.sent} == {"two"}
    assert not one.is_leader
    one.apply_entry(next(iter(one.schedule.values())))
    run(one)
    assert {host for host, _ in clock.sent} == {"two"}, "the one that was paused enqueues nothing"

    clock.now += SECONDS  # too late for the clock of the host, but not yet for the database's
    assert not two.is_leader
    two.close()
    assert lease_holder("beat") == ""
    run(one)
    assert lease_holder("beat") == "one@one", "at once after a stop"


@pytest.mark.django_db
def test_new_shop_shows_at_once_that_beat_and_worker_run(clock, new_beat):
    run(new_beat("one"))
    assert clock.sent == [("one", TASK)]


@pytest.mark.django_db
def test_without_the_database_nobody_leads_for_longer_than_the_lease(clock, new_beat, monkeypatch):
    one = new_beat("one")
    run(one)

    def fail(*_: object, **__: object) -> bool:
        raise OperationalError

    monkeypatch.setattr(beat, "lease_acquire", fail)
    clock.now += SECONDS / beat.RENEWALS
    run(one)
    assert one.is_leader
    clock.now += SECONDS
    clock.sent.clear()
    run(one)
    assert not one.is_leader
    assert not clock.sent
    monkeypatch.undo()


@pytest.mark.django_db
def test_settings_for_one_host_are_reported_once_there_are_several(settings, monkeypatch):
    def problems(*, vendor: str = "postgresql", backend: str = REDIS, cache: str, queue: str) -> list[str]:
        monkeypatch.setattr(hosts, "connection", SimpleNamespace(vendor=vendor))
        settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": cache}}
        settings.CELERY_BROKER_URL = queue
        return list(host_problems())

    local = {"vendor": "sqlite", "cache": "redis://localhost:6379/1", "queue": "filesystem://"}
    shared = {"cache": "redis://cache.example:6379/1", "queue": "redis://queue.example:6379/0"}
    monkeypatch.setattr(Recorded, "at", 0.0)
    assert hosts_report() == "ok"
    assert Heartbeat.objects.filter(name__startswith="web@").count() == 1
    assert problems(**local) == []
    Heartbeat.objects.create(name="worker@other", at=timezone.now(), keys=keys_hash())
    found = [one.split("but ")[1].split(" ")[0] for one in problems(**local)]
    assert found == ["CACHE_URL", "CELERY_BROKER_URL", "DATABASE_URL"]
    assert problems(**shared) == []
    assert len(problems(backend=LOCAL_MEMORY, cache="", queue="redis://127.0.0.1:6379/0")) == 2
    Heartbeat.objects.create(name="beat@third", at=timezone.now(), keys="other")
    assert [one for one in problems(**shared) if "SECRET_KEY" in one]


@pytest.mark.django_db
def test_doctor_names_the_leading_beat_and_the_hosts():
    assert next(check_beats()).state == State.PROBLEM
    lease_acquire("beat", holder="1@one", seconds=20)
    for host in ("one", "two"):
        heartbeat_record(f"beat@{host}")
    result = next(check_beats())
    assert (result.state, result.value) == (State.OK, "on one; ready to take over: two")
    result = next(check_hosts())
    assert (result.state, result.value[:8]) == (State.PROBLEM, "one, two")
