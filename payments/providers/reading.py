"""Parses a provider's response part by part: a part that cannot be parsed is recorded and does not affect the
others."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from artisans.core.money import Money
from payments.providers.contract import Problem

T = TypeVar("T")
D = TypeVar("D")

UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError)
LONGEST_ID = 120  # of our columns
LONGEST_TEXT = 300


class Parts:
    """The parts of one response that could be parsed, and `problems`: those that could not. `what`: the
    object's name for staff. `unread`: why a part could not be fetched."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.problems: list[Problem] = []
        self.unread = ""

    def note(self, part: str, detail: str) -> None:
        self.problems.append(Problem(plain(f"{self.what}: {part}"), plain(detail)))

    def read(self, part: str, read: Callable[[], T], default: D) -> T | D:
        """The result of `read`, or the default if the data is invalid."""
        try:
            return read()
        except UNREADABLE as error:
            self.note(part, f"{type(error).__name__}: {error}")
            return default

    def lookup(self, part: str, table: Mapping[str, T], value: object, unknown: T) -> T:
        """The meaning of the provider's value; `unknown` if the table does not contain it."""
        if isinstance(value, str) and value in table:
            return table[value]
        self.note(part, f"unknown value {value!r}")
        return unknown

    def each(self, part: str, rows: object, read: Callable[[Any], T | None]) -> tuple[T, ...]:
        """The rows of a list that could be parsed; None is left out."""
        if rows is None:
            return ()
        if not isinstance(rows, Iterable) or isinstance(rows, str | Mapping):
            self.note(part, f"not a list but {type(rows).__name__}")
            return ()
        found = [self.read(part, partial(read, row), None) for row in rows]
        return tuple(one for one in found if one is not None)


def an_id(value: object) -> str:
    """An id that may be stored and compared. Errors: ValueError."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID or not value.isprintable():
        raise ValueError(f"not an id: {str(value)[:40]!r}")
    return value


def positive(money: Money) -> Money:
    """An amount greater than zero. Errors: ValueError."""
    if money.minor <= 0:
        raise ValueError(f"{money} cannot move.")
    return money


def plain(value: object) -> str:
    """Text for staff on one line that every database can store; "" for anything else."""
    text = value if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:LONGEST_TEXT]


def mapping(value: object) -> Mapping[str, Any]:
    """The object in an optional field; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
