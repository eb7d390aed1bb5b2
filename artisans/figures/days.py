"""Days of the shop: from local midnight to local midnight, so that one has 23 or 25 hours when clocks are changed."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from artisans.core.changes import day_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`."""

    start: datetime
    end: datetime

    def of(self, column: str) -> dict[str, datetime]:
        """The condition that a column's time is in it."""
        return {f"{column}__gte": self.start, f"{column}__lt": self.end}


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the shop, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def days(self) -> int:
        return (self.last - self.first) // DAY + 1


def today() -> date:
    return day_of(timezone.now())


def start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


def start_of_group(day: date, group_by: str) -> date:
    """The first day of its "week", which begins on Monday, or "month"; otherwise the day itself."""
    if group_by == "month":
        return day.replace(day=1)
    return day - day.weekday() * DAY if group_by == "week" else day


def span_of(day: date) -> Span:
    return Span(start_of(day), start_of(day + DAY))
