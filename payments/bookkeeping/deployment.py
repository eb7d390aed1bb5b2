"""Repairs of rows that processes of the release before wrote on today's schema while they were replaced."""

from datetime import datetime, timedelta
from itertools import accumulate

from django.utils import timezone

from artisans.catalog.models import Artisan, CommissionRate
from orders.holds import of_unknown_buyers
from orders.models import Order, OrderLine
from orders.selectors import store_rules
from orders.services.placing import held_lines_write
from orders.statuses import OrderPaymentStatus
from payments.models import Capture, Receipt

WITHIN = timedelta(days=2)  # of tasks that run every night
JUST_NOW = timedelta(minutes=5)  # of tasks that run every minute


def paid_at_fill() -> None:
    """Release 0.1.0 does not set `Order.paid_at`."""
    recent = Order.objects.filter(updated_at__gte=timezone.now() - WITHIN)
    for order in recent.filter(paid_at=None, payment_status=OrderPaymentStatus.PAID):
        if paid_at := find_paid_at(order):
            Order.objects.filter(pk=order.pk, paid_at=None).update(paid_at=paid_at)


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


def held_lines_fill(within: timedelta) -> None:
    """Release 0.1.0 writes no `HeldLine`, by which the limits on unpaid orders find what unknown buyers hold."""
    recent = Order.objects.filter(created_at__gte=timezone.now() - within, lines__held=None)
    placed = {row.order_id for row in of_unknown_buyers(recent)}
    held_lines_write(list(OrderLine.objects.filter(order__in=placed)))
