"""Attempts of earlier payments, 500 payments in a transaction: offline receipts and rejections, and captures that have
none. Safe to interrupt and repeat."""

from django.db import migrations, transaction

CHUNK = 500


class Filling:
    def __init__(self, apps):
        self.payment = apps.get_model("payments", "Payment")
        self.attempt = apps.get_model("payments", "PaymentAttempt")
        self.receipt = apps.get_model("payments", "Receipt")
        self.capture = apps.get_model("payments", "Capture")
        self.transition = apps.get_model("payments", "PaymentTransition")

    def run(self):
        rows = self.payment.objects.order_by("pk")
        chunk = list(rows[:CHUNK])
        while chunk:
            with transaction.atomic():
                self.fill(chunk)
            chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])

    def fill(self, payments):
        by_id = {payment.pk: payment for payment in payments}
        numbers, known = {}, set()
        recorded = self.attempt.objects.filter(payment__in=payments).order_by()
        for payment_id, number, attempt_id in recorded.values_list("payment", "number", "attempt_id"):
            numbers[payment_id] = max(number, numbers.get(payment_id, 0))
            known.add(attempt_id)
        has_rejection = set(recorded.filter(decline_group="rejected").values_list("payment", flat=True))
        rows = []
        for payment_id, attempt_id, minor, at in sorted(self.facts(payments), key=lambda fact: fact[3]):
            payment = by_id[payment_id]
            if attempt_id in known or (not attempt_id and payment_id in has_rejection):
                continue
            number = numbers[payment_id] = numbers.get(payment_id, 0) + 1
            rows.append(
                self.attempt(
                    payment=payment,
                    provider=payment.payment_provider,
                    attempt_id=attempt_id or f"{payment_id}:{number}",
                    number=number,
                    outcome="succeeded" if attempt_id else "declined",
                    decline_group="" if attempt_id else "rejected",
                    currency=payment.currency,
                    amount_minor=minor or payment.amount_minor,
                    tried_at=at,
                    decided_at=at,
                    method=payment.payment_method if payment.payment_provider == "manual" else "",
                )
            )
        self.attempt.objects.bulk_create(rows, ignore_conflicts=True)

    def facts(self, payments):
        """Payment, id of the attempt ("" for a rejection), minor units, time."""
        captures = self.capture.objects.filter(payment__in=payments).order_by()
        yield from captures.values_list("payment", "provider_capture_id", "amount_minor", "created_at")
        receipts = self.receipt.objects.filter(payment__in=payments).order_by()
        for payment_id, receipt_id, minor, at in receipts.values_list(
            "payment", "pk", "amount_minor", "created_at"
        ):
            yield payment_id, str(receipt_id), minor, at
        rejected = self.transition.objects.filter(
            payment__in=payments, payment__payment_provider="manual", new="FAILED"
        ).order_by()
        for payment_id, at in rejected.values_list("payment", "at"):
            yield payment_id, "", 0, at


def fill(apps, schema_editor):
    Filling(apps).run()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('payments', '0035_attempt_indexes')]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
