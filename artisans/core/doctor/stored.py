"""The last results of each check, stored for the admin and for alerts, where nobody can wait for a check."""

from collections.abc import Iterator

from celery import shared_task
from django.utils import timezone
from prometheus_client.core import Metric

from artisans.core.doctor.registry import CHECKS, Result, State, worst
from artisans.core.doctor.run import Found, run_checks
from artisans.core.metrics import gauge
from artisans.core.models import SystemCheck

LEVELS = {State.OK: 0, State.WARNING: 1, State.PROBLEM: 2}


@shared_task(name="core.check_system")
def check_system_task() -> None:
    """Periodic: runs all checks and stores their results."""
    results_store(run_checks(CHECKS))
    SystemCheck.objects.exclude(name__in=CHECKS).delete()  # of another release


def results_store(found: Found) -> None:
    now, known = timezone.now(), SystemCheck.objects.in_bulk()
    rows = []
    for name, results in found.items():
        state, before = worst(results), known.get(name)
        since = before.since if before and before.state == state else now
        stored = [result.as_json() for result in results]
        rows.append(SystemCheck(name=name, state=state, since=since, at=now, results=stored))
    SystemCheck.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["name"], update_fields=["state", "since", "at", "results"]
    )


def results_stored(check: SystemCheck) -> list[Result]:
    return [Result(**{**row, "state": State(row["state"])}) for row in check.results]


def check_metrics() -> Iterator[Metric]:
    states = SystemCheck.objects.values_list("name", "state")
    yield gauge(
        "alley_check_state",
        "The last result of each check: 0 in order, 1 a warning, 2 a problem.",  # not for translation
        ["check"],
        {(name,): LEVELS[State(state)] for name, state in states},
    )
