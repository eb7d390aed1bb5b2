"""Migrations after 0001_initial are additive: code of the release before must still work with the new tables."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

from tests.dump import LABELS

FIRST = "0001_initial"
DESTRUCTIVE = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
)


def find_breaking(operations: Iterable[Operation]) -> Iterator[str]:
    """Describe what the release before cannot work with: columns or tables that go, and columns that it would have to
    fill."""
    new: set[str] = set()
    for operation in flatten(operations):
        if isinstance(operation, migrations.CreateModel):
            new.add(operation.name_lower)
        elif isinstance(operation, DESTRUCTIVE):
            yield operation.describe()
        elif (
            isinstance(operation, migrations.AddField)
            and operation.model_name_lower not in new
            and is_required(operation.field)
        ):
            yield f"{operation.describe()}: give it db_default, or null=True"


def flatten(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from flatten(operation.database_operations)
        else:
            yield operation


def is_required(field: "models.Field[Any, Any]") -> bool:
    """Whether rows that do not name the column are refused. Many-to-many fields are tables of their own."""
    is_filled = field.null or field.db_default is not NOT_PROVIDED or isinstance(field, models.GeneratedField)
    return not is_filled and not isinstance(field, models.ManyToManyField)


def test_migrations_after_the_first_are_additive():
    loader = MigrationLoader(None, ignore_no_migrations=True)
    ours = {key: migration for key, migration in loader.disk_migrations.items() if key[0] in LABELS}
    assert {label for label, _ in ours} == set(LABELS)

    breaking = {
        f"{label}.{name}": found
        for (label, name), migration in ours.items()
        if name != FIRST and (found := list(find_breaking(migration.operations)))
    }

    assert breaking == {}


@pytest.mark.parametrize(
    "field",
    [
        models.CharField(max_length=9, null=True),
        models.CharField(max_length=9, db_default=""),
        models.ManyToManyField("orders.Order"),
    ],
)
def test_column_that_older_code_need_not_fill_is_accepted(field):
    assert list(find_breaking([migrations.AddField("order", "gift", field)])) == []


def test_column_of_a_new_table_is_accepted():
    added = migrations.AddField("Gift", "text", models.TextField())

    assert list(find_breaking([migrations.CreateModel("Gift", []), added])) == []


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("order", "gift", models.BooleanField(default=False)),
        migrations.RemoveField("order", "note"),
        migrations.RenameField("order", "note", "remark"),
        migrations.DeleteModel("order"),
        migrations.RenameModel("order", "purchase"),
        migrations.AlterModelTable("order", "purchases"),
    ],
    ids=lambda operation: type(operation).__name__,
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_operation_that_breaks_older_code_is_named(operation, is_nested):
    operations = [migrations.SeparateDatabaseAndState([operation])] if is_nested else [operation]

    assert len(list(find_breaking(operations))) == 1
