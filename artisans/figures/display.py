"""Figures in words and tables, for the pages of the admin."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from artisans.core.money import Money, exponent_of
from artisans.core.templatetags.money import show
from artisans.figures.days import DAY, Period, start_of_group, today
from artisans.figures.evaluate import Answer, Figure, Question
from artisans.figures.models import LossCause
from artisans.figures.registry import Metric, Unit
from artisans.figures.words import code_text
from artisans.journeys.models import Channel, Device, ProblemKind, Step
from payments.methods import PaymentMethod
from payments.models import DeclineReason, RefusalReason
from payments.providers.registry import label_of

NONE = "–"
HUNDRED, THOUSAND, MINUTE, HOUR, DAY_SECONDS = 100, 1000, 60, 3600, 86_400
FEW_SECONDS = 2
MANY_TIMES = 10  # from here on, people understand "times" better than percent
LABELS = {
    "cause": LossCause,
    "decline_group": DeclineReason,
    "method": PaymentMethod,
    "channel": Channel,
    "device": Device,
    "step": Step,
    "kind": ProblemKind,
    "reason": RefusalReason,
}
ALSO = {
    "open": gettext_lazy("Still open: %(n)s."),
    "switched": gettext_lazy("Replaced by another payment: %(n)s."),
    "clock_skew": gettext_lazy("Arrived before they were sent (clock difference): %(n)s."),
}


HEADS = {
    "day": gettext_lazy("Day"),
    "week": gettext_lazy("Week from"),
    "month": gettext_lazy("Month"),
    "method": gettext_lazy("Method"),
    "provider": gettext_lazy("Provider"),
    "code": gettext_lazy("Field or problem"),
    "decline_code": gettext_lazy("Reason"),
    "error_code": gettext_lazy("Code"),
    "cause": gettext_lazy("Cause"),
    "reason": gettext_lazy("Reason"),
    "step": gettext_lazy("Step"),
}
Write = TypeVar("Write", bound=Callable[..., str])


def remembered(write: Write) -> Write:
    """The function, which keeps its texts by language: a page has thousands of numbers and days, most of them often."""
    remember = lru_cache(maxsize=8192)(lambda language, *args: write(*args))

    @wraps(write)
    def written(*args: Any) -> str:
        return remember(get_language(), *args)

    return cast("Write", written)


@dataclass(frozen=True, slots=True)
class Shown:
    """One number. `comparison`: with the other period, in words; `tone`: "better", "worse" or "". `limit`: which limit
    the number has reached, in words; `limit_tone`: "warning", "danger" or ""."""

    text: str
    interval: str = ""
    comparison: str = ""
    tone: str = ""
    limit: str = ""
    limit_tone: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """`number`: as plain decimal for the chart and files; "" if there is none."""

    text: str
    number: str


@dataclass(slots=True)
class Column:
    """`is_series`: drawn as a line, or as bars; then it has a description for people who do not see the chart."""

    title: str
    is_series: bool
    description: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    label: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """What a figure's chart is drawn from. `chart`: "line" over time, or "bar"."""

    head: str
    chart: str
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)

    def describe(self) -> "Table":
        """Give the series their first, last and highest value in words."""
        for number, column in enumerate(self.columns):
            known = [row for row in self.rows if row.cells[number].number]
            if column.is_series and known:
                column.description = series_text(
                    column.title, [(row.label, row.cells[number]) for row in known]
                )
        return self


def series_text(name: str, values: Sequence[tuple[str, Cell]]) -> str:
    """A series of a chart in words. `values`: at least one, each with its label."""
    label, highest = max(values, key=lambda value: Decimal(value[1].number))
    return _("%(name)s: first %(first)s, last %(last)s, highest %(highest)s (%(when)s).") % {
        "name": name,
        "first": values[0][1].text,
        "last": values[-1][1].text,
        "highest": highest.text,
        "when": label,
    }


# ---- numbers -----------------------------------------------------------------------------------------------------


def value_text(metric: Metric, value: Decimal | None, currency: str = "") -> str:
    if value is None:
        return NONE
    if metric.unit == Unit.SHARE:
        return share_text(value)
    if metric.unit == Unit.PER_THOUSAND:
        return number_text(value)
    if metric.unit == Unit.MONEY:
        return show(Money.stored(int(value.scaleb(exponent_of(currency))), currency))
    if metric.unit == Unit.SECONDS:
        return seconds_text(value)
    return count_text(int(value))


