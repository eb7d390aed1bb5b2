"""Migration operations for large tables, which block writes at most for moments (docs/upgrading.md).

Migrations with indexes or batches are not atomic: each operation can be run again after it was interrupted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    NotInTransactionMixin,
    ValidateConstraint,
)
from django.db import migrations, transaction
from django.db.migrations.operations.base import Operation

DROP = "DROP INDEX CONCURRENTLY IF EXISTS {}"


def is_postgresql(schema_editor: Any) -> bool:
    return bool(schema_editor.connection.vendor == "postgresql")


@contextmanager
def unlimited_waits(schema_editor: Any) -> Iterator[None]:
    """Wait for transactions in progress as long as they take: nobody waits for an index that is built concurrently."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        [limit] = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        yield
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [limit])


class AddIndex(AddIndexConcurrently):
    """An index of a model's Meta. An invalid one, left by a migration that was interrupted, is built again."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not is_postgresql(schema_editor):
            migrations.AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        self._ensure_not_in_transaction(schema_editor)
        with unlimited_waits(schema_editor):
            schema_editor.execute(DROP.format(schema_editor.quote_name(self.index.name)))
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)


class AddCheck(AddConstraintNotValid):
    """A check constraint of a model's Meta for new and changed rows; `ValidateCheck` extends it to the others."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:  # it copies the table anyway
            migrations.AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)


class ValidateCheck(ValidateConstraint):
    """Reads the table while it can be written. In a later migration than its `AddCheck`, which locks the table."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddPostgresIndex(NotInTransactionMixin, Operation):
    """An index that only PostgreSQL has, such as one of trigrams. `on` is what follows ON in its definition.

    No model names it, so a test has to compare its expression with the one that queries use.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, name: str, on: str) -> None:
        self.name, self.on = name, on

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models do not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            self._ensure_not_in_transaction(schema_editor)
            with unlimited_waits(schema_editor):
                schema_editor.execute(DROP.format(self.name))
                schema_editor.execute(f"CREATE INDEX CONCURRENTLY {self.name} ON {self.on}", params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            self._ensure_not_in_transaction(schema_editor)
            schema_editor.execute(DROP.format(self.name))


class RunInBatches(Operation):
    """SQL that changes many rows, in batches with a transaction each, so that nobody waits long for a row.

    `where` finds the rows of `table` that may still have to be changed, so that an interrupted migration continues;
    `sql` changes those with the keys `{keys}`. Going back changes nothing.
    """

    reduces_to_sql = False
    reversible = True
    atomic = False
    elidable = True

    def __init__(self, table: str, *, where: str, sql: str, size: int = 1000) -> None:
        self.table, self.where, self.sql, self.size = table, where, sql, size

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Models do not change."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.run(schema_editor.connection)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Nothing to do."""

    def run(self, connection: Any) -> None:
        keys = self.keys_after(connection, None)
        while keys:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(self.sql.format(keys=", ".join(["%s"] * len(keys))), keys)
            keys = self.keys_after(connection, keys[-1])

    def keys_after(self, connection: Any, last: Any) -> list[Any]:
        after, parameters = ("", []) if last is None else ("AND id > %s", [last])
        find = f"SELECT id FROM {self.table} WHERE {self.where} {after} ORDER BY id LIMIT {self.size}"  # noqa: S608  # of a migration
        with connection.cursor() as cursor:
            cursor.execute(find, parameters)
            return [key for (key,) in cursor.fetchall()]
