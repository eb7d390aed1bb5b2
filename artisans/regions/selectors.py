"""Which taxes apply at a place."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Subquery
from django.utils import timezone

from artisans.core.compiled import compiled
from artisans.regions.models import (
    STANDARD,
    Place,
    ShopCurrency,
    TaxRounding,
    TaxZone,
    TaxZoneArea,
    most_exact_area,
)


@dataclass(frozen=True, slots=True)
class LocalRate:
    """`rate_ppm` in millionths; `name` is what buyers read beside the amount."""

    rate_ppm: int
    name: str


@dataclass(frozen=True, slots=True)
class LocalTaxes:
    """The tax terms of a place. `rates` in force by key of the tax class; those of products without one under None.

    `step`: all amounts in the currency asked for are multiples of it, in minor units.
    """

    zone: str
    is_rounded_per_document: bool
    has_reverse_charge: bool
    step: int = 1
    rates: dict[int | None, LocalRate] = field(default_factory=dict)


@compiled
def tax_rows(
    countries: list[str], postal_prefixes: list[str], currency: str
) -> QuerySet[TaxZoneArea, tuple[Any, ...]]:
    """Areas with their zones and all rates of these, past and future ones too; and the currency's step."""
    step = ShopCurrency.objects.filter(code=currency).order_by().values("step_minor")
    areas = TaxZoneArea.objects.filter(country__any=countries, postal_prefix__any=postal_prefixes)
    return (
        areas.annotate(step=Subquery(step))
        .order_by()
        .values_list(
            *("country", "region", "postal_prefix", "step"),
            *("zone__name", "zone__rounding", "zone__has_reverse_charge"),
            *("zone__rates__tax_class", "zone__rates__tax_class__code"),
            *("zone__rates__rate_ppm", "zone__rates__name", "zone__rates__valid_from"),
        )
    )


def taxes_at(place: Place, *, at: datetime | None = None) -> LocalTaxes | None:
    """What applies there now, or at that time; None if no zone has the place: the shop does not sell there."""
    return local_taxes(tax_rows(place.countries, place.postal_prefixes, ""), place, at=at or timezone.now())


def local_taxes(rows: Iterable[tuple[Any, ...]], place: Place, *, at: datetime) -> LocalTaxes | None:
    """Shape: rows of `tax_rows`, in any order."""
    of_area: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        of_area.setdefault(row[:3], []).append(row[3:])
    areas = [
        TaxZoneArea(country=country, region=region, postal_prefix=prefix)
        for country, region, prefix in of_area
    ]
    area = most_exact_area(areas, place)
    if area is None:
        return None
    found = of_area[area.country, area.region, area.postal_prefix]
    step, name, rounding, has_reverse_charge = found[0][:4]
    taxes = LocalTaxes(name, rounding == TaxRounding.DOCUMENT, has_reverse_charge, step or 1)
    rates = [row[4:] for row in found if row[4] is not None and row[-1] <= at]
    for tax_class, code, rate_ppm, label, _start in sorted(rates, key=lambda rate: rate[-1]):
        taxes.rates[tax_class] = LocalRate(rate_ppm, label)
        if code == STANDARD:
            taxes.rates[None] = taxes.rates[tax_class]
    return taxes


def taxed_areas() -> QuerySet[TaxZoneArea]:
    """Those with a rate."""
    return TaxZoneArea.objects.filter(zone__in=taxed_zones())


def untaxed_areas() -> QuerySet[TaxZoneArea]:
    """Countries that have a zone of their own without a rate, and so are not "everywhere else"."""
    return TaxZoneArea.objects.exclude(zone__in=taxed_zones()).filter(region="", postal_prefix="")


def taxed_zones() -> QuerySet[TaxZone]:
    """Those with a rate in force, of any class."""
    return TaxZone.objects.filter(rates__valid_from__lte=timezone.now())


def taxed_countries() -> set[str]:
    """The countries with a rate, also of a part of them; "" for all others."""
    return set(taxed_areas().values_list("country", flat=True))
