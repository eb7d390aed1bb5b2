"""Append-only tables: database triggers reject updates and deletes from any client.

A model opts in by its base class:

    class AuditEntry(AppendOnlyModel): ...

The triggers are created after every `migrate`, because SQLite drops them when Django rebuilds a table; a check
reports tables without them. The shop cannot disable them: a correction is another row.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.core.checks import CheckMessage
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

REFUSE = "refuse_append_only"
POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


class AppendOnlyModel(models.Model):
    class Meta:
        abstract = True


def append_only_tables() -> list[str]:
    return sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, AppendOnlyModel))


def triggers_of(table: str, vendor: str) -> dict[str, str]:
    """Name and SQL of each trigger that the table needs."""
    if vendor == "postgresql":
        return {
            f"{table}_rows": f'CREATE TRIGGER "{table}_rows" BEFORE UPDATE OR DELETE ON "{table}" '
            f"FOR EACH ROW EXECUTE FUNCTION {REFUSE}()",
            f"{table}_truncate": f'CREATE TRIGGER "{table}_truncate" BEFORE TRUNCATE ON "{table}" '
            f"FOR EACH STATEMENT EXECUTE FUNCTION {REFUSE}()",
        }
    return {
        f"{table}_{act.lower()}": f'CREATE TRIGGER "{table}_{act.lower()}" BEFORE {act} ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END"
        for act in ("UPDATE", "DELETE")
    }


def missing_triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Name and table of each trigger that is missing or disabled."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) & set(append_only_tables())
        if connection.vendor == "postgresql":
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        present = {name for (name,) in cursor.fetchall()}
    return {
        name: table
        for table in sorted(tables)
        for name in triggers_of(table, connection.vendor)
        if name not in present
    }


def create_triggers(connection: BaseDatabaseWrapper) -> None:
    missing = missing_triggers(connection)
    with connection.cursor() as cursor:
        if missing and connection.vendor == "postgresql":
            cursor.execute(POSTGRES_FUNCTION)
        for name, table in missing.items():
            on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
            cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"{on}')  # it may exist but be disabled
            cursor.execute(triggers_of(table, connection.vendor)[name])


def create_triggers_after_migrate(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    if app_config.label == "core":  # the signal is sent once per app; all tables exist by then
        create_triggers(connections[using])


def check_triggers(app_configs: Any, databases: Iterable[str] | None, **kwargs: Any) -> list[CheckMessage]:
    tables = {table for alias in databases or () for table in missing_triggers(connections[alias]).values()}
    return [
        checks.Warning(  # an error would stop `migrate`, which is the remedy
            f"Rows of {table} can be changed or deleted: its triggers are missing.",
            hint="Run `manage.py migrate`, which makes them again.",
            id="alley.W020",
        )
        for table in sorted(tables)
    ]
