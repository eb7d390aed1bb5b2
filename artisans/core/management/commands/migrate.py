"""Django's `migrate` for a shop that goes on selling: one at a time, and no statement waits long for a lock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DatabaseError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from psycopg.errors import DeadlockDetected, LockNotAvailable

from artisans.core.migration_history import NEWER, is_newer
from artisans.core.migration_states import options_changed_in_place

LOCK_SECONDS = 2  # of a wait for a table, during which everyone else waits behind it
PAUSE_SECONDS = 5  # until the next try
TRIES = 24
ONLY_ONE = 7_261_440_551  # key of the lock: any number that nobody else uses

IN_USE = (
    "A table is in use all the time, perhaps by a transaction "  # not for translation
    "that does not end (see pg_stat_activity). What was migrated so far is kept; run `migrate` again to continue."
)


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        connection = connections[options["database"]]
        output = self.migrate(connection, *args, **options)
        if is_newer(connection):
            self.stdout.write(NEWER)
        return output

    def migrate(self, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> str | None:
        if connection.vendor != "postgresql" or connection.in_atomic_block:
            return self.apply(connection, *args, **options)
        with self.alone(connection):
            for tries_left in reversed(range(TRIES)):
                try:
                    return self.apply(connection, *args, **options)
                except OperationalError as error:
                    if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                        raise
                    if not tries_left:
                        raise CommandError(IN_USE) from error
                    self.stderr.write(f"Trying again in {PAUSE_SECONDS} seconds: {error}".rstrip())
                time.sleep(PAUSE_SECONDS)
        return None

    def apply(self, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> str | None:
        is_first = not MigrationRecorder(connection).applied_migrations()
        with options_changed_in_place() if is_first else nullcontext():
            return super().handle(*args, **options)

    @contextmanager
    def alone(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """Wait for another `migrate`, or for what the server still does for one that was killed; limit other waits."""
        connection.ensure_connection()
        if is_pooled(connection):  # a pooler would lend the session with its lock to other clients
            yield
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), pg_try_advisory_lock(%s)", [ONLY_ONE])
            before, is_alone = cursor.fetchone()
            if not is_alone:
                self.stdout.write("Waiting for another `migrate` of this database …")
                cursor.execute("SET lock_timeout = 0")
                cursor.execute("SELECT pg_advisory_lock(%s)", [ONLY_ONE])
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{LOCK_SECONDS}s"])
        try:
            yield
        finally:
            with suppress(DatabaseError), connection.cursor() as cursor:  # the session may have ended
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ONLY_ONE])
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    return bool(connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"))
