"""Cursor pagination of the API's lists."""

import logging
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, pagination, serializers
from rest_framework.request import Request

from artisans.core.api.fields import MAX_DIGITS

logger = logging.getLogger(__name__)
ORDERINGS = ("-created", "created")


class CreatedCursorPagination(pagination.CursorPagination):
    """`{next, previous, results}`; stable while rows are added. A `limit` above 100 counts as 100.

    `?ordering=created` lists the oldest first, so that a client can follow a growing list.
    """

    ordering = ("-created_at", "-id")
    page_size = 25
    page_size_query_param = "limit"
    max_page_size = 100
    cursor_query_description = "The page’s cursor: use the URLs of `next` and `previous` unchanged."
    page_size_query_description = "Rows per page, 1 to 100; 25 by default."
    ordering_param = "ordering"

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not (asked.isascii() and asked.isdigit() and len(asked) <= MAX_DIGITS**2 and int(asked) > 0):
            raise serializers.ValidationError({"limit": _("Send a whole number from 1 to 100.")}, "invalid")
        return min(int(asked), self.max_page_size)

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        asked = request.query_params.get(self.ordering_param, "-created")
        if asked not in ORDERINGS:
            raise serializers.ValidationError(
                {"ordering": _("Send one of: %(values)s.") % {"values": ", ".join(ORDERINGS)}},
                "invalid_choice",
            )
        if asked == "-created":
            return self.ordering
        return tuple(name.removeprefix("-") for name in self.ordering)

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except exceptions.NotFound as error:
            text = "Use the URLs of next and previous unchanged."
            raise serializers.ValidationError({"cursor": text}, "invalid") from error

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "default": self.page_size}
        ordering = {"type": "string", "enum": list(ORDERINGS), "default": "-created"}
        text = "Newest or oldest first."
        return [
            query_parameter(self.cursor_query_param, {"type": "string"}, self.cursor_query_description),
            query_parameter(self.page_size_query_param, limit, self.page_size_query_description),
            query_parameter(self.ordering_param, ordering, text),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {"type": ["string", "null"], "format": "uri"}
        following = "https://your.shop/orders/?cursor=cD0yMDI2LTExLTI2"
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": address | {"example": following},
                "previous": address | {"example": None},
                "results": schema,
            },
        }


def query_parameter(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}
