from artisans.shipping.models.shipping import (
    ChargedPer,
    MethodKind,
    ShippingMethod,
    ShippingRate,
    ShippingZone,
    ShippingZoneArea,
)

__all__ = [
    "ChargedPer",
    "MethodKind",
    "ShippingMethod",
    "ShippingRate",
    "ShippingZone",
    "ShippingZoneArea",
]
