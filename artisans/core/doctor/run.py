"""Runs checks, each on its own and all within a limit of time.

Those of the database follow each other on one connection; the others run at the same time in threads. A thread that
hangs is abandoned: it ends with its request, or with the process.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from contextvars import copy_context
from dataclasses import replace
from socket import gethostname
from threading import Thread

from django.db import connection, connections
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Check, Result, State
from artisans.core.security.redaction import scrub
from artisans.core.transactions import limit_statements

logger = logging.getLogger(__name__)

SECONDS = 15
STATEMENT_SECONDS = 3
LONGEST = 200  # of an error's text

Found = dict[str, list[Result]]


def run_checks(checks: Mapping[str, Check], *, seconds: float = SECONDS) -> Found:
    """The results of each check, in their order. A check that fails, or has no result in time, is a problem."""
    found: Found = {}
    of_database = {name: check for name, check in checks.items() if not check.uses_network}
    groups = [{name: check} for name, check in checks.items() if check.uses_network]
    if connection.in_atomic_block:  # another connection would not see what this transaction wrote
        run_group(of_database, found)
    else:
        groups.append(of_database)
    deadline = time.monotonic() + seconds
    threads = [start(group, found) for group in groups]
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    late = _("no result within %(seconds)s seconds") % {"seconds": seconds}
    return {
        name: found[name] if name in found else [failure(name, check, late)] for name, check in checks.items()
    }


def start(group: Mapping[str, Check], found: Found) -> Thread:
    def run() -> None:
        try:
            run_group(group, found)
        finally:
            connections.close_all()  # those of this thread

    thread = Thread(target=copy_context().run, args=(run,), daemon=True)
    thread.start()
    return thread


def run_group(group: Mapping[str, Check], found: Found) -> None:
    for name, check in group.items():
        found[name] = run_check(name, check)


def run_check(name: str, check: Check) -> list[Result]:
    try:
        if check.uses_network:
            return with_host(check, check.run())
        with limit_statements(STATEMENT_SECONDS):
            return with_host(check, check.run())
    except Exception as error:  # whatever it is, it is the result
        logger.warning("check_failed", extra={"check": name}, exc_info=True)
        return [failure(name, check, describe(error))]


def with_host(check: Check, results: Iterable[Result]) -> list[Result]:
    return [replace(result, host=gethostname()) if check.is_per_host else result for result in results]


def failure(name: str, check: Check, value: str) -> Result:
    remedy = check.remedy or _("See the log, and whether what it needs responds.")
    host = gethostname() if check.is_per_host else ""
    return Result(name[:1].upper() + name[1:], State.PROBLEM, value, "", str(remedy), host)


def describe(error: Exception) -> str:
    """Without secrets, on one line."""
    text = " ".join(scrub(str(error)).split())[:LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
