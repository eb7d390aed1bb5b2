"""Fill Order.paid_at of the orders whose time is certain from captures, receipts and what was taken back."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import migrations

BATCH = 500


def fill_paid_at(apps: Any, schema_editor: Any) -> None:
    orders = apps.get_model("orders", "Order").objects
    released = orders.filter(paid_at=None, received_minor__gt=0, released_at__isnull=False)
    ids = list(released.values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        batch = list(orders.filter(pk__in=ids[start : start + BATCH]))
        moves = movements(apps, [order.pk for order in batch])
        for order in batch:
            order.paid_at = find_paid_at(moves[order.pk], order.total_minor, order.cancelled_minor)
        orders.bulk_update([order for order in batch if order.paid_at], ["paid_at"])


def movements(apps: Any, order_ids: list[Any]) -> dict[Any, list[tuple[datetime, int]]]:
    """Times and amounts (minor units) by order; 0 where something was taken back, or may have been."""
    found: dict[Any, list[tuple[datetime, int]]] = defaultdict(list)
    for order_id, at, amount in read_rows(apps, order_ids):
        found[order_id].append((at, amount))
    return found


def read_rows(apps: Any, order_ids: list[Any]) -> Iterator[tuple[Any, datetime, int]]:
    for name in ("Capture", "Receipt"):
        rows = apps.get_model("payments", name).objects.filter(payment__order__in=order_ids)
        yield from rows.values_list("payment__order", "created_at", "amount_minor")
    for name, path in (
        ("PaymentRefund", "payment__order"),
        ("Dispute", "payment__order"),
        ("ReceiptReversal", "receipt__payment__order"),
    ):
        rows = apps.get_model("payments", name).objects.filter(**{f"{path}__in": order_ids})
        yield from ((order_id, at, 0) for order_id, at in rows.values_list(path, "created_at"))


def find_paid_at(moves: list[tuple[datetime, int]], total: int, cancelled: int) -> datetime | None:
    """When the sum reached the total; None if it might have been paid earlier, for a smaller total, or if something
    was taken back before."""
    received = 0
    for at, amount in sorted(moves):
        if amount == 0 or (received and received >= total - cancelled):
            return None
        received += amount
        if received >= total:
            return at
    return None


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_attempt_facts"), ("orders", "0003_paid_at")]

    operations = [migrations.RunPython(fill_paid_at, migrations.RunPython.noop, elidable=True)]
