"""Indexes for the list of transactions."""

from django.db import migrations, models

from artisans.core.index_operations import AddIndex

KINDS = ["capture", "receipt", "receipt_reversed", "refund", "refund_failed", "dispute_lost", "dispute_won"]


class Migration(migrations.Migration):

    atomic = False

    dependencies = [("ledger", "0015_first_open_posting")]

    operations = [
        AddIndex(
            model_name="ledgerentry",
            index=models.Index(
                condition=models.Q(("kind__in", KINDS)),
                fields=["-happened_at", "-key"],
                name="ledger_transaction_day",
            ),
        ),
        AddIndex(
            model_name="ledgerentry",
            index=models.Index(
                condition=models.Q(("kind__in", KINDS)),
                fields=["kind", "-happened_at", "-key"],
                name="ledger_transaction_kind",
            ),
        ),
    ]
