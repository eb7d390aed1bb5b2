"""Idempotency keys of API v1. https://docs.stripe.com/api/idempotent_requests

The first response is saved once execution has begun, including errors and 500s, but not if validation failed.
"""

import hashlib
import json

from sandbox.http_messages import Json, Request, Response
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.errors import INVALID, ApiError

TABLE = "stripe.key"
DAY = 86400
MAX_LENGTH = 255
IDEMPOTENCY = "idempotency_error"


def fingerprint(request: Request, params: Json) -> str:
    text = json.dumps([request.method, request.path, params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def begin(account: Account, key: str, request: Request, params: Json) -> Response | None:
    """Return the saved response of an earlier request with this key, or None for a first request, which now runs."""
    if len(key) > MAX_LENGTH:
        raise ApiError(
            400, INVALID, f"Idempotency keys must be at most {MAX_LENGTH} characters.", stored=False
        )
    row = account.store.table(TABLE).get(key)
    digest = fingerprint(request, params)
    if row is None or row["at"] < account.now() - DAY:
        fresh = {"at": account.now(), "path": request.path, "fingerprint": digest, "request": request.id}
        account.store.save(TABLE, key, fresh | {"status": None})
        return None
    if row["path"] != request.path:
        message = (
            "Keys for idempotent requests can only be used for the same endpoint they were first used for "
            f"('{request.path}' vs '{row['path']}'). Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
        raise ApiError(400, IDEMPOTENCY, message, stored=False)
    if row["fingerprint"] != digest:
        message = (
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try "
            f"using a key other than '{key}' if you meant to execute a different request."
        )
        raise ApiError(400, IDEMPOTENCY, message, stored=False)
    if row["status"] is None:
        message = (
            "There is currently another in-progress request using this Idempotent Key (that probably means you "
            "submitted twice, and the other request is still going through). Please try again later."
        )
        raise ApiError(409, IDEMPOTENCY, message, stored=False, code="idempotency_key_in_use")
    headers = {"Idempotent-Replayed": "true", "Original-Request": row["request"]}
    return Response(row["status"], row["body"].encode(), headers)


def save_response(account: Account, key: str, response: Response) -> None:
    row = account.store.table(TABLE).get(key)
    if row is not None:  # None after a reset
        account.store.save(TABLE, key, row | {"status": response.status, "body": response.body.decode()})


def release(account: Account, key: str) -> None:
    """Free the key: nothing was executed."""
    account.store.remove(TABLE, key)


def release_unfinished(account: Account) -> None:
    """Free the keys of requests that a restart interrupted."""
    for key, row in list(account.store.table(TABLE).items()):
        if row["status"] is None:
            account.store.remove(TABLE, key)
