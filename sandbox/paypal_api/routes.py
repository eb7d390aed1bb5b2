"""One call of the API, and the table row that says how it is answered."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox.http_messages import Json, Request
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.errors import detail, problem
from sandbox.paypal_api.schemas import flaws

HOUR = 3600
SHOWN_FLAWS = 10


@dataclass(frozen=True)
class Call:
    body: Any
    query: dict[str, str] = field(default_factory=dict)
    full: bool = False  # Prefer: return=representation
    key: str | None = None  # PayPal-Request-Id


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json | None = None
    about: str | None = None  # id of the object that a repetition of the call tells about


Handler = Callable[..., Answer]  # (account, call, *ids of the path)
Teller = Callable[[Account, str, bool], Json]  # the object as it is now, in full or not


@dataclass(frozen=True)
class Route:
    """`keeps`: seconds that PayPal-Request-Id is remembered (published with each API), 0 when it is not looked at."""

    method: str
    path: str
    handler: Handler
    request: str = ""  # shape of the body
    query: str = ""  # shape of the query
    keeps: int = 0
    tell: Teller | None = None
    repeated: int = 200  # status of the answer to a repetition
    compares: bool = False  # whether a repetition must have the same body

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", r"([^/]+)", self.path))


def read(route: Route, request: Request) -> Call:
    """Raises 400 with every field that is unknown or wrong."""
    body = read_body(request) if route.request else None
    check(body, route.request, "body")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if route.query:
        check(query, route.query, "query")
    full = request.headers.get("prefer", "").replace(" ", "") == "return=representation"
    return Call(body, query, full, request.headers.get("paypal-request-id"))


def check(value: Any, shape: str, location: str) -> None:
    found = list(flaws(value, f"@{shape}"))[:SHOWN_FLAWS] if shape else []
    if found:
        details = []
        for flaw in found:
            where = {"field": flaw.pointer or "/", "location": location}
            details.append(detail(flaw.issue, **where, **({"value": flaw.value} if flaw.value else {})))
        raise problem(400, "INVALID_REQUEST", *details)


def read_body(request: Request) -> Any:
    """An empty body counts as an empty object."""
    if not request.body:
        return {}
    if "json" not in request.headers.get("content-type", ""):
        raise problem(400, "INVALID_REQUEST", detail("MALFORMED_REQUEST_JSON", location="body"))
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as wrong:
        raise problem(400, "INVALID_REQUEST", detail("MALFORMED_REQUEST_JSON", location="body")) from wrong
