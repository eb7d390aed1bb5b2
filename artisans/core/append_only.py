"""Append-only tables: database triggers reject updates and deletes from any client.

A model opts in by its base class:

    class AuditEntry(AppendOnlyModel): ...

The triggers are created after every `migrate` that leaves no migration to apply, because SQLite drops them when Django
rebuilds a table; a check reports tables without them. Those of a newer release, which may allow more, are left as they
are. The shop cannot disable them: a correction is another row. Single columns of other tables are set once by a
SetOnceModel.

The erasure of a person replaces `personal` columns of single rows. The triggers accept it only for a row with a permit,
which is written and deleted in the transaction of the change (ADR 15).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.core import checks
from django.core.checks import CheckMessage
from django.db import connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import UniqueConstraint
from django.db.models.signals import post_migrate, pre_migrate

from artisans.core.migration_history import is_current, is_newer

REFUSE = "refuse_append_only"
POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
REFUSE_UNLESS_PERMITTED = "refuse_unless_permitted"  # its arguments are the personal columns
POSTGRES_PERMIT_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {REFUSE_UNLESS_PERMITTED}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - TG_ARGV::text[] = to_jsonb(OLD) - TG_ARGV::text[] AND EXISTS (
        SELECT 1 FROM "{{permits}}" WHERE table_name = TG_TABLE_NAME AND row_id = OLD.id::text
    ) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""  # noqa: S608  # names of our own
REFUSE_SECOND_VALUE = "refuse_second_value"
POSTGRES_SET_ONCE_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {REFUSE_SECOND_VALUE}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is set once and never changed', TG_ARGV[0], TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
FORMER_KINDS = ("rows", "update", "decided", "settled", "permitted")  # of triggers that are replaced
# The model of permits: `table_name`, `row_id` (text). Registered by the app that erases persons.
PERMITS: list[type[models.Model]] = []


class AppendOnlyModel(models.Model):
    """`undecided`: the column and values of rows that may still be updated, though not deleted. `erasable`: columns of
    text that may be emptied later, without any other change. `personal`: columns that the erasure of a person may
    replace."""

    undecided: ClassVar[tuple[str, ...]] = ()
    erasable: ClassVar[tuple[str, ...]] = ()
    personal: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True

    @classmethod
    def extra_triggers(cls, vendor: str) -> dict[str, str]:
        """Name and SQL of further triggers of the table. One that exists is not replaced: a change needs a new name."""
        return {}


class TriggeredModel(models.Model):
    """A model with other rules than these, which only triggers can hold."""

    class Meta:
        abstract = True

    @classmethod
    def own_triggers(cls, vendor: str) -> dict[str, str]:
        """Name and SQL of its triggers. One that exists is not replaced: a change needs a new name."""
        raise NotImplementedError


class SetOnceModel(models.Model):
    """`set_once`: columns that are null until they are set, and then never change."""

    set_once: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True


def append_only_models() -> dict[str, type[AppendOnlyModel]]:
    """By table."""
    found = (model for model in apps.get_models() if issubclass(model, AppendOnlyModel))
    return {model._meta.db_table: model for model in found if not model._meta.proxy}


def append_only_tables() -> list[str]:
    return sorted(append_only_models())


def set_once_models() -> dict[str, type[SetOnceModel]]:
    """By table."""
    return {model._meta.db_table: model for model in apps.get_models() if issubclass(model, SetOnceModel)}


def triggered_models() -> dict[str, type[TriggeredModel]]:
    """By table."""
    return {model._meta.db_table: model for model in apps.get_models() if issubclass(model, TriggeredModel)}


def tables_with_triggers() -> list[str]:
    return sorted(append_only_models().keys() | set_once_models() | triggered_models().keys())


def triggers_of(table: str, vendor: str) -> dict[str, str]:
    """Name and SQL of each trigger that the table needs."""
    found: dict[str, str] = {}
    if model := set_once_models().get(table):
        found |= set_once_triggers(model, vendor)
    if triggered := triggered_models().get(table):
        found |= triggered.own_triggers(vendor)
    if append_only := append_only_models().get(table):
        found |= append_only_triggers(append_only, vendor)
    return found


def set_once_triggers(model: type[SetOnceModel], vendor: str) -> dict[str, str]:
    table = model._meta.db_table
    found = {}
    for column in model.set_once:
        differs = "IS DISTINCT FROM" if vendor == "postgresql" else "IS NOT"
        condition = f'OLD."{column}" IS NOT NULL AND NEW."{column}" {differs} OLD."{column}"'
        action = (
            f"EXECUTE FUNCTION {REFUSE_SECOND_VALUE}('{column}')"
            if vendor == "postgresql"
            else f"BEGIN SELECT RAISE(ABORT, '{column} of {table} is set once and never changed'); END"
        )
        name = f"{table}_{column}_once"
        found[name] = (
            f'CREATE TRIGGER "{name}" BEFORE UPDATE OF "{column}" ON "{table}" '
            f"FOR EACH ROW WHEN ({condition}) {action}"
        )
    return found


def append_only_triggers(model: type[AppendOnlyModel], vendor: str) -> dict[str, str]:
    table, on_postgres = model._meta.db_table, vendor == "postgresql"
    extra = model.extra_triggers(vendor)
    events = (
        [("rows", "UPDATE OR DELETE", "")]
        if on_postgres
        else [("update", "UPDATE", ""), ("delete", "DELETE", "")]
    )
    condition = refused_updates(model, vendor)
    if condition or model.personal:
        name, when = update_trigger(model), f"WHEN ({condition})" if condition else ""
        events = [(name, "UPDATE", when), ("delete", "DELETE", "")]
    head = f'CREATE TRIGGER "{table}_{{}}" BEFORE {{}} ON "{table}"'
    if on_postgres:
        rows = {
            f"{table}_{name}": f"{head.format(name, event)} FOR EACH ROW {when} "
            f"EXECUTE FUNCTION {refusal_of(model, name)}"
            for name, event, when in events
        }
        truncate = f"{head.format('truncate', 'TRUNCATE')} FOR EACH STATEMENT EXECUTE FUNCTION {REFUSE}()"
        return rows | {f"{table}_truncate": truncate} | extra
    refuse = f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or deleted'); END"
    if not model.undecided:  # INSERT OR REPLACE deletes rows without running the triggers of a delete
        events += [("replaced", "INSERT", f"WHEN {same_key(model)}")]
    return {
        f"{table}_{name}": f"{head.format(name, event)} {when} {refuse}" for name, event, when in events
    } | extra


def update_trigger(model: type[AppendOnlyModel]) -> str:
    """Its name says what it allows, so that one of an earlier release is replaced."""
    if len(model.undecided[1:]) > 1:
        return "unsettled"
    return "permitted" if model.personal else "settled"


def same_key(model: type[AppendOnlyModel]) -> str:
    """Whether a row exists with the primary key, or all columns of a unique constraint, of the new one."""
    fields = model._meta.local_concrete_fields
    unique = [UniqueConstraint(fields=[field.name], name=field.name) for field in fields if field.unique]
    constraints = [row for row in model._meta.constraints if isinstance(row, UniqueConstraint)]
    same = (f"({same_values(model, constraint)})" for constraint in [*unique, *constraints])
    return f'EXISTS (SELECT 1 FROM "{model._meta.db_table}" WHERE {" OR ".join(same)})'  # noqa: S608  # our own names


def same_values(model: type[AppendOnlyModel], constraint: UniqueConstraint) -> str:
    fields = model._meta.local_concrete_fields
    parts = [
        f'"{field.column}" = NEW."{field.column}"' for field in fields if field.name in constraint.fields
    ]
    editor = connection.schema_editor()
    # Private, but nothing public compiles the condition of a constraint.
    if condition := constraint._get_condition_sql(model, editor):  # type: ignore[attr-defined]
        new = condition
        for field in fields:
            new = new.replace(f'"{field.column}"', f'NEW."{field.column}"')
        parts += (condition, new)
    return " AND ".join(parts)


def refusal_of(model: type[AppendOnlyModel], name: str) -> str:
    """The call of PostgreSQL's function; there a WHEN cannot look for a permit."""
    if name != update_trigger(model) or not model.personal:
        return f"{REFUSE}()"
    return f"{REFUSE_UNLESS_PERMITTED}({', '.join(repr(column) for column in model.personal)})"


