"""Enqueues Celery tasks: after commit, by name, with ids only.

The work itself is always a row in the database. Without a broker it is delayed until the periodic task, never lost.
"""

import atexit
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from fcntl import LOCK_EX, LOCK_NB, flock
from functools import partial, wraps
from hashlib import sha256
from threading import Event, Lock, Thread
from typing import Any, TypeVar
from uuid import UUID

from celery import Task, current_app
from django.conf import settings
from django.db import connection, transaction

from artisans.core.requests import request_id

logger = logging.getLogger(__name__)

LIFETIME = 3600  # seconds after which a message is dropped: the periodic task has found its row long before
INTERVAL = 0.1  # seconds between two times that a web process publishes
MOST_IDS = 10  # of one message, so that several workers share a burst
PAUSE = 10  # seconds without retrying after a failure, so that a hanging broker does not delay every request


T = TypeVar("T")
R = TypeVar("R")


class BrokerState:
    """Until when this process skips the broker; a race between threads costs one more failed attempt.

    `publisher`: of a web process.
    """

    until = 0.0
    publisher: "Publisher | None" = None


broker_state = BrokerState()


class TaskOfMany(Task):  # type: ignore[type-arg]  # generic in its stubs only
    """The base of tasks that take several ids, so that one message can have those of several requests."""


@dataclass(frozen=True, slots=True)
class Message:
    """`request`: its id, or "" for several; `context`: of its thread, for traces."""

    task: Any  # celery.Task
    ids: tuple[str, ...]
    request: str
    context: Context

    def publish(self) -> None:
        """Failures are logged, never raised: the periodic task finds the row."""
        if time.monotonic() < broker_state.until:
            return
        options = {"headers": {"request_id": self.request}, "expires": LIFETIME}
        try:
            self.context.run(self.task.apply_async, self.ids, **options, retry=False, ignore_result=True)
        except Exception:  # each broker library raises kinds of its own, and the order is already stored
            broker_state.until = time.monotonic() + PAUSE
            logger.warning("enqueue_failed", extra={"task": self.task.name}, exc_info=True)


class Publisher:
    """A thread that publishes the messages of a web process, so that no request waits for the broker.

    The first one at once; those of the next tenth of a second together, those of a TaskOfMany as one: 4% less
    CPU time of an order in one call, three orders a time. A process that is killed in between leaves them to the
    periodic tasks; one that ends publishes them first.
    """

    def __init__(self) -> None:
        self.waiting = deque[Message]()
        self.wanted, self.starting, self.publishing = Event(), Lock(), Lock()
        self.thread: Thread | None = None

    def put(self, message: Message) -> None:
        """Never raises: without a thread, the message waits for the next one, or for the end of the process."""
        self.waiting.append(message)
        self.wanted.set()
        with self.starting:
            if self.thread is None or not self.thread.is_alive():  # as after a fork
                self.start()

    def start(self) -> None:
        thread = Thread(target=self.run, name="publisher", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the limit of threads
            logger.warning("enqueue_failed", exc_info=True)
        else:
            self.thread = thread

    def run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            self.publish()
            time.sleep(INTERVAL)  # others may follow, and are published together

    def publish(self) -> None:
        """All that is waiting; after what another thread is publishing."""
        with self.publishing:
            for message in merge([self.waiting.popleft() for _ in range(len(self.waiting))]):
                message.publish()


def merge(messages: Iterable[Message]) -> Iterator[Message]:
    """Messages in their order, those of a TaskOfMany together, MOST_IDS at most."""
    by_task: dict[str, list[Message]] = {}
    for message in messages:
        if isinstance(message.task, TaskOfMany):
            by_task.setdefault(message.task.name, []).append(message)
        else:
            yield message
    for same in by_task.values():
        requests = {message.request for message in same}
        request = requests.pop() if len(requests) == 1 else ""
        ids = [each for message in same for each in message.ids]
        for start in range(0, len(ids), MOST_IDS):
            yield replace(same[0], ids=tuple(ids[start : start + MOST_IDS]), request=request)


def publish_in_background() -> None:
    """From now on this process, and those that are forked from it, publish in a thread."""
    broker_state.publisher = publisher = Publisher()
    atexit.register(publisher.publish)


def enqueue_after_commit(name: str, *ids: UUID) -> None:
    """Enqueue a task once the current transaction has committed.

    Errors: KeyError at once if no task has that name. Broker failures are logged, never raised.
    """
    message = Message(current_app.tasks[name], tuple(map(str, ids)), request_id.get(), copy_context())
    publisher = broker_state.publisher
    transaction.on_commit(message.publish if publisher is None else partial(publisher.put, message))


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
