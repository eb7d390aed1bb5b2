"""Say of rows from before whether they are of test mode. A shop whose keys are test keys now has had no others; of a
shop with live keys, events and objects of test mode tell which payments were made before."""

from typing import Any

from django.db import migrations

from artisans.core.changes import day_of
from artisans.core.index_operations import RunInBatches
from artisans.core.test_mode import is_test_mode

EVENT_OF_TEST_MODE = "CAST(content ->> 'is_live' AS text) IN ('false', '0')"
PAYMENT_OF_TEST_MODE = """(
    EXISTS (SELECT 1 FROM payments_webhookevent AS e WHERE e.payment_id = payments_payment.id AND e.is_test)
    OR EXISTS (
        SELECT 1 FROM payments_providercall AS c
        WHERE c.payment_id = payments_payment.id AND c.object_id LIKE 'cs_test_%%'
    )
)"""
ORDER_OF_TEST_MODE = (
    "EXISTS (SELECT 1 FROM payments_payment AS p WHERE p.order_id = orders_order.id AND p.is_test)"
)
JOURNEY_OF_TEST_MODE = (
    "EXISTS (SELECT 1 FROM orders_order AS o WHERE o.id = journeys_journey.order_id AND o.is_test)"
)


class Fill(RunInBatches):
    """`condition`: which rows a shop with live keys knows to be of test mode; "" if it knows of none."""

    def __init__(self, table: str, condition: str = "") -> None:
        super().__init__(table, where="", sql=f"UPDATE {table} SET is_test = TRUE WHERE id IN ({{keys}})")  # noqa: S608  # of this file
        self.condition = condition

    def run(self, connection: Any) -> None:
        if is_test_mode():
            self.where = "NOT is_test"
        elif self.condition:
            self.where = f"NOT is_test AND {self.condition}"
        else:
            return
        super().run(connection)


def note_days(apps: Any, schema_editor: Any) -> None:
    """Their figures change, but the definition keeps its version: days whose facts are purged cannot be counted again.
    In test mode, and for other figures, it changes, and all days are counted again."""
    if is_test_mode():
        return
    mark = apps.get_model("core", "ChangeMark")
    for family, name, clock in (
        ("messages", "payments.WebhookEvent", "created_at"),
        ("journeys", "journeys.Journey", "started_at"),
    ):
        rows = apps.get_model(*name.split(".")).objects.filter(is_test=True).order_by()
        days = {day_of(at) for at in rows.values_list(clock, flat=True).iterator() if at}
        mark.objects.bulk_create(mark(family=family, day=day) for day in sorted(days))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ('payments', '0048_test_mode'),
        ('orders', '0032_test_mode'),
        ('journeys', '0004_test_mode'),
        ('core', '0007_change_marks'),
    ]

    operations = [
        Fill('payments_webhookevent', EVENT_OF_TEST_MODE),
        Fill('payments_payment', PAYMENT_OF_TEST_MODE),
        Fill('orders_order', ORDER_OF_TEST_MODE),
        Fill('journeys_journey', JOURNEY_OF_TEST_MODE),
        Fill('journeys_journeyproblem'),
        Fill('payments_providerrequest'),
        migrations.RunPython(note_days, migrations.RunPython.noop, elidable=True),
    ]
