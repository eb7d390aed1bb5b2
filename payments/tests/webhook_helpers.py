"""Webhooks as the providers sign and post them, including invalid ones."""

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

from django.test import Client
from django.utils import timezone

from payments.models import Payment, WebhookEvent
from payments.tests.conftest import WEBHOOK_SECRET

STRIPE = "/payments/webhooks/stripe"
FEED = "/payments/webhooks/manual"
FEED_SECRET = "feed-secret-for-tests"


def signed(body: bytes, *secrets: str, at: int | None = None, scheme: str = "v1") -> str:
    """`t=…,v1=…` with one signature per secret."""
    moment = int(time.time()) if at is None else at
    given = [hmac.new(key.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest() for key in secrets]
    return ",".join([f"t={moment}", *(f"{scheme}={one}" for one in given)])


def post(path: str, body: bytes, **headers: str) -> Any:
    named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Client().post(path, body, content_type="application/json", **named)


def stripe_body(**changes: Any) -> bytes:
    """A Stripe event about an object unknown to the shop; `object` replaces fields of that object."""
    intent: dict[str, Any] = {
        "id": "pi_foreign",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 9999,
    }
    intent |= {"currency": "usd", "latest_charge": "ch_foreign"} | changes.pop("object", {})
    event: dict[str, Any] = {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "payment_intent.succeeded",
    }
    event |= {"livemode": False, "created": int(time.time()), "data": {"object": intent}}
    return json.dumps(event | changes).encode()


def post_stripe(body: bytes, header: str | None = None) -> Any:
    return post(STRIPE, body, stripe_signature=signed(body, WEBHOOK_SECRET) if header is None else header)


def feed_body(payment: Payment | None = None, **changes: Any) -> bytes:
    """A bank message that exactly this payment's amount arrived; `changes` of the data or the envelope."""
    data = {
        "reference": payment.order.order_number if payment else "NONE",
        "amount": payment.outstanding.amount if payment else "99.99",
        "currency": payment.currency if payment else "USD",
        "value_date": timezone.localdate().isoformat(),
        "bank_reference": "BANK-1",
    }
    data |= {name: changes.pop(name) for name in list(changes) if name in data}
    envelope = {"provider": "manual", "event_type": "payment.received", "provider_event_id": uuid4().hex}
    return json.dumps(envelope | {"data": data} | changes).encode()


def post_feed(body: bytes, header: str | None = None) -> Any:
    return post(FEED, body, x_alley_signature=signed(body, FEED_SECRET) if header is None else header)


def only_event(**condition: Any) -> WebhookEvent:
    return WebhookEvent.objects.get(**condition)
