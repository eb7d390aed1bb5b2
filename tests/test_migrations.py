"""`make check` refuses migrations that are not safe while the shop sells and processes of the release before run."""

from typing import Any

import pytest
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models.functions import Now, Random

from artisans.core.index_operations import AddCheck, AddIndex, AddPostgresIndex, RunInBatches, ValidateCheck
from scripts import migrations as rules
from scripts.releases import releases
from tests.dump import LABELS

INDEX = models.Index(fields=["email"], name="order_email")
CHECK = models.CheckConstraint(condition=models.Q(total_minor__gte=0), name="total_positive")
UNIQUE = models.UniqueConstraint(fields=["email"], name="one_per_email")
STATE = MigrationLoader(None, ignore_no_migrations=True).project_state()


def problems(*operations: migrations.operations.base.Operation, **changes: object) -> list[str]:
    place = rules.Place("orders", STATE.clone(), **changes)
    return list(rules.find_unsafe(operations, place))


def alter(name: str, field: "models.Field[Any, Any]") -> migrations.AlterField:
    return migrations.AlterField("order", name, field)


def add(field: "models.Field[Any, Any]", model: str = "order") -> migrations.AddField:
    return migrations.AddField(model, "gift", field)


SAFE = [
    add(models.CharField(max_length=9, null=True)),
    add(models.CharField(max_length=9, db_default="")),
    add(models.DateTimeField(db_default=Now())),
    add(models.ManyToManyField("orders.Order")),
    add(models.CharField(max_length=9, db_default="", db_index=True), "storerules"),
    alter("delivery_note", models.TextField(blank=True)),
    alter("email", models.EmailField(max_length=999)),
    alter("status", models.CharField(max_length=20, choices=[("NEW", "New")])),
    migrations.RemoveConstraint("order", "order_status_known"),
    migrations.AddConstraint("storerules", CHECK),
    AddCheck("order", CHECK),
    ValidateCheck("order", CHECK.name),
    migrations.RunSQL("SELECT 1; -- DROP TABLE in a comment"),
]
UNSAFE = [
    (add(models.BooleanField(default=False)), "does not fill it"),
    (add(models.CharField(max_length=9, null=True, db_index=True)), "while an index is built"),
    (add(models.CharField(max_length=9, null=True, unique=True)), "while an index is built"),
    (add(models.ForeignKey("catalog.Product", models.PROTECT, null=True)), "all rows are read"),
    (add(models.FloatField(db_default=Random())), "rewritten"),
    (
        add(
            models.GeneratedField(expression=models.F("id"), output_field=models.UUIDField(), db_persist=True)
        ),
        "rewritten",
    ),
    (alter("paid_at", models.DateTimeField()), "may write null"),
    (alter("total_minor", models.DecimalField(max_digits=9, decimal_places=2)), "rewritten"),
    (alter("email", models.EmailField(max_length=20)), "rewritten"),
    (alter("total_minor", models.BigIntegerField(db_index=True)), "while an index is built"),
    (alter("email", models.EmailField(db_column="mail")), "the release before uses it"),
    (migrations.RemoveField("order", "email"), "the release before uses it"),
    (migrations.RenameField("order", "email", "mail"), "the release before uses it"),
    (migrations.DeleteModel("heldline"), "the release before uses it"),
    (migrations.RenameModel("heldline", "kept"), "the release before uses it"),
    (migrations.AlterModelTable("order", "purchases"), "the release before uses it"),
    (migrations.AddIndex("order", INDEX), "while an index is built"),
    (AddIndex("order", INDEX), "atomic = False"),
    (migrations.AddConstraint("order", CHECK), "all rows are read"),
    (migrations.AddConstraint("order", UNIQUE), "while an index is built"),
    (migrations.RunPython(migrations.RunPython.noop), "cannot be checked"),
    (migrations.RunSQL("ALTER TABLE orders_order DROP COLUMN email"), "the release before uses it"),
    (migrations.RunSQL(["ALTER TABLE orders_order RENAME TO purchases"]), "the release before uses it"),
    (migrations.RunSQL("create unique index one on orders_order (email)"), "while an index is built"),
    (migrations.RunSQL("ALTER TABLE orders_order ALTER COLUMN email SET NOT NULL"), "all rows are read"),
    (migrations.RunSQL("ALTER TABLE orders_order ALTER COLUMN number TYPE bigint"), "rewritten"),
    (migrations.RunSQL("TRUNCATE orders_heldline"), "blocks the table"),
    (migrations.RunSQL([("UPDATE orders_order SET email = %s", ["x"])]), "RunInBatches"),
    (migrations.RunSQL("INSERT INTO orders_heldline SELECT 1"), "RunInBatches"),
]


def test_migrations_since_the_first_release_are_safe():
    assert rules.check_all(LABELS) == {}
    loader = MigrationLoader(None, ignore_no_migrations=True)
    assert set(rules.ACCEPTED) <= set(rules.unreleased(loader, LABELS))


def test_safe_operations_are_accepted():
    assert {operation.describe(): found for operation in SAFE if (found := problems(operation))} == {}


@pytest.mark.parametrize("is_nested", [False, True])
def test_unsafe_operations_are_refused_with_the_reason(is_nested):
    for operation, reason in UNSAFE:
        operations = [migrations.SeparateDatabaseAndState([operation])] if is_nested else [operation]
        found = problems(*operations)
        assert [reason in problem for problem in found].count(True) == 1, (operation.describe(), found)


def test_tables_of_the_same_migration_may_be_changed():
    created = migrations.CreateModel("Gift", [("id", models.BigAutoField(primary_key=True))])
    inner = [
        migrations.AddField("gift", "text", models.TextField(db_index=True)),
        migrations.AddIndex("gift", models.Index(fields=["text"], name="gift_text")),
        migrations.AddConstraint("gift", models.UniqueConstraint(fields=["text"], name="one_gift")),
        migrations.RunSQL("INSERT INTO orders_gift SELECT 1"),
    ]
    assert problems(created, *inner) == []


def test_what_cannot_be_repeated_is_refused_in_a_migration_that_is_not_atomic():
    repeatable = [
        AddIndex("order", INDEX),
        AddIndexConcurrently("order", GinIndex(fields=["shipping_address"], name="order_address")),
        AddPostgresIndex("order_mail", "orders_order (email)"),
        RunInBatches("orders_order", where="true", sql="UPDATE orders_order SET email = ''"),
    ]
    assert problems(*repeatable, is_atomic=False) == []
    assert len(problems(*repeatable)) == 4

    [problem] = problems(add(models.TextField(null=True)), is_atomic=False)
    assert "not undone when the migration is interrupted" in problem


def test_removal_is_accepted_once_the_release_before_no_longer_uses_it():
    removals = [
        migrations.RemoveField("order", "email"),
        migrations.RunSQL("ALTER TABLE orders_parcel DROP COLUMN carrier"),
    ]
    [before] = releases()[-1:]
    assert problems(*removals, unused_since=before.version) == []
    assert len(problems(*removals, unused_since="9.0")) == 2
