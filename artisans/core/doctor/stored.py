"""The last results of each check, stored for the admin and for alerts, where nobody can wait for a check.

Whichever worker is free runs them. What it finds about its own host is stored beside what others found about theirs.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext as _
from prometheus_client.core import Metric

from artisans.core.doctor.database import check_clock
from artisans.core.doctor.environment import check_disk_space
from artisans.core.doctor.registry import CHECKS, Result, State, worst
from artisans.core.doctor.run import Found, run_checks
from artisans.core.hosts import hosts
from artisans.core.metrics import gauge
from artisans.core.models import SystemCheck

LEVELS = {State.OK: 0, State.WARNING: 1, State.PROBLEM: 2}
REPORTED_FOR = timedelta(minutes=20)  # older ones say nothing, and ChecksStopped is sent
HOST_KEPT_FOR = timedelta(hours=1)  # until its worker has very probably run the checks again

Row = Mapping[str, Any]


@shared_task(name="core.check_system")
def check_system_task() -> None:
    """Periodic: runs all checks and stores their results."""
    results_store(run_checks(CHECKS))
    SystemCheck.objects.exclude(name__in=CHECKS).delete()  # of another release


def results_store(found: Found) -> None:
    now, known, active = timezone.now(), SystemCheck.objects.in_bulk(), set(hosts())
    rows = []
    for name, results in found.items():
        before = known.get(name)
        stored: list[Row] = [as_row(result, now) for result in results]
        if before:
            stored += kept(before.results, active - {result.host for result in results}, now)
        state = worst(map(as_result, stored))
        since = before.since if before and before.state == state else now
        rows.append(SystemCheck(name=name, state=state, since=since, at=now, results=stored))
    SystemCheck.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["name"], update_fields=["state", "since", "at", "results"]
    )


def as_row(result: Result, now: datetime) -> Row:
    name = result.name
    if result.host:
        name = _("%(name)s on %(host)s") % {"name": name, "host": result.host}
    return replace(result, name=name).as_json() | {"at": now.isoformat()}


def as_result(row: Row) -> Result:
    fields = {name: value for name, value in row.items() if name != "at"}
    return Result(**fields | {"state": State(row["state"])})


def kept(rows: Iterable[Row], others: Collection[str], now: datetime) -> Iterator[Row]:
    """What was found about these hosts lately."""
    for row in rows:
        if row.get("host") in others and datetime.fromisoformat(row["at"]) > now - HOST_KEPT_FOR:
            yield row


def results_stored(check: SystemCheck) -> list[Result]:
    return [as_result(row) for row in check.results]


def check_metrics() -> Iterator[Metric]:
    recent = SystemCheck.objects.filter(at__gt=timezone.now() - REPORTED_FOR)
    yield gauge(
        "alley_check_state",
        "The last result of each check: 0 OK, 1 a warning, 2 a problem.",  # not for translation
        ["check"],
        {(name,): LEVELS[State(state)] for name, state in recent.values_list("name", "state")},
    )
    yield gauge(
        "alley_host_check_state",
        "The same for the host of this web server, which may have no worker.",  # not for translation
        ["check"],
        {("database clock",): level(check_clock), ("disk space",): level(check_disk_space)},
    )


def level(check: Callable[[], Iterable[Result]]) -> int:
    try:
        return LEVELS[worst(check())]
    except OSError:  # such as a network disk that is gone
        return LEVELS[State.PROBLEM]
