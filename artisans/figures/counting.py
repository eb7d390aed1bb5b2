"""Counts days again whose facts have changed (the drain), builds days that were never counted, and checks them.

A mark is deleted before its day is counted, in the same transaction: at READ COMMITTED the counting then sees each fact
whose mark was seen, because both were committed together. A mark that is committed meanwhile stays for the next run,
and one whose transaction was rolled back never existed. A run that dies repeats everything.
"""

import logging
import random
import time
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from artisans.core.changes import day_of
from artisans.core.models import ChangeMark, Heartbeat
from artisans.core.queue import run_each
from artisans.core.retention import RULES
from artisans.core.test_mode import is_test_mode
from artisans.figures.days import DAY, span_of, today
from artisans.figures.families import FAMILIES, Family, cells_of
from artisans.figures.models import CountedDay
from artisans.journeys.models import QUIET, Journey
from carts.journeys import journeys_abandon

logger = logging.getLogger(__name__)

DRAIN = "figures.drain"  # the task
PAIRS = 500  # days of families in one run
REFRESH = timedelta(seconds=30)
LATE = timedelta(days=1)  # after its end, a day gets no facts without marks any more
RECENT = timedelta(minutes=10)  # longer than a request takes from writing to its commit
REST = 20  # times what counting a day took, until it is counted again
BUILD_SECONDS = 3.0
CHECKED_DAYS = 20


class Pair(NamedTuple):
    family: str
    day: date


def version_of(family: Family) -> str:
    """All days are counted again when the shop goes live: rows of test mode do not count any more."""
    return f"{family.version} {settings.TIME_ZONE}{' test' if is_test_mode() else ''}"


def horizon(family: Family) -> date:
    """The first day whose facts are surely all there: those of earlier days may be purged already."""
    return day_of(timezone.now() - RULES[family.retention].kept) + 2 * DAY if family.retention else date.min


def marks_drain() -> int:
    """Count all days that are due, then build for some seconds. Returns how many days were counted."""
    journeys_abandon()
    due = dict.fromkeys([*marked_pairs(), *recent_pairs()])
    counted = sum(run_each(due, day_count, event="figures_failed"))
    return counted + sum(
        run_each(uncounted_pairs(), day_count, event="figures_failed", seconds=BUILD_SECONDS)
    )


def marks() -> QuerySet[ChangeMark]:
    """Those that this release can count. Marks of families of a newer release wait for it, also through a rollback."""
    return ChangeMark.objects.filter(family__in=FAMILIES)


def marked_pairs() -> Iterator[Pair]:
    """Days with marks, oldest mark first, except those that were counted a moment ago and rest."""
    resting = {
        Pair(row.family, row.day)
        for row in CountedDay.objects.filter(counted_at__gte=timezone.now() - timedelta(hours=1))
        if row.counted_at + timedelta(milliseconds=REST * row.milliseconds) > timezone.now()
    }
    rows = marks().order_by("family", "day").values_list("family", "day").distinct()
    return (pair for row in rows[:PAIRS] if (pair := Pair(*row)) not in resting)


def recent_pairs() -> Iterator[Pair]:
    """Days that may have got facts without marks: today, the day before the last run, and those between, of which a run
    that is killed has not counted all. And days of checkouts that went on, or were left for an hour, since then."""
    now = timezone.now()
    last = Heartbeat.objects.filter(pk=DRAIN).values_list("succeeded_at", flat=True).first()
    last = min(last or now, now)
    days = {today() - n * DAY for n in range((today() - day_of(last)).days + 2)}
    counted = CountedDay.objects.filter(day__in=days).values_list("family", "day", "counted_at")
    fresh = {(name, day) for name, day, at in counted if at >= min(now - REFRESH, span_of(day).end + LATE)}
    for name in FAMILIES:
        yield from (Pair(name, day) for day in sorted(days) if (name, day) not in fresh)
    since = last - RECENT
    has_moved = Q(last_at__gte=since) | Q(last_at__gte=since - QUIET, last_at__lt=now - QUIET)
    moved = Journey.objects.filter(has_moved, started_at__isnull=False)
    started = {day_of(at) for at in moved.values_list("started_at", flat=True) if at}
    yield from (Pair("journeys", day) for day in started - days)


