"""/metrics in the text format of Prometheus: this host's requests, and what apps read from the database.

With several processes each has files of its own in PROMETHEUS_MULTIPROC_DIR (deploy/gunicorn.conf.py), and whichever
process is asked adds them up. The database is read at most every few seconds, by a thread for which nobody waits long.
"""

import hmac
import ipaddress
import logging
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Event, Lock, Thread

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from artisans.core.metrics import QUEUES, SOURCES, Backlog, gauge
from artisans.core.security.client_ip import client_address
from artisans.core.security.proxy import unset_for
from artisans.core.transactions import limit_statements
from artisans.core.web.middleware import Handler

logger = logging.getLogger(__name__)

CACHE_SECONDS = 10
READ_SECONDS = 2  # for all statements together; PostgreSQL ends each of them after as long
WAIT_SECONDS = 3  # for the thread that reads; a server that hangs keeps it longer
SAFE = {"GET", "HEAD", "OPTIONS"}  # methods
SMALLEST_FILE = 1 << 16
LARGEST_KEY = 1 << 10


class ReservedFile(MmapedDict):
    """A file of prometheus_client whose space is reserved when it grows. On a full disk that is an error, while a write
    to a page for which there is no space would end the process."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002  # as in its base
        if not read_mode:
            with Path(filename).open("ab") as file:
                reserve(file.fileno(), SMALLEST_FILE)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]  # not annotated

    def _init_value(self, key: str) -> None:
        if self._used + LARGEST_KEY > self._capacity:
            reserve(self._f.fileno(), 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]  # not annotated


def reserve(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(file, 0, size)


values.MmapedDict = ReservedFile  # type: ignore[attr-defined]  # where its files are opened
disable_created_metrics()  # type: ignore[no-untyped-call]  # not annotated
PROCESS = CollectorRegistry()
REQUESTS = Counter(
    "alley_http_requests", "Answered requests.", ["route", "method", "status"], registry=PROCESS
)
DURATION = Histogram(
    "alley_http_request_duration_seconds",
    "Time from request to response.",
    ["route"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=PROCESS,
)


def is_enabled() -> bool:
    return bool(settings.METRICS_TOKEN or settings.METRICS_ADDRESSES)


class MetricsMiddleware:
    def __init__(self, get_response: Handler) -> None:
        if not is_enabled():
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        try:
            count_request(request, response.status_code, time.perf_counter() - started)
        except Exception:  # such as a full disk, which must not cost the request
            logger.warning("metrics_not_counted", exc_info=True)
        return response


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    route, method = route_label(request), "read" if request.method in SAFE else "write"
    REQUESTS.labels(route, method, f"{status // 100}xx").inc()
    DURATION.labels(route).observe(seconds)


def route_label(request: HttpRequest) -> str:
    """The name of the URL pattern. Those of the admin and of allauth have one name together: with all of them there are
    too many series."""
    match = request.resolver_match
    if match is None:
        return "none"
    if "admin" in match.namespaces:
        return "admin"
    return "accounts" if match.view_name.startswith(("account_", "mfa_")) else match.view_name


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """404 unless METRICS_TOKEN or METRICS_ADDRESSES is set; 403 for clients that have neither."""
    if not is_enabled():
        raise Http404
    if not has_token(request) and not has_address(request):
        return HttpResponse("This client may not read the metrics.\n", status=403, content_type="text/plain")
    registry = CollectorRegistry()
    if settings.PROMETHEUS_MULTIPROC_DIR:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # not annotated
    else:
        registry.register(PROCESS)
    registry.register(DatabaseCollector())
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST, headers=headers)


def has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given, wanted)


def has_address(request: HttpRequest) -> bool:
    """Whether the client is in one of the networks. Behind a proxy that is not trusted, nobody is: all clients would
    have its address."""
    if unset_for(request):
        return False
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return False
    return any(address in network for network in settings.METRICS_ADDRESSES)


class Snapshot:
    """What this process read last, until when it is reported, and whether the last reading has ended."""

    lock = Lock()
    until = 0.0
    found: list[Metric] = []
    reading: Event | None = None


class DatabaseCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        with Snapshot.lock:
            if time.monotonic() >= Snapshot.until:
                if Snapshot.reading is None or Snapshot.reading.is_set():
                    Snapshot.reading = start_reading()
                if not Snapshot.reading.wait(WAIT_SECONDS):
                    return state_of_database(0, WAIT_SECONDS)
            return Snapshot.found


def start_reading() -> Event:
    """In a thread, with a connection of its own. The event is set once the snapshot is new."""
    has_ended = Event()

    def read() -> None:
        try:
            refresh()
        finally:
            has_ended.set()
            connection.close()

    Thread(target=read, name="metrics", daemon=True).start()
    return has_ended


def refresh() -> None:
    Snapshot.found = read_database()
    Snapshot.until = time.monotonic() + CACHE_SECONDS


def state_of_database(is_up: int, seconds: float) -> list[Metric]:
    return [
        gauge("alley_database_up", "Whether the metrics below could be read.", [], {(): is_up}),
        gauge("alley_database_read_seconds", "Time to read the metrics below.", [], {(): seconds}),
    ]


def read_database() -> list[Metric]:
    """Everything, or only that it could not be read."""
    started = time.monotonic()
    found: list[Metric] = []
    try:
        with limit_statements(READ_SECONDS):
            found = list(read_sources(started + READ_SECONDS))
    except Exception:  # metrics of the process are reported all the same
        logger.warning("metrics_unavailable", exc_info=True)
    return [*state_of_database(int(bool(found)), time.monotonic() - started), *found]


def read_sources(deadline: float) -> Iterator[Metric]:
    """Errors: TimeoutError."""
    backlogs: dict[tuple[str, ...], Backlog] = {}
    for name, read_queue in QUEUES.items():
        check_deadline(deadline)
        backlogs[(name,)] = read_queue()
    sizes = {key: one.size for key, one in backlogs.items()}
    ages = {key: one.oldest for key, one in backlogs.items()}
    yield gauge("alley_queue_size", "Rows that are due and wait for a worker.", ["queue"], sizes)
    yield gauge("alley_queue_oldest_seconds", "How long the oldest of them has waited.", ["queue"], ages)
    for read in SOURCES.values():
        check_deadline(deadline)
        yield from read()


def check_deadline(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(
            f"Reading the metrics took more than {READ_SECONDS} seconds."
        )  # not for translation
