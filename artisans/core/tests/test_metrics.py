"""/metrics: who may read it, what it reports, and what that costs; heartbeats."""

import errno
import os
import re
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from threading import Event

import pytest
from django.conf import settings as configured
from django.db import DatabaseError, connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import ResolverMatch, URLResolver, get_resolver
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from artisans import celery
from artisans.core import heartbeats
from artisans.core.heartbeats import TASK, heartbeat_record, heartbeat_report, heartbeat_task
from artisans.core.metrics import QUEUES, SOURCES
from artisans.core.models import Heartbeat
from artisans.core.web import metrics
from artisans.core.web.metrics import ReservedFile, Snapshot
from artisans.notifications.models import Notification

MOST_STATEMENTS = 28  # with four of PostgreSQL: a savepoint, its end, the time limit, and its clock
TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch):
    """Read in the test's thread, whose transaction no other thread sees."""

    def read_here() -> Event:
        metrics.refresh()
        has_ended = Event()
        has_ended.set()
        return has_ended

    monkeypatch.setattr(metrics, "start_reading", read_here)
    monkeypatch.setattr(Snapshot, "until", 0.0)
    monkeypatch.setattr(Snapshot, "reading", None)


@pytest.fixture
def scraper(settings):
    settings.METRICS_TOKEN = TOKEN
    return Client(headers=BEARER)


def scrape(client: Client) -> dict[tuple[str, ...], float]:
    """Values by the name and the values of the labels, which are in the order of their names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    found = text_string_to_metric_families(answer.content.decode())
    return {(one.name, *one.labels.values()): one.value for family in found for one in family.samples}


@pytest.mark.django_db
def test_only_the_token_or_an_address_admits(client, settings):
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers=BEARER).status_code == 404

    settings.METRICS_TOKEN = TOKEN
    for wrong in ("", "Bearer ", f"Bearer {TOKEN}x", TOKEN, "Bearer é"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 403, wrong
    assert client.get("/metrics", headers=BEARER, HTTP_HOST="10.0.0.11:8000").status_code == 200

    settings.METRICS_TOKEN, settings.METRICS_ADDRESSES = "", [ip_network("10.0.0.0/8"), ip_network("::1")]
    statuses = {
        ("10.1.2.3", ""): 200,
        ("::1", ""): 200,
        ("11.1.2.3", ""): 403,
        ("unknown", ""): 403,
        ("10.1.2.3", "10.9.9.9"): 403,  # a proxy that is not trusted
    }
    for (address, forwarded), status in statuses.items():
        headers = {"X-Forwarded-For": forwarded} if forwarded else {}
        answer = client.get("/metrics", REMOTE_ADDR=address, headers=headers)
        assert answer.status_code == status, (address, forwarded)
    settings.TRUSTED_PROXIES = 1
    for forwarded, status in {"10.9.9.9, 8.8.8.8": 403, "8.8.8.8, 10.9.9.9": 200}.items():
        answer = client.get("/metrics", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})
        assert answer.status_code == status, forwarded


@pytest.mark.django_db
def test_reports_requests_queues_and_heartbeats(scraper):
    Notification.objects.create(kind="x", recipient="a@shop.test", dedupe_key="1")
    Notification.objects.update(next_try_at=timezone.now() - timedelta(minutes=10))
    heartbeat_record("beat@one")
    scrape(scraper)
    before = scrape(scraper)
    scraper.get("/no-such-page")

    found = scrape(scraper)

    assert found["alley_database_up",] == 1
    assert found["alley_queue_size", "emails"] == 1
    assert 600 <= found["alley_queue_oldest_seconds", "emails"] < 700
    assert found["alley_queue_size", "webhooks"] == 0
    assert found["alley_heartbeat_timestamp_seconds", "one", "beat"] == pytest.approx(
        timezone.now().timestamp(), abs=60
    )
    key = ("alley_http_requests_total", "read", "none", "4xx")
    assert found[key] == before.get(key, 0) + 1
    assert found["alley_http_request_duration_seconds_count", "metrics"] >= 2


@pytest.mark.django_db
def test_database_is_read_with_few_statements_and_not_at_every_scrape(scraper):
    with CaptureQueriesContext(
        connection,
    ) as read:
        scrape(scraper)
        scrape(scraper)

    assert len(QUEUES) + len(SOURCES) <= len(read) <= MOST_STATEMENTS, [one["sql"] for one in read]


@pytest.mark.django_db
def test_without_the_database_the_process_is_reported(scraper, monkeypatch):
    def fail():
        raise DatabaseError

    monkeypatch.setitem(SOURCES, "broken", fail)
    scraper.get("/health/live")

    found = scrape(scraper)

    assert found["alley_database_up",] == 0
    assert not [key for key in found if key[0].startswith("alley_queue")]
    assert [key for key in found if key[0] == "alley_http_requests_total"]


def test_a_database_that_hangs_delays_no_scrape(scraper, monkeypatch):
    """One thread waits for it, however many scrapes there are."""
    hanging, started = Event(), []

    def start() -> Event:
        started.append(1)
        return hanging

    monkeypatch.setattr(metrics, "start_reading", start)
    monkeypatch.setattr(metrics, "WAIT_SECONDS", 0.01)
    for _ in range(3):
        assert scrape(scraper)["alley_database_up",] == 0
    assert len(started) == 1
    hanging.set()
    scrape(scraper)
    assert len(started) == 2


def test_full_disk_costs_the_count_and_not_the_request(scraper, monkeypatch, caplog, tmp_path):
    file = tmp_path / "counter_1.db"
    reserved = ReservedFile(str(file))
    for number in range(500):
        reserved.write_value(f"{number}{'x' * 200}", 1.0, 0.0)
    assert file.stat().st_blocks * 512 >= file.stat().st_size > metrics.SMALLEST_FILE, "it has holes"

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(metrics.os, "posix_fallocate", fail)
    with pytest.raises(OSError, match="No space left"):
        ReservedFile(str(tmp_path / "counter_2.db"))
    monkeypatch.setattr(metrics.REQUESTS, "labels", fail)
    assert scraper.get("/health/live").status_code == 200
    assert "metrics_not_counted" in caplog.messages


MOST_SERIES = 3500
CLOSED = {
    "route": re.compile(r"[a-zA-Z:_-]+"),
    "host": re.compile(r".*"),  # forgotten after a day
    "check": re.compile(r"[a-zA-Z ]+"),
    "task": re.compile(r"[a-z_.]+"),
    "le": re.compile(r"[0-9.]+|\+Inf"),
}
SHORT_NAME = re.compile(r"[A-Za-z0-9]?[a-zA-Z_]{1,30}")


def routes(resolver, namespaces=()) -> set[str]:
    found = set()
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            found |= routes(entry, (*namespaces, *filter(None, [entry.namespace])))
        else:
            request = RequestFactory().get("/")
            request.resolver_match = ResolverMatch(print, (), {}, str(entry.name), namespaces=[*namespaces])
            found.add(metrics.route_label(request))
    return found


@pytest.mark.django_db
def test_labels_are_closed_sets_and_series_are_few(scraper, shopper):
    """However many requests there are: each route by both kinds of method with each class of status."""
    heartbeat_record("beat@one")
    found = text_string_to_metric_families(scraper.get("/metrics").content.decode())
    samples = [sample for family in found for sample in family.samples]
    for sample in samples:
        for label, value in sample.labels.items():
            assert CLOSED.get(label, SHORT_NAME).fullmatch(value), sample
    others = [sample for sample in samples if not sample.name.startswith("alley_http")]
    per_route = 2 * len(("2xx", "3xx", "4xx", "5xx")) + len(metrics.DURATION._kwargs["buckets"]) + 3
    worst = len({*routes(get_resolver()), "none"}) * per_route + len(others)
    assert len(others) < worst < MOST_SERIES


@pytest.mark.django_db
def test_metrics_are_those_of_the_documentation(scraper):
    answer = scraper.get("/metrics").content.decode()

    reported = {name for name, kind in re.findall(r"^# TYPE (\S+) (\w+)", answer, re.MULTILINE)}
    written = (configured.BASE_DIR / "docs/metrics.md").read_text()
    assert reported == set(re.findall(r"^\| `(alley_\w+)`", written, re.MULTILINE))


PROCESSES = """
import os, sys
import django
django.setup()
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from artisans.core.web.metrics import DURATION, REQUESTS
for _ in range(4):
    if (child := os.fork()) == 0:
        for _ in range(100):
            REQUESTS.labels("shop", "read", "2xx").inc()
            DURATION.labels("shop").observe(0.2)
        os._exit(0)
    os.waitpid(child, 0)
