"""One PayPal business account: its objects, their internal data, its events and journal."""

import copy
import secrets
import string
from datetime import UTC, datetime

from sandbox.account import ProviderAccount
from sandbox.http_messages import Json
from sandbox.paypal_api.certificates import Certificates
from sandbox.paypal_api.errors import missing_resource
from sandbox.simulator import Simulator

NAME = "paypal"
LETTERS = string.ascii_uppercase + string.digits
MERCHANT_ID = "SANDBXSHP2222"
PAYEE: Json = {"email_address": "shop@business.example", "merchant_id": MERCHANT_ID}
DEFAULTS: Json = {
    "signing": "valid",  # of webhooks, see CHOICES
    "token_seconds": 32400,  # lifetime of new access tokens
    "client": None,  # "id:secret", the only credentials accepted; None: any
    "vaulted_orders": "COMPLETED",  # orders with a vault_id: captured immediately, or APPROVED until captured
    "seller_protection": None,  # of new captures; None: by the order's address and shipping_preference
    "report_seconds": 0,  # until Transaction Search shows a transaction: up to three hours at PayPal
    "report_repeats": False,  # each page of Transaction Search begins with the last row of the page before
    "settlement": None,  # {"currency", "rate"}: other currencies are converted to this one; 1 of theirs is `rate`
    "balance_shift": {},  # by currency, in minor units: what the balances show beside the transactions
}


CHOICES = {
    "signing": ("valid", "expired", "wrong_name", "untrusted_ca", "wrong_webhook", "altered"),
    "vaulted_orders": ("COMPLETED", "APPROVED"),
    "seller_protection": (None, "ELIGIBLE", "PARTIALLY_ELIGIBLE", "NOT_ELIGIBLE"),
}


class Account(ProviderAccount):
    """Objects are stored as the API returns them, without links; internal data is stored beside them."""

    name = NAME
    settings_default = DEFAULTS
    choices = CHOICES

    def __init__(self, simulator: Simulator, certificates: Certificates) -> None:
        super().__init__(simulator)
        self.certificates = certificates
        self.base_url = simulator.base_url

    def now(self) -> float:
        return self.simulator.now()

    def stamp(self) -> str:
        """Return the simulated time in PayPal's format."""
        return timestamp(self.now())

    def new_id(self, length: int = 17) -> str:
        return "".join(secrets.choice(LETTERS) for _ in range(length))

    def link(self, rel: str, path: str, method: str = "GET") -> Json:
        return {"href": f"{self.base_url}{path}", "rel": rel, "method": method}

    # ---- objects ---------------------------------------------------------------------------------------------

    def save(self, kind: str, row: Json) -> Json:
        self.store.save(f"{NAME}.{kind}", row["dispute_id" if kind == "dispute" else "id"], row)
        return row

    def find(self, kind: str, object_id: str) -> Json:
        row = self.get(kind, object_id)
        if row is None:
            raise missing_resource(f"{kind}_id", object_id)
        return row

    def remove(self, kind: str, object_id: str) -> None:
        self.store.remove(f"{NAME}.{kind}", object_id)

    # ---- events and journal ----------------------------------------------------------------------------------

    def emit(self, kind: str, resource_type: str, resource: Json, summary: str) -> Json:
        """Store and deliver an event with a snapshot of its resource, which includes links."""
        event_id = f"WH-{self.new_id()}-{self.new_id()}"
        path = f"/v1/notifications/webhooks-events/{event_id}"
        event: Json = {
            "id": event_id,
            "event_version": "1.0",
            "create_time": timestamp(self.now(), "milliseconds"),
            "resource_type": resource_type,
            "resource_version": "3.0" if resource_type == "payment_token" else "2.0",
            "event_type": kind,
            "summary": summary,
            "resource": copy.deepcopy(resource),
            "links": [self.link("self", path), self.link("resend", f"{path}/resend", "POST")],
        }
        if resource_type == "dispute":
            del event["resource_version"]
        self.save("event", event)
        self.simulator.webhooks.enqueue(NAME, event_id, kind)
        return event

    def record(self, name: str, object_id: str, **facts: object) -> None:
        """Write an effect to the journal."""
        self.simulator.journal.write(NAME, name, int(self.now()), id=object_id, **facts)


def timestamp(moment: float, precision: str = "seconds") -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def moment_of(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
