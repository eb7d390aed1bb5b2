"""Statuses of orders and parcels follow from their amounts, parcels and history."""

from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Mismatch, compare, flat
from orders.invariants.rows import Found, Orders, find_wrong_histories, of_orders, parcels_of
from orders.models import OrderTransition, ParcelTransition
from orders.statuses import (
    ORDER_TRANSITIONS,
    ORDERS_CLOSED,
    PARCEL_TRANSITIONS,
    OrderStatus,
    ParcelStatus,
    order_status_of,
    payment_status_of,
)


def find_wrong_payment_statuses(chunk: Orders) -> Found:
    for order in chunk.rows:
        expected = payment_status_of(
            total=order.total_minor,
            received=order.received_minor,
            refunded=order.refunded_minor,
            agreed=order.agreed_total_minor,
        )
        yield from compare(order, order.payment_status, expected.value)


def find_unreleased(chunk: Orders) -> Found:
    before = {OrderStatus.PENDING, *ORDERS_CLOSED}
    for order in chunk.rows:
        if order.status not in before and order.released_at is None:
            yield Mismatch(order, order.status)


def find_waiting_for_nothing(chunk: Orders) -> Found:
    for order in chunk.rows:
        if order.is_waiting_for_payment and not order.balance_due:
            yield Mismatch(order)


def find_wrong_statuses(chunk: Orders) -> Found:
    """A released order's status follows from its parcels."""
    parcels = parcels_of(chunk)
    for order in chunk.rows:
        if order.released_at is None or not parcels[order.pk] or order.status in ORDERS_CLOSED:
            continue
        expected = order_status_of([ParcelStatus(row.status) for row in parcels[order.pk]])
        yield from compare(order, order.status, expected.value)


# ---- histories -------------------------------------------------------------------------------------------------


def find_wrong_order_histories(chunk: Orders) -> Found:
    yield from find_wrong_histories(chunk.rows, chunk.children(OrderTransition, "order"), ORDER_TRANSITIONS)


def find_wrong_parcel_histories(chunk: Orders) -> Found:
    parcels = flat(parcels_of(chunk))
    history = chunk.children(ParcelTransition, "parcel", parcels)
    yield from find_wrong_histories(parcels, history, PARCEL_TRANSITIONS, begin=ParcelStatus.NEW.value)


# ---- the list --------------------------------------------------------------------------------------------------

INVARIANTS = (
    of_orders(
        "order_payment_status",
        "P4",
        _("The payment status of an order follows from its amounts."),
        _("Order %(row)s: the payment status is %(stored)s, but by its amounts it is %(expected)s."),
        find_wrong_payment_statuses,
    ),
    of_orders(
        "order_released",
        "P7",
        _("Only released orders are prepared and shipped."),
        _("Order %(row)s is %(stored)s, but was never released."),
        find_unreleased,
    ),
    of_orders(
        "order_waiting",
        "P4",
        _("Parcels wait for money only while some is due."),
        _("Order %(row)s: its parcels wait for money, but nothing is due."),
        find_waiting_for_nothing,
    ),
    of_orders(
        "order_status",
        "P7",
        _("The status of a released order follows from its parcels."),
        _("Order %(row)s is %(stored)s, but by its parcels it is %(expected)s."),
        find_wrong_statuses,
    ),
    of_orders(
        "order_history",
        "P7",
        _(
            "The status of an order is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Order %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_order_histories,
    ),
    of_orders(
        "parcel_history",
        "P7",
        _(
            "The status of a parcel is the last one of its history, whose changes are allowed and follow each other."
        ),
        _(
            "Parcel %(row)s: its status or a change of it is %(stored)s, but by its history it is %(expected)s."
        ),
        find_wrong_parcel_histories,
    ),
)
