"""Migration operations that add indexes to large tables without blocking writes. Their migrations are not atomic."""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, NotInTransactionMixin
from django.db import migrations
from django.db.migrations.operations.base import Operation

DROP = "DROP INDEX CONCURRENTLY IF EXISTS {}"


def is_postgresql(schema_editor: Any) -> bool:
    return bool(schema_editor.connection.vendor == "postgresql")


class AddIndex(AddIndexConcurrently):
    """An index of a model's Meta. An invalid one, left by a migration that was interrupted, is built again."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not is_postgresql(schema_editor):
            migrations.AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        self._ensure_not_in_transaction(schema_editor)
        schema_editor.execute(DROP.format(schema_editor.quote_name(self.index.name)))
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)


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
            schema_editor.execute(DROP.format(self.name))
            schema_editor.execute(f"CREATE INDEX CONCURRENTLY {self.name} ON {self.on}", params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if is_postgresql(schema_editor):
            self._ensure_not_in_transaction(schema_editor)
            schema_editor.execute(DROP.format(self.name))
