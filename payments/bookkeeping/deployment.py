"""Rows of the release before: those that it wrote on today's schema while its processes were replaced, and earnings."""

import time
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from django.db import transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone

from artisans.catalog.models import Artisan, CommissionRate
from artisans.core.changes import changes_note
from artisans.core.queue import run_each
from orders.holds import of_unknown_buyers
from orders.models import Order, OrderLine, Parcel
from orders.selectors import order_lock, store_rules
from orders.services.placing import held_lines_write
from orders.statuses import PARCELS_ENDED, OrderPaymentStatus
from payments.bookkeeping.ledger import payment_book
from payments.models import Capture, Earning, Payment, Receipt, ReceiptReversal, WebhookEvent
from payments.selectors import receipts_naming_parcels

FILL_SECONDS = 40 * 60  # of one night
WITHIN = timedelta(days=2)  # of tasks that run every night
JUST_NOW = timedelta(minutes=5)  # of tasks that run every minute


def paid_at_fill() -> None:
    """Release 0.1.0 does not set `Order.paid_at`."""
    recent = Order.objects.filter(updated_at__gte=timezone.now() - WITHIN)
    for order in recent.filter(paid_at=None, payment_status=OrderPaymentStatus.PAID):
        if paid_at := find_paid_at(order):
            with transaction.atomic():
                Order.objects.filter(pk=order.pk, paid_at=None).update(paid_at=paid_at)
                changes_note(("orders", order.created_at), ("settled", paid_at), *changes_of_payments(order))


def changes_of_payments(order: Order) -> list[tuple[str, datetime | None]]:
    payments = Payment.objects.filter(order=order)
    return [
        change
        for payment in payments
        for change in (("payments", payment.created_at), ("settled", payment.completed_at))
    ]


def find_paid_at(order: Order) -> datetime | None:
    """When the sum received reached the total. None if something was taken back, so that this is not certain."""
    moves = sorted(
        (row.created_at, row.amount_minor)
        for model in (Capture, Receipt)
        for row in model.objects.filter(payment__order=order)
    )
    sums = list(accumulate(amount for _, amount in moves))
    if not sums or sums[-1] != order.received_minor:
        return None
    return next((at for (at, _), total in zip(moves, sums, strict=True) if total >= order.total_minor), None)


def webhook_times_fill() -> None:
    """Release 0.1.0 sets neither `WebhookEvent.sent_at` nor `first_processed_at`."""
    recent = WebhookEvent.objects.filter(created_at__gte=timezone.now() - WITHIN)
    for event in recent.filter(sent_at=None, content__has_key="created_at").only("content"):
        sent_at = datetime.fromisoformat(event.content["created_at"])
        WebhookEvent.objects.filter(pk=event.pk, sent_at=None).update(sent_at=sent_at)
    processed = recent.filter(first_processed_at=None, processed_at__isnull=False)
    processed.update(first_processed_at=F("processed_at"))
    changes_note(("messages", timezone.now() - WITHIN))  # later days are counted again anyway


def commission_rates_fill(within: timedelta) -> None:
    """Release 0.1.0 changes `Artisan.commission_ppm`, which is only the first of an artisan's rates."""
    for artisan in Artisan.objects.filter(updated_at__gte=timezone.now() - within):
        copied = CommissionRate.objects.filter(artisan=artisan, category=None, made_by=None).first()
        if artisan.commission_ppm != (copied.rate_ppm if copied else 0):
            CommissionRate.objects.create(
                artisan=artisan,
                currency=store_rules().currency,
                rate_ppm=artisan.commission_ppm,
                valid_from=timezone.now(),
            )


def parcel_cash_fill(within: timedelta) -> None:
    """Release 0.1.0 reverses receipts without `Parcel.cash_received_minor`."""
    since = timezone.now() - within
    reversed_ = ReceiptReversal.objects.filter(created_at__gte=since, receipt__parcel__isnull=False)
    for order_id in set(reversed_.order_by().values_list("receipt__payment__order", flat=True)):
        with transaction.atomic():
            order = order_lock(order_id)
            sums = receipts_naming_parcels(order)
            for parcel in order.parcels.all():
                if parcel.cash_received_minor != sums.get(parcel.pk, 0):
                    parcel.cash_received_minor = sums.get(parcel.pk, 0)
                    parcel.save(update_fields=["cash_received_minor", "updated_at"])


def held_lines_fill(within: timedelta) -> None:
    """Release 0.1.0 writes no `HeldLine`, by which the limits on unpaid orders find what unknown buyers hold."""
    recent = Order.objects.filter(created_at__gte=timezone.now() - within, lines__held=None)
    placed = {row.order_id for row in of_unknown_buyers(recent)}
    held_lines_write(list(OrderLine.objects.filter(order__in=placed)))


def earnings_fill() -> bool:
    """Book what artisans earned with orders of a release without earnings; continues in the next night if there are
    too many. Returns whether it came to the end; what failed is logged, and found by the check."""
    started = time.monotonic()
    run_each(
        payments_without_earnings().iterator(),
        payment_book,
        event="ledger_fill_failed",
        seconds=FILL_SECONDS,
    )
    return time.monotonic() - started < FILL_SECONDS


def payments_without_earnings() -> QuerySet[Payment, UUID]:
    """Keys of payments of released orders that were placed before the shop kept earnings, and have none yet."""
    migrations = MigrationRecorder.Migration.objects.filter(app="payments", name="0016_earnings")
    placed = Order.objects.filter(
        created_at__lt=migrations.values("applied")[:1], released_at__isnull=False, received_minor__gt=0
    )
    earnings = Earning.objects.filter(parcel__order=OuterRef("pk"))
    living = Parcel.objects.filter(order=OuterRef("pk")).exclude(status__in=PARCELS_ENDED)
    kept = F("received_minor") - F("refunded_minor") + F("goodwill_minor") + F("unassigned_minor")
    worth = F("total_minor") - F("cancelled_minor") - F("goods_refunded_minor")
    orders = placed.filter(GreaterThanOrEqual(kept, worth), Exists(living), ~Exists(earnings))
    return Payment.objects.filter(order__in=orders).order_by("pk").values_list("pk", flat=True)
