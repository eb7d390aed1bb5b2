"""Refuse migrations that are not safe while the shop sells, on PostgreSQL; part of `make check` (docs/upgrading.md).

The release before must work with the new tables, and no statement may block a large table for longer than a moment.

django-migration-linter is not used instead: its source was read, it was not run. It reads SQL, for which it needs
a database. One default in a migration makes it accept all other columns of it; it does not see that constraints may
read the whole table, or what data migrations do; and it warns of every index that is built in the transaction of a new
table's migration.
"""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import django
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED
from django.db.models.functions import Now

from artisans.core.index_operations import AddCheck, AddIndex, AddPostgresIndex, RunInBatches
from scripts.releases import releases

THROW_AWAY = {
    "SECRET_KEY": "only-for-checks" * 4,
    "DATABASE_URL": "sqlite://:memory:",
}
POSTGRES = DatabaseWrapper({}, "types_only")  # never connects
FIRST = "0001_initial"
# The last migration of each app in release 0.1.0, which was its first release; later ones are checked.
RELEASED = {
    "accounts": "0002_addresses_forgotten",
    "catalog": "0002_search",
    "orders": "0002_unpaid_orders",
    "payments": "0003_attempts",
}
ADDED = {
    "regions",
    "tax_ids",
    "shipping",
    "ledger",
    "earnings",
    "journeys",
    "figures",
}  # apps that it does not have
# Tables with some hundred rows at most: reading or rewriting all of them takes a moment.
SMALL = {
    *("catalog.artisan", "catalog.category", "core.heartbeat", "orders.storerules"),
    *("payments.provideralert", "payments.reconciliationrun"),
}
# Migrations that are safe for a reason that cannot be checked here.
ACCEPTED = {
    ("catalog", "0003_search_by_field"): "RunPython only runs ANALYZE",
    ("catalog", "0008_product_variants"): "the new reference is null, so that no row is read to check it",
    (
        "catalog",
        "0009_product_variants_checked",
    ): "no row has a parent or SKU yet, so that its indexes are empty",
    ("catalog", "0013_product_pictures"): "it only inserts a row for each product with a picture",
    ("catalog", "0027_price_lists"): "the new reference is null, so that no row is read to check it",
    ("orders", "0012_commission_rates"): "it only inserts a row for each artisan",
    ("orders", "0015_fill_shipments"): "it only inserts, 500 parcels in a transaction",
    ("orders", "0017_list_carriers"): "it only inserts 27 carriers",
    ("orders", "0031_shipping_tax_class"): "it changes the only row of a table, and that only backwards",
    ("shipping", "0002_fill_places"): "it only inserts a handful of rows",
    ("payments", "0004_attempt_facts"): "a million attempts to pay are read in a quarter of a second",
    ("payments", "0008_challenged_attempts"): "a million attempts to pay are read in a quarter of a second",
    ("payments", "0013_fill_ledger"): "it only inserts, 500 payments in a transaction",
    ("payments", "0036_fill_attempts"): "it only inserts, 500 payments in a transaction",
    ("payments", "0049_fill_test_mode"): "it changes rows in batches, and inserts a row for each day",
}

USED = "the release before uses it (`unused_since` in the migration names the release that no longer does)"
CONCURRENTLY = "it blocks writes while an index is built: use AddIndex of artisans.core.index_operations"
READS_ALL = (
    "it blocks the table while all rows are read: use AddCheck of index_operations, or db_constraint=False"
)
REWRITES = "it blocks the table while all rows are rewritten"
BATCHES = "rows stay locked until all are changed: use RunInBatches of artisans.core.index_operations"
# Operations that can be run again after they were interrupted, and what needs a migration that is not atomic.
REPEATABLE = (AddIndexConcurrently, AddIndex, AddPostgresIndex, RunInBatches)
SQL_RULES = {
    r"\b(DROP\s+(TABLE|COLUMN)|RENAME)\b": USED,
    r"\bCREATE\s+(UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)": CONCURRENTLY,
    r"\bADD\s+(CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY)\b(?!.*\bNOT\s+VALID\b)|\bSET\s+NOT\s+NULL\b": READS_ALL,
    r"\bALTER\s+COLUMN\b.*\bTYPE\b|\bCLUSTER\b|\bVACUUM\s+FULL\b": REWRITES,
    r"\b(LOCK\s+TABLE|TRUNCATE|REINDEX)\b": "it blocks the table",
}
WRITES = re.compile(r'\b(?:UPDATE|DELETE\s+FROM|INSERT\s+INTO)\s+"?(\w+)', re.IGNORECASE)


