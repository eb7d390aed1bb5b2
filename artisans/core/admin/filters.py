"""Filters of the admin's lists."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

YEARS = range(1000, 3000)  # of the days that a filter takes; calculating with others may overflow


def midnight() -> datetime:
    """The start of today in the shop's time zone."""
    return timezone.make_aware(datetime.combine(timezone.localdate(), time.min))


class RecentValuesFilter(admin.SimpleListFilter):
    """The values of a column in the newest rows: finding all of them would read the whole table."""

    column = ""
    newest = "-created_at"
    rows = 1000

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        recent = model_admin.model.objects.order_by(self.newest).values_list(self.column, flat=True)
        return [(value, self.label(value)) for value in sorted({*recent[: self.rows]})]

    def label(self, value: str) -> str:
        return value

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class DayRangeFilter(admin.FieldListFilter):
    """From one day to another, both included, in the shop's time zone. An invalid date does not filter.

    `compared`: the annotation that is compared instead of the column.
    """

    template = "admin/day_range_filter.html"
    compared = ""

    def expected_parameters(self) -> list[str | None]:
        return [f"{self.field_path}_from", f"{self.field_path}_to"]

    def text(self, end: str) -> str:
        texts: Any = self.used_parameters.get(f"{self.field_path}_{end}") or [""]
        return str(texts[-1])

    def day(self, end: str) -> date | None:
        try:
            found = date.fromisoformat(self.text(end))
        except ValueError:
            return None
        return found if found.year in YEARS else None

    def invalid_values(self) -> list[str]:
        return [text for end in ("from", "to") if (text := self.text(end)) and self.day(end) is None]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.compared or self.field_path
        if first := self.day("from"):
            queryset = queryset.filter(**{f"{name}__gte": self.start_of(first)})
        if last := self.day("to"):
            queryset = queryset.filter(**{f"{name}__lt": self.start_of(last + timedelta(days=1))})
        return queryset

    def start_of(self, day: date) -> date | datetime:
        if isinstance(self.field, DateTimeField):
            return timezone.make_aware(datetime.combine(day, time.min))
        return day

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:  # type: ignore[override]  # our own template
        for end, label in (("from", _("From")), ("to", _("To (inclusive)"))):
            yield {"name": f"{self.field_path}_{end}", "label": label, "value": self.day(end)}


def invalid_values(spec: Any) -> list[str]:
    """The values of a filter in the address of a list that it does not know, such as of an old bookmark."""
    if isinstance(spec, DayRangeFilter):
        return spec.invalid_values()
    if not isinstance(spec, admin.SimpleListFilter) or isinstance(spec, RecentValuesFilter):
        return []
    value = spec.value()
    known = {str(choice) for choice, _label in spec.lookup_choices}
    return [] if value in {None, "", *known} else [str(value)]
