"""Enqueues Celery tasks: after commit, by name, with ids only.

The work itself is always a row in the database. Without a broker it is delayed until the periodic task, never lost.
"""

import logging
import time
from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)

PAUSE = 10  # seconds without retrying after a failure, so that a hanging broker does not delay every request


T = TypeVar("T")
R = TypeVar("R")


class BrokerState:
    """Until when this process skips the broker; a race between threads costs one more failed attempt."""

    until = 0.0


broker_state = BrokerState()


def enqueue_after_commit(name: str, *ids: UUID) -> None:
    """Enqueue a task once the current transaction has committed.

    Errors: KeyError at once if no task has that name. Broker failures are logged, never raised.
    """
    task = current_app.tasks[name]
    arguments = tuple(str(i) for i in ids)

    def enqueue() -> None:
        if time.monotonic() < broker_state.until:
            return
        try:
            task.apply_async(arguments, retry=False, ignore_result=True)
        except Exception:  # brokers raise many kinds of errors; the periodic task finds the row
            broker_state.until = time.monotonic() + PAUSE
            logger.warning("enqueue_failed", extra={"task": name}, exc_info=True)

    transaction.on_commit(enqueue)


def run_each(rows: Iterable[T], operation: Callable[[T], R], *, event: str) -> list[R]:
    """Call `work` for each item; a failure is logged as `event` and does not stop the others. Returns the results."""
    done = []
    for row in rows:
        try:
            done.append(operation(row))
        except Exception:  # whatever it is, the next run tries the row again
            logger.exception(event, extra={"id": str(row)})
    return done
