"""Fill the times of events from before: `sent_at` from what is stored of their content, and `first_processed_at`.

An event that staff reprocessed or closed keeps no time of its first processing; it was overwritten.
"""

from typing import Any

from django.db import migrations

from artisans.core.index_operations import RunInBatches

SENT_AT = {
    "postgresql": "(content ->> 'created_at')::timestamptz",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', content ->> 'created_at')",
}


class FillSentAt(RunInBatches):
    """The time is text in ISO 8601, which each database parses in its own way."""

    def run(self, connection: Any) -> None:
        self.sql = (
            f"UPDATE payments_webhookevent SET sent_at = {SENT_AT[connection.vendor]} "  # noqa: S608  # of this file
            "WHERE id IN ({keys})"
        )
        super().run(connection)


FILL_FIRST_PROCESSED_AT = """
UPDATE payments_webhookevent SET first_processed_at = processed_at
WHERE id IN ({keys}) AND NOT EXISTS (
    SELECT 1 FROM audit_auditentry AS audit
    WHERE audit.target_id = payments_webhookevent.id AND audit.action IN ('webhook.replay', 'webhook.close')
)
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('payments', '0030_webhook_times'), ('audit', '0001_initial')]

    operations = [
        FillSentAt(
            'payments_webhookevent',
            where="sent_at IS NULL AND content ->> 'created_at' IS NOT NULL",
            sql="",
        ),
        RunInBatches(
            'payments_webhookevent',
            where='first_processed_at IS NULL AND processed_at IS NOT NULL',
            sql=FILL_FIRST_PROCESSED_AT,
        ),
    ]
