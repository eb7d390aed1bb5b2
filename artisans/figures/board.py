"""What a page of figures shows: the figures, and what a reader must know about them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet, Value
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.changes import day_of
from artisans.core.heartbeats import periodic_tasks
from artisans.core.known_since import known_since
from artisans.figures.counting import DRAIN
from artisans.figures.days import DAY, Period, today
from artisans.figures.display import (
    Cell,
    Column,
    Row,
    Shown,
    Table,
    also_text,
    count_cell,
    count_text,
    head_of,
    share_text,
    table_of,
    values_of,
)
from artisans.figures.evaluate import KNOWN_FOR, Answer, Counting, Question, counting_of, evaluate, needs_of
from artisans.figures.families import FAMILIES
from artisans.figures.intervals import share
from artisans.figures.models import OrderCell
from artisans.figures.pages import RECORDED, TODAY, Page, division_of
from artisans.figures.registry import METRICS, STEP_TITLES, STEPS, Metric
from artisans.figures.rows import rows_of

CURRENCIES_KNOWN_FOR = 60  # seconds in the cache
LINK_TEXTS = {  # by the names of `rows_of`: text, and label with the title of the figure
    "numerator": (gettext_lazy("Rows"), gettext_lazy("Rows: %(title)s")),
    "denominator": (gettext_lazy("Out of"), gettext_lazy("Rows out of which: %(title)s")),
    "opened": (gettext_lazy("Disputes"), gettext_lazy("Disputes: %(title)s")),
    "captures_minor": (gettext_lazy("Captures"), gettext_lazy("Captures: %(title)s")),
    "receipts_minor": (gettext_lazy("Receipts"), gettext_lazy("Receipts: %(title)s")),
    "warnings": (gettext_lazy("Fraud warnings"), gettext_lazy("Fraud warnings: %(title)s")),
}


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A figure. `links`: to the lists of the rows behind its number. `missing`: the dimension of a filter
    that it cannot be filtered by; then it has no values. `is_empty`: nothing in the period. `since`: the day from
    which it exists, if the period begins before."""

    metric: Metric
    values: list[Shown]
    table: Table | None
    also: str
    links: list[Link]
    missing: str = ""
    is_empty: bool = False
    uncounted: int = 0
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """`is_empty`: no figure has anything in the period; then `nearest` is a period that has, if there is one.
    `differs_at`: when the nightly check found days that do not match the records. `silent_since`: when the worker
    last counted, if that is too long ago."""

    panels: list[Panel]
    funnel: Table | None
    is_empty: bool
    has_facts: bool
    nearest: Period | None
    uncounted: int
    differs_at: datetime | None
    silent_since: datetime | None


def board_of(page: Page, question: Question) -> Board:
    metrics = page.all_metrics()
    possible = [metric for metric in metrics if not replace(question, group_by="").missing_dimension(metric)]
    divided = {metric.name: division for metric in possible if (division := division_of(metric))}
    found = evaluate(possible, replace(question, divided=divided))
    answers = {answer.metric.name: answer for answer in found}
    families = {need.total.family for metric in metrics for need in needs_of(metric)}
    counting = counting_of(families, question.period)
    since = known_days(families, question.period)
    has_facts = bool(counting.firsts)
    is_empty = not any(has_something(answer) for answer in answers.values())
    return Board(
        panels=[panel_of(metric, answers, question, counting, since) for metric in metrics],
        funnel=funnel_of(answers) if page.has_funnel else None,
        is_empty=is_empty,
        has_facts=has_facts,
        nearest=nearest_period(families, question.period) if is_empty and has_facts else None,
        uncounted=max(counting.uncounted.values(), default=0),
        differs_at=counting.differs_at,
        silent_since=silent_since(counting),
    )


def has_something(answer: Answer) -> bool:
    return any(figure.numerator or figure.denominator for figure in answer.figures)


def panel_of(
    metric: Metric,
    answers: Mapping[str, Answer],
    question: Question,
    counting: Counting,
    since: Mapping[str, date],
) -> Panel:
    answer = answers.get(metric.name)
    if answer is None:
        return Panel(
            metric, [], None, "", [], missing=replace(question, group_by="").missing_dimension(metric)
        )
    division = division_of(metric)
    families = {need.total.family for need in needs_of(metric)}
    return Panel(
        metric,
        [] if metric.mix_of else values_of(answer, is_over=question.period.last < today()),
        table_of(answer, replace(question, group_by=division or question.group_by)),
        also_text(answer),
        links_of(metric, question),
        is_empty=not has_something(answer),
        uncounted=max(counting.uncounted.get(family, 0) for family in families),
        since=max((since[family] for family in families & since.keys()), default=None),
    )