def refused_updates(model: type[AppendOnlyModel], vendor: str) -> str:
    """The condition in SQL under which a row cannot be updated; "" if it never can."""
    refused = []
    if model.undecided:
        column, *values = model.undecided
        refused += [f"OLD.\"{column}\" <> '{value}'" for value in values]
    if model.erasable:
        allowed = [f"OLD.\"{one}\" <> '' AND NEW.\"{one}\" = ''" for one in model.erasable]
        if vendor == "postgresql":  # also of columns that later releases add
            names = f"'{{{','.join(model.erasable)}}}'::text[]"
            allowed.append(f"to_jsonb(NEW) - {names} = to_jsonb(OLD) - {names}")
        else:
            allowed += unchanged(model, model.erasable)
        refused.append(f"NOT ({' AND '.join(allowed)})")
    if model.personal and vendor != "postgresql":
        table, key = model._meta.db_table, model._meta.pk.column
        permit = (
            f'EXISTS (SELECT 1 FROM "{permit_table()}" '  # noqa: S608  # names of our own tables
            f"WHERE table_name = '{table}' AND row_id = CAST(OLD.\"{key}\" AS TEXT))"
        )
        refused.append(f"NOT ({' AND '.join([permit, *unchanged(model, model.personal)])})")
    return " AND ".join(refused)


