"""Units that artisans cannot deliver are counted on their line and parcel."""

from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import compare, flat
from artisans.core.money import Money
from orders.invariants.rows import (
    Found,
    Orders,
    cancellations_of,
    lines_by_parcel,
    lines_of,
    name_of,
    of_orders,
    parcels_of,
)


def find_wrong_cancelled_units(chunk: Orders) -> Found:
    """Their number, how many of them are lost, and how many had been refunded."""
    rows = cancellations_of(chunk)
    for line in flat(lines_of(chunk)):
        own = rows[line.pk]
        for stored, expected in (
            (line.cancelled_quantity, sum(row.quantity for row in own)),
            (line.lost_quantity, sum(row.quantity for row in own if not row.restocked)),
            (line.cancelled_refunded_quantity, sum(row.refunded_quantity for row in own)),
        ):
            yield from compare(name_of(line), stored, expected)


def find_wrong_cancelled_money(chunk: Orders) -> Found:
    rows = cancellations_of(chunk)
    for line in flat(lines_of(chunk)):
        own = rows[line.pk]
        for stored, expected in (
            (line.cancelled_minor, sum(row.amount_minor for row in own)),
            (line.cancelled_refunded_minor, sum(row.refunded_minor for row in own)),
        ):
            yield from compare(name_of(line), line.order.money(stored), line.order.money(expected))


def find_wrong_cancelled_of_parcels(chunk: Orders) -> Found:
    lines = lines_by_parcel(chunk)
    for parcel in flat(parcels_of(chunk)):
        minor = sum(line.cancelled_minor for line in lines[parcel.pk])
        yield from compare(parcel, parcel.cancelled, Money.stored(minor, parcel.currency))


INVARIANTS = (
    of_orders(
        "line_cancelled_units",
        "P11",
        _("The cancelled units of a line are those that its artisan could not deliver."),
        _(
            "Line %(row)s: %(stored)s units are cancelled, lost or refunded before, but by their rows %(expected)s."
        ),
        find_wrong_cancelled_units,
    ),
    of_orders(
        "line_cancelled_money",
        "P1",
        _("A line costs less by the amounts of its cancelled units."),
        _("Line %(row)s: its cancelled units cost %(stored)s, but by their rows %(expected)s."),
        find_wrong_cancelled_money,
    ),
    of_orders(
        "parcel_cancelled",
        "P1",
        _("A parcel costs less by the cancelled units of its lines."),
        _("Parcel %(row)s: its cancelled units cost %(stored)s, but those of its lines %(expected)s."),
        find_wrong_cancelled_of_parcels,
    ),
)
