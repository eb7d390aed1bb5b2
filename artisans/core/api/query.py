"""Rejects query parameters that an operation does not know, rather than ignoring them."""

from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.request import Request


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
    """Errors: ValidationError, naming each parameter that is unknown, empty or duplicated."""
    unknown = dict.fromkeys(sorted(query.keys() - known), "Unknown parameter.")
    if unknown:
        raise serializers.ValidationError(unknown, "unknown")
    empty = {name: "The parameter has no value." for name in sorted(query) if "" in query.getlist(name)}
    if empty:
        raise serializers.ValidationError(empty, "blank")
    twice = {name: "Duplicate parameter." for name in sorted(query) if len(query.getlist(name)) > 1}
    if twice:
        raise serializers.ValidationError(twice, "repeated")


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
