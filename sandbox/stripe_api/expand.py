"""`expand[]`: IDs in a response that are replaced by their objects. https://docs.stripe.com/api/expanding_objects"""

import copy

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.errors import bad_parameter
from sandbox.stripe_api.routes import Route

# Expandable fields by object type, with the type of their objects.
LINKS: dict[str, dict[str, str]] = {
    "balance_transaction": {"source": "charge"},
    "charge": {
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "payment_intent": "payment_intent",
        "refunds": "list",
    },
    "checkout.session": {
        "customer": "customer",
        "line_items": "list",
        "payment_intent": "payment_intent",
        "setup_intent": "setup_intent",
    },
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "payment_intent": {"customer": "customer", "latest_charge": "charge", "payment_method": "payment_method"},
    "payment_method": {"customer": "customer"},
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
    },
    "setup_intent": {"customer": "customer", "payment_method": "payment_method"},
}
MOVED = ("charge", "refund", "dispute")  # sources of balance transactions
LISTED = {"refunds": "refund", "line_items": "item"}
COLLECTIONS = {
    "balance_transactions": "balance_transaction",
    "charges": "charge",
    "disputes": "dispute",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "refunds": "refund",
    "sessions": "checkout.session",
    "setup_intents": "setup_intent",
}
DEPTH = 4


def check_paths(route: Route, paths: list[str]) -> None:
    """Raises for a path that this route cannot expand, before the request takes effect."""
    segments = route.path.split("/")
    kind = next((COLLECTIONS[name] for name in reversed(segments) if name in COLLECTIONS), "")
    many = route.method == "GET" and segments[-1] in {*COLLECTIONS, "search"}
    for path in paths:
        parts = path.split(".")
        if len(parts) > DEPTH:
            raise bad_parameter(
                "expand", f"You cannot expand more than {DEPTH} levels of a property ({path})."
            )
        if not expandable(kind, parts[1:] if many and parts[0] == "data" else parts):
            raise bad_parameter("expand", f"This property cannot be expanded ({path}).")


def expandable(kind: str, parts: list[str]) -> bool:
    for name in parts:
        if name == "data":
            continue
        kind = LINKS.get(kind, {}).get(name, "")
        if not kind:
            return False
        kind = LISTED.get(name, kind)
    return bool(parts)


def expand(account: Account, answer: Json, paths: list[str]) -> Json:
    """Return a copy of the response with the (valid) paths expanded."""
    answer = copy.deepcopy(answer)
    for path in paths:
        follow(account, answer, path.split("."))
    return answer


def follow(account: Account, node: Json, parts: list[str]) -> None:
    name, rest = parts[0], parts[1:]
    if name == "data":
        for item in node["data"]:
            follow(account, item, rest)
        return
    if not isinstance(node.get(name), dict):
        node[name] = linked(account, node, name)
    if rest and isinstance(node[name], dict):
        follow(account, node[name], rest)


def linked(account: Account, node: Json, name: str) -> Json | None:
    kind = LINKS[node["object"]][name]
    if kind == "list":
        return listed(account, node, name)
    kinds = MOVED if name == "source" else (kind,)
    found = next(filter(None, (account.get(kind, node.get(name)) for kind in kinds)), None)
    return copy.deepcopy(found) if found else node.get(name)


def listed(account: Account, node: Json, name: str) -> Json:
    if name == "refunds":
        rows = [row for row in reversed(account.rows("refund")) if row["charge"] == node["id"]]
        url = f"/v1/charges/{node['id']}/refunds"
    else:
        rows, url = account.internal(node["id"])["lines"], f"/v1/checkout/sessions/{node['id']}/line_items"
    data = copy.deepcopy(rows[:10])
    return {"object": "list", "data": data, "has_more": len(rows) > len(data), "url": url}
