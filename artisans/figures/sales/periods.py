"""The days of which an artisan asks for sales, and how they are grouped."""

from calendar import monthrange
from datetime import date, timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from artisans.figures.days import DAY, Period, start_of_group

MAX_ROWS = 400
WEEK = timedelta(days=7)


class GroupBy(TextChoices):
    DAY = "day", pgettext_lazy("group figures by", "Day")
    WEEK = "week", pgettext_lazy("group figures by", "Week")
    MONTH = "month", pgettext_lazy("group figures by", "Month")


class PeriodChoice(TextChoices):
    DAYS_7 = "7", _("7 days")
    DAYS_30 = "30", _("30 days")
    DAYS_90 = "90", _("90 days")
    MONTH = "month", _("This month")
    YEAR = "year", _("This year")
    FREE = "free", _("From … to …")


def group_for(period: Period) -> GroupBy:
    """What shows a period in about 30 rows at most."""
    if period.days <= 31:  # noqa: PLR2004  # a month
        return GroupBy.DAY
    return GroupBy.WEEK if period.days <= 100 else GroupBy.MONTH  # noqa: PLR2004  # three months


def groups_of(period: Period, group_by: GroupBy) -> list[Period]:
    """The days, weeks from Monday, or months of a period, oldest first; the outer ones may be parts."""
    found, first = [], period.first
    while first <= period.last:
        last = min(end_of_group(first, group_by), period.last)
        found.append(Period(first, last))
        first = last + DAY
    return found


def end_of_group(day: date, group_by: GroupBy) -> date:
    if group_by == GroupBy.MONTH:
        return day.replace(day=monthrange(day.year, day.month)[1])
    return start_of_group(day, group_by) + WEEK - DAY if group_by == GroupBy.WEEK else day