@remembered
def count_text(number: int) -> str:
    return str(intcomma(number))


@remembered
def number_text(value: Decimal) -> str:
    return str(number_format(value, decimal_pos=1, force_grouping=True))


@remembered
def share_text(value: Decimal) -> str:
    return _("%(number)s %%") % {"number": number_format(rounded(value * HUNDRED), decimal_pos=1)}


@remembered
def seconds_text(value: Decimal) -> str:
    for size, text in (
        (DAY_SECONDS, _("%(number)s days")),
        (HOUR, _("%(number)s h")),
        (MINUTE, _("%(number)s min")),
    ):
        if value >= 2 * size:
            return text % {"number": number_format(rounded(value / size), decimal_pos=1)}
    if value < FEW_SECONDS:
        return _("%(number)s ms") % {"number": number_format((value * THOUSAND).quantize(Decimal(1)))}
    return _("%(number)s s") % {"number": number_format(rounded(value), decimal_pos=1)}


def rounded(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)


def values_of(answer: Answer, *, is_over: bool) -> list[Shown]:
    """`is_over`: whether the period is."""
    earlier = {figure.currency: figure for figure in answer.compared}
    return [shown_value(answer.metric, figure, earlier, is_over=is_over) for figure in answer.figures] or [
        Shown(NONE)
    ]


def shown_value(metric: Metric, figure: Figure, earlier: dict[str, Figure], *, is_over: bool) -> Shown:
    words, tone = "", ""
    if before := earlier.get(figure.currency):
        if is_over or metric.unit != Unit.COUNT:
            words, tone = comparison(metric, figure, before)
        else:  # a part of today beside a whole day
            was = value_text(metric, before.value, before.currency)
            words = _("Until now; it was %(was)s.") % {"was": was}
    interval = ""
    if figure.is_thin and figure.value is not None:
        interval = thin_text(figure)
    text = value_text(metric, figure.value, figure.currency)
    if figure.currency and metric.unit == Unit.SHARE:
        text = f"{figure.currency}: {text}"
    return Shown(text, interval, words, tone, *reached_limit(metric, figure))


def reached_limit(metric: Metric, figure: Figure) -> tuple[str, str]:
    """The words and the tone of their label."""
    if metric.limits is None or figure.value is None or figure.value < metric.limits[0]:
        return "", ""
    attention, alarm = metric.limits
    if figure.value < alarm:
        return _("Needs attention: %(limit)s or more") % {"limit": share_text(attention)}, "warning"
    return _("Too high: %(limit)s or more") % {"limit": share_text(alarm)}, "danger"


def also_text(answer: Answer) -> str:
    """What is left out of the figure, with its number."""
    return " ".join(ALSO[name] % {"n": count_text(number)} for name, number in answer.also.items() if number)


def thin_text(figure: Figure) -> str:
    count = figure.numerator if figure.denominator is None else figure.denominator
    if figure.interval is None:
        return ngettext("Only %(n)d in this period.", "Only %(n)d in this period.", count) % {"n": count}
    low, high = map(share_text, figure.interval)
    text = ngettext(
        "Only %(n)d in this period: the true share may be from %(low)s to %(high)s.",
        "Only %(n)d in this period: the true share may be from %(low)s to %(high)s.",
        count,
    )
    return text % {"n": count, "low": low, "high": high}


def comparison(metric: Metric, now: Figure, before: Figure) -> tuple[str, str]:
    """In words, with the direction: shares in points, all else in percent of what it was."""
    if now.value is None or before.value is None:
        return _("No figure to compare with."), ""
    difference = now.value - before.value
    if not difference:
        return _("Unchanged."), ""
    size = abs(difference) * HUNDRED
    if metric.unit != Unit.SHARE:
        if not before.value:
            return _("Previously: none."), ""
        size /= before.value
    tone = {"": "", "up": "better", "down": "worse"}[metric.better]
    if tone and difference < 0:
        tone = {"better": "worse", "worse": "better"}[tone]
    texts = {
        (True, "better"): _("%(n)s points better"),
        (True, "worse"): _("%(n)s points worse"),
        (False, "better"): _("%(n)s %% better"),
        (False, "worse"): _("%(n)s %% worse"),
        (True, ""): _("%(n)s points higher") if difference > 0 else _("%(n)s points lower"),
        (False, ""): _("%(n)s %% higher") if difference > 0 else _("%(n)s %% lower"),
    }
    is_share = metric.unit == Unit.SHARE
    text = texts[is_share, tone] % {"n": number_format(rounded(size), decimal_pos=1)}
    if not is_share and now.value >= MANY_TIMES * before.value:
        times = number_format(rounded(now.value / before.value), decimal_pos=0)
        text = _("%(n)s times as much") % {"n": times}
    was = value_text(metric, before.value, before.currency)
    return _("%(difference)s (it was %(was)s)") % {"difference": text, "was": was}, tone