def links_of(metric: Metric, question: Question) -> list[Link]:
    return [
        Link(str(text), label % {"title": metric.title}, address)
        for part, address in rows_of(metric, question).items()
        for text, label in [LINK_TEXTS[part]]
    ]


def funnel_of(answers: Mapping[str, Answer]) -> Table:
    """How many checkouts reached each step, and their share of all."""
    table = Table(
        head_of("step"),
        "bar",
        [Column(_("Checkouts"), is_series=True), Column(_("Share of all"), is_series=False)],
    )
    rates = [
        answers[name] for step in STEPS[1:] if (name := f"step_rate_{step.removesuffix('_step')}") in answers
    ]
    if not rates:
        return table
    all_checkouts = rates[0].figures[0].denominator or 0
    reached = [(_("First item in the cart"), all_checkouts)]
    reached += [
        (str(STEP_TITLES[step]), rate.figures[0].numerator)
        for step, rate in zip(STEPS[1:], rates, strict=True)
    ]
    for label, count in reached:
        part = share(count, all_checkouts)
        table.rows.append(
            Row(
                label,
                label,
                [count_cell(count), Cell(share_text(part) if part is not None else "–", "")],
            )
        )
    return table.describe()


# ---- what a reader must know ------------------------------------------------------------------------------------


def known_days(families: set[str], period: Period) -> dict[str, date]:
    """From which day on facts were recorded, of each family where that is not before the period."""
    found = {}
    for family in families & RECORDED.keys():
        fact = RECORDED[family]
        at = cache.get_or_set(f"figures.known.{fact}", lambda fact=fact: known_since(fact), KNOWN_FOR)
        if at and (day := day_of(at)) > period.first:
            found[family] = day
    return found


def silent_since(counting: Counting) -> datetime | None:
    at = counting.drained_at
    return at if at and at < timezone.now() - periodic_tasks()[DRAIN] else None


def nearest_period(families: Iterable[str], period: Period) -> Period | None:
    """As many days as the period, up to the last day before it that has something, or from the first after it."""
    parts: list[QuerySet[Any, tuple[Any, ...]]] = []
    for family in families:
        cells = FAMILIES[family].model._default_manager
        for side, order, limit in (
            ("before", "-day", {"day__lt": period.first}),
            ("later", "day", {"day__gt": period.last}),
        ):
            one = cells.filter(**limit).order_by(order).values("pk")[:1]
            parts.append(cells.filter(pk__in=one).order_by().values_list(Value(side), "day"))
    days: dict[str, list[date]] = {}
    for side, day in parts[0].union(*parts[1:], all=True):
        days.setdefault(side, []).append(day)
    length = (period.days - 1) * DAY
    if "before" in days:
        return Period(max(days["before"]) - length, max(days["before"]))
    if "later" in days:
        return Period(min(days["later"]), min(days["later"]) + length)
    return None


def currencies_known() -> list[str]:
    """Of orders, as they were a minute ago."""

    def read() -> list[str]:
        return list(OrderCell.objects.order_by("currency").values_list("currency", flat=True).distinct())

    return list(cache.get_or_set("figures.currencies", read, CURRENCIES_KNOWN_FOR) or ())


# ---- the start page ----------------------------------------------------------------------------------------------


def tiles_today() -> list[tuple[Metric, str, str]]:
    """Of today, in one query: a metric, its values, and of how many."""
    answers = evaluate([METRICS[name] for name in TODAY], Question(Period(today(), today())))
    return [
        (
            answer.metric,
            ", ".join(shown.text for shown in values_of(answer, is_over=False)),
            parts_text(answer),
        )
        for answer in answers
    ]


def parts_text(answer: Answer) -> str:
    metric = answer.metric
    if metric.is_per_currency or metric.denominator is None:
        return _("since midnight")
    [figure] = answer.figures
    parts = {"number": count_text(figure.numerator), "all": count_text(figure.denominator or 0)}
    return _("%(number)s of %(all)s since midnight") % parts
