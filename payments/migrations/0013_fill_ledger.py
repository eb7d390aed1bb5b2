"""Book the payments of earlier releases in the ledger, 500 payments in a transaction. Safe to interrupt and repeat."""

from datetime import datetime, time
from uuid import NAMESPACE_URL, uuid5

from django.db import migrations, transaction
from django.utils import timezone

CHUNK = 500


class Filling:
    def __init__(self, apps):
        model = apps.get_model
        self.accounts = {}
        self.account, self.entry = model("ledger.LedgerAccount"), model("ledger.LedgerEntry")
        self.posting, self.payment = model("ledger.LedgerPosting"), model("payments.Payment")
        self.capture, self.receipt = model("payments.Capture"), model("payments.Receipt")
        self.refund, self.dispute_change = model("payments.PaymentRefund"), model("payments.DisputeTransition")

    def run(self):
        rows = self.payment.objects.order_by("pk")
        chunk = list(rows[:CHUNK])
        while chunk:
            with transaction.atomic():
                self.book(chunk)
            chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])

    def book(self, payments):
        wanted = list(self.entries({payment.pk: payment for payment in payments}))
        known = set(
            self.entry.objects.filter(fact_id__in=[fact for fact, *_ in wanted]).values_list(
                "fact_id", flat=True
            )
        )
        counts, entries, postings = {}, [], []
        for fact, kind, payment, happened_at, debit, credit, minor in wanted:
            if fact in known:
                continue
            number = counts[fact] = counts.get(fact, -1) + 1
            key = f"{kind}:{fact}:{number}"
            entry = self.entry(
                id=uuid5(NAMESPACE_URL, key),
                key=key,
                kind=kind,
                fact_id=fact,
                happened_at=happened_at,
                booked_on=timezone.localdate(happened_at),
                order_id=payment.order_id,
                reverses=entries[-1] if number else None,  # a receipt and its reversal
            )
            entries.append(entry)
            for position, (account, amount) in enumerate(((debit, minor), (credit, -minor))):
                postings.append(
                    self.posting(
                        entry=entry,
                        position=position,
                        account=self.find_account(*account, payment.currency),
                        currency=payment.currency,
                        amount_minor=amount,
                    )
                )
        self.posting.objects.bulk_create(postings)
        self.entry.objects.bulk_create(entries)

    def entries(self, payments):
        """Fact, kind, payment, time, debit, credit, minor units."""
        order = ("order", "")
        for row in self.capture.objects.filter(payment__in=payments).order_by():
            payment = payments[row.payment_id]
            yield row.pk, "capture", payment, row.created_at, provider(payment), order, row.amount_minor
        receipts = self.receipt.objects.filter(payment__in=payments).select_related("reversal").order_by()
        for row in receipts:
            payment, minor = payments[row.payment_id], row.amount_minor
            is_cash = payment.payment_method == "cash_on_delivery" and row.actor_id is not None
            account = ("cash" if is_cash else "bank", "")
            yield row.pk, "receipt", payment, start_of(row.value_date), account, order, minor
            if reversal := getattr(row, "reversal", None):
                at = reversal.created_at
                yield row.pk, "receipt_reversed", payment, at, order, account, minor
        for row in self.refund.objects.filter(payment__in=payments, status="COMPLETED").order_by():
            payment = payments[row.payment_id]
            at = start_of(row.value_date) if row.value_date else row.processed_at or row.updated_at
            account = ("bank", "") if payment.payment_provider == "manual" else provider(payment)
            yield row.pk, "refund", payment, at, order, account, row.amount_minor
        changes = self.dispute_change.objects.filter(dispute__payment__in=payments).order_by("id")
        changed_at = dict(changes.values_list("dispute__payment", "at"))  # the last one of each payment
        for payment in payments.values():
            if minor := payment.disputed_minor:
                at = changed_at.get(payment.pk, payment.updated_at)
                yield payment.pk, "dispute_lost", payment, at, order, provider(payment), minor

    def find_account(self, kind, scope, currency):
        key = (kind, scope, currency)
        if key not in self.accounts:
            values = {"kind": kind, "scope": scope, "currency": currency, "artisan": None}
            self.accounts[key], _ = self.account.objects.get_or_create(**values)
        return self.accounts[key]


def provider(payment):
    """Kind and scope of the account."""
    return "provider", payment.payment_provider


def start_of(day):
    return timezone.make_aware(datetime.combine(day, time.min))


def fill(apps, schema_editor):
    Filling(apps).run()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0012_retention"), ("ledger", "0001_initial")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
