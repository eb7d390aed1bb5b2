"""Periods that people name, and those that they are compared with."""

from calendar import monthrange
from datetime import date
from enum import StrEnum

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from artisans.figures.days import DAY, Period, today

EARLIEST = date(2000, 1, 1)
LONGEST, LONGEST_BY_HOUR = 5 * 366, 8  # days


class CompareWith(StrEnum):
    PREVIOUS = "previous"
    PREVIOUS_YEAR = "previous_year"


def check_period(period: Period) -> None:
    """Of days that a person chose. Errors: ValidationError of the fields `from` and `to`."""
    if period.first > period.last:
        raise ValidationError(
            {"to": ValidationError(_("Choose a last day that is not before the first."), "order")}
        )
    if period.first < EARLIEST:
        raise ValidationError(
            {"from": ValidationError(_("Choose a day of the year 2000 or later."), "too_early")}
        )
    if period.last > today():
        raise ValidationError({"to": ValidationError(_("Choose today or an earlier day."), "in_future")})
    if period.days > LONGEST:
        raise ValidationError({"from": ValidationError(_("Choose five years at most."), "too_long")})


def period_named(name: str, today: date) -> Period:
    """Up to today. Errors: KeyError."""
    quarter = today.replace(month=today.month - (today.month - 1) % 3, day=1)
    firsts = {
        "today": today,
        "7": today - 6 * DAY,
        "30": today - 29 * DAY,
        "90": today - 89 * DAY,
        "month": today.replace(day=1),
        "quarter": quarter,
        "year": today.replace(month=1, day=1),
    }
    return Period(firsts[name], today)


def compared_period(period: Period, comparison: CompareWith, name: str = "") -> Period:
    """As many days directly before, or the same days a year before.

    A month, quarter or year that has only begun is compared with the same days of the one before.
    """
    if comparison == CompareWith.PREVIOUS_YEAR:
        return Period(months_before(period.first, 12), months_before(period.last, 12))
    if months := {"month": 1, "quarter": 3, "year": 12}.get(name):
        return Period(months_before(period.first, months), months_before(period.last, months))
    return Period(period.first - period.days * DAY, period.first - DAY)


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or its last if it has fewer."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))
