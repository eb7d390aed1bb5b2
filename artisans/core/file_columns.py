"""What a column of a file shows of each row, for CSV and XLSX files alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.money import Money

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

StrOrPromise: TypeAlias = "str | _StrPromise"
Cell: TypeAlias = "str | int | Decimal | datetime | date | None"


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    MONEY = "money"  # two cells: the amount and its currency
    TIME = "time"  # in the shop's time zone
    DAY = "day"


@dataclass(frozen=True, slots=True)
class FileColumn:
    """`name`: unique in its list, and what addresses and forms call it. `value`: of a row; None is an empty cell."""

    name: str
    title: StrOrPromise
    value: Callable[[Any], Any]
    kind: Kind = Kind.TEXT


def heading(columns: Sequence[FileColumn]) -> list[str]:
    found: list[str] = []
    for column in columns:
        found.append(str(column.title))
        if column.kind == Kind.MONEY:
            found.append(_("%(title)s: currency") % {"title": column.title})
    return found


def cells(columns: Sequence[FileColumn], row: Any) -> list[Cell]:
    """Texts, numbers, amounts as decimals, and times in the shop's time zone."""
    found: list[Cell] = []
    for column in columns:
        found += cells_of(column.kind, column.value(row))
    return found


def cells_of(kind: Kind, value: Any) -> list[Cell]:
    if kind == Kind.MONEY:
        return [value.as_decimal(), value.currency] if isinstance(value, Money) else [None, None]
    if value is None or value == "":
        return [None]
    if isinstance(value, bool):
        return [_("Yes") if value else _("No")]
    if isinstance(value, datetime):
        return [timezone.localtime(value)]
    if isinstance(value, date | int | Decimal):
        return [value]
    return [str(value)]
