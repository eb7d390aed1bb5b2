"""Values of metrics over a period, from cells."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from django.db.models import Q, QuerySet, Sum

from artisans.core.changes import day_of
from artisans.core.money import exponent_of
from artisans.figures.counting import horizon, version_of
from artisans.figures.days import DAY, today
from artisans.figures.durations import Buckets, percentile
from artisans.figures.families import FAMILIES
from artisans.figures.intervals import THIN, share, wilson
from artisans.figures.models import Cell, CountedDay
from artisans.figures.registry import Metric, Total, Unit

Sums = dict[str, dict[str, int]]  # by key of the series, and currency ("" for all)


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the shop, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Figure:
    """`value`: a share, a mean amount in the currency, a count, or the first percentile in seconds; None without a
    denominator or a duration. `numerator`: of durations, how many there are. `currency`: "" for figures of all
    currencies."""

    currency: str
    numerator: int
    denominator: int | None
    value: Decimal | None
    is_thin: bool
    interval: tuple[Decimal, Decimal] | None
    percentiles: dict[int, Decimal] = field(default_factory=dict)  # in seconds


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
    if metric.unit == Unit.SECONDS:
        times = times_of(metric.numerator, period, filters or {}, group_by)
        return {key: [duration(metric, times[key])] for key in sorted(times)}
    above = sums_of(metric.numerator, period, filters or {}, group_by, is_per_currency=metric.is_per_currency)
    below = whole_of(metric, period, filters or {}, group_by, above)
    keys = sorted(above.keys() | below.keys()) or ([""] if not group_by else [])
    return {key: list(figures(metric, above.get(key, {}), below.get(key, {}))) for key in keys}


def whole_of(
    metric: Metric, period: Period, filters: Mapping[str, str], group_by: str, above: Iterable[str]
) -> Sums:
    """The denominators; of a mix, one for all keys."""
    if metric.denominator is None:
        return {}
    filters = {name: value for name, value in filters.items() if name != metric.mix_of}
    is_mixed = bool(group_by) and group_by == metric.mix_of
    sums = sums_of(
        metric.denominator,
        period,
        filters,
        "" if is_mixed else group_by,
        is_per_currency=metric.is_per_currency,
    )
    return dict.fromkeys(above, sums.get("", {})) if is_mixed else sums


def duration(metric: Metric, times: Buckets) -> Figure:
    values = {
        percent: value for percent in metric.percentiles if (value := percentile(times, percent)) is not None
    }
    count = times.total()
    value = values.get(metric.percentiles[0])
    return Figure("", count, None, value, is_thin=count < THIN, interval=None, percentiles=values)


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
    names = [name for name in (group_by, "currency" if is_per_currency else "") if name]
    rows = cells_in(total, period, filters)
    found: Sums = defaultdict(dict)
    sums = {f"sum_{name}": Sum(name) for name in total.measures}
    grouped = rows.order_by().values(*names).annotate(**sums) if names else [rows.aggregate(**sums)]
    for row in grouped:
        key = str(row[group_by]) if group_by else ""
        currency = row["currency"] if is_per_currency else ""
        if (value := sum(row[name] or 0 for name in sums)) or not group_by:
            found[key][currency] = value
    return dict(found)


def times_of(total: Total, period: Period, filters: Mapping[str, str], group_by: str) -> dict[str, Buckets]:
    """Durations by key of the series; without a series there is always one."""
    found: dict[str, Buckets] = {} if group_by else {"": Counter()}
    for *key, times in cells_in(total, period, filters).values_list(
        *([group_by] if group_by else []), *total.measures
    ):
        if times:
            found.setdefault(str(key[0]) if key else "", Counter()).update(times)
    return found


def cells_in(total: Total, period: Period, filters: Mapping[str, str]) -> QuerySet[Cell]:
    rows = FAMILIES[total.family].model._default_manager.filter(current_days(total.family, period), **filters)
    for name, values in total.only:
        rows = rows.filter(**{f"{name}__in": values})
    return rows


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
