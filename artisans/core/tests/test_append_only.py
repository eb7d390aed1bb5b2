"""Rows of append-only tables cannot be changed by any writer, not even after SQLite rebuilds the table."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction

from artisans.audit.models import AuditEntry
from artisans.catalog.models import SearchDocument
from artisans.core.append_only import (
    AppendOnlyModel,
    append_only_tables,
    check_triggers,
    create_triggers,
    drop_triggers_before_migrate,
    missing_triggers,
    present_triggers,
    triggers_of,
)
from artisans.core.money import Money
from artisans.ledger.models import LedgerEntry
from orders.models import Transition
from orders.services.parcels import parcel_ship
from payments.methods import PaymentMethod
from payments.models import PaymentAttempt
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus
from payments.tests.factories import apply_card_captures, give_back, record, start
from tests.append_only import rewriting

pytestmark = pytest.mark.django_db

MODELS = [model for model in apps.get_models() if issubclass(model, AppendOnlyModel)]
NAMES = {
    "AuditEntry",
    "Capture",
    "DisputeTransition",
    "OrderTransition",
    "ParcelTransition",
    "PaymentAttempt",
    "PaymentTransition",
    "Receipt",
    "RefundTransition",
    "StockMove",
}
EVERY_ALIAS = ["default"]


@pytest.fixture
def history(shopper, staff, bowl, store, settings) -> None:
    """A row of every append-only table."""
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    offline = start(user=shopper)
    record(offline, "99.99", actor=staff)
    give_back(offline, "1.00", actor=staff, reference="OUT-1")
    dispute = RemoteDispute("du_1", Money(100, "USD"), RemoteDisputeStatus.OPEN)
    apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper), disputes=(dispute,))
    parcel_ship(parcel_id=offline.order.parcels.get().pk, carrier="DHL", tracking="T-1", actor=staff)


def test_history_tables_are_append_only():
    assert {model.__name__ for model in MODELS} >= NAMES
    assert all(issubclass(model, AppendOnlyModel) for model in Transition.__subclasses__())
    assert all("never changed" not in (model.__doc__ or "") or model in MODELS for model in apps.get_models())


@pytest.mark.parametrize("model", [model for model in MODELS if model.__name__ in NAMES])
def test_rows_cannot_be_changed_or_deleted_by_orm_or_sql(history, model):
    row, table = model._base_manager.first(), model._meta.db_table
    before = list(model._base_manager.values())
    assert before, "nothing to break"
    connection.check_constraints()  # PostgreSQL does not truncate a table with pending foreign key checks
    column = model._meta.get_field("amount_minor" if hasattr(row, "amount_minor") else "id").column
    columns = ", ".join(f'"{field.column}"' for field in model._meta.local_fields)
    statements = [
        f'UPDATE "{table}" SET "{column}" = "{column}"',
        f'DELETE FROM "{table}"',
        f'TRUNCATE "{table}" CASCADE'
        if connection.vendor == "postgresql"
        else f'INSERT OR REPLACE INTO "{table}" ({columns}) SELECT {columns} FROM "{table}"',
    ]
    attempts = [
        row.save,
        row.delete,
        lambda: model._base_manager.update(**{column: models.F(column)}),
        lambda: model._base_manager.bulk_update([row], [column]) if column != "id" else row.save(),
        model._base_manager.all().delete,
        *(lambda sql=sql: connection.cursor().execute(sql) for sql in statements),
    ]

    for attempt in attempts:
        with pytest.raises(IntegrityError, match="never changed or deleted"), transaction.atomic():
            attempt()

    assert list(model._base_manager.values()) == before


def test_rows_can_be_added(history, shopper):
    count = AuditEntry.objects.count()

    AuditEntry.objects.create(actor_name="system", action="order.expire", target_id=shopper.pk)

    assert AuditEntry.objects.count() == count + 1


def test_migrated_database_has_every_trigger():
    assert not missing_triggers(connection)
    assert not check_triggers(None, EVERY_ALIAS)
    assert check_triggers(None, None) == []


@pytest.mark.django_db(transaction=True)
def test_triggers_are_restored_after_a_table_is_rebuilt():
    """Like a migration that changes a column; SQLite's new table has no triggers until `migrate` ends."""
    old = AuditEntry._meta.get_field("actor_name")
    new = old.clone()
    new.set_attributes_from_name("actor_name")
    new.max_length = 151
    with connection.schema_editor() as editor:
        editor.alter_field(AuditEntry, old, new)
    is_sqlite = connection.vendor == "sqlite"
    assert [warning.id for warning in check_triggers(None, EVERY_ALIAS)] == ["alley.W020"] * is_sqlite

    call_command("migrate", verbosity=0)

    assert not missing_triggers(connection)
    with connection.schema_editor() as editor:
        editor.alter_field(AuditEntry, new, old)
    create_triggers(connection)


@pytest.mark.django_db(transaction=True)
def test_a_table_to_which_triggers_of_another_refer_can_be_rebuilt():
    """SQLite refuses to rename a table while a trigger names one that is gone."""
    drop_triggers_before_migrate(apps.get_app_config("core"), "default", plan=[("ledger.0002", False)])
    old = LedgerEntry._meta.get_field("kind")
    new = old.clone()
    new.set_attributes_from_name("kind")
    new.max_length = 21
    for before, after in ((old, new), (new, old)):
        with connection.schema_editor() as editor:
            editor.alter_field(LedgerEntry, before, after)

    create_triggers(connection)

    assert not missing_triggers(connection)


@pytest.mark.django_db(transaction=True)
def test_flush_of_the_test_database_keeps_the_triggers(shopper, bowl):
    SearchDocument.objects.get_or_create(product=bowl, defaults={"title": "bowl"})
    AuditEntry.objects.create(actor_name="system", action="order.expire", target_id=shopper.pk)

    call_command("flush", interactive=False, verbosity=0)

    assert not AuditEntry.objects.exists()
    assert not missing_triggers(connection)
    if connection.vendor == "sqlite":  # whose index follows by triggers
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM catalog_searchtext('bowl')")
            assert cursor.fetchone() == (0,)


def test_dropped_or_disabled_trigger_is_reported_and_recreated():
    table = AuditEntry._meta.db_table
    name = next(iter(triggers_of(table, connection.vendor)))
    on_postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(
            f'ALTER TABLE "{table}" DISABLE TRIGGER "{name}"' if on_postgres else f'DROP TRIGGER "{name}"'
        )
    assert missing_triggers(connection) == {name: table}

    create_triggers(connection)

    assert not missing_triggers(connection)


def test_triggers_of_earlier_releases_that_refuse_more_are_dropped(monkeypatch):
    table = PaymentAttempt._meta.db_table
    event = "rows" if connection.vendor == "postgresql" else "update"
    with monkeypatch.context() as earlier, connection.cursor() as cursor:
        earlier.setattr(PaymentAttempt, "undecided", ())
        earlier.setattr(PaymentAttempt, "erasable", ())
        earlier.setattr(PaymentAttempt, "personal", ())
        refuse_all = triggers_of(table, connection.vendor)[f"{table}_{event}"]
        for name in (event, "decided", "permitted"):
            cursor.execute(refuse_all.replace(f"{table}_{event}", f"{table}_{name}"))

    create_triggers(connection)

    former = {f"{table}_{name}" for name in (event, "decided", "permitted")}
    assert not present_triggers(connection) & former


def test_protection_returns_after_rewriting(history):
    with rewriting():
        AuditEntry.objects.update(actor_name="nobody")

    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry.objects.update(actor_name="someone")
    assert set(append_only_tables()) == {model._meta.db_table for model in MODELS}
