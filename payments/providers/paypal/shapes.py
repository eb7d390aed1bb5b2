"""Reading PayPal's answers: strictly where money hangs on it, gently where it is a hint."""

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
    """A reader of answers: what it misses or cannot read is an unknown outcome, never a crash."""

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
    """What lies at this path, None when a step of it is not there."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The text at this path, "" for anything else, such as what no database could store."""
    found = dig(value, *path)
    return found if isinstance(found, str) and found.isprintable() else ""


def time_at(value: Any, *path: str | int) -> datetime | None:
    """The time at this path; None when it has no zone or is no time."""
    try:
        found = datetime.fromisoformat(text_at(value, *path))
    except ValueError:
        return None
    return found if found.tzinfo else None


def written(time: datetime) -> str:
    """As PayPal writes times."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def path_id(object_id: str) -> str:
    """An id that may stand in a path. Errors: ObjectNotFound for what cannot be one of PayPal's."""
    if not ID.fullmatch(object_id):
        raise ObjectNotFound("malformed_id", "This is no id of PayPal's.")
    return object_id


@readable
def pages_of(answer: dict[str, Any]) -> int:
    """How many pages a list has."""
    return min(int(answer.get("total_pages") or 1), MOST_PAGES)
