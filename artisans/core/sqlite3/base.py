"""Django's SQLite backend, with a queue for transactions, and not shared after a fork."""

import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
from threading import Event, Lock, Thread
from typing import Any

from django.db import OperationalError, connections
from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A transaction waits for its turn at the lock of a file, which wakes the next one at once.

    SQLite has those that wait sleep for up to a tenth of a second and try again, so that some starve: the slowest of
    100 orders of 8 clients took 3.5 s instead of 1.7 s. The lock ends with its process, and the wait for one that hangs
    after `queue_seconds`.
    """

    queue_seconds = 20.0

    queue: int | None = None  # a file descriptor

    def _start_transaction_under_autocommit(self) -> None:
        if not self.is_in_memory_db():
            if self.queue is None:
                self.queue = os.open(f"{self.settings_dict['NAME']}-queue", os.O_RDWR | os.O_CREAT, 0o600)
            self.enter_queue(self.queue)
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]  # missing in the stubs
        except BaseException:
            self.leave_queue()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]  # missing in the stubs
        finally:
            self.leave_queue()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]  # missing in the stubs
        finally:
            self.leave_queue()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]  # missing in the stubs
        finally:
            if self.queue is not None:
                os.close(self.queue)
                self.queue = None

    def enter_queue(self, queue: int) -> None:
        """Errors: OperationalError."""
        try:
            flock(queue, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            self.queue = None  # the thread closes it, unless it gets the lock in time
            if not lock_within(self.queue_seconds, queue):
                raise OperationalError("database is locked") from None  # not for translation; SQLite's words
            self.queue = queue

    def leave_queue(self) -> None:
        if self.queue is not None:
            flock(self.queue, LOCK_UN)


def lock_within(seconds: float, file: int) -> bool:
    """Lock a file, or have it closed. A thread waits for the lock, because the kernel knows no limit of time."""
    is_decided, is_locked = Lock(), Event()

    def wait() -> None:
        flock(file, LOCK_EX)
        if is_decided.acquire(blocking=False):
            is_locked.set()
        else:
            close(file)

    Thread(target=wait, name="sqlite-queue", daemon=True).start()
    try:
        return is_locked.wait(seconds) or not is_decided.acquire(blocking=False)
    except BaseException:  # such as a task's time limit
        if not is_decided.acquire(blocking=False):
            close(file)
        raise


def close(file: int) -> None:
    flock(file, LOCK_UN)  # a forked process may have it open too
    os.close(file)


inherited: list[Any] = []


def forget_connections() -> None:
    """In a new process, drop the connections of its parent. SQLite forbids to close them here."""
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, DatabaseWrapper):
            inherited.append(connection.connection)
            connection.connection = None
            if connection.queue is not None:
                os.close(connection.queue)  # without unlocking it, which would be for both
                connection.queue = None


os.register_at_fork(after_in_child=forget_connections)
