"""The edge of the API: strict JSON in, one error shape out (RFC 9457), and field types that read money exactly."""

import logging
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, pagination, renderers, routers, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.core.errors import (
    Conflict,
    ContradictsEarlier,
    Declined,
    DomainError,
    Forbidden,
    Gone,
    InvalidInput,
    Missing,
    NotNow,
    TooMany,
)
from artisans.core.middleware import request_id
from artisans.core.money import AMOUNT

logger = logging.getLogger(__name__)

STATUS_OF: tuple[tuple[type[DomainError], int], ...] = (
    (InvalidInput, 400),
    (Forbidden, 403),
    (Missing, 404),
    (Gone, 410),
    (Conflict, 409),
    (ContradictsEarlier, 422),
    (TooMany, 429),
    (Declined, 402),
    (NotNow, 503),
    (DomainError, 400),
)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")
MAX_DIGITS = 9
ORDERINGS = ("-created", "created")
UUID_LENGTH = 36
UUID_PATTERN = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class Router(routers.SimpleRouter):
    """Every route with and without trailing slash, both real: a redirect would lose the body."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"


class NewestFirst(pagination.CursorPagination):
    """`{next, previous, results}`; stable while rows are added. `limit` is at most 100, more is cut to it.

    `?ordering=created` turns the list round, so that a client can follow it as it grows.
    """

    ordering = ("-created_at", "-id")
    page_size = 25
    page_size_query_param = "limit"
    max_page_size = 100
    cursor_query_description = "Where to go on: take the addresses of `next` and `previous` as they are."
    page_size_query_description = "Rows on a page, 1 to 100; 25 unless told."
    ordering_param = "ordering"

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not (asked.isascii() and asked.isdigit() and len(asked) <= MAX_DIGITS**2 and int(asked) > 0):
            raise serializers.ValidationError({"limit": "Send a whole number from 1 to 100."}, "invalid")
        return min(int(asked), self.max_page_size)

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        asked = request.query_params.get(self.ordering_param, "-created")
        if asked not in ORDERINGS:
            raise serializers.ValidationError(
                {"ordering": f"Send {' or '.join(ORDERINGS)}."}, "invalid_choice"
            )
        if asked == "-created":
            return self.ordering
        return tuple(name.removeprefix("-") for name in self.ordering)

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except exceptions.NotFound as error:
            text = "Take the addresses of next and previous as they are."
            raise serializers.ValidationError({"cursor": text}, "invalid") from error

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        limit = {"type": "integer", "minimum": 1, "default": self.page_size}
        ordering = {"type": "string", "enum": list(ORDERINGS), "default": "-created"}
        text = "The newest first, or the oldest."
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


# ---- in ----------------------------------------------------------------------------------------------------


class StrictSerializer(serializers.Serializer[Any]):
    """Shape of a request body; unknown fields are refused, not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError(
                {name: ["There is no such field."] for name in unknown}, "unknown"
            )
        return super().to_internal_value(data)


def no_control_characters(text: str) -> None:
    """Errors: ValidationError."""
    if CONTROL.search(text):
        raise serializers.ValidationError("Control characters are not allowed.", "control_character")


class TextField(serializers.CharField):
    """Text without control characters, in NFC. Numbers and booleans are not text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        no_control_characters(data)
        return super().to_internal_value(unicodedata.normalize("NFC", data))


class YesNoField(serializers.BooleanField):
    """`true` or `false` of JSON; no word and no number stands for them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:60])
        return data


class CountField(serializers.IntegerField):
    """A whole number in JSON or plain ASCII digits; no sign, space, underscore or fraction."""

    def to_internal_value(self, data: Any) -> int:
        plain = isinstance(data, str) and data.isascii() and data.isdigit() and len(data) <= MAX_DIGITS
        if not plain and (isinstance(data, bool) or not isinstance(data, int)):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "pattern": f"^{AMOUNT.pattern}$"},
            {"type": "number", "minimum": 0, "multipleOf": 0.01, "maximum": 1_000_000_000},
        ]
    }
)
class PlainDecimalField(serializers.Field[Any, Any, Any, Any]):
    """A non-negative decimal in plain digits, as string or exact JSON number. Value: Decimal."""

    default_error_messages = {"invalid": "Send plain decimal digits such as 12.34."}

    def to_internal_value(self, data: Any) -> Decimal:
        text = str(data)  # keeps an exponent as it is: written out, 1e999999999 would fill the memory
        if isinstance(data, bool) or not isinstance(data, str | int | Decimal) or not AMOUNT.fullmatch(text):
            self.fail("invalid")
        return Decimal(text)

    def to_representation(self, value: Decimal) -> str:
        return format(value, "f")


