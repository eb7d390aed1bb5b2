from orders.models.cancellation import LineCancellation
from orders.models.carrier import Carrier
from orders.models.line import LINE_NET, HeldLine, OrderLine
from orders.models.order import MAY_AWAIT_MONEY, Order
from orders.models.parcel import SHIPPING_CHARGED, Earnings, Parcel
from orders.models.shipment import Shipment, ShipmentCorrection, ShipmentLine
from orders.models.store_rules import NO_CONTACT, StoreRules, validate_country
from orders.models.transition import OrderTransition, ParcelTransition, Transition

__all__ = [
    "LINE_NET",
    "MAY_AWAIT_MONEY",
    "NO_CONTACT",
    "SHIPPING_CHARGED",
    "Carrier",
    "Earnings",
    "HeldLine",
    "LineCancellation",
    "Order",
    "OrderLine",
    "OrderTransition",
    "Parcel",
    "ParcelTransition",
    "Shipment",
    "ShipmentCorrection",
    "ShipmentLine",
    "StoreRules",
    "Transition",
    "validate_country",
]