registry = CollectorRegistry()
MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_counts_of_ended_processes_that_were_forked_after_loading_are_added_up(tmp_path):
    environment = os.environ | {
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "artisans.settings_test",
    }
    run = subprocess.run(
        [sys.executable, "-c", PROCESSES],
        env=environment,
        cwd=configured.BASE_DIR,
        capture_output=True,
        check=True,
        text=True,
    )

    assert 'alley_http_requests_total{method="read",route="shop",status="2xx"} 400.0' in run.stdout, (
        run.stderr
    )
    assert 'alley_http_request_duration_seconds_bucket{le="0.25",route="shop"} 400.0' in run.stdout
    assert {file.name.split("_")[0] for file in tmp_path.iterdir()} == {"counter", "histogram"}


@pytest.mark.django_db
def test_beat_worker_and_periodic_tasks_leave_heartbeats(monkeypatch):
    for module in (heartbeats, celery):
        monkeypatch.setattr(module, "close_old_connections", lambda: None)  # the test's transaction is open
    assert heartbeat_report() == "beat: never seen; worker: never seen"
    heartbeat_task.apply_async()  # as beat does; nobody takes it from the queue
    assert {row.name.partition("@")[0] for row in Heartbeat.objects.all()} == {"beat"}
    Heartbeat.objects.create(name="worker@gone", at=timezone.now() - timedelta(days=2))

    heartbeat_task.apply()
    heartbeat_task.apply()

    assert heartbeat_report() == "ok"
    assert not Heartbeat.objects.filter(name="worker@gone").exists()
    run = Heartbeat.objects.get(pk=TASK)
    assert (run.runs, run.failures, run.version) == (2, 0, configured.SPECTACULAR_SETTINGS["VERSION"])
    monkeypatch.setattr(heartbeats, "FORGET_AFTER", "not a time")
    heartbeat_task.apply()
    failed = Heartbeat.objects.get(pk=TASK)
    assert (failed.runs, failed.failures, failed.succeeded_at) == (3, 1, run.succeeded_at)


@pytest.mark.django_db
def test_late_heartbeats_are_reported(client):
    now = timezone.now()
    ages = {
        "beat@one": 60,
        "beat@two": 3600,  # another host has taken over
        "worker@one": 240,
        "payments.execute_due_calls": 240,
        "notifications.send_due": 60,
        "payments.reconcile": 25 * 3600,
    }
    for name, seconds in ages.items():
        Heartbeat.objects.create(name=name, at=now - timedelta(seconds=seconds))

    report = client.get("/health/ready").json()["checks"]["heartbeats"]

    assert [one.partition(":")[0] for one in report.split("; ")] == ["worker", "payments.execute_due_calls"]
