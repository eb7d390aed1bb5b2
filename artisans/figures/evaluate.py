"""Values of metrics over a period, from cells: all metrics of a page in one query."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.core.cache import cache
from django.db.models import (
    Aggregate,
    CharField,
    Count,
    F,
    Max,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Concat, Substr, Trunc

from artisans.core.changes import day_of
from artisans.core.models import ChangeMark, Heartbeat
from artisans.core.money import exponent_of
from artisans.figures.counting import DRAIN, horizon, version_of
from artisans.figures.days import DAY, Period, today
from artisans.figures.durations import Buckets, percentile
from artisans.figures.families import FAMILIES
from artisans.figures.intervals import THIN, share, wilson
from artisans.figures.models import CountedDay
from artisans.figures.registry import Metric, Total, Unit

HOUR = "hour"  # of a day; a dimension, since not all metrics have it
KNOWN_FOR, A_MOMENT = 3600, 10  # seconds in the cache
TIMES = (HOUR, "day", "week", "month")  # of series; the others are dimensions


@dataclass(frozen=True, slots=True)
class Question:
    """`filters`: dimensions with the value that counts. `group_by`: one of TIMES, a dimension, or "". `divided`: what
    single metrics are grouped by instead."""

    period: Period
    filters: Mapping[str, str] = field(default_factory=dict)
    group_by: str = ""
    compared: Period | None = None
    divided: Mapping[str, str] = field(default_factory=dict)

    def group_of(self, metric: Metric) -> str:
        return self.divided.get(metric.name, self.group_by)

    def missing_dimension(self, metric: Metric) -> str:
        """The name of a dimension that is asked for and that the metric does not have, or ""."""
        asked = {*self.filters, self.group_of(metric)} - {*metric.dimensions, "day", "week", "month", ""}
        return min(asked, default="")


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
    counts_rows: bool = False
    percentiles: dict[int, Decimal] = field(default_factory=dict)  # in seconds

    @property
    def interval(self) -> tuple[Decimal, Decimal] | None:
        """Of a share of rows."""
        return wilson(self.numerator, self.denominator or 0) if self.counts_rows else None


@dataclass(frozen=True, slots=True)
class Answer:
    """`figures`: one, or one for each currency where money is counted. `series`: by hour like
    2026-11-01T13, by day, first day of the week or month, or value of the dimension. `compared`: the figures of the
    other period."""

    metric: Metric
    figures: list[Figure]
    also: dict[str, int]
    series: dict[str, list[Figure]]
    compared: list[Figure]


@dataclass(frozen=True, slots=True)
class Need:
    """A total, and what it is grouped by. `without`: the dimension by which it is neither filtered nor grouped: the
    whole of a mix. `age`: as in Metric."""

    total: Total
    group_by: str = ""
    without: str = ""
    age: int = 0

    @property
    def is_times(self) -> bool:
        return self.total.measures[0] in FAMILIES[self.total.family].model.times


def evaluate(metrics: Iterable[Metric], question: Question) -> list[Answer]:
    """In one query. Sums are divided at the end: shares are never averaged.

    Errors: ValueError for a dimension that a metric does not have.
    """
    metrics = list(metrics)
    for metric in metrics:
        if name := question.missing_dimension(metric):
            raise ValueError(f"{metric.name} cannot be divided by {name}.")
    needs = list(
        dict.fromkeys(need for metric in metrics for need in needs_of(metric, question.group_of(metric)))
    )
    table = Table()
    read(needs, question, table)
    return [answer(metric, table, question) for metric in metrics]


def figures_of(metric: Metric, period: Period, filters: Mapping[str, str] | None = None) -> list[Figure]:
    """The figure of the whole period; one for each currency where money is counted."""
    return series_of(metric, period, filters)[""]


def series_of(
    metric: Metric, period: Period, filters: Mapping[str, str] | None = None, *, group_by: str = ""
) -> dict[str, list[Figure]]:
    """By key of the series; without a series under ""."""
    [found] = evaluate([metric], Question(period, filters or {}, group_by))
    return found.series if group_by else {"": found.figures}


def numerator_of(metric: Metric, group_by: str) -> Need:
    return Need(metric.numerator, group_by, age=metric.age)


def denominator_of(metric: Metric, group_by: str) -> Need | None:
    if metric.denominator is None:
        return None
    is_divided = group_by != metric.mix_of and group_by in {*TIMES, *dimensions_of(metric.denominator)}
    return Need(metric.denominator, group_by if is_divided else "", metric.mix_of, metric.age)


def dimensions_of(total: Total) -> tuple[str, ...]:
    return FAMILIES[total.family].model.dimensions


def needs_of(metric: Metric, group_by: str = "") -> Iterator[Need]:
    yield numerator_of(metric, group_by)
    if below := denominator_of(metric, group_by):
        yield below
    yield from (Need(total, group_by) for total in metric.also.values())


class JsonTexts(Aggregate):
    """The values of a JSON column, separated by commas: to add them up here costs less than a row for each."""

    function = "STRING_AGG"
    template = "%(function)s(CAST(%(expressions)s AS TEXT), ',')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra_context: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **extra_context)


class Table:
    """What was read of a need, by whether it is of the compared period, key of the series and currency."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[Need, bool], dict[str, Counter[str]]] = defaultdict(dict)
        self.times: dict[tuple[Need, bool], dict[str, Buckets]] = defaultdict(dict)

    def sums(self, need: Need, metric: Metric, *, is_compared: bool) -> dict[str, Counter[str]]:
        by_key = self.numbers[need, is_compared]
        if metric.is_per_currency:
            return by_key
        return {key: Counter({"": numbers.total()}) for key, numbers in by_key.items()}

    def series(
        self, metric: Metric, group_by: str, *, is_compared: bool = False
    ) -> tuple[list[Figure], dict[str, list[Figure]]]:
        """The figures of the whole, and by key."""
        if metric.unit == Unit.SECONDS:
            times = self.times[numerator_of(metric, group_by), is_compared]
            whole = sum(times.values(), start=Counter())
            return [duration(metric, whole)], {key: [duration(metric, times[key])] for key in sorted(times)}
        above = self.sums(numerator_of(metric, group_by), metric, is_compared=is_compared)
        need = denominator_of(metric, group_by)
        below = self.sums(need, metric, is_compared=is_compared) if need else {}
        found = figures(metric, added(above), added(below))
        if need and need.group_by != group_by:
            below = dict.fromkeys(above, added(below))
        nothing: Counter[str] = Counter()
        return found, {
            key: figures(metric, above.get(key, nothing), below.get(key, nothing))
            for key in sorted(above.keys() | below.keys())
        }


