"""API calls and the routes that handle them."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox.http_messages import Json, Request
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.errors import detail, problem
from sandbox.paypal_api.schemas import violations

HOUR = 3600
MAX_DETAILS = 10


@dataclass(frozen=True)
class Call:
    body: Any
    query: dict[str, str] = field(default_factory=dict)
    full: bool = False  # Prefer: return=representation
    request_id: str | None = None  # PayPal-Request-Id


@dataclass(frozen=True)
class Result:
    status: int
    body: Json | None = None
    object_id: str | None = None  # the object whose state a repeated call returns


Handler = Callable[..., Result]  # (account, call, *ids of the path)
Serializer = Callable[[Account, str, bool], Json]  # the object's current state, in full or minimal


@dataclass(frozen=True)
class Route:
    """`key_lifetime`: seconds that a PayPal-Request-Id is kept, as published with each API; 0: it is ignored."""

    method: str
    path: str
    handler: Handler
    request: str = ""  # schema of the body
    query: str = ""  # schema of the query
    key_lifetime: int = 0
    serialize: Serializer | None = None
    replay_status: int = 200  # status code for a repeated call
    compares_body: bool = False  # whether a repeated call must have the same body

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", r"([^/]+)", self.path))


def parse_call(route: Route, request: Request) -> Call:
    """Raises a 400 that lists every unknown or invalid field."""
    body = parse_body(request) if route.request else None
    check(body, route.request, "body")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if route.query:
        check(query, route.query, "query")
    full = request.headers.get("prefer", "").replace(" ", "") == "return=representation"
    return Call(body, query, full, request.headers.get("paypal-request-id"))


def check(value: Any, shape: str, location: str) -> None:
    found = list(violations(value, f"@{shape}"))[:MAX_DETAILS] if shape else []
    if found:
        details = []
        for violation in found:
            where = {"field": violation.pointer or "/", "location": location}
            details.append(
                detail(violation.issue, **where, **({"value": violation.value} if violation.value else {}))
            )
        raise problem(400, "INVALID_REQUEST", *details)


def parse_body(request: Request) -> Any:
    """An empty body counts as an empty object."""
    if not request.body:
        return {}
    if "json" not in request.headers.get("content-type", ""):
        raise problem(400, "INVALID_REQUEST", detail("MALFORMED_REQUEST_JSON", location="body"))
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as wrong:
        raise problem(400, "INVALID_REQUEST", detail("MALFORMED_REQUEST_JSON", location="body")) from wrong