# ---- tables ------------------------------------------------------------------------------------------------------


def table_of(answer: Answer, question: Question) -> Table:
    metric, is_time = answer.metric, question.group_by in {"day", "week", "month"}
    keys = list(times_of(question)) if is_time else by_size(answer)
    currencies = sorted({figure.currency for figures in answer.series.values() for figure in figures})
    table = Table(head_of(question.group_by), "line" if is_time else "bar", columns_of(metric, currencies))
    for key in keys:
        figures = {figure.currency: figure for figure in answer.series.get(key, [])}
        cells = [
            cell
            for currency in currencies or [""]
            for cell in cells_of(metric, figures.get(currency), currency)
        ]
        table.rows.append(Row(key, key_label(key, question.group_by), cells))
    return table.describe()


def by_size(answer: Answer) -> list[str]:
    return sorted(
        answer.series, key=lambda key: (-sum(figure.numerator for figure in answer.series[key]), key)
    )


def columns_of(metric: Metric, currencies: list[str]) -> list[Column]:
    if metric.is_per_currency:
        return [Column(currency, is_series=True) for currency in currencies] or [
            Column(NONE, is_series=False)
        ]
    if metric.unit == Unit.SECONDS:
        percents = [
            Column(_("Half within") if n == HUNDRED // 2 else _("%(n)d %% within") % {"n": n}, is_series=True)
            for n in metric.percentiles
        ]
        return [*percents, Column(_("Number"), is_series=False)]
    if metric.denominator is None:
        return [Column(_("Number"), is_series=True)]
    return [
        Column(_("Share") if metric.unit == Unit.SHARE else _("Per 1,000"), is_series=True),
        Column(_("Number"), is_series=False),
        Column(_("Out of"), is_series=False),
    ]


def cells_of(metric: Metric, figure: Figure | None, currency: str) -> Iterator[Cell]:
    """In the order of `columns_of`."""
    value = figure.value if figure else None
    if metric.denominator is None and metric.unit == Unit.COUNT:
        value = value or Decimal(0)
    if metric.unit == Unit.SECONDS:
        found = figure.percentiles if figure else {}
        for percent in metric.percentiles:
            yield cell(metric, found.get(percent), "")
    else:
        yield cell(metric, value, currency)
    if metric.is_per_currency:
        return
    if metric.unit == Unit.SECONDS or metric.denominator is not None:
        yield count_cell(figure.numerator if figure else 0)
    if metric.denominator is not None:
        yield count_cell((figure.denominator if figure else 0) or 0)


def cell(metric: Metric, value: Decimal | None, currency: str) -> Cell:
    return Cell(value_text(metric, value, currency), "" if value is None else format(value, "f"))


def count_cell(number: int) -> Cell:
    return Cell(count_text(number), str(number))


def times_of(question: Question) -> Iterable[str]:
    """All days, weeks or months of the period until today, also those without anything."""
    period = question.period
    last = min(period.last, max(today(), period.first))
    days = (period.first + n * DAY for n in range((last - period.first).days + 1))
    return dict.fromkeys(start_of_group(day, question.group_by).isoformat() for day in days)


def head_of(group_by: str) -> str:
    return str(HEADS.get(group_by, _("Kind")))


@remembered
def key_label(key: str, group_by: str) -> str:
    if group_by in {"day", "week"}:
        return date_format(date.fromisoformat(key), "DATE_FORMAT")
    if group_by == "month":
        return date_format(date.fromisoformat(key), "YEAR_MONTH_FORMAT")
    if group_by == "provider":
        return label_of(key)
    if group_by in {"code", "decline_code", "error_code"}:
        return code_text(key)
    choices = LABELS.get(group_by)
    labels = dict(choices.choices) if choices else {}
    return str(labels.get(key, key)) or _("none")


def period_text(period: Period) -> str:
    first, last = (date_format(day, "DATE_FORMAT") for day in (period.first, period.last))
    return (
        first if period.first == period.last else _("%(first)s to %(last)s") % {"first": first, "last": last}
    )
