"""Emails are stored as facts (JSON) and rendered when sent, outside the transaction that recorded them, so that an
error in a text cannot roll back what the email is about.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

from django.utils.formats import date_format
from django.utils.timezone import localtime

from artisans.core.money import Money
from artisans.core.templatetags.money import show

F = TypeVar("F", bound=Callable[..., Any])

MARK = "$"  # marks a packed value among plain JSON
RENDERERS: dict[str, Callable[..., Any]] = {}


def fact_renderer(function: F) -> F:
    """Decorator: registers a function for `render_later`. It is called with the stored facts when the email is sent.

    Its name is stored in waiting emails: keep an alias when you rename it.
    """
    RENDERERS[function.__name__] = function
    return function


def render_later(function: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """A part of an email that `function` renders from these facts when the email is sent."""
    return {MARK: function.__name__, "arguments": pack(arguments)}


def pack(value: Any) -> Any:
    """Convert facts to plain JSON; packed values are left alone."""
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
    return str(value).replace("\x00", "")  # PostgreSQL cannot store NUL


def unpack(value: Any) -> Any:
    """Restore the facts: amounts, times, and the results of rendering functions.

    Errors: those of the functions; LookupError for an unknown one.
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
    """Format facts for a template."""
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
