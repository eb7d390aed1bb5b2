from django.db import migrations, models
from django.db.models import Q

from artisans.core.index_operations import AddCheck

KINDS = [
    ("capture", "Captured by the provider"),
    ("receipt", "Received offline"),
    ("receipt_reversed", "Receipt reversed"),
    ("cash_deposit", "Cash deposited in the bank"),
    ("deposit_reversed", "Cash deposit reversed"),
    ("refund", "Refunded to the buyer"),
    ("refund_failed", "Refund failed"),
    ("dispute_lost", "Dispute lost"),
    ("dispute_won", "Lost dispute won after all"),
    ("dispute_taken", "Taken for a dispute"),
    ("dispute_back", "Given back from a dispute"),
    ("provider_fee", "Fee of the provider"),
    ("withdrawal", "Withdrawn to the bank"),
    ("sale", "Earned by artisans"),
    ("sale_cancelled", "No longer earned"),
    ("clawback", "Refund shared with artisans"),
    ("clawback_reversed", "Shared refund reversed"),
    ("release", "Earnings released"),
    ("hold", "Held back from the artisan"),
    ("hold_released", "No longer held back"),
    ("settlement", "Debt paid by the artisan"),
    ("settlement_reversed", "Payment of a debt reversed"),
    ("write_off", "Debt written off"),
    ("write_off_reversed", "Write-off of a debt reversed"),
]


class Migration(migrations.Migration):

    dependencies = [("ledger", "0010_period_note")]

    operations = [
        migrations.RemoveConstraint(model_name="ledgerentry", name="ledger_entry_kind_known"),
        migrations.AlterField(
            model_name="ledgerentry", name="kind", field=models.CharField(choices=KINDS, max_length=20)
        ),
        AddCheck(
            model_name="ledgerentry",
            constraint=models.CheckConstraint(
                condition=Q(kind__in=[kind for kind, _label in KINDS]), name="ledger_entry_kind_known"
            ),
        ),
    ]
