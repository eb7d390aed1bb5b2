"""/metrics in the text format of Prometheus: this host's requests, and what apps read from the database.

With several processes each has files of its own in PROMETHEUS_MULTIPROC_DIR (deploy/gunicorn.conf.py), and whichever
process is asked adds them up. The database is read at most every few seconds, within a limit of time.
"""

import hmac
import ipaddress
import logging
import time
from collections.abc import Iterable, Iterator
from threading import Lock

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
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
)
from prometheus_client.core import Metric
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
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

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
        route = route_label(request)
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(route, method, f"{response.status_code // 100}xx").inc()
        DURATION.labels(route).observe(time.perf_counter() - started)
        return response


def route_label(request: HttpRequest) -> str:
    """The name of the URL pattern. The admin's have one name together: with all of them there are too many series."""
    match = request.resolver_match
    if match is None:
        return "none"
    return "admin" if "admin" in match.namespaces else match.view_name


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
    """What this process read last, and until when it is reported."""

    lock = Lock()
    until = 0.0
    found: list[Metric] = []


class DatabaseCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        with Snapshot.lock:
            if time.monotonic() >= Snapshot.until:
                Snapshot.found = read_database()
                Snapshot.until = time.monotonic() + CACHE_SECONDS
            return Snapshot.found


def read_database() -> list[Metric]:
    """Everything, or only that it could not be read."""
    started = time.monotonic()
    found: list[Metric] = []
    try:
        with limit_statements(READ_SECONDS):
            found = list(read_sources(started + READ_SECONDS))
    except Exception:  # metrics of the process are reported all the same
        logger.warning("metrics_unavailable", exc_info=True)
    seconds = time.monotonic() - started
    return [
        gauge("alley_database_up", "Whether the metrics below could be read.", [], {(): bool(found)}),
        gauge("alley_database_read_seconds", "Time to read the metrics below.", [], {(): seconds}),
        *found,
    ]


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
