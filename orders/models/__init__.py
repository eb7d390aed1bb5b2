from orders.models.line import OrderLine
from orders.models.order import Order
from orders.models.parcel import Earnings, Parcel
from orders.models.store_rules import NO_CONTACT, StoreRules, validate_country
from orders.models.transition import OrderTransition, ParcelTransition, Transition

__all__ = [
    "NO_CONTACT",
    "Earnings",
    "Order",
    "OrderLine",
    "OrderTransition",
    "Parcel",
    "ParcelTransition",
    "StoreRules",
    "Transition",
    "validate_country",
]
