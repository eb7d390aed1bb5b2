"""Errors of the API as problem details (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, renderers
from rest_framework.response import Response

from artisans.core.errors import (
    Conflict,
    Declined,
    DomainError,
    Forbidden,
    InvalidInput,
    LinkRevoked,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
    UnprocessableContent,
)
from artisans.core.requests import request_id

logger = logging.getLogger(__name__)

STATUS_OF: tuple[tuple[type[DomainError], int], ...] = (
    (InvalidInput, 400),
    (Forbidden, 403),
    (NotFound, 404),
    (LinkRevoked, 410),
    (Conflict, 409),
    (UnprocessableContent, 422),
    (TooManyRequests, 429),
    (Declined, 402),
    (ServiceUnavailable, 503),
    (DomainError, 400),
)


class ProblemRenderer(renderers.JSONRenderer):
    media_type = "application/problem+json"


def status_phrase(status: int) -> str:
    """The reason phrase of RFC 9110; Python before 3.13 still has the older ones."""
    return {413: "Content Too Large", 422: "Unprocessable Content"}.get(status) or HTTPStatus(status).phrase


def problem(
    status: int, code: str, detail: str, *, title: str = "", extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of an error response."""
    return {
        "type": f"{settings.SITE_URL}/docs/errors#{code}",
        "title": title or status_phrase(status),
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
    """For errors outside DRF: unknown paths and parameters, CSRF, exceptions below an API prefix."""
    body = problem(status, code, detail, extra=extra)
    return JsonResponse(body, status=status, content_type=ProblemRenderer.media_type)


def status_of_class(error: type[DomainError]) -> int:
    return next(status for kind, status in STATUS_OF if issubclass(error, kind))


def status_of(error: DomainError) -> int:
    return status_of_class(type(error))


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: turns known exceptions into problems; others become a 500 reported by Django."""
    if isinstance(error, DomainError):
        status = status_of(error)
        body = problem(status, error.code, error.detail, title=_(error.title), extra=error.extra)
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
    default_detail = "The shop’s database is unavailable. Nothing was changed. Try again in a moment."


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


@csrf_exempt  # a client with a wrong path gets the 404 whatever its method
def api_not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    return problem_response(404, "not_found", "There is nothing at this URL.")
