"""Which shipping methods are offered at a place."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import FilteredRelation, Q, QuerySet

from artisans.core.compiled import compiled
from artisans.regions.models import Place, most_exact_area
from artisans.shipping.choosing import Method, Tier
from artisans.shipping.models import ChargedPer, MethodKind, ShippingRate, ShippingZoneArea


@compiled
def method_rows(
    countries: list[str], postal_prefixes: list[str], artisan_ids: list[UUID]
) -> QuerySet[ShippingZoneArea, tuple[Any, ...]]:
    """Areas with the methods of their zones that are offered by the shop or these artisans, and all rates of these.

    Joined with a condition, because an area without a method still takes the place of less exact ones.
    """
    offered = Q(zone__methods__is_active=True) & (
        Q(zone__methods__artisan__isnull=True) | Q(zone__methods__artisan__any=artisan_ids)
    )
    areas = ShippingZoneArea.objects.filter(country__any=countries, postal_prefix__any=postal_prefixes)
    return (
        areas.annotate(method=FilteredRelation("zone__methods", condition=offered))
        .order_by()
        .values_list(
            *("country", "region", "postal_prefix"),
            *("method__id", "method__artisan", "method__name", "method__kind", "method__charged_per"),
            *("method__min_days", "method__max_days", "method__position"),
            *("method__rates__currency", "method__rates__min_weight_g"),
            *("method__rates__min_goods_minor", "method__rates__price_minor"),
        )
    )


def methods_at(place: Place, *, artisan_ids: Iterable[UUID], currency: str) -> list[Method]:
    """What the shop and these artisans offer there in this currency; nothing outside all zones."""
    rows = method_rows(place.countries, place.postal_prefixes, list(artisan_ids))
    return local_methods(rows, place, currency=currency)


def local_methods(rows: Iterable[tuple[Any, ...]], place: Place, *, currency: str) -> list[Method]:
    """Shape: rows of `method_rows`, in any order. A method without a rate in the currency has no tiers."""
    of_area: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        of_area.setdefault(row[:3], []).append(row[3:])
    areas = [
        ShippingZoneArea(country=country, region=region, postal_prefix=prefix)
        for country, region, prefix in of_area
    ]
    area = most_exact_area(areas, place)
    if area is None:
        return []
    methods: dict[int, tuple[Any, ...]] = {}
    tiers: dict[int, list[Tier]] = {}
    for row in of_area[area.country, area.region, area.postal_prefix]:
        pk, (rate_currency, *bounds) = row[0], row[8:]
        if pk is not None:
            methods[pk] = row[1:8]
            tiers.setdefault(pk, []).extend([Tier(*bounds)] if rate_currency == currency else [])
    return [
        Method(
            id=pk,
            artisan_id=artisan_id,
            name=name,
            is_pickup=kind == MethodKind.PICKUP,
            is_per_parcel=charged_per == ChargedPer.PARCEL,
            min_days=min_days,
            max_days=max_days,
            position=position,
            tiers=tuple(tiers[pk]),
        )
        for pk, (artisan_id, name, kind, charged_per, min_days, max_days, position) in methods.items()
    ]


def shipped_areas() -> QuerySet[ShippingZoneArea]:
    """Those with a method."""
    priced = ShippingRate.objects.filter(method__is_active=True).values("method__zone")
    return ShippingZoneArea.objects.filter(zone__in=priced)


def unshipped_areas() -> QuerySet[ShippingZoneArea]:
    """Countries that have a zone of their own without a method, and so are not "everywhere else"."""
    priced = ShippingRate.objects.filter(method__is_active=True).values("method__zone")
    return ShippingZoneArea.objects.exclude(zone__in=priced).filter(region="", postal_prefix="")


def shipped_countries() -> set[str]:
    """The countries with a method, also for a part of them; "" for all others."""
    return set(shipped_areas().values_list("country", flat=True))
