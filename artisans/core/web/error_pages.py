"""Error responses: pages for people, problem details for API clients."""

import errno
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from artisans.core.api.problems import problem_response, status_of
from artisans.core.errors import DomainError
from artisans.core.requests import request_id
from artisans.core.security.card_data import card_number_fields, has_card_number
from artisans.core.security.encryption import CannotDecrypt
from artisans.core.security.rate_limits import RateLimited
from artisans.core.web.middleware import Handler

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}  # a disk that fails becomes read-only
DETAILS = {
    400: ("bad_request", _("The request could not be understood.")),
    403: ("forbidden", _("You are not allowed to do this.")),
    404: ("not_found", _("There is nothing at this address.")),
    500: (
        "server_error",
        _("Something went wrong on our side. Please include the request id when you contact us."),
    ),
    410: ("gone", _("This page is no longer available.")),
    413: ("body_too_large", _("The request is too large. Nothing was changed.")),
    429: (
        "rate_limited",
        _("Too many requests. Wait a moment and try again. Nothing was changed or charged."),
    ),
    503: (
        "unavailable",
        _("The shop is not available right now. Nothing was changed. Try again in a moment."),
    ),
}


def error_page(request: HttpRequest, status: int) -> HttpResponse:
    if request.path.startswith(settings.API_PREFIXES):
        code, detail = DETAILS[status]
        return problem_response(status, code, str(detail))
    return render(request, f"{status}.html", {"request_id": request_id.get()}, status=status)


class CardNumberMiddleware:
    """Refuses pages' forms and addresses that hold a card number, before a view could store, send or show it.

    Views whose forms do this themselves, next to the field, set `refuses_card_numbers`. The API has its own checks.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        if request.path.startswith(settings.API_PREFIXES):
            return None
        sent = [request.GET] if getattr(view, "refuses_card_numbers", False) else [request.GET, request.POST]
        texts = [str(value) for value in kwargs.values()]
        if any(card_number_fields(fields.lists()) for fields in sent) or any(map(has_card_number, texts)):
            return render(request, "card_number.html", {"request_id": request_id.get()}, status=400)
        return None


class RefusedPageMiddleware:
    """Turns an error that no view handled into the error page of its status."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, RateLimited):
            return too_many(request, error)
        if isinstance(error, DomainError):
            status = status_of(error)
            return error_page(request, status if status in DETAILS else 400)
        return None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(request, 403)


def not_found(request: HttpRequest, exception: Http404) -> HttpResponse:
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """An unavailable database, a full disk and a missing encryption key are a 503, any other error a 500."""
    if is_outage(sys.exc_info()[1]):
        response = error_page(request, 503)
        response["Retry-After"] = "5"
        return response
    return error_page(request, 500)


def is_outage(error: BaseException | None) -> bool:
    """Whether the same request can succeed later."""
    if isinstance(error, OSError):
        return error.errno in DISK_ERRORS
    return isinstance(error, OperationalError | InterfaceError | CannotDecrypt)


def too_many(request: HttpRequest, error: RateLimited) -> HttpResponse:
    response = error_page(request, 429)
    response["Retry-After"] = str(error.wait)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", {"request_id": request_id.get()}, status=403)
