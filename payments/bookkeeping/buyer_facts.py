"""What a provider is given of a buyer with a new payment, stored with the call so that every repeat sends the same."""

import json
import re
from dataclasses import asdict
from typing import Any

from orders.addresses import address_read
from orders.models import Order
from payments.models import ProviderCall
from payments.providers.contract import ShipTo

SHIP_TO = ("name", "line1", "line2", "city", "region", "postal_code", "country")
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


def create_call_request(order: Order) -> dict[str, Any]:
    """The part of a call's request that follows from the order. A provider refuses a repeat that differs."""
    return {"token_version": order.token_version, "buyer": buyer_facts(order)}


def buyer_facts(order: Order) -> str:
    to = ship_to(order)
    return json.dumps({"email": order.email, "ship_to": asdict(to) if to else None})


def buyer_of(call: ProviderCall, order: Order) -> tuple[ShipTo | None, str]:
    """The delivery address and the email address of the call; the order's for calls of release 0.1.0."""
    facts = json.loads(call.secret("buyer") or buyer_facts(order))
    return (ShipTo(**facts["ship_to"]) if facts["ship_to"] else None), facts["email"]


def ship_to(order: Order) -> ShipTo | None:
    """None for a free-text address, or one that lacks a field required by the providers. Never raises."""
    known = address_read(order.shipping_address)
    fields = {name: " ".join(str(known.get(name, "")).split()) for name in SHIP_TO}
    if known.get("text") or not (fields["name"] and fields["line1"] and COUNTRY.fullmatch(fields["country"])):
        return None
    return ShipTo(**fields)
