"""API calls, the routes that handle them, and pagination."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.http_messages import Json
from sandbox.stripe_api.account import API_VERSION, Account
from sandbox.stripe_api.parameters import Int, Kind, Many, Map, Span, Text

EXPAND = Many(Text())
LISTING: dict[str, Kind] = {
    "created": Span(),
    "ending_before": Text(),
    "limit": Int(1, 100),
    "starting_after": Text(),
}


@dataclass(frozen=True)
class Call:
    params: Json
    public: bool = False  # sent with a publishable key, from a browser
    version: str = API_VERSION


Handler = Callable[..., Json]  # (account, call, *ids of the path)


@dataclass(frozen=True)
class Route:
    """`path` such as /v1/refunds/{id}; `public`: accepts a publishable key with a client secret."""

    method: str
    path: str
    handler: Handler
    params: Map = field(default_factory=Map)
    public: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{\w+\}", r"([^/]+)", self.path))

    @property
    def all_params(self) -> Map:
        return self.params.with_fields(expand=EXPAND)


def list_params(**filters: Kind) -> Map:
    return Map({**LISTING, **filters})


def page(account: Account, call: Call, kind: str, url: str, **filters: object) -> Json:
    """Return a page of objects, newest first. Filters that are not None must equal the object's field."""
    params = call.params
    rows = [
        row
        for row in reversed(account.rows(kind))
        if all(value is None or row.get(name, False) == value for name, value in filters.items())
        and within(row.get("created", 0), params.get("created", {}))
    ]
    return slice_page(account, params, kind, url, rows)


def slice_page(account: Account, params: Json, kind: str, url: str, rows: list[Json]) -> Json:
    """Return the page of `rows` that limit, starting_after and ending_before select."""
    limit = params.get("limit", 10)
    ids = [row["id"] for row in rows]
    if after := params.get("starting_after"):
        account.find(kind, after, "starting_after")
        rows = rows[ids.index(after) + 1 :] if after in ids else []
    elif before := params.get("ending_before"):
        account.find(kind, before, "ending_before")
        rows = rows[: ids.index(before)] if before in ids else []
        return {"object": "list", "data": rows[-limit:], "has_more": len(rows) > limit, "url": url}
    return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit, "url": url}


def within(moment: int, bounds: Json) -> bool:
    tests = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}
    return all(tests[name](moment, bound) for name, bound in bounds.items())
