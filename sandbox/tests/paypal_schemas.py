"""Checks requests, responses and events against our schemas and PayPal's own API descriptions.

`check_request` and `check_response` serve the tests of anything that talks to PayPal. PayPal's descriptions are taken
from the folder PAYPAL_OPENAPI or from where they usually lie; without them, our lists alone decide.
"""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

from sandbox.paypal_api.api import ROUTES
from sandbox.paypal_api.schemas import violations

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLISHED = ROOT / os.environ.get("PAYPAL_OPENAPI", "../shared/providers/paypal")
ANSWERS = {
    "POST /v2/checkout/orders": "order|order_minimal",
    "GET /v2/checkout/orders/{id}": "order",
    "POST /v2/checkout/orders/{id}/capture": "order|order_minimal",
    "GET /v2/payments/captures/{id}": "capture",
    "POST /v2/payments/captures/{id}/refund": "refund|refund_minimal",
    "GET /v2/payments/refunds/{id}": "refund",
    "POST /v3/vault/setup-tokens": "setup_token",
    "GET /v3/vault/setup-tokens/{id}": "setup_token",
    "POST /v3/vault/payment-tokens": "payment_token",
    "GET /v3/vault/payment-tokens": "payment_token_list",
    "GET /v3/vault/payment-tokens/{id}": "payment_token",
    "POST /v1/oauth2/token": "access_token",
    "POST /v1/notifications/verify-webhook-signature": "verify_answer",
    "GET /v1/notifications/webhooks-events": "event_list",
    "GET /v1/notifications/webhooks-events/{id}": "event",
    "GET /v1/reporting/transactions": "transactions",
    "GET /v1/reporting/balances": "balances",
    "GET /v1/customer/disputes": "dispute_list",
    "GET /v1/customer/disputes/{id}": "dispute",
}
RESOURCES = {
    "checkout-order": ("order", "checkout_orders_v2", "order"),
    "capture": ("capture", "payments_payment_v2", "capture-2"),
    "refund": ("refund", "payments_payment_v2", "refund"),
    "dispute": ("dispute", "customer_disputes_v1", "dispute"),
    "payment_token": ("payment_token", "vault_payment_tokens_v3", "payment_token_response"),
}
# The descriptions are of 2024-02; the reference on developer.paypal.com has this since.
LATER = {
    "POST /v3/vault/payment-tokens: 'SETUP_TOKEN' is not one of ['BILLING_AGREEMENT']",
}


def check_request(method: str, path: str, body: Any) -> list[str]:
    """Return the violations in a request; `path` with or without a query."""
    name = operation(method, path)
    if name is None:
        return [f"{method} {path} is no call that the sandbox knows."]
    route = next(route for route in ROUTES if f"{route.method} {route.path}" == name)
    found = by_our_list(body, route.request, name) if route.request else []
    return found + by_published(body, name, lambda known: known.get("requestBody", {}))


def check_response(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return the violations in a response or error."""
    if status >= 400:
        return by_our_list(body, "oauth_error" if "error" in body else "error", f"{method} {path} {status}")
    name = operation(method, path)
    if body is None or name is None:
        return []
    return by_our_list(body, ANSWERS[name], name) + by_published(
        body, name, lambda known: known["responses"].get(str(status), {})
    )


def check_event(event: Any) -> list[str]:
    found = by_our_list(event, "event", "event")
    shape, file, theirs = RESOURCES[event["resource_type"]]
    added = {"time_created", "metadata"} if shape == "payment_token" else set()
    resource = {name: part for name, part in event["resource"].items() if name not in added}
    found += by_our_list(resource, shape, event["event_type"])
    if (PUBLISHED / f"{file}.json").exists():
        found += against(resource, file, {"$ref": f"#/components/schemas/{theirs}"}, event["event_type"])
        found += against(event, "notifications_webhooks_v1", {"$ref": "#/components/schemas/event"}, "event")
    return found


def operation(method: str, path: str) -> str | None:
    """Return the route, such as "GET /v2/checkout/orders/{id}"."""
    plain = path.partition("?")[0]
    if (method, plain) == ("POST", "/v1/oauth2/token"):
        return f"{method} {plain}"
    for route in ROUTES:
        if route.method == method and route.pattern.fullmatch(plain):
            return f"{method} {route.path}"
    return None


def by_our_list(value: Any, schemas: str, name: str) -> list[str]:
    """One of several schemas must fit; the violations of the first are returned otherwise."""
    tried = [list(violations(value, f"@{schema}")) for schema in schemas.split("|")]
    return (
        []
        if [] in tried
        else [f"{name}: {flaw.pointer} {flaw.issue} {flaw.value}".strip() for flaw in tried[0]]
    )


# ---- PayPal's own descriptions ------------------------------------------------------------------------------------


@cache
def document(file: str) -> Any:
    return json.loads((PUBLISHED / f"{file}.json").read_text())


@cache
def operations() -> dict[str, tuple[str, Any]]:
    """Return the file and description of each route."""
    found = {}
    for file in sorted(PUBLISHED.glob("*.json")):
        known = document(file.stem)
        base = "/v1/reporting" if "reporting" in known["servers"][0]["url"] else ""
        for path, methods in known["paths"].items():
            start = "" if path.startswith(base) else base
            for method, described in methods.items():
                found[f"{method.upper()} {start}{re.sub(r'{[^}]+}', '{id}', path)}"] = (file.stem, described)
    return found


def by_published(value: Any, name: str, part: Any) -> list[str]:
    file, described = operations().get(name, ("", {}))
    content = resolved(file, part(described)) if file else {}
    schema = content.get("content", {}).get("application/json", {}).get("schema")
    return against(value, file, schema, name) if schema else []


def against(value: Any, file: str, schema: Any, name: str) -> list[str]:
    components = document(file)["components"]
    validator = Draft4Validator({"allOf": [schema], "components": components})
    found = [f"{name}: {flaw.message}" for flaw in validator.iter_errors(value)]
    found += [f"{name}: {path} is not published" for path in unpublished(value, file, schema)]
    return [each for each in found if each not in LATER]


def unpublished(value: Any, file: str, schema: Any, path: str = "") -> Iterator[str]:
    """Return undescribed fields: the description allows them, but PayPal would not return them."""
    known = merged(file, schema)
    if isinstance(value, list):
        for part in value:
            yield from unpublished(part, file, known.get("items", {}), f"{path}[]")
    elif isinstance(value, dict) and known.get("properties"):
        for name, part in value.items():
            if name in known["properties"]:
                yield from unpublished(part, file, known["properties"][name], f"{path}/{name}")
            elif name != "encType":
                yield f"{path}/{name}"


def merged(file: str, schema: Any) -> Any:
    """Return the schema with references resolved and alternatives merged."""
    whole = resolved(file, schema)
    properties, items = dict(whole.get("properties", {})), whole.get("items", {})
    for each in [part for word in ("allOf", "anyOf", "oneOf") for part in whole.get(word, [])]:
        inner = merged(file, each)
        properties |= inner["properties"]
        items = items or inner["items"]
    return {"properties": properties, "items": items}


def resolved(file: str, part: Any) -> Any:
    while "$ref" in part:
        found = document(file)
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part
