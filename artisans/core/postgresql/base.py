"""Django's PostgreSQL backend for kept connections: with time limits, checked without a statement, not shared after a
fork, and safe behind a pooler such as PgBouncer in transaction mode.
"""

import logging
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import psycopg
from django.db import connections
from django.db.backends.postgresql import base
from psycopg.types.datetime import TimestamptzLoader

logger = logging.getLogger(__name__)

MARGIN = 5  # seconds more than the server has to end a statement by itself
ASK_SECONDS, ANSWER_SECONDS = 5, 3  # into a wait, whether the server hangs; and its time to answer that
ASK_FOR_TLS = struct.pack("!ii", 8, 80877103)  # PostgreSQL's SSLRequest
R = TypeVar("R")

# Compiling takes 30 ms. With two million orders, PostgreSQL does it for the counters of each admin page: they take 2.
NO_JIT = "set_config('jit', 'off', false)"
# By default PostgreSQL expects a hard disk: to find five of 1,000 products with their parents, it reads all, twice. In
# memory or on an SSD an index is faster, 3% of the CPU time of ordering one by one. Another value somebody chose.
READ_BY_INDEX = """CASE WHEN current_setting('random_page_cost') = '4'
    THEN set_config('random_page_cost', '1.1', false) END"""
# Has no row, and no effect, if the session belongs to a pooler, which lends it to other clients too.
SET_TIMEOUTS = "SELECT {} FROM (SELECT pg_backend_pid() AS pid) AS session WHERE pid = %s"


class TimestampLoader(TimestamptzLoader):
    """PostgreSQL writes times in ISO format, which Python reads itself: 2% of the CPU time of ordering one by one."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        try:
            return datetime.fromisoformat(bytes(data).decode())
        except ValueError:  # "infinity", or another DateStyle
            return super().load(data).astimezone(UTC)


class DatabaseWrapper(base.DatabaseWrapper):
    def _configure_connection(self, connection: Any) -> bool:
        """Called by Django and by psycopg's pool for each new connection."""
        super()._configure_connection(connection)  # type: ignore[misc]  # its types leave it out
        if self.timezone is UTC:
            connection.adapters.register_loader("timestamptz", TimestampLoader)
        timeouts: dict[str, int] = self.settings_dict.get("TIMEOUTS") or {}
        if seconds := timeouts.get("statement_timeout"):
            connection.wait = partial(wait_within, seconds + MARGIN, connection.wait, connection.pgconn)
        columns = [
            NO_JIT,
            READ_BY_INDEX,
            *(f"set_config('{name}', '{value}s', false)" for name, value in timeouts.items()),
        ]
        with connection.cursor() as cursor:
            cursor.execute(SET_TIMEOUTS.format(", ".join(columns)), [backend_pid(connection)])
            is_direct = cursor.fetchone() is not None
        if not is_direct:
            self.share_sessions(connection)
        return True

    def share_sessions(self, connection: Any) -> None:
        """Behind a pooler, every transaction may get another session: keep nothing in it."""
        if not self.settings_dict.get("IS_PREPARE_FORCED"):
            connection.prepare_threshold = None
        if not self.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
            self.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
            logger.warning("database_pooled")  # once per process; see docs/deployment.md

    def is_usable(self) -> bool:
        """Whether the server has not ended the session: between two statements, nothing waits to be read.

        Django sends a statement before each request to find out: 3% of the CPU time of placing an order. After an
        error the session is replaced: a migration may have changed a column of a statement that is prepared in it.
        """
        if self.errors_occurred or self.connection is None or self.connection.closed:
            return False
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return not waiting.poll(0)


def wait_within(seconds: int, wait: Callable[..., R], pgconn: Any, gen: Any, **options: Any) -> R:
    """psycopg's wait for an answer, which would never end while the server hangs: as soon as it does not answer new
    clients either, and at most for so long. Errors: psycopg.OperationalError."""
    if "timeout" in options:  # psycopg's own
        return wait(gen, **options)
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        try:
            return wait(gen, timeout=min(left, ASK_SECONDS), **options)
        except psycopg.errors._WaitTimeout:
            if not answers(pgconn):
                break
    pgconn.finish()  # nobody waits for the answer any more
    raise psycopg.OperationalError("The database server does not answer.")  # not for translation


def answers(pgconn: Any) -> bool:
    """Whether the server answers a new client that asks for encryption, which needs no sign-in."""
    host, port = pgconn.host.decode(), int(pgconn.port)
    try:
        if host.startswith("/"):
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(ANSWER_SECONDS)
            client.connect(f"{host}/.s.PGSQL.{port}")
        else:
            client = socket.create_connection((host, port), ANSWER_SECONDS)
        with client:
            client.settimeout(ANSWER_SECONDS)
            client.sendall(ASK_FOR_TLS)
            return bool(client.recv(1))
    except OSError:
        return False


def backend_pid(connection: Any) -> int:
    """The server process as the other end of the connection announced it; poolers announce another one."""
    return int(connection.info.backend_pid)


def forget_connections() -> None:
    """In a new process, drop the connections of its parent without ending their sessions, which the parent uses."""
    backend: Any = base.DatabaseWrapper  # its types leave the pools out
    backend._connection_pools.clear()
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, DatabaseWrapper) and connection.connection is not None:
            inherited, connection.connection = connection.connection, None
            os.close(inherited.fileno())


os.register_at_fork(after_in_child=forget_connections)
