import unicodedata
from collections import Counter

from django.db import migrations, models
from django.db.models import Q


def key_of(reference):
    folded = unicodedata.normalize("NFKC", reference).casefold()
    return "".join(sign for sign in folded if sign.isalnum())[:120]


def allow_changes(apps, schema_editor):
    """Receipts may be append-only by trigger already; the triggers are made again after every migrate."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute('DROP TRIGGER IF EXISTS "payments_receipt_rows" ON "payments_receipt"')
    else:
        schema_editor.execute('DROP TRIGGER IF EXISTS "payments_receipt_update"')


def fill_keys(apps, schema_editor):
    """Rows that share a reference are kept, in rounds of their own or without a key, and named for a person to check."""
    Receipt, Refund = apps.get_model("payments", "Receipt"), apps.get_model("payments", "PaymentRefund")
    seen = Counter()
    for row in Receipt.objects.select_related("payment").order_by("created_at").iterator(500):
        key = key_of(row.bank_reference)
        if key and seen[key]:
            report("received", row)
        Receipt.objects.filter(pk=row.pk).update(reference_key=key, reference_round=seen[key] if key else 0)
        seen[key] += 1
    seen.clear()
    by_hand = Refund.objects.exclude(bank_reference="").select_related("payment")
    for row in by_hand.order_by("created_at").iterator(500):
        key = key_of(row.bank_reference)
        if key and seen[key]:
            report("returned", row)
        else:
            Refund.objects.filter(pk=row.pk).update(reference_key=key)
        seen[key] += 1


def report(what, row):
    number = row.payment.payment_number
    print(f"\n    {row.bank_reference!r} was recorded more than once as {what}; check payment {number}.", end="")


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_comparison")]
    operations = [
        migrations.AddField(
            "paymentrefund",
            "reference_key",
            models.CharField(blank=True, db_default="", default="", max_length=120),
        ),
        migrations.AddField(
            "receipt", "reference_key", models.CharField(blank=True, db_default="", default="", max_length=120)
        ),
        migrations.AddField(
            "receipt", "reference_round", models.PositiveSmallIntegerField(db_default=0, default=0)
        ),
        migrations.RunPython(allow_changes, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(fill_keys, migrations.RunPython.noop, elidable=True),
        migrations.RemoveConstraint("receipt", "receipt_once_per_bank_reference"),
        migrations.AddConstraint(
            "receipt",
            models.UniqueConstraint(
                fields=["payment", "bank_reference"],
                condition=Q(reference_key=""),
                name="receipt_once_per_bank_reference",
            ),
        ),
        migrations.AddConstraint(
            "receipt",
            models.UniqueConstraint(
                fields=["reference_key", "reference_round"],
                condition=~Q(reference_key=""),
                name="receipt_reference_once_in_the_shop",
            ),
        ),
        migrations.AddConstraint(
            "paymentrefund",
            models.UniqueConstraint(
                fields=["reference_key"],
                condition=~Q(reference_key=""),
                name="refund_reference_once_in_the_shop",
            ),
        ),
    ]
