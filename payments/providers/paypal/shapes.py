"""Parsing PayPal's responses: strict for money, lenient for hints."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from payments.providers.contract import ObjectNotFound, Unknown

P = ParamSpec("P")
R = TypeVar("R")

ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
MOST_PAGES = 200


def readable(read: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a response that is incomplete or cannot be parsed is an unknown outcome, never a crash."""

    @wraps(read)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as missing:
            raise Unknown(
                "unreadable_answer", f"{read.__name__}: {type(missing).__name__} {missing}"
            ) from None

    return checked


def dig(value: Any, *path: str | int) -> Any:
    """The value at this path, or None if a step is missing."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The text at this path, "" for anything else, such as text that no database can store."""
    found = dig(value, *path)
    return found if isinstance(found, str) and found.isprintable() else ""


def time_at(value: Any, *path: str | int) -> datetime | None:
    """The time at this path; None if it is invalid or has no time zone."""
    try:
        found = datetime.fromisoformat(text_at(value, *path))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def written(time: datetime) -> str:
    """A time in PayPal's format."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def path_id(object_id: str) -> str:
    """An id that is safe in a URL path. Errors: ObjectNotFound for anything that cannot be a PayPal id."""
    if not ID.fullmatch(object_id):
        raise ObjectNotFound("malformed_id", "Not a PayPal id.")
    return object_id


@readable
def pages_of(answer: dict[str, Any]) -> int:
    """The number of pages of a list."""
    return min(int(answer.get("total_pages") or 1), MOST_PAGES)
