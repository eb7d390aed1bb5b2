"""Cursor pagination of the API's lists."""

import logging
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC
from typing import Any
from urllib.parse import unquote_plus

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from rest_framework import pagination, serializers
from rest_framework.request import Request

from artisans.core.api.fields import MAX_DIGITS

logger = logging.getLogger(__name__)
ORDERINGS = ("-created", "created")
# What DRF writes into a cursor: offset among rows of the same time, direction, time of the last row.
NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
CURSOR = re.compile(r"(?:o=([0-9]{1,4}))?&?(?:r=(1))?&?(?:p=([^&=]+))?", re.ASCII)


class CreatedCursorPagination(pagination.CursorPagination):
    """`{next, previous, results}`; stable while rows are added. A `limit` above 100 counts as 100.

    `?ordering=created` lists the oldest first, so that a client can follow a growing list.
    """

    ordering: tuple[str, ...] = ("-created_at", "-id")
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

    def decode_cursor(self, request: Request) -> pagination.Cursor | None:
        """Stricter than DRF, which takes characters that are no base64 and fails on a position that is no time."""
        encoded = request.query_params.get(self.cursor_query_param)
        if encoded is None:
            return None
        try:
            return parse_cursor(encoded, self.check_position)
        except (ValueError, OverflowError) as error:
            text = _("Use the URLs of next and previous unchanged.")
            raise serializers.ValidationError({"cursor": text}, "invalid") from error

    @staticmethod
    def check_position(position: str) -> None:
        """Errors: ValueError or OverflowError for what is no position in these rows."""
        moment = parse_datetime(position)
        if moment is None or moment.tzinfo is None:
            raise ValueError("The position is no time.")
        moment.astimezone(UTC)

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


class NumberCursorPagination(CreatedCursorPagination):
    """Pages of rows whose ids are numbers that grow."""

    ordering: tuple[str, ...] = ("-id",)

    @staticmethod
    def check_position(position: str) -> None:
        if not NUMBER.fullmatch(position):
            raise ValueError("The position is no number.")


def query_parameter(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": text}


def parse_cursor(encoded: str, check_position: Callable[[str], None]) -> pagination.Cursor:
    """Errors: ValueError or OverflowError for what `encode_cursor` never writes."""
    found = CURSOR.fullmatch(b64decode(encoded.encode("ascii"), validate=True).decode("ascii"))
    if found is None:
        raise ValueError("This is no cursor.")
    offset, reverse, position = found.groups()
    if position is not None:
        position = unquote_plus(position)
        check_position(position)
    cutoff = CreatedCursorPagination.offset_cutoff
    return pagination.Cursor(min(int(offset or 0), cutoff), reverse is not None, position)  # type: ignore[arg-type]  # the stub's position is a number
