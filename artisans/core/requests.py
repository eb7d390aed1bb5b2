"""The current request: its id, and Django's request behind DRF's."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the log formatter needs this module before Django is set up
    from django.http import HttpRequest
    from rest_framework.request import Request

request_id: ContextVar[str] = ContextVar("request_id", default="")


def api_request(request: "Request") -> "HttpRequest":
    """The Django request behind a DRF request."""
    return request._request