@dataclass
class Place:
    """The migration of an operation. `state` is before it; `new`: the models that the same migration creates."""

    label: str
    state: ProjectState
    is_atomic: bool = True
    unused_since: str = ""
    new: set[str] = field(default_factory=set)

    def is_new(self, model: str) -> bool:
        return model.lower() in self.new

    def is_free(self, model: str) -> bool:
        """Whether its table may be read, rewritten and locked: it is new or small."""
        return self.is_new(model) or f"{self.label}.{model.lower()}" in SMALL

    def fields(self, model: str) -> dict[str, Any]:
        found = self.state.models.get((self.label, model.lower()))
        return found.fields if found else {}

    def tables(self) -> set[str]:
        """Tables of the models that the migration creates."""
        return {f"{self.label}_{name}" for name in self.new}


# ---- rules ---------------------------------------------------------------------------------------------------


def check_removal(operation: Any, place: Place) -> Iterator[str]:
    if place.unused_since not in {release.version for release in releases()}:
        yield USED


def check_add_field(operation: Any, place: Place) -> Iterator[str]:
    added = operation.field
    if isinstance(added, models.ManyToManyField) or place.is_new(operation.model_name):
        return
    if not (added.null or added.db_default is not NOT_PROVIDED or isinstance(added, models.GeneratedField)):
        yield "the release before does not fill it: give it db_default, or null=True"
    if place.is_free(operation.model_name):
        return
    yield from check_index_of(added)
    if isinstance(added, models.GeneratedField) or is_computed(added.db_default):
        yield REWRITES


def check_alter_field(operation: Any, place: Place) -> Iterator[str]:
    before, after = place.fields(operation.model_name).get(operation.name), operation.field
    if before is None or place.is_new(operation.model_name):
        return
    if before.null and not after.null:
        yield f"the release before may write null, and {READS_ALL}"
    if before.db_default is not NOT_PROVIDED and after.db_default is NOT_PROVIDED and not after.null:
        yield "the release before may not fill it: keep db_default"
    if before.db_column != after.db_column:
        yield USED
    if not place.is_free(operation.model_name):
        yield from check_type(before, after)
        if not (before.db_index or before.unique):
            yield from check_index_of(after)


def check_type(before: "models.Field[Any, Any]", after: "models.Field[Any, Any]") -> Iterator[str]:
    old, new = type_of(before), type_of(after)
    lengths = [
        int(found[1]) if (found := re.search(r"^varchar\((\d+)\)$", kind)) else 0 for kind in (old, new)
    ]
    becomes_wider = lengths[0] and (new == "text" or lengths[1] >= lengths[0])
    if old != new and not becomes_wider:
        yield REWRITES


def check_index_of(added: Any) -> Iterator[str]:
    if added.db_index or added.unique:
        yield CONCURRENTLY
    if added.remote_field and added.db_constraint:
        yield READS_ALL


def check_add_index(operation: Any, place: Place) -> Iterator[str]:
    if not isinstance(operation, AddIndexConcurrently) and not place.is_free(operation.model_name):
        yield CONCURRENTLY


def check_add_constraint(operation: Any, place: Place) -> Iterator[str]:
    if not (place.is_free(operation.model_name) or isinstance(operation, AddCheck)):
        is_check = isinstance(operation.constraint, models.CheckConstraint)
        yield READS_ALL if is_check else CONCURRENTLY


