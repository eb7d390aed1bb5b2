"""How long rows are kept, and the nightly purge of those that are due.

Each app registers the rules for its own tables from its apps.py (`register_rules`); docs/retention.md lists them all.
Rows are removed in batches with a transaction each, so that a purge can be killed at any time. Rows that someone else
has locked are left for the next night; two purges at once share the rows in the same way.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from prometheus_client.core import Metric

from artisans.core.metrics import gauge
from artisans.core.models import Purge
from artisans.core.queue import one_at_a_time, run_each

logger = logging.getLogger(__name__)

TASK = "core.purge"
BATCH = 1000
SECONDS = 60  # for each rule and night
LOCK_WAIT = "3s"  # a purge never makes others wait behind it for a table that is locked

Rows = QuerySet[Any]
Progress = Callable[["Retention", int], None]  # how many rows were removed so far


def delete(rows: Rows) -> None:
    rows.delete()


@dataclass(frozen=True)
class Retention:
    """A rule: which rows are due, and how they are removed.

    `name`: its key in settings.RETENTION_DAYS; the rows of a rule that is not in there are due once they have expired.
    `due`: the rows to remove, given the time before which they ended. It joins no tables, and `clock` is a column with
    an index that begins with the rows that are due. `remove`: deletes or empties some of them, so that they are not due
    any more. `locks`: relations whose rows are locked with them. `minimum_days`: applies if the setting is lower.
    """

    name: str
    due: Callable[[datetime], Rows]
    clock: str = "created_at"
    remove: Callable[[Rows], object] = delete
    locks: tuple[str, ...] = ()
    minimum_days: int = 0
    is_personal: bool = True

    def __str__(self) -> str:
        return self.name

    @property
    def kept(self) -> timedelta:
        return timedelta(days=max(settings.RETENTION_DAYS.get(self.name, 0), self.minimum_days))

    def due_now(self) -> Rows:
        return self.due(timezone.now() - self.kept).order_by(self.clock)


@dataclass(frozen=True)
class Purged:
    """`overdue_since`: since when the oldest row that is left has been due, None if none is left."""

    name: str
    removed: int
    overdue_since: datetime | None


RULES: dict[str, Retention] = {}


def register_rules(*rules: Retention) -> None:
    RULES.update({rule.name: rule for rule in rules})


def sorted_rules() -> list[Retention]:
    """Personal data first, otherwise as registered."""
    return sorted(RULES.values(), key=lambda rule: not rule.is_personal)


@shared_task(name=TASK, soft_time_limit=3600, time_limit=3700)
@one_at_a_time
def purge_task() -> None:
    """Periodic, every night."""
    purge_all(sorted_rules(), seconds=SECONDS)


def purge_all(
    rules: Iterable[Retention], *, seconds: int | None, progress: Progress = lambda rule, removed: None
) -> list[Purged]:
    """Run these rules; one that fails is logged and does not stop the others. `seconds`: the limit of each rule."""
    return run_each(rules, partial(purge, seconds=seconds, progress=progress), event="purge_failed")


def purge(
    rule: Retention, *, seconds: int | None = SECONDS, progress: Progress = lambda rule, removed: None
) -> Purged:
    """Remove the rows that are due, for at most so many seconds, and record how far it came.

    Errors: OperationalError if the table is locked.
    """
    started, removed, position = time.monotonic(), 0, None
    for found in batches(rule):
        removed += found
        progress(rule, removed)
        if seconds is not None and time.monotonic() - started > seconds:
            position = rule.due_now().values_list(rule.clock, flat=True).first()
            break
    result = Purged(rule.name, removed, overdue_since(rule, position))
    purge_record(result)
    if removed or result.overdue_since:
        logger.info("purged", extra={"rule": rule.name, "rows": removed, "is_complete": position is None})
    return result


def batches(rule: Retention) -> Iterator[int]:
    """How many rows each transaction removed. The next one starts where the last one ended, because PostgreSQL would
    read again the index entries of rows that were just removed."""
    last: Any = None
    found = BATCH
    while found == BATCH:
        with transaction.atomic():
            limit_lock_wait()
            rows = rule.due_now()
            if last is not None:
                rows = rows.filter(**{f"{rule.clock}__gte": last})
            keys = lock_batch(rule, rows)
            found = len(keys)
            if keys:
                last = keys[-1][1]
                rule.remove(rows.model._default_manager.filter(pk__in=[pk for pk, _clock in keys]))
        yield found


def lock_batch(rule: Retention, rows: Rows) -> list[tuple[Any, Any]]:
    """Keys and times of the next rows that nobody else has locked."""
    if not rule.locks:
        return list(rows.select_for_update(skip_locked=True).values_list("pk", rule.clock)[:BATCH])
    rows = rows.select_related(*rule.locks).select_for_update(skip_locked=True, of=("self", *rule.locks))
    return [(row.pk, getattr(row, rule.clock)) for row in rows[:BATCH]]


def limit_lock_wait() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")


def overdue_since(rule: Retention, position: Any) -> datetime | None:
    """`position`: the clock of the oldest row that is left. Without a time, it has been due since now."""
    if position is None:
        return None
    return position + rule.kept if isinstance(position, datetime) else timezone.now()


def purge_record(result: Purged) -> None:
    row = Purge(
        name=result.name, at=timezone.now(), removed=result.removed, overdue_since=result.overdue_since
    )
    Purge.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at", "removed", "overdue_since"],
    )


def retention_metrics() -> Iterator[Metric]:
    rows, now = list(Purge.objects.filter(name__in=RULES)), timezone.now()
    yield gauge(
        "alley_purge_last_run_timestamp_seconds",
        "When the rows of a retention rule were last purged.",  # not for translation
        ["rule"],
        {(row.name,): row.at.timestamp() for row in rows},
    )
    yield gauge(
        "alley_purge_overdue_seconds",
        "How long the oldest row that the last purge left has been due.",  # not for translation
        ["rule"],
        {
            (row.name,): (now - row.overdue_since).total_seconds() if row.overdue_since else 0.0
            for row in rows
        },
    )
