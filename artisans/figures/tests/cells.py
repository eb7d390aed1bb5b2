"""Cells of any day, without the facts behind them."""

from datetime import date
from typing import Any

from django.utils import timezone

from artisans.figures.counting import version_of
from artisans.figures.families import FAMILIES
from artisans.figures.models import CountedDay


def put(family: str, day: date, **columns: Any) -> None:
    """A cell of a day that was counted."""
    FAMILIES[family].model._default_manager.create(day=day, **columns)
    count(family, day)


def count(family: str, day: date) -> None:
    version = version_of(FAMILIES[family])
    values = {"version": version, "counted_at": timezone.now(), "milliseconds": 0}
    CountedDay.objects.get_or_create(family=family, day=day, defaults=values)
