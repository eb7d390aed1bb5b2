"""PayPal-Request-Id. https://developer.paypal.com/api/rest/reference/idempotency

A repeated id is answered with the state in which the object of the first call is now. A call that failed leaves its id
free, also one that failed with 500 before anything happened. Ids are kept per address: how one that is used for
two addresses is treated is not published. Of another body, only the vault's description says that it is refused;
elsewhere the first call is told, as the general rule has it.
"""

import hashlib
import json

from sandbox.http_messages import Request
from sandbox.paypal_api.account import NAME, Account
from sandbox.paypal_api.errors import in_progress, invalid, refused
from sandbox.paypal_api.routes import Answer, Call, Route

TABLE = f"{NAME}.request_id"
LONGEST = 108


def begin(account: Account, route: Route, request: Request, call: Call) -> Answer | None:
    """The answer to a repetition; None when this is the first call, which now runs."""
    if not call.key or len(call.key) > LONGEST:
        raise invalid("INVALID_STRING_LENGTH", "PayPal-Request-Id")
    name = f"{request.path} {call.key}"
    row = account.store.table(TABLE).get(name)
    body = hashlib.sha256(json.dumps(call.body, sort_keys=True).encode()).hexdigest()
    if row is None or row["at"] < account.now() - route.keeps:
        account.store.save(TABLE, name, {"at": account.now(), "body": body, "about": None})
        return None
    if route.compares and row["body"] != body:
        raise refused("PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
    if row["about"] is None:
        raise in_progress()
    assert route.tell  # noqa: S101 (routes that keep ids have it)
    return Answer(route.repeated, route.tell(account, row["about"], call.full))


def keep(account: Account, request: Request, call: Call, about: str) -> None:
    name = f"{request.path} {call.key}"
    row = account.store.table(TABLE).get(name)
    if row is not None:  # None after a reset meanwhile
        account.store.save(TABLE, name, row | {"about": about})


def forget_failed(account: Account, request: Request, call: Call) -> None:
    """The call is over: without an object to tell about, its id is free."""
    name = f"{request.path} {call.key}"
    row = account.store.table(TABLE).get(name)
    if row is not None and row["about"] is None:
        account.store.remove(TABLE, name)


def forget_running(account: Account) -> None:
    """After a restart, nothing runs any more."""
    for name, row in list(account.store.table(TABLE).items()):
        if row["about"] is None:
            account.store.remove(TABLE, name)
