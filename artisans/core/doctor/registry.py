"""The checks that apps register in their apps.py:

    CHECKS["email server"] = Check(check_server, uses_network=True)

A check yields a `Result` for each thing that it looks at, also for those that are OK. It reads, and changes nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.utils.translation import ngettext

from artisans.core.metrics import StrOrPromise

MINUTE, HOUR, DAY = 60, 3600, 86_400  # seconds


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Result:
    """One line. `value`: what was found, `limit`: what is expected ("": nothing in particular), `remedy`: what to do
    if `state` is not OK. All are for people. `host`: set if it is about this host, and others can differ."""

    name: str
    state: State
    value: str
    limit: str = ""
    remedy: str = ""
    host: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"remedy": "" if self.state == State.OK else self.remedy}


@dataclass(frozen=True, slots=True)
class Check:
    """`is_per_host`: others can find something else from their host. `uses_network`: it asks something else than the
    database; then it has a thread of its own, and must not use the database. `remedy`: what to do if `run` fails, or
    does not end in time."""

    run: Callable[[], Iterable[Result]]
    uses_network: bool = False
    is_per_host: bool = False
    remedy: StrOrPromise = ""


# By name: a few plain words, unique, which never change. Reports keep the order.
CHECKS: dict[str, Check] = {}


def duration(time: timedelta) -> str:
    """In whole units, of which there are at least two unless it is a second."""
    seconds = int(time.total_seconds())
    if seconds >= 2 * DAY:
        return ngettext("%(n)d day", "%(n)d days", seconds // DAY) % {"n": seconds // DAY}
    if seconds >= 2 * HOUR:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // HOUR) % {"n": seconds // HOUR}
    if seconds >= 2 * MINUTE:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // MINUTE) % {"n": seconds // MINUTE}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


def state_if(*, problem: object = False, warning: object = False) -> State:
    """The worse of those that are true."""
    if problem:
        return State.PROBLEM
    return State.WARNING if warning else State.OK


def worst(results: Iterable[Result]) -> State:
    states = {result.state for result in results}
    return state_if(problem=State.PROBLEM in states, warning=State.WARNING in states)
