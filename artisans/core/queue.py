"""Enqueues Celery tasks: after commit, by name, with ids only.

The work itself is always a row in the database. Without a broker it is delayed until the periodic task, never lost.
"""

import logging
import time
from collections.abc import Callable, Iterable
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import wraps
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from artisans.core.requests import request_id

logger = logging.getLogger(__name__)

LIFETIME = 3600  # seconds after which a message is dropped: the periodic task has found its row long before
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
    headers = {"request_id": request_id.get()}

    def enqueue() -> None:
        if time.monotonic() < broker_state.until:
            return
        try:
            task.apply_async(arguments, headers=headers, expires=LIFETIME, retry=False, ignore_result=True)
        except Exception:  # brokers raise many kinds of errors; the periodic task finds the row
            broker_state.until = time.monotonic() + PAUSE
            logger.warning("enqueue_failed", extra={"task": name}, exc_info=True)

    transaction.on_commit(enqueue)


def run_each(
    rows: Iterable[T], operation: Callable[[T], R], *, event: str, seconds: float | None = None
) -> list[R]:
    """Call `operation` for each item; a failure is logged as `event` and does not stop the others.

    `seconds`: start no further item after that time; the next run continues. Returns the results.
    """
    done, started = [], time.monotonic()
    for row in rows:
        if seconds is not None and time.monotonic() - started > seconds:
            break
        try:
            done.append(operation(row))
        except Exception:  # whatever it is, the next run tries the row again
            logger.exception(event, extra={"id": str(row)})
    return done


def one_at_a_time(task: Callable[[], None]) -> Callable[[], None]:
    """Skip a run of a periodic task while the one before is still in progress on this machine.

    The lock is a file's, so that it ends with the process that holds it.
    """

    @wraps(task)
    def run() -> None:
        database = connection.settings_dict
        shop = sha256(f"{database['HOST']}:{database['PORT']}/{database['NAME']}".encode()).hexdigest()[:12]
        settings.TASK_LOCKS_DIR.mkdir(parents=True, exist_ok=True)
        with (settings.TASK_LOCKS_DIR / f"{task.__name__}-{shop}").open("w") as held:
            try:
                flock(held, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                logger.info("task_skipped", extra={"task": task.__name__})
                return
            task()

    return run
