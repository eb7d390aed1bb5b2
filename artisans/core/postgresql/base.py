"""Django's PostgreSQL backend for kept connections: checked without a statement, and not shared after a fork."""

import os
import select
from typing import Any

from django.db import connections
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
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


def forget_connections() -> None:
    """In a new process, drop the connections of its parent without ending their sessions, which the parent uses."""
    backend: Any = base.DatabaseWrapper  # its types leave the pools out
    backend._connection_pools.clear()
    for connection in connections.all(initialized_only=True):
        if isinstance(connection, DatabaseWrapper) and connection.connection is not None:
            inherited, connection.connection = connection.connection, None
            os.close(inherited.fileno())


os.register_at_fork(after_in_child=forget_connections)
