"""The amounts of orders are those of their payments and refunds."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Mismatch, compare
from orders.invariants.rows import Found, Orders, lines_of, of_orders, parcels_of
from orders.models import Order
from orders.statuses import ORDERS_CLOSED, PARCELS_ENDED, PARCELS_UNSHIPPED
from payments.invariants.rows import payments_of, refund_lines_of, refunds_of, total
from payments.models import Payment, PaymentRefund, RefundDecision, RefundOrigin
from payments.statuses import OPEN, RefundStatus

TO_WITHDRAW = timedelta(days=1)  # a payment at a provider, from the order's last change on


def find_wrong_received_of_orders(chunk: Orders) -> Found:
    payments = payments_of(chunk)
    for order in chunk.rows:
        received = sum(payment.received_minor for payment in payments[order.pk])
        yield from compare(order, order.received, order.money(received))


def find_wrong_refunded_of_orders(chunk: Orders) -> Found:
    payments = payments_of(chunk)
    for order in chunk.rows:
        refunded = sum(row.refunded_minor + row.disputed_minor for row in payments[order.pk])
        yield from compare(order, order.refunded, order.money(refunded))


def find_open_twice(chunk: Orders) -> Found:
    for order, payments in open_payments(chunk):
        if len(payments) > 1:
            yield Mismatch(order, len(payments))


def find_payable_without_need(chunk: Orders) -> Found:
    """At a provider, the next checks withdraw it, or the one after its review."""
    lately = timezone.now() - TO_WITHDRAW
    for order, payments in open_payments(chunk):
        is_closed, has_changed = order.status in ORDERS_CLOSED, order.updated_at > lately
        payable = [
            row for row in payments if is_closed or not (row.next_check_at and (has_changed or row.in_review))
        ]
        if payable and (is_closed or not order.due_now):
            yield Mismatch(order, payable[0], order.due_now)


def open_payments(chunk: Orders) -> Iterator[tuple[Order, list[Payment]]]:
    payments = payments_of(chunk)
    for order in chunk.rows:
        yield order, [payment for payment in payments[order.pk] if payment.status in OPEN]


def find_due_though_refunded(chunk: Orders) -> Found:
    """No parcel is due to be shipped when all of the order's money was refunded."""
    payments, parcels = payments_of(chunk), parcels_of(chunk)
    for order in chunk.rows:
        reserved = sum(payment.refund_reserved_minor for payment in payments[order.pk])
        kept = order.received_minor - order.refunded_minor - reserved
        was_paid = 0 < order.received_minor >= order.agreed_total_minor
        if order.is_alive and order.released_at and was_paid and kept <= 0:
            for parcel in parcels[order.pk]:
                if parcel.status in PARCELS_UNSHIPPED and not parcel.instruction:
                    yield Mismatch(parcel)


# ---- what is owed ----------------------------------------------------------------------------------------------


def completed_refunds(chunk: Orders, order: Order) -> list[PaymentRefund]:
    payments, refunds = payments_of(chunk), refunds_of(chunk)
    found = (refund for payment in payments[order.pk] for refund in refunds[payment.pk])
    return [refund for refund in found if refund.status == RefundStatus.COMPLETED]


def find_wrong_goods_refunded(chunk: Orders) -> Found:
    """Refunds of goods and shipping of parcels that are neither cancelled nor returned, without cancelled units."""
    parcels, lines, refunded = parcels_of(chunk), lines_of(chunk), refund_lines_of(chunk)
    for order in chunk.rows:
        here = {row.pk: row for row in parcels[order.pk] if row.status not in PARCELS_ENDED}
        refunds = completed_refunds(chunk, order)
        named = Counter[UUID]()
        for row in (row for refund in refunds for row in refunded[refund.pk]):
            named[row.order_line_id] += row.amount_minor
        goods = sum(line.goods_refunded(named[line.pk]) for line in lines[order.pk] if line.parcel_id in here)
        shipping = sum(refund.shipping_minor for refund in refunds)
        goods += min(shipping, sum(parcel.shipping_charged_minor for parcel in here.values()))
        yield from compare(order, order.money(order.goods_refunded_minor), order.money(goods))


def find_wrong_goodwill(chunk: Orders) -> Found:
    for order in chunk.rows:
        goodwill = sum(refund.goodwill_minor for refund in completed_refunds(chunk, order))
        yield from compare(order, order.goodwill, order.money(goodwill))


def find_wrong_unassigned(chunk: Orders) -> Found:
    """Refunds at the provider of which nobody decided yet what they were for, and lost disputes."""
    payments = payments_of(chunk)
    for order in chunk.rows:
        unassigned = sum(payment.disputed_minor for payment in payments[order.pk])
        unassigned += total(
            refund
            for refund in completed_refunds(chunk, order)
            if refund.origin == RefundOrigin.PROVIDER and refund.decision == RefundDecision.PENDING
        )
        yield from compare(order, order.unassigned, order.money(unassigned))


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    of_orders(
        "order_received",
        "P4",
        _("What an order received is the sum of its payments."),
        _("Order %(row)s received %(stored)s, but its payments received %(expected)s."),
        find_wrong_received_of_orders,
    ),
    of_orders(
        "order_refunded",
        "P4",
        _("What was refunded for an order is the sum of its payments’ refunds and lost disputes."),
        _("Order %(row)s: %(stored)s were refunded, but of its payments %(expected)s."),
        find_wrong_refunded_of_orders,
    ),
    of_orders(
        "order_one_open_payment",
        "P4",
        _("An order has at most one open payment."),
        _("Order %(row)s has %(stored)s open payments."),
        find_open_twice,
    ),
    of_orders(
        "order_nothing_to_pay",
        "P4",
        _("An order that is closed, or owes nothing, has no open payment."),
        _("Order %(row)s: payment %(stored)s can be paid, but %(expected)s are due."),
        find_payable_without_need,
    ),
    of_orders(
        "parcel_of_refunded_order",
        "P4",
        _("No parcel is due to be shipped when all money of its order was refunded."),
        _("Parcel %(row)s is due to be shipped, but all money of its order was refunded."),
        find_due_though_refunded,
    ),
    of_orders(
        "order_goods_refunded",
        "P4",
        _("Refunds of goods lower what an order costs by exactly those goods."),
        _("Order %(row)s: %(stored)s count as refunded goods, but by its refunds it is %(expected)s."),
        find_wrong_goods_refunded,
    ),
    of_orders(
        "order_goodwill",
        "P4",
        _("The goodwill of an order is the sum of its completed refunds’ goodwill."),
        _("Order %(row)s: %(stored)s count as goodwill, but by its refunds it is %(expected)s."),
        find_wrong_goodwill,
    ),
    of_orders(
        "order_unassigned",
        "P4",
        _("Refunds at a provider, and lost disputes, are unassigned until staff decide what they were for."),
        _("Order %(row)s: %(stored)s are unassigned, but by its refunds and disputes it is %(expected)s."),
        find_wrong_unassigned,
    ),
)