def added(by_key: Mapping[str, Counter[str]]) -> Counter[str]:
    return sum(by_key.values(), start=Counter())


def answer(metric: Metric, table: Table, question: Question) -> Answer:
    group_by = question.group_of(metric)
    found, series = table.series(metric, group_by)
    also = {
        name: added(table.sums(Need(total, group_by), metric, is_compared=False)).total()
        for name, total in metric.also.items()
    }
    compared = table.series(metric, group_by, is_compared=True)[0] if question.compared else []
    return Answer(metric, found, also, series if group_by else {}, compared)


def duration(metric: Metric, times: Buckets) -> Figure:
    values = {
        percent: value for percent in metric.percentiles if (value := percentile(times, percent)) is not None
    }
    count = times.total()
    value = values.get(metric.percentiles[0])
    return Figure("", count, None, value, is_thin=count < THIN, percentiles=values)


def figures(metric: Metric, above: Mapping[str, int], below: Mapping[str, int]) -> list[Figure]:
    currencies = sorted(above.keys() | below.keys()) or ([] if metric.is_per_currency else [""])
    return [
        figure(metric, currency, above.get(currency, 0), below.get(currency, 0)) for currency in currencies
    ]


def figure(metric: Metric, currency: str, above: int, below: int) -> Figure:
    if metric.denominator is None:
        return Figure(currency, above, None, Decimal(above), is_thin=False)
    counts_rows = metric.unit == Unit.SHARE and not metric.is_per_currency
    return Figure(
        currency,
        above,
        below,
        VALUES[metric.unit](above, below, currency),
        is_thin=below < THIN and (counts_rows or metric.unit != Unit.SHARE),
        counts_rows=counts_rows,
    )


def per_thousand(above: int, below: int) -> Decimal | None:
    return (
        (Decimal(1000 * above) / below).quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN) if below else None
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