def unchanged(model: type[AppendOnlyModel], but: tuple[str, ...]) -> list[str]:
    """Conditions for SQLite: all columns but these keep their values."""
    others = {str(field.column) for field in model._meta.concrete_fields} - {*but}
    return [f'NEW."{one}" IS OLD."{one}"' for one in sorted(others)]


def permit_table() -> str:
    return PERMITS[0]._meta.db_table


def personal_columns_replace(
    model: type[AppendOnlyModel], pk: Any, changes: Mapping[str, Any], **reason: Any
) -> None:
    """Replace personal columns of one row, in a transaction of the caller. `reason`: further columns of the permit.

    Errors: IntegrityError for a column that is not personal.
    """
    row_id = str(model._meta.pk.get_db_prep_value(pk, connection))
    permit = PERMITS[0]._default_manager.create(table_name=model._meta.db_table, row_id=row_id, **reason)
    model._base_manager.filter(pk=pk).update(**changes)
    permit.delete()


def needed_triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Name and table of each trigger of the tables that exist."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor)) & set(tables_with_triggers())
    return {name: table for table in sorted(tables) for name in triggers_of(table, connection.vendor)}


def present_triggers(connection: BaseDatabaseWrapper) -> set[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return {name for (name,) in cursor.fetchall()}


def missing_triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Name and table of each trigger that is missing or disabled."""
    present = present_triggers(connection)
    return {name: table for name, table in needed_triggers(connection).items() if name not in present}


def outdated_triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Those that an earlier release created and that would refuse what is allowed now."""
    needed, present = needed_triggers(connection), present_triggers(connection)
    possible = {f"{table}_{kind}": table for table in needed.values() for kind in FORMER_KINDS}
    return {name: table for name, table in possible.items() if name in present and name not in needed}


def create_triggers(connection: BaseDatabaseWrapper) -> None:
    missing, outdated = missing_triggers(connection), outdated_triggers(connection)
    with connection.cursor() as cursor:
        if missing and connection.vendor == "postgresql":
            cursor.execute(POSTGRES_FUNCTION)
            cursor.execute(POSTGRES_PERMIT_FUNCTION.format(permits=permit_table()))
            cursor.execute(POSTGRES_SET_ONCE_FUNCTION)
        for name, table in (missing | outdated).items():
            on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
            cursor.execute(f'DROP TRIGGER IF EXISTS "{name}"{on}')  # it may exist but be disabled
        for name, table in missing.items():
            cursor.execute(triggers_of(table, connection.vendor)[name])


def drop_triggers(connection: BaseDatabaseWrapper) -> None:
    needed = needed_triggers(connection)
    with connection.cursor() as cursor:
        for name in needed.keys() & present_triggers(connection):
            on = f' ON "{needed[name]}"' if connection.vendor == "postgresql" else ""
            cursor.execute(f'DROP TRIGGER "{name}"{on}')


def create_triggers_after_migrate(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    if app_config.label == "core" and is_current(connections[using]):  # the signal is sent once per app
        create_triggers(connections[using])


def drop_triggers_before_migrate(app_config: AppConfig, using: str, plan: Any, **kwargs: Any) -> None:
    """All of them before migrations are reversed, because the tables of before lack columns that they name. Otherwise,
    on SQLite, those that refer to another table: renaming a table fails while such a trigger names it, and Django
    rebuilds tables under another name. They are created again once all migrations are applied."""
    connection = connections[using]
    if app_config.label != "core" or not plan or is_newer(connection):
        return
    if any(is_backwards for _migration, is_backwards in plan):
        drop_triggers(connection)
        return
    if connection.vendor != "sqlite":
        return
    ours, tables = append_only_tables(), set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name, table, sql in cursor.fetchall():
            if table in ours and tables & {*re.findall(r"\w+", sql)} - {table}:
                cursor.execute(f'DROP TRIGGER "{name}"')


def keep_triggers() -> None:
    """Let every `migrate` leave the triggers in place."""
    pre_migrate.connect(drop_triggers_before_migrate, dispatch_uid="append_only")
    post_migrate.connect(create_triggers_after_migrate, dispatch_uid="append_only")


def check_triggers(app_configs: Any, databases: Iterable[str] | None, **kwargs: Any) -> list[CheckMessage]:
    """Not in a newer database: its triggers can have other names, and the newer release checks them."""
    asked = [connections[alias] for alias in databases or ()]
    tables = {table for one in asked if not is_newer(one) for table in missing_triggers(one).values()}
    return [
        checks.Warning(  # an error would stop `migrate`, which is the remedy
            f"Facts in {table} can be changed: its triggers are missing.",
            hint="Run `manage.py migrate`, which makes them again.",
            id="alley.W020",
        )
        for table in sorted(tables)
    ]
