"""Zones and methods as staff and artisans enter them."""

from typing import Any

from artisans.shipping.models import ShippingMethod, ShippingRate, ShippingZone, ShippingZoneArea


def shipping_zone(name: str, *areas: tuple[str, ...]) -> ShippingZone:
    """Areas as (country, region, postal prefix), the last two optional."""
    zone = ShippingZone.objects.get_or_create(name=name)[0]
    for area in areas:
        names = dict(zip(("country", "region", "postal_prefix"), area, strict=False))
        ShippingZoneArea.objects.update_or_create(**names, defaults={"zone": zone})
    return zone


def shipping_method(
    zone: ShippingZone,
    name: str,
    *tiers: tuple[int, int, int],
    currency: str = "USD",
    **fields: Any,
) -> ShippingMethod:
    """Tiers as (weight from, goods from, price)."""
    if fields.get("artisan"):
        fields.setdefault("charged_per", "parcel")
    method = ShippingMethod.objects.create(zone=zone, name=name, **fields)
    for weight_g, goods, price in tiers:
        ShippingRate.objects.create(
            method=method, currency=currency, min_weight_g=weight_g, min_goods_minor=goods, price_minor=price
        )
    return method
