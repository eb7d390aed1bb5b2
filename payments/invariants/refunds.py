"""Refunds are worth what they name, and give back no more than it cost."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import StockMove, StockMoveKind
from artisans.core.invariants import Mismatch, compare, flat
from artisans.core.money import Money
from orders.invariants.rows import (
    Found,
    Orders,
    cancellations_of,
    find_wrong_histories,
    lines_of,
    moves_condition,
    name_of,
    of_orders,
    parcels_of,
)
from payments.invariants.rows import payments_of, refund_lines_of, refunds_of, total
from payments.models import RefundLine, RefundOrigin, RefundTransition
from payments.statuses import REFUND_TRANSITIONS, RefundStatus


def counted_lines(chunk: Orders) -> Iterator[RefundLine]:
    """Of refunds that have not failed."""
    for line in flat(refund_lines_of(chunk)):
        if line.refund.status != RefundStatus.FAILED:
            yield line


def find_wrong_refund_amounts(chunk: Orders) -> Found:
    """A refund of named units is their value; made at the provider, its amount is the provider's."""
    lines = refund_lines_of(chunk)
    for refund in flat(refunds_of(chunk)):
        value = total(lines[refund.pk]) + refund.shipping_minor
        if value and refund.origin != RefundOrigin.PROVIDER:
            yield from compare(refund, refund.amount, Money.stored(value, refund.currency))


def find_wrong_refunded_units(chunk: Orders) -> Found:
    units: Counter[Any] = Counter()
    for row in counted_lines(chunk):
        units[row.order_line_id] += row.quantity
    for line in flat(lines_of(chunk)):
        yield from compare(name_of(line), line.refunded_quantity, units[line.pk])


def find_wrong_refunded_money(chunk: Orders) -> Found:
    """Refunds and cancelled units of a line give back at most what it cost, and with its last unit all of it."""
    sums: Counter[Any] = Counter()
    for row in counted_lines(chunk):
        sums[row.order_line_id] += row.amount_minor
    for line in flat(lines_of(chunk)):
        price = line.charged_minor
        refunded = line.cancelled_minor + line.goods_refunded(sums[line.pk])
        if refunded > price or (not line.refundable_quantity and refunded != price):
            yield Mismatch(name_of(line), line.order.money(refunded), line.order.money(price))


def find_too_much_shipping(chunk: Orders) -> Found:
    refunds, payments, parcels = refunds_of(chunk), payments_of(chunk), parcels_of(chunk)
    for order in chunk.rows:
        shipping = sum(
            refund.shipping_minor
            for payment in payments[order.pk]
            for refund in refunds[payment.pk]
            if refund.status != RefundStatus.FAILED
        )
        charged = order.money(sum(parcel.shipping_charged_minor for parcel in parcels[order.pk]))
        if shipping > charged.minor:
            yield Mismatch(order, order.money(shipping), charged)


def find_wrong_restocks(chunk: Orders) -> Found:
    """A refund restocks only if it was asked to, and at most its units. So do cancelled units."""
    cancelled = {row.pk: row for row in flat(cancellations_of(chunk))}
    lines = {line.pk: line for line in flat(refund_lines_of(chunk))}
    moves = chunk.children(StockMove, "order_line", flat(lines_of(chunk)), where=moves_condition)
    for move in flat(moves):
        if move.kind == StockMoveKind.RESTOCK:
            line = lines.get(move.refund_line)
            allowed = line.quantity if line and line.refund.restock else 0
            if row := cancelled.get(move.refund_line):
                allowed = row.quantity if row.restocked else 0
            if move.quantity > allowed:
                yield Mismatch(line.refund if line else move.refund_line, move.quantity, allowed)


def find_wrong_refund_histories(chunk: Orders) -> Found:
    refunds = flat(refunds_of(chunk))
    history = chunk.children(RefundTransition, "refund", refunds)
    yield from find_wrong_histories(refunds, history, REFUND_TRANSITIONS)


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    of_orders(
        "refund_amount",
        "P5",
        _("A refund of named units is worth them and the shipping named."),
        _("Refund %(row)s is %(stored)s, but its units and shipping are worth %(expected)s."),
        find_wrong_refund_amounts,
    ),
    of_orders(
        "line_refunded_units",
        "P5",
        _("The refunded units of a line are those of its refunds."),
        _("Line %(row)s: %(stored)s units are refunded, but by its refunds %(expected)s."),
        find_wrong_refunded_units,
    ),
    of_orders(
        "line_refunded_money",
        "P5",
        _(
            "Refunds and cancelled units of a line give back at most what it cost, and with its last unit exactly that."
        ),
        _("Line %(row)s: refunds and cancelled units gave back %(stored)s, but it cost %(expected)s."),
        find_wrong_refunded_money,
    ),
    of_orders(
        "order_refunded_shipping",
        "P5",
        _("Refunds give back at most the shipping of an order."),
        _("Order %(row)s: refunds gave back %(stored)s of shipping, but it cost %(expected)s."),
        find_too_much_shipping,
    ),
    of_orders(
        "refund_restocked",
        "P12",
        _(
            "A refund, or a cancellation of units, restocks only units that it names, and only if it was asked to."
        ),
        _("Refund %(row)s restocked %(stored)s units, but may restock %(expected)s."),
        find_wrong_restocks,
    ),
    of_orders(
        "refund_history",
        "P7",
        _(
            "The status of a refund is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Refund %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_refund_histories,
    ),
)
