"""Shipments hold units of their own parcel, none twice."""

from collections import defaultdict
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from artisans.core.invariants import Mismatch, flat
from orders.invariants.rows import Found, Orders, lines_of, name_of, of_orders, parcels_of
from orders.models import Shipment, ShipmentLine
from orders.statuses import PARCELS_WITH_SHIPMENTS


def shipments_of(chunk: Orders) -> list[Shipment]:
    return flat(chunk.children(Shipment, "parcel", flat(parcels_of(chunk))))


def find_units_shipped_twice(chunk: Orders) -> Found:
    shipped = defaultdict[UUID, int](int)
    for row in flat(chunk.children(ShipmentLine, "shipment", shipments_of(chunk))):
        shipped[row.line_id] += row.quantity
    for line in flat(lines_of(chunk)):
        if shipped[line.pk] > line.agreed_quantity:
            yield Mismatch(name_of(line), shipped[line.pk], line.agreed_quantity)


def find_units_of_other_parcels(chunk: Orders) -> Found:
    lines = {line.pk: line.parcel_id for line in flat(lines_of(chunk))}
    parcel_of = {shipment.pk: shipment.parcel_id for shipment in shipments_of(chunk)}
    for row in flat(chunk.children(ShipmentLine, "shipment", shipments_of(chunk))):
        if lines.get(row.line_id) != parcel_of[row.shipment_id]:
            yield Mismatch(row.shipment)


def find_shipments_of_unshipped_parcels(chunk: Orders) -> Found:
    for shipment in shipments_of(chunk):
        if shipment.parcel.status not in PARCELS_WITH_SHIPMENTS:
            yield Mismatch(shipment, shipment.parcel.status)


INVARIANTS = (
    of_orders(
        "shipment_units",
        "P11",
        _("No more units of a line are shipped than it has without cancelled ones."),
        _("Line %(row)s: %(stored)s units were shipped, but there are %(expected)s to ship."),
        find_units_shipped_twice,
    ),
    of_orders(
        "shipment_lines",
        "P11",
        _("A shipment has units of its own parcel only."),
        _("Shipment %(row)s has units of another parcel."),
        find_units_of_other_parcels,
    ),
    of_orders(
        "shipment_parcel",
        "P7",
        _("A parcel with a shipment is packed, shipped, delivered or returned."),
        _("Shipment %(row)s was sent, but its parcel is %(stored)s."),
        find_shipments_of_unshipped_parcels,
    ),
)
