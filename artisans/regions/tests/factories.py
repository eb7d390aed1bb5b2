"""Zones as staff enter them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from artisans.regions.models import STANDARD, TaxClass, TaxRate, TaxZone, TaxZoneArea

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def tax_class(code: str = STANDARD) -> TaxClass:
    return TaxClass.objects.get_or_create(code=code, defaults={"name": code.capitalize()})[0]


def tax_zone(
    name: str, *areas: tuple[str, ...], rates: Mapping[str, int] | None = None, **fields: Any
) -> TaxZone:
    """Shapes: areas as (country, region, postal prefix), the last two optional; rates in millionths by class."""
    zone, _is_new = TaxZone.objects.update_or_create(name=name, defaults=fields)
    for area in areas:
        names = dict(zip(("country", "region", "postal_prefix"), area, strict=False))
        TaxZoneArea.objects.update_or_create(**names, defaults={"zone": zone})
    for code, rate_ppm in (rates or {}).items():
        tax_rate(zone, rate_ppm, code=code)
    return zone


def tax_rate(
    zone: TaxZone, rate_ppm: int, *, code: str = STANDARD, start: datetime = LONG_AGO, name: str = "VAT"
) -> TaxRate:
    return TaxRate.objects.create(
        zone=zone, tax_class=tax_class(code), rate_ppm=rate_ppm, valid_from=start, name=name
    )
