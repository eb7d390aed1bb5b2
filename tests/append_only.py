"""How a test changes facts that triggers protect, which nothing in the shop can."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from artisans.core.append_only import create_triggers, tables_with_triggers, triggers_of


@contextmanager
def rewriting() -> Iterator[None]:
    """In a transaction that other connections do not see. PostgreSQL requires a superuser for it.

    No trigger fires on SQLite, those of the search index neither.
    """
    if connection.vendor == "postgresql" or not hasattr(sqlite3.Connection, "setconfig"):  # Python 3.11
        with deleting():
            yield
        return
    with transaction.atomic():
        try:
            connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)  # noqa: FBT003  # takes no keyword
            yield
        finally:
            connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)  # noqa: FBT003  # takes no keyword


@contextmanager
def deleting() -> Iterator[None]:
    """As rewriting; the triggers of the search index go on, so that it follows. On SQLite each statement about triggers
    reads the whole schema again, which takes a while."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            cursor.execute("SET LOCAL session_replication_role = origin")
            return
        for table in filter(has_rows, tables_with_triggers()):
            for name in triggers_of(table, connection.vendor):
                cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"')
        yield
        create_triggers(connection)


def has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})")  # our own tables
        return bool(cursor.fetchone()[0])
