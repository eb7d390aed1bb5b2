"""One Stripe account in test mode: its objects, their internal data, its events and journal."""

import copy
import secrets
import string

from sandbox.account import ProviderAccount
from sandbox.http_messages import Json
from sandbox.journal import origin
from sandbox.stripe_api.errors import missing_resource

NAME = "stripe"
API_VERSION = "2026-10-28.endive"
LETTERS = string.ascii_letters + string.digits
DEFAULTS: Json = {
    "search_seconds": 0,  # until a new object can be found by search: up to a minute at Stripe
    "presentment": None,  # {"currency", "rate"}: Adaptive Pricing for the buyers of new Checkout Sessions
    "settlement": None,  # {"currency", "rate"}: other currencies are converted to this one; 1 of theirs is `rate`
    "balance_shift": {},  # by currency: what GET /v1/balance shows beside the balance transactions
}


class Account(ProviderAccount):
    """Objects are stored as the API returns them; internal data (cards, challenges) is stored beside them."""

    name = NAME
    settings_default = DEFAULTS

    def now(self) -> int:
        return int(self.simulator.now())

    def new_id(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}_{''.join(secrets.choice(LETTERS) for _ in range(length))}"

    # ---- objects ---------------------------------------------------------------------------------------------

    def save(self, row: Json) -> Json:
        self.store.save(f"{NAME}.{row['object']}", row["id"], row)
        return row

    def find(self, kind: str, object_id: str, param: str = "id") -> Json:
        """Raises resource_missing, also for a deleted object; `param` names the parameter with the ID."""
        row = self.get(kind, object_id)
        if row is None or row.get("deleted"):
            raise missing_resource(kind, object_id, param)
        return row

    # ---- events and journal ----------------------------------------------------------------------------------

    def emit(self, kind: str, row: Json, before: Json | None = None) -> None:
        """Store and deliver an event; `before` is an earlier snapshot of the object, for previous_attributes."""
        cause = origin.get()
        data: Json = {"object": copy.deepcopy(row)}
        if before is not None:
            changed = {name: value for name, value in before.items() if row.get(name, value) != value}
            data["previous_attributes"] = changed
        event: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": cause.request_id, "idempotency_key": cause.idempotency_key},
            "type": kind,
        }
        self.save(event)
        self.simulator.webhooks.enqueue(NAME, event["id"], kind)

    def record(self, name: str, row: Json, **facts: object) -> None:
        """Write an effect on an object to the journal."""
        known = {
            "id": row["id"],
            "amount": row.get("amount"),
            "currency": row.get("currency"),
            "metadata": dict(row.get("metadata") or {}),
            "payment_intent": row.get("payment_intent"),
        }
        self.simulator.journal.write(NAME, name, self.now(), **(known | facts))
