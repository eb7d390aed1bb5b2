"""https://docs.stripe.com/api/events and https://docs.stripe.com/api/webhook_endpoints, with Stripe's signatures."""

import copy
import fnmatch
import hashlib
import hmac
import json
import secrets
import time

from sandbox.http_messages import Json
from sandbox.stripe_api.account import API_VERSION, NAME, Account
from sandbox.stripe_api.errors import missing_resource
from sandbox.stripe_api.parameters import Flag, Kind, Many, Map, Metadata, Text, Url, merged
from sandbox.stripe_api.routes import Call, Route, list_params, slice_page, within
from sandbox.stripe_api.versions import check_version, event_type_in, object_in
from sandbox.webhook_delivery import ENDPOINTS

# In a sandbox "three times over the course of a few hours": https://docs.stripe.com/webhooks#retries
RETRY_SECONDS: list[float] = [600, 3600, 7200]
HEADERS = {
    "Accept": "*/*; q=0.5, application/xml",
    "Cache-Control": "no-cache",
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}


def serialize(account: Account, row: Json) -> Json:
    return row | {"pending_webhooks": account.simulator.webhooks.pending(row["id"])}


def build_delivery(account: Account, endpoint: Json, event_id: str) -> tuple[dict[str, str], bytes]:
    """Return headers and body of one delivery, signed with every secret of the endpoint."""
    event = event_in(account, endpoint["api_version"], account.find("event", event_id))
    body = json.dumps(event, indent=2).encode()
    return HEADERS | {"Stripe-Signature": signature(body, endpoint["secrets"])}, body


def event_in(account: Account, version: str, row: Json) -> Json:
    """Return the event as an endpoint with this API version gets it."""
    data = row["data"] | {"object": object_in(account, version, row["data"]["object"])}
    shown = {"api_version": version, "data": data, "type": event_type_in(version, row["type"])}
    return serialize(account, row) | (shown if version != API_VERSION else {})


def signature(body: bytes, keys: list[str]) -> str:
    """`v0` is the fake scheme that Stripe adds in test mode; verifiers must ignore it."""
    moment = int(time.time())
    signed = [hmac.new(key.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={moment}", *(f"v1={each}" for each in signed), f"v0={secrets.token_hex(32)}"])


def retrieve(account: Account, _: Call, event_id: str) -> Json:
    return serialize(account, account.find("event", event_id))


def list_all(account: Account, call: Call) -> Json:
    params = call.params
    patterns = params.get("types") or [params.get("type", "*")]
    rows = [
        serialize(account, row)
        for row in reversed(account.rows("event"))
        if any(fnmatch.fnmatchcase(row["type"], pattern) for pattern in patterns)
        and within(row["created"], params.get("created", {}))
    ]
    if "delivery_success" in params:
        rows = [row for row in rows if (row["pending_webhooks"] == 0) == params["delivery_success"]]
    return slice_page(account, params, "event", "/v1/events", rows)


def fire(account: Account, kind: str, row: Json, changes: Json) -> Json:
    """Send any event, even a false one: `changes` override its fields, "object" those of its object."""
    account.emit(kind, row)
    event = account.rows("event")[-1]
    event["data"]["object"] |= copy.deepcopy(changes.get("object", {}))
    event |= {name: value for name, value in changes.items() if name != "object"}
    return account.save(event)


# ---- endpoints -------------------------------------------------------------------------------------------------


def add_endpoint(
    account: Account, url: str, secret: str, enabled: list[str], version: str = API_VERSION
) -> Json:
    row: Json = {
        "id": account.new_id("we"),
        "provider": NAME,
        "url": url,
        "secrets": [secret],
        "enabled_events": enabled,
        "api_version": version,
        "status": "enabled",
        "created": account.now(),
        "description": None,
        "metadata": {},
    }
    account.store.save(ENDPOINTS, row["id"], row)
    return row


def ensure_endpoint(account: Account, url: str, secret: str) -> Json:
    """Return the endpoint with this URL, created if necessary, with this secret."""
    for row in account.store.table(ENDPOINTS).values():
        if row["provider"] == NAME and row["url"] == url:
            row["secrets"] = [secret]
            account.store.save(ENDPOINTS, row["id"], row)
            return row
    return add_endpoint(account, url, secret, ["*"])


def endpoint_of(account: Account, endpoint_id: str) -> Json:
    row = account.store.table(ENDPOINTS).get(endpoint_id)
    if row is None or row["provider"] != NAME:
        raise missing_resource("webhook_endpoint", endpoint_id, "webhook_endpoint")
    return row


def serialize_endpoint(row: Json) -> Json:
    names = ("id", "url", "enabled_events", "api_version", "status", "created", "description", "metadata")
    fixed = {"object": "webhook_endpoint", "application": None, "livemode": False}
    return {name: row[name] for name in names} | fixed


def create_endpoint(account: Account, call: Call) -> Json:
    secret = f"whsec_{secrets.token_urlsafe(24)}"
    version = check_version(call.params.get("api_version", API_VERSION))
    row = add_endpoint(account, call.params["url"], secret, call.params["enabled_events"], version)
    row["description"] = call.params.get("description")
    row["metadata"] = merged({}, call.params.get("metadata", {}))
    return serialize_endpoint(row) | {"secret": secret}


def list_endpoints(account: Account, call: Call) -> Json:
    rows = [
        serialize_endpoint(row) for row in account.store.table(ENDPOINTS).values() if row["provider"] == NAME
    ]
    return {
        "object": "list",
        "data": rows[: call.params.get("limit", 10)],
        "has_more": False,
        "url": "/v1/webhook_endpoints",
    }


def retrieve_endpoint(account: Account, _: Call, endpoint_id: str) -> Json:
    return serialize_endpoint(endpoint_of(account, endpoint_id))


def update_endpoint(account: Account, call: Call, endpoint_id: str) -> Json:
    row, params = endpoint_of(account, endpoint_id), call.params
    row |= {name: params[name] for name in ("url", "enabled_events", "description") if name in params}
    row["status"] = "disabled" if params.get("disabled", row["status"] == "disabled") else "enabled"
    account.store.save(ENDPOINTS, endpoint_id, row)
    return serialize_endpoint(row)


def delete_endpoint(account: Account, _: Call, endpoint_id: str) -> Json:
    endpoint_of(account, endpoint_id)
    account.store.remove(ENDPOINTS, endpoint_id)
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


ENDPOINT: dict[str, Kind] = {
    "description": Text(unset=True),
    "enabled_events": Many(Text()),
    "metadata": Metadata(),
    "url": Url(),
}
PATH = "/v1/webhook_endpoints"
ROUTES = (
    Route(
        "GET", "/v1/events", list_all, list_params(delivery_success=Flag(), type=Text(), types=Many(Text()))
    ),
    Route("GET", "/v1/events/{id}", retrieve),
    Route(
        "POST",
        PATH,
        create_endpoint,
        Map({**ENDPOINT, "api_version": Text()}, required=("url", "enabled_events")),
    ),
    Route("GET", PATH, list_endpoints, list_params()),
    Route("GET", PATH + "/{id}", retrieve_endpoint),
    Route("POST", PATH + "/{id}", update_endpoint, Map({**ENDPOINT, "disabled": Flag()})),
    Route("DELETE", PATH + "/{id}", delete_endpoint),
)