def uncounted_pairs() -> Iterator[Pair]:
    """Days that were never counted by the current definition, newest first."""
    for family in FAMILIES.values():
        first = family.first()
        if first is None:
            continue
        begin, last = max(day_of(first), horizon(family)), today()
        counted = set(
            CountedDay.objects.filter(family=family.name, version=version_of(family)).values_list(
                "day", flat=True
            )
        )
        days = (last - n * DAY for n in range((last - begin).days + 1))
        yield from (Pair(family.name, day) for day in days if day not in counted)


def day_count(pair: Pair) -> bool:
    """Count one day of a family again. False if another process is at it, or if nothing may be counted."""
    family = FAMILIES[pair.family]
    with transaction.atomic():
        if not try_lock(pair):
            return False
        ChangeMark.objects.filter(family=pair.family, day=pair.day).delete()
        if is_purged(family, pair.day):
            return False
        started = time.monotonic()
        cells_write(family, pair.day)
        row = CountedDay(
            family=pair.family,
            day=pair.day,
            version=version_of(family),
            counted_at=timezone.now(),
            milliseconds=int((time.monotonic() - started) * 1000),
        )
        CountedDay.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["family", "day"],
            update_fields=["version", "counted_at", "milliseconds"],
        )
    return True


def is_purged(family: Family, day: date) -> bool:
    return day < horizon(family)


def cells_write(family: Family, day: date) -> None:
    model = family.model
    model._default_manager.filter(day=day).delete()
    cells = cells_of(family, span_of(day))
    model._default_manager.bulk_create(
        model(day=day, **dict(zip(model.dimensions, key, strict=True)), **measures)
        for key, measures in sorted(cells.items())
    )


def try_lock(pair: Pair) -> bool:
    """Until the transaction ends. SQLite has one writer at a time."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtext('figures'), hashtext(%s))",
            [f"{pair.family} {pair.day}"],
        )
        [is_locked] = cursor.fetchone()
        return bool(is_locked)


# ---- the nightly check ---------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """A cell that is not what the facts say. None: there is none."""

    family: str
    day: date
    key: tuple[str, ...]
    stored: dict[str, Any] | None
    counted: dict[str, Any] | None


def days_to_check(family: Family) -> list[date]:
    """Yesterday, and some days at random. Not yesterday where facts come without marks: they may come just now."""
    known = CountedDay.objects.filter(
        family=family.name, version=version_of(family), day__gte=horizon(family)
    )
    end = today() - DAY if family.retention else today()
    days = list(known.filter(day__lt=end).values_list("day", flat=True))
    chosen = random.sample(days, min(CHECKED_DAYS, len(days)))
    return sorted({*chosen, today() - DAY} & {*days})


def find_differences(pairs: Iterable[Pair]) -> Iterator[Difference]:
    """Days with marks are left out: they are about to be counted."""
    for pair in pairs:
        family = FAMILIES[pair.family]
        with transaction.atomic():
            stored = stored_cells(family, pair.day)
            counted = cells_of(family, span_of(pair.day))
            is_marked = ChangeMark.objects.filter(family=pair.family, day=pair.day).exists()
        if not is_marked:
            for key in sorted(stored.keys() | counted.keys()):
                if stored.get(key) != counted.get(key):
                    yield Difference(*pair, key, stored.get(key), counted.get(key))


def stored_cells(family: Family, day: date) -> dict[tuple[str, ...], dict[str, Any]]:
    model = family.model
    return {
        tuple(getattr(cell, name) for name in model.dimensions): {
            name: getattr(cell, name) for name in (*model.measures, *model.times)
        }
        for cell in model._default_manager.filter(day=day)
    }


def figures_check() -> list[Difference]:
    """Count days again and compare; differences are logged, and their days marked until the next check."""
    pairs = [Pair(family.name, day) for family in FAMILIES.values() for day in days_to_check(family)]
    found = list(find_differences(pairs))
    for difference in found:
        logger.error("figures_differ", extra={"detail": str(difference)})
    with transaction.atomic():
        CountedDay.objects.filter(differs_at__isnull=False).update(differs_at=None)
        for pair in {Pair(difference.family, difference.day) for difference in found}:
            CountedDay.objects.filter(**pair._asdict()).update(differs_at=timezone.now())
    return found
