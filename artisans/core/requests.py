"""The request that is being handled: its id, and Django's request behind the framework's."""

from contextvars import ContextVar

from django.http import HttpRequest
from rest_framework.request import Request

request_id: ContextVar[str] = ContextVar("request_id", default="")


def api_request(request: Request) -> HttpRequest:
    """Django's request below DRF's."""
    return request._request
