"""All rows of our own tables as one value, to show that a refused request changed nothing."""

from typing import Any

from django.apps import apps
from django.db import connection

LABELS = ("accounts", "audit", "carts", "catalog", "core", "notifications", "orders", "payments")


def dump() -> dict[str, list[dict[str, Any]]]:
    models = [model for label in LABELS for model in apps.get_app_config(label).get_models()]
    found = {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}
    for user in found["accounts.User"]:
        del user["last_login"]
    for token in found["accounts.AuthToken"]:
        del token["last_used_at"]
    return found


def raw_dump() -> str:
    """Every row of every table as the database holds it: what somebody reads who steals a copy."""
    with connection.cursor() as cursor:
        found = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # our own tables
            found += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(found)
