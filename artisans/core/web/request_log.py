"""One log line per request: which route, for what kind of principal, with what result."""

import logging
import re
import time
from functools import cache

from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from artisans.core.security.client_ip import client_address
from artisans.core.security.events import security_event
from artisans.core.security.principals import principal_kind
from artisans.core.security.proxy import notice_proxy
from artisans.core.web.middleware import Handler

logger = logging.getLogger("artisans.requests")

EMAIL_ADDRESS = re.compile(r"[^/\s]*@[^/\s]*")
REFUSED = {401, 403}
SERVER_ERROR = 500


class RequestLogMiddleware:
    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        notice_proxy(request)
        log_request(request, response, time.perf_counter() - started)
        return response


def log_request(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    status, route = response.status_code, route_of(request)
    facts = {
        "method": (request.method or "")[:10],
        "route": route,
        "status": status,
        "address": client_address(request),
        "principal": principal_kind(request),
    }
    if status in REFUSED:
        security_event("access_refused", facts, level=logging.WARNING)
    level = logging.WARNING if status >= SERVER_ERROR else logging.INFO
    if request.path.startswith(settings.PROBE_PATHS):
        level = logging.DEBUG  # they come every few seconds
    logger.log(level, "request", extra=facts | {"duration_ms": int(seconds * 1000)})


def route_of(request: HttpRequest) -> str:
    """The pattern of the URL, whose values can be secrets; for URLs without one, the path."""
    if request.resolver_match is not None:
        return readable(request.resolver_match.route)
    return EMAIL_ADDRESS.sub("[address]", request.path)[:200]


@cache
def readable(route: str) -> str:
    """The path of a route, with the names of its values in angle brackets."""
    return simplify_regex(route).replace("\\", "").removesuffix("?").rstrip("/") or "/"
