"""What is always true of orders, their lines, parcels and stock (docs/invariants.md)."""

from artisans.catalog.models import StockMove
from artisans.core.invariants import register_invariants
from orders.invariants import amounts, cancellations, shipments, statuses, stock
from orders.models import (
    LineCancellation,
    Order,
    OrderLine,
    OrderTransition,
    Parcel,
    ParcelTransition,
    Shipment,
    ShipmentLine,
)

register_invariants(
    *amounts.INVARIANTS,
    *statuses.INVARIANTS,
    *shipments.INVARIANTS,
    *cancellations.INVARIANTS,
    *stock.INVARIANTS,
    reads=(
        *(Order, OrderLine, Parcel, OrderTransition, ParcelTransition, Shipment, ShipmentLine),
        *(LineCancellation, StockMove),
    ),
)
