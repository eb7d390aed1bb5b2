"""What a mail's row holds: facts as JSON. They become words when the mail is sent, not in the transaction of the fact:
no wording, and no fault in it, can undo what the mail is about."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

from django.utils.formats import date_format
from django.utils.timezone import localtime

from artisans.core.money import Money
from artisans.core.templatetags.money import show

F = TypeVar("F", bound=Callable[..., Any])

MARK = "$"  # the key that tells a packed value from plain JSON
RENDERERS: dict[str, Callable[..., Any]] = {}


def fact_renderer(function: F) -> F:
    """Decorator: a function that `later` may name. It is called with what `later` was given, when the mail is sent.

    The name stays in rows that wait: rename a wording only with an alias.
    """
    RENDERERS[function.__name__] = function
    return function


def render_later(function: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """A part of a mail that `function`, a wording, makes of these facts when the mail is sent."""
    return {MARK: function.__name__, "arguments": pack(arguments)}


def pack(value: Any) -> Any:
    """Facts as plain JSON; what was packed already stays as it is."""
    match value:
        case Money():
            return {MARK: "money", "minor": value.minor, "currency": value.currency}
        case datetime():
            return {MARK: "time", "iso": value.isoformat()}
        case date():
            return {MARK: "day", "iso": value.isoformat()}
        case dict():
            return {str(name): pack(part) for name, part in value.items()}
        case list() | tuple():
            return [pack(part) for part in value]
        case None | bool() | int():
            return value
    return str(value).replace("\x00", "")  # which PostgreSQL cannot store


def unpack(value: Any) -> Any:
    """The facts again: amounts, times, and what the wordings make of theirs.

    Errors: those of the wordings; LookupError for one that is not there (any more).
    """
    if isinstance(value, list):
        return [unpack(part) for part in value]
    if not isinstance(value, dict):
        return value
    match value.get(MARK):
        case None:
            return {name: unpack(part) for name, part in value.items()}
        case "money":
            return Money.stored(value["minor"], value["currency"])
        case "time":
            return localtime(datetime.fromisoformat(value["iso"]))
        case "day":
            return date.fromisoformat(value["iso"])
    return RENDERERS[value[MARK]](**unpack(value["arguments"]))


def format_facts(value: Any) -> Any:
    """Facts as people read them, for a template."""
    match value:
        case Money():
            return show(value)
        case datetime():
            return date_format(value, "DATETIME_FORMAT")
        case date():
            return date_format(value, "DATE_FORMAT")
        case dict():
            return {name: format_facts(part) for name, part in value.items()}
        case list() | tuple():
            return [format_facts(part) for part in value]
    return value
