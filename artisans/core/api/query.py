"""Rejects query parameters that an operation does not know, rather than ignoring them."""

from collections.abc import Callable
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from artisans.core.api.fields import CONTROL_IN_LINE

Applies = Callable[[str, list[str]], bool]  # to a parameter's name and values
REPLACEMENT = "\ufffd"  # what Django writes for bytes that it cannot decode


class StrictQuery:
    """Mixin of `ApiView`, so that a misspelled filter does not return the whole list.

    Runs after authentication and permissions, so that unauthorized clients learn nothing.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]  # APIView comes next
        query = request.query_params
        if query and request.method != "OPTIONS":
            check_query(query, known_parameters(self, request.method or ""))


def check_query(query: QueryDict, known: frozenset[str]) -> None:
    """Errors: ValidationError, naming each parameter that is unknown, empty, duplicated or not plain text."""
    values = {name: query.getlist(name) for name in sorted(query)}
    problems: list[tuple[str, str, Applies]] = [
        ("unknown", _("Unknown parameter."), lambda name, sent: name not in known),
        ("blank", _("The parameter has no value."), lambda name, sent: not all(map(str.strip, sent))),
        ("repeated", _("Duplicate parameter."), lambda name, sent: len(sent) > 1),
        (
            "control_character",
            _("Control characters are not allowed."),
            lambda name, sent: CONTROL_IN_LINE.search(sent[0]) is not None,
        ),
        ("invalid", _("The value is not valid UTF-8."), lambda name, sent: REPLACEMENT in sent[0]),
    ]
    for code, text, applies in problems:
        if wrong := {name: text for name, sent in values.items() if applies(name, sent)}:
            raise serializers.ValidationError(wrong, code)


def known_parameters(view: Any, method: str) -> frozenset[str]:
    """The operation's own parameters (`operation(query=…)`), and for lists those of pagination and filters."""
    name = getattr(view, "action", None) or ("get" if method == "HEAD" else method.lower())
    names: frozenset[str] = getattr(getattr(view, name, None), "query_names", frozenset())
    pages = getattr(view, "pagination_class", None)
    if pages is None or name not in {"list", "get"}:
        return names
    filters = getattr(view, "filterset_class", None)
    page_names = {pages.cursor_query_param, pages.page_size_query_param, pages.ordering_param}
    return names | page_names | frozenset(filters.base_filters if filters else ())
