"""PayPal-Request-Id. https://developer.paypal.com/api/rest/reference/idempotency

A repeated ID returns the current state of the object that the first call created. A failed call does not use up its ID,
nor does a 500 before the call took effect. IDs are scoped to a path: PayPal does not document what happens when one is
used for two. Only the vault's description rejects a different body; elsewhere it is ignored, as the general rule says.
"""

import hashlib
import json

from sandbox.http_messages import Request
from sandbox.paypal_api.account import NAME, Account
from sandbox.paypal_api.errors import in_progress, invalid, refused
from sandbox.paypal_api.routes import Call, Result, Route

TABLE = f"{NAME}.request_id"
MAX_LENGTH = 108


def begin(account: Account, route: Route, request: Request, call: Call) -> Result | None:
    """Return the response to a repeated call, or None for the first call, which now runs."""
    if not call.request_id or len(call.request_id) > MAX_LENGTH:
        raise invalid("INVALID_STRING_LENGTH", "PayPal-Request-Id")
    name = f"{request.path} {call.request_id}"
    row = account.store.table(TABLE).get(name)
    body = hashlib.sha256(json.dumps(call.body, sort_keys=True).encode()).hexdigest()
    if row is None or row["at"] < account.now() - route.key_lifetime:
        account.store.save(TABLE, name, {"at": account.now(), "body": body, "object_id": None})
        return None
    if route.compares_body and row["body"] != body:
        raise refused("PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
    if row["object_id"] is None:
        raise in_progress()
    assert route.serialize  # noqa: S101 (routes that keep ids have it)
    return Result(route.replay_status, route.serialize(account, row["object_id"], call.full))


def save_object_id(account: Account, request: Request, call: Call, object_id: str) -> None:
    name = f"{request.path} {call.request_id}"
    row = account.store.table(TABLE).get(name)
    if row is not None:  # None after a reset
        account.store.save(TABLE, name, row | {"object_id": object_id})


def release_failed(account: Account, request: Request, call: Call) -> None:
    """Free the ID of a call that ended without creating an object."""
    name = f"{request.path} {call.request_id}"
    row = account.store.table(TABLE).get(name)
    if row is not None and row["object_id"] is None:
        account.store.remove(TABLE, name)


def release_unfinished(account: Account) -> None:
    """Free the IDs of calls that a restart interrupted."""
    for name, row in list(account.store.table(TABLE).items()):
        if row["object_id"] is None:
            account.store.remove(TABLE, name)