def check_sql(operation: migrations.RunSQL, place: Place) -> Iterator[str]:
    statements = operation.sql if isinstance(operation.sql, list | tuple) else [operation.sql]
    for statement in statements:
        sql = re.sub(r"--.*", "", str(statement[0] if isinstance(statement, tuple) else statement))
        for pattern, problem in SQL_RULES.items():
            is_allowed = problem == USED and not [*check_removal(operation, place)]
            if re.search(pattern, sql, re.IGNORECASE | re.DOTALL) and not is_allowed:
                yield problem
        if set(WRITES.findall(sql)) - place.tables():
            yield BATCHES


def check_python(operation: Any, place: Place) -> Iterator[str]:
    yield f"what it does cannot be checked. If it changes rows, {BATCHES}; else name it in ACCEPTED"


RULES: tuple[
    tuple[type[Operation] | tuple[type[Operation], ...], Callable[[Any, Place], Iterator[str]]], ...
] = (
    (
        (
            migrations.RemoveField,
            migrations.RenameField,
            migrations.DeleteModel,
            migrations.RenameModel,
            migrations.AlterModelTable,
        ),
        check_removal,
    ),
    (migrations.AddField, check_add_field),
    (migrations.AlterField, check_alter_field),
    (migrations.AddIndex, check_add_index),
    (migrations.AddConstraint, check_add_constraint),
    (migrations.RunSQL, check_sql),
    (migrations.RunPython, check_python),
)


def is_computed(default: Any) -> bool:
    """Whether each row needs a value of its own, such as a random one."""
    is_constant = default is NOT_PROVIDED or isinstance(default, models.Value | Now)
    return not is_constant and hasattr(default, "resolve_expression")


def type_of(one: "models.Field[Any, Any]") -> str:
    """The type of its column on PostgreSQL; "" of fields without one, and of references."""
    return "" if one.remote_field else one.db_type(POSTGRES) or ""


# ---- migrations ----------------------------------------------------------------------------------------------


def find_unsafe(operations: Iterable[Operation], place: Place) -> Iterator[str]:
    """Say of each operation why it is not safe; `place` is changed to the one after them."""
    for operation in operations:
        inner: Sequence[Operation] = [operation]
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            inner = operation.database_operations
        for one in inner:
            yield from (f"{one.describe()}: {problem}" for problem in check_operation(one, place))
            if isinstance(one, migrations.CreateModel):
                place.new.add(one.name_lower)
        operation.state_forwards(place.label, place.state)


def check_operation(operation: Operation, place: Place) -> Iterator[str]:
    for kinds, rule in RULES:
        if isinstance(operation, kinds):
            yield from rule(operation, place)
    if isinstance(operation, REPEATABLE) and place.is_atomic:
        yield "it needs a migration with `atomic = False`"
    if not isinstance(operation, (*REPEATABLE, migrations.RunPython)) and not place.is_atomic:
        yield "it is not undone when the migration is interrupted: move it to an atomic migration"


def unreleased(loader: MigrationLoader, labels: Iterable[str]) -> Iterator[tuple[str, str]]:
    for label, name in sorted(loader.disk_migrations):
        if label in labels and name > RELEASED.get(label, FIRST) and name != FIRST:
            yield label, name


def check_all(labels: Iterable[str]) -> dict[str, list[str]]:
    """What is not safe, by migration."""
    loader, found = MigrationLoader(None, ignore_no_migrations=True), {}
    for key in unreleased(loader, labels):
        if key in ACCEPTED:
            continue
        migration = loader.disk_migrations[key]
        state = loader.project_state(key, at_end=False)
        unused_since = getattr(migration, "unused_since", "")
        place = Place(key[0], state, is_atomic=migration.atomic, unused_since=unused_since)
        if problems := list(find_unsafe(migration.operations, place)):
            found[".".join(key)] = problems
    return found


def main() -> int:
    os.environ |= THROW_AWAY | {"DJANGO_SETTINGS_MODULE": "artisans.settings"}
    django.setup()
    from tests.dump import LABELS  # noqa: PLC0415  # needs the settings

    found = check_all(LABELS)
    for name, problems in found.items():
        print("\n".join(f"{name}: {problem}" for problem in problems))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
