"""The one way to start a Celery task: after commit, by name, with ids only.

Whatever must happen is a row already. A broker that is down costs time (the sweeper finds the row), never work.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

PAUSE = 10  # seconds without ringing after a failure: a broker that hangs must not hold up every buyer


T = TypeVar("T")
R = TypeVar("R")


class BrokerState:
    """Until when this process does not ring; a race between threads costs one more failed ring."""

    until = 0.0


broken = BrokerState()


def enqueue_after_commit(name: str, *ids: UUID) -> None:
    """Ring for a task once the present transaction is on disk.

    Errors: KeyError at once when no task has that name. A dead broker is logged, never raised.
    """
    task = current_app.tasks[name]
    arguments = tuple(str(i) for i in ids)

    def enqueue() -> None:
        if time.monotonic() < broken.until:
            return
        try:
            task.apply_async(arguments, retry=False, ignore_result=True)
        except Exception:  # a broker fails in as many ways as it has transports; the sweeper has the row
            broken.until = time.monotonic() + PAUSE
            logger.warning("enqueue_failed", extra={"task": name}, exc_info=True)

    transaction.on_commit(enqueue)


def run_each(rows: Iterable[T], operation: Callable[[T], R], *, event: str) -> list[R]:
    """One after the other; one that fails is logged as `event` and holds up no other. What those answer that do not."""
    done = []
    for row in rows:
        try:
            done.append(operation(row))
        except Exception:  # whatever it is, the row waits for the next run
            logger.exception(event, extra={"id": str(row)})
    return done