class DayField(serializers.DateField):
    """A day as `2026-11-26`, no other spelling of ISO 8601."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not DAY.fullmatch(value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class IdField(serializers.UUIDField):
    """A UUID in its canonical spelling (hyphens, either case)."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) != UUID_LENGTH:
            self.fail("invalid", value=str(data)[:60])
        return super().to_internal_value(data)


def validated(serializer: type[serializers.Serializer[Any]], data: Any, **kwargs: Any) -> dict[str, Any]:
    """The checked body. Errors: DRF's ValidationError, shown as a problem with pointers."""
    checked = serializer(data=data, **kwargs)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def validated_list(serializer: type[serializers.Serializer[Any]], rows: list[Any]) -> list[dict[str, Any]]:
    """The same of a list; pointers start with the place in it."""
    checked = serializer(data=rows, many=True)
    checked.is_valid(raise_exception=True)
    return list(checked.validated_data)


# ---- out ---------------------------------------------------------------------------------------------------


class ProblemRenderer(renderers.JSONRenderer):
    media_type = "application/problem+json"


def problem(
    status: int, code: str, detail: str, *, title: str = "", extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of an error answer."""
    return {
        "type": f"{settings.SITE_URL}/docs/errors#{code}",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "retryable": status in {429, 503},
        "request_id": request_id.get(),
        **(extra or {}),
    }


def problem_response(
    status: int, code: str, detail: str, *, extra: Mapping[str, Any] | None = None
) -> JsonResponse:
    """For what fails outside DRF: unknown paths and parameters, CSRF, crashes below an API prefix."""
    body = problem(status, code, detail, extra=extra)
    return JsonResponse(body, status=status, content_type=ProblemRenderer.media_type)


def status_of_class(error: type[DomainError]) -> int:
    return next(status for kind, status in STATUS_OF if issubclass(error, kind))


def status_of(error: DomainError) -> int:
    return status_of_class(type(error))


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every refusal becomes a problem; what is unknown stays a 500 for Django to report."""
    if isinstance(error, DomainError):
        status = status_of(error)
        body = problem(status, error.code, error.detail, title=error.title, extra=error.extra)
        response = as_problem(body | {"retryable": error.retryable}, status)
        if error.wait:
            response["Retry-After"] = str(error.wait)
        return response
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    elif isinstance(error, OperationalError):
        logger.error("database_unavailable", exc_info=error)
        error = Unavailable()
    if not isinstance(error, exceptions.APIException):
        return None
    return from_api_exception(error)


class Unavailable(exceptions.APIException):
    status_code = 503
    default_code = "database_unavailable"
    default_detail = "The shop's database does not answer. Nothing was changed; try again in a moment."


def from_api_exception(error: exceptions.APIException) -> Response:
    extra: dict[str, Any] = {}
    if isinstance(error, exceptions.ValidationError):
        code, detail = "validation_error", "Some values are missing or wrong; see errors."
        extra["errors"] = list(pointers(error.detail))
    else:
        codes = error.get_codes()
        code, detail = codes if isinstance(codes, str) else error.default_code, str(error.detail)
        extra |= getattr(error, "extra", {})
    response = as_problem(problem(error.status_code, code, detail, extra=extra), error.status_code)
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait) + 1)
    elif error.status_code == Unavailable.status_code:
        response["Retry-After"] = "5"
    return response


def pointers(detail: Any, path: str = "") -> Any:
    """Flatten DRF's nested messages to {pointer, code, detail}."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from pointers(inner, path if key == "non_field_errors" else f"{path}/{key}")
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from pointers(inner, path if isinstance(inner, str) else f"{path}/{place}")
    else:
        yield {"pointer": path, "code": detail.code, "detail": str(detail)}


def as_problem(body: dict[str, Any], status: int) -> Response:
    return Response(body, status=status, content_type=ProblemRenderer.media_type)


@csrf_exempt  # a machine that missed the path is told so, whatever its method
def api_not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    return problem_response(404, "not_found", "There is nothing at this address.")


def api_request(request: Request) -> HttpRequest:
    """Django's request below DRF's."""
    return request._request


def utc(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, as every time in an answer."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
