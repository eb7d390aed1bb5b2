"""https://docs.stripe.com/search#search-query-language: the subset for finding intents by metadata."""

import re

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.errors import INVALID, ApiError
from sandbox.stripe_api.parameters import Map, Text
from sandbox.stripe_api.routes import LISTING, Call, slice_page

PARAMS = Map({"query": Text(), "limit": LISTING["limit"], "page": Text()}, required=("query",))
CLAUSE = re.compile(
    r"""(metadata\[["'](?P<key>[^"']+)["']\]|(?P<field>status|customer|currency)):["'](?P<value>[^"']*)["']"""
)


def find_intents(account: Account, call: Call) -> Json:
    """`metadata["order"]:"7" AND status:"succeeded"`; new objects appear after `search_seconds`."""
    clauses = [CLAUSE.fullmatch(part.strip()) for part in re.split(r"\sAND\s", call.params["query"])]
    if not all(clauses):
        raise ApiError(
            400, INVALID, "We were unable to parse your search query.", stored=False, param="query"
        )
    until = account.now() - account.settings["search_seconds"]
    found = [
        row
        for row in reversed(account.rows("payment_intent"))
        if row["created"] <= until and all(fits(row, c) for c in clauses if c)
    ]
    answer = slice_page(account, {"limit": call.params.get("limit", 10)}, "payment_intent", "", found)
    return answer | {"object": "search_result", "next_page": None, "url": "/v1/payment_intents/search"}


def fits(row: Json, clause: re.Match[str]) -> bool:
    wanted = clause["value"]
    return bool((row["metadata"].get(clause["key"]) if clause["key"] else row[clause["field"]]) == wanted)
