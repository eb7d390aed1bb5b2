"""Metrics that are read from the database at a scrape, so that every process and host reports the same.

Each app registers its own in apps.py: queues in `QUEUES`, all else in `SOURCES`. docs/metrics.md lists them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db.models import Count, Min, QuerySet
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

StrOrPromise: TypeAlias = "str | _StrPromise"
LARGEST_COUNT = 10_000  # of the rows of a queue, or of an hour
RECENT = timedelta(hours=1)
QUEUE_LIMIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Backlog:
    """What waits in a queue. `oldest`: seconds for which its longest overdue row has waited, 0 if it is empty."""

    size: int
    oldest: float


# By name of the queue. One statement each, which an index bounds.
QUEUES: dict[str, Callable[[], Backlog]] = {}
# By name of the queue, what waits in it, for people.
QUEUE_LABELS: dict[str, StrOrPromise] = {}
# By name of the queue, how long a row may wait; QUEUE_LIMIT for others.
QUEUE_LIMITS: dict[str, timedelta] = {}
# By any name. One statement each; labels have few values, and never ids.
SOURCES: dict[str, Callable[[], Iterable[Metric]]] = {}


def backlog(rows: QuerySet[Any], *, due: str) -> Backlog:
    """`rows` are those that are due; `due` is the column of their time, which needs an index."""
    found = rows.order_by(due).values(due)[:LARGEST_COUNT].aggregate(size=Count("*"), oldest=Min(due))
    oldest = found["oldest"]
    return Backlog(found["size"], (timezone.now() - oldest).total_seconds() if oldest else 0)


def queue_limit(name: str) -> timedelta:
    return QUEUE_LIMITS.get(name, QUEUE_LIMIT)


def count_recent(rows: QuerySet[Any], *labels: str) -> dict[tuple[str, ...], float]:
    """How many rows were created within the last hour, by the values of these columns; if there are more than
    `LARGEST_COUNT`, of the newest ones only."""
    recent = rows.filter(created_at__gte=timezone.now() - RECENT).order_by("-created_at")
    newest = rows.model._default_manager.filter(pk__in=recent.values("pk")[:LARGEST_COUNT]).order_by()
    counts = newest.values_list(*labels).annotate(number=Count("*"))
    return {tuple(values): number for *values, number in counts}


def gauge(
    name: str, documentation: str, labels: Iterable[str], values: Mapping[tuple[str, ...], float]
) -> Metric:
    """`values` are by the values of the labels, in their order."""
    family = GaugeMetricFamily(name, documentation, labels=list(labels))
    for label_values, value in values.items():
        family.add_metric(label_values, value)
    return family