VALUES: dict[Unit, Callable[[int, int, str], Decimal | None]] = {
    Unit.SHARE: lambda above, below, _currency: share(above, below),
    Unit.PER_THOUSAND: lambda above, below, _currency: per_thousand(above, below),
    Unit.MONEY: mean_amount,
}


def read(needs: Iterable[Need], question: Question, table: Table) -> None:
    """One query: of each family a part for the period, and one for the period that it is compared with. A row has the
    sums and then the times of its part, as many as the part that has most."""
    of_parts = [
        ([need for need in group if not need.is_times], [need for need in group if need.is_times])
        for group in grouped(
            needs, key=lambda need: (need.total.family, need.group_by, need.without, need.age)
        )
    ]
    width = max((len(sums) for sums, _times in of_parts), default=0)
    width_of_times = max((len(times) for _sums, times in of_parts), default=0)
    parts = []
    for number, (sums, times) in enumerate(of_parts):
        values = filled([sum_of(need.total) for need in sums], width, Value(0))
        values += filled([times_of(need.total) for need in times], width_of_times, text(""))
        parts += [
            read_part([*sums, *times][0], number, values, question, is_compared=is_compared)
            for is_compared in sides_of(question)
        ]
    for number, is_compared, key, currency, *values in united(parts):
        sums, times = of_parts[number]
        for need, value in zip(sums, values, strict=False):
            if value:
                by_key = table.numbers[need, bool(is_compared)]
                by_key.setdefault(key, Counter())[currency] += int(value)
        for need, texts in zip(times, values[width:], strict=False):
            if texts:
                found = table.times[need, bool(is_compared)].setdefault(key, Counter())
                for buckets in json.loads(f"[{texts}]"):
                    found.update(buckets)


def filled(values: list[Any], length: int, empty: Any) -> list[Any]:
    return values + [empty] * (length - len(values))


def grouped(needs: Iterable[Need], key: Callable[[Need], Any]) -> list[list[Need]]:
    found: dict[Any, list[Need]] = defaultdict(list)
    for need in needs:
        found[key(need)].append(need)
    return list(found.values())


def sides_of(question: Question) -> Iterator[bool]:
    yield False
    if question.compared:
        yield True


def united(parts: list[QuerySet[Any, tuple[Any, ...]]]) -> Iterable[tuple[Any, ...]]:
    return parts[0].union(*parts[1:], all=True) if parts else ()


def read_part(
    need: Need, number: int, values: list[Any], question: Question, *, is_compared: bool
) -> QuerySet[Any, tuple[Any, ...]]:
    """Rows of `keys_of` and of these aggregates. `need`: any of the part."""
    keys = keys_of(need, number, is_compared=is_compared)
    named = {f"value_{n}": value for n, value in enumerate(values)}
    rows = cells_in(need, question, is_compared=is_compared)
    found: QuerySet[Any, tuple[Any, ...]] = rows.annotate(**keys).values(*keys).annotate(**named)
    return found.values_list(*keys, *named)


def keys_of(need: Need, number: int, *, is_compared: bool) -> dict[str, Any]:
    """The number of the part, whether it is compared, the key of the series and the currency."""
    group_by = "" if is_compared else need.group_by
    has_currency = "currency" in FAMILIES[need.total.family].model.dimensions
    return {
        "of_part": Value(number),
        "is_compared": Value(is_compared),
        "of_key": key_of_row(group_by),
        "of_currency": F("currency") if has_currency else text(""),
    }


def key_of_row(group_by: str) -> Any:
    """The day of a series by time, with the hour like 2026-11-01T13 if it is by hour; the first day of its week, which
    begins on Monday, or month."""
    if not group_by:
        return text("")
    if group_by in {"week", "month"}:  # PostgreSQL truncates to a time
        return Substr(Cast(Trunc("day", group_by), TextField()), 1, len("2026-11-01"))
    day = Cast("day", TextField())
    if group_by == HOUR:
        return Concat(day, text("T"), HOUR, output_field=TextField())
    return day if group_by in TIMES else Cast(group_by, TextField())


def cells_in(need: Need, question: Question, *, is_compared: bool) -> QuerySet[Any]:
    period = without_recent_days((is_compared and question.compared) or question.period, need.age)
    filters: dict[str, Any] = {
        name: value
        for name, value in question.filters.items()
        if name != need.without and name in dimensions_of(need.total)
    }
    cells = FAMILIES[need.total.family].model._default_manager.order_by()
    return cells.filter(current_days(need.total.family, period), **filters)


