"""All rows of our own tables as one value, to show that a refused request changed nothing."""

from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Model

OURS = {"artisans", "carts", "orders", "payments"}
LABELS = sorted(config.label for config in apps.get_app_configs() if config.name.split(".")[0] in OURS)
CHANGED_BY_READING = {"accounts.User": {"last_login"}, "accounts.AuthToken": {"last_used_at"}}


# What pages and refused requests are meant to leave behind, for the figures.
RECORDED = {"journeys", "payments.WebhookRefusal"}


@cache
def models() -> list[type[Model]]:
    return [model for label in LABELS for model in apps.get_app_config(label).get_models()]


def unrecorded() -> list[type[Model]]:
    return [model for model in models() if RECORDED.isdisjoint({model._meta.app_label, model._meta.label})]


@cache
def statement(model: type[Model]) -> str:
    quote, passed_over = connection.ops.quote_name, CHANGED_BY_READING.get(model._meta.label, set())
    columns = [quote(f.column) for f in model._meta.concrete_fields if f.name not in passed_over]
    key, table = quote(model._meta.pk.column), quote(model._meta.db_table)
    return f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key}"


def dump() -> dict[str, list[Any]]:
    """Raw values from the database: fast, for tests that compare before and after many times."""
    with connection.cursor() as cursor:
        found = {}
        for model in unrecorded():
            cursor.execute(statement(model))
            found[model._meta.label] = cursor.fetchall()
        return found


def readable_dump() -> dict[str, list[dict[str, Any]]]:
    """Values as the shop reads them: decrypted."""
    return {model._meta.label: list(model._base_manager.values()) for model in models()}


def counts() -> dict[str, int]:
    """How many rows each table has."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT "
            + ", ".join(f"(SELECT COUNT(*) FROM {quote(model._meta.db_table)})" for model in unrecorded())
        )
        return dict(zip([model._meta.label for model in unrecorded()], cursor.fetchone(), strict=True))


def raw_dump() -> str:
    """Every row of every table as stored: what a stolen copy would contain."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # our own tables
            found += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(found)
