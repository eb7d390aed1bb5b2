"""Values of metrics over a period, from cells."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from django.db.models import Q, Sum

from artisans.core.changes import day_of
from artisans.core.money import exponent_of
from artisans.figures.counting import horizon, version_of
from artisans.figures.days import DAY, today
from artisans.figures.families import FAMILIES
from artisans.figures.intervals import THIN, share, wilson
from artisans.figures.models import CountedDay
from artisans.figures.registry import Metric, Total, Unit

Sums = dict[str, dict[str, int]]  # by key of the series, and currency ("" for all)


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the shop, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Figure:
    """`value`: a share, a mean amount in the currency, or a count; None without a denominator. `currency`: "" for
    figures of all currencies."""

    currency: str
    numerator: int
    denominator: int | None
    value: Decimal | None
    is_thin: bool
    interval: tuple[Decimal, Decimal] | None


def figures_of(metric: Metric, period: Period, filters: Mapping[str, str] | None = None) -> list[Figure]:
    """The figure of the whole period; one for each currency where money is counted."""
    return series_of(metric, period, filters).get("", [])


def series_of(
    metric: Metric, period: Period, filters: Mapping[str, str] | None = None, *, group_by: str = ""
) -> dict[str, list[Figure]]:
    """Figures by day ("day") or by the values of a dimension. Sums are divided at the end: shares are never averaged.

    Errors: ValueError for a dimension that the metric does not have.
    """
    if unknown := {*(filters or {}), group_by} - {*metric.dimensions, "day", ""}:
        raise ValueError(f"{metric.name} cannot be divided by {', '.join(sorted(unknown))}.")
    above = sums_of(metric.numerator, period, filters or {}, group_by, is_per_currency=metric.is_per_currency)
    below = (
        sums_of(metric.denominator, period, filters or {}, group_by, is_per_currency=metric.is_per_currency)
        if metric.denominator
        else {}
    )
    keys = sorted(above.keys() | below.keys()) or ([""] if not group_by else [])
    return {key: list(figures(metric, above.get(key, {}), below.get(key, {}))) for key in keys}


def figures(metric: Metric, above: Mapping[str, int], below: Mapping[str, int]) -> list[Figure]:
    currencies = sorted(above.keys() | below.keys()) or ([] if metric.is_per_currency else [""])
    return [
        figure(metric, currency, above.get(currency, 0), below.get(currency, 0)) for currency in currencies
    ]


def figure(metric: Metric, currency: str, above: int, below: int) -> Figure:
    if metric.denominator is None:
        return Figure(currency, above, None, Decimal(above), is_thin=False, interval=None)
    counts_rows = metric.unit == Unit.SHARE and not metric.is_per_currency
    return Figure(
        currency,
        above,
        below,
        mean_amount(above, below, currency) if metric.unit == Unit.MONEY else share(above, below),
        is_thin=below < THIN and (counts_rows or metric.unit == Unit.MONEY),
        interval=wilson(above, below) if counts_rows else None,
    )


def mean_amount(minor: int, count: int, currency: str) -> Decimal | None:
    if not count:
        return None
    places = exponent_of(currency)
    return (
        (Decimal(minor) / count)
        .scaleb(-places)
        .quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    )


def sums_of(
    total: Total, period: Period, filters: Mapping[str, str], group_by: str, *, is_per_currency: bool
) -> Sums:
    model = FAMILIES[total.family].model
    names = [name for name in (group_by, "currency" if is_per_currency else "") if name]
    rows = model._default_manager.filter(current_days(total.family, period), **filters)
    for name, values in total.only:
        rows = rows.filter(**{f"{name}__in": values})
    found: Sums = defaultdict(dict)
    sums = {f"sum_{name}": Sum(name) for name in total.measures}
    grouped = rows.order_by().values(*names).annotate(**sums) if names else [rows.aggregate(**sums)]
    for row in grouped:
        key = str(row[group_by]) if group_by else ""
        currency = row["currency"] if is_per_currency else ""
        found[key][currency] = sum(row[name] or 0 for name in sums)
    return dict(found)


def current_days(family: str, period: Period) -> Q:
    """Days that were counted by the present definition: a mixture of two would be no figure at all."""
    current = CountedDay.objects.filter(
        family=family,
        version=version_of(FAMILIES[family]),
        day__gte=period.first,
        day__lte=period.last,
    )
    return Q(day__gte=period.first, day__lte=period.last, day__in=current.values("day"))


def days_uncounted(metric: Metric, period: Period) -> int:
    """How many days of the period are still being counted; those of which facts exist."""
    return sum(uncounted(total.family, period) for total in (metric.numerator, metric.denominator) if total)


def uncounted(name: str, period: Period) -> int:
    family = FAMILIES[name]
    first = family.first()
    if first is None:
        return 0
    begin, end = max(period.first, day_of(first), horizon(family)), min(period.last, today())
    counted = CountedDay.objects.filter(
        family=name, version=version_of(family), day__gte=begin, day__lte=end
    ).count()
    return max(0, (end - begin) // DAY + 1 - counted)