def without_recent_days(period: Period, age: int) -> Period:
    """Without the days that are not so many days old yet."""
    return Period(period.first, min(period.last, today() - (age + 1) * DAY)) if age else period


def text(value: str) -> Value:
    return Value(value, CharField())


def sum_of(total: Total) -> Sum:
    first, *others = map(F, total.measures)
    return Sum(sum(others, start=first), filter=only(total))


def times_of(total: Total) -> JsonTexts:
    [column] = total.measures
    return JsonTexts(column, filter=only(total) & ~Q(**{column: {}}))


def only(total: Total) -> Q:
    return Q(*(Q(**{f"{name}__in": values}) for name, values in total.only))


def current_days(family: str, period: Period) -> Q:
    """Days that were counted by the present definition: a mixture of two would be no figure at all."""
    current = CountedDay.objects.filter(
        family=family,
        version=version_of(FAMILIES[family]),
        day__gte=period.first,
        day__lte=period.last,
    )
    return Q(day__gte=period.first, day__lte=period.last, day__in=current.values("day"))


@dataclass(frozen=True, slots=True)
class Counting:
    """By family: how many days of a period are still to be counted, and the first day of facts, if there are any.
    `differs_at`: when the nightly check found a difference. `drained_at`: when the worker last counted."""

    uncounted: dict[str, int]
    firsts: dict[str, date]
    differs_at: datetime | None
    drained_at: datetime | None


def counting_of(families: Iterable[str], period: Period) -> Counting:
    """In one query, and one for families whose first day is not in the cache."""
    firsts = first_days(families)
    spans = {
        name: (max(period.first, day, horizon(FAMILIES[name])), min(period.last, today()))
        for name, day in firsts.items()
    }
    within = Q(pk__in=[])
    for name, (begin, end) in spans.items():
        within |= Q(family=name, version=version_of(FAMILIES[name]), day__gte=begin, day__lte=end)
    days = CountedDay.objects.filter(family__in=families).order_by().values_list("family")
    drained = Heartbeat.objects.filter(pk=DRAIN).order_by().values("at")
    rows = days.annotate(
        counted=Count("pk", filter=within), last_differs_at=Max("differs_at"), drained_at=Subquery(drained)
    )
    counted: dict[str, int] = {}
    differs: set[datetime] = set()
    drains: set[datetime] = set()
    for name, count, differs_at, drained_at in rows:
        counted[name] = count
        differs |= {differs_at} - {None}
        drains |= {drained_at} - {None}
    uncounted = {
        name: max(0, (end - begin) // DAY + 1 - counted.get(name, 0)) for name, (begin, end) in spans.items()
    }
    return Counting(uncounted, firsts, max(differs, default=None), max(drains, default=None))


def first_days(families: Iterable[str]) -> dict[str, date]:
    """The day of the oldest fact of each family that has one. It is kept in the cache, since it seldom changes; that a
    family has none, for a moment."""
    keys = {name: f"figures.first_day.{name}" for name in families}
    cached = cache.get_many(keys.values())
    parts = []
    for name in (name for name, key in keys.items() if key not in cached):
        parts += [
            facts.oldest().annotate(name=text(name)).values_list("name", facts.clock)
            for facts in FAMILIES[name].facts
        ]
    read: dict[str, date] = {}
    for name, at in united(parts):
        read[keys[name]] = min(day_of(at), read.get(keys[name], date.max))
    cache.set_many(read, KNOWN_FOR)
    cache.set_many(dict.fromkeys(keys.values() - cached.keys() - read.keys()), A_MOMENT)
    days = cached | read
    return {name: days[key] for name, key in keys.items() if days.get(key)}


def days_uncounted(metric: Metric, period: Period) -> int:
    """How many days of the period are still being counted; those of which facts exist."""
    period = without_recent_days(period, metric.age)
    counting = counting_of({need.total.family for need in needs_of(metric)}, period)
    return sum(counting.uncounted.values())


def waiting_changes(metrics: Iterable[Metric]) -> int:
    """How many changes are not counted yet."""
    families = {need.total.family for metric in metrics for need in needs_of(metric)}
    return ChangeMark.objects.filter(family__in=families).count()
