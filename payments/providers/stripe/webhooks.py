"""Stripe's webhooks: verifies the signature over the raw body, then parses the event.

The SDK's verifier accepts future timestamps and malformed headers; this module does not.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import stripe

from artisans.core.security.redaction import scrub
from payments.providers.contract import BadSignature, CannotVerify, ProviderEvent, RemoteStatus
from payments.providers.reading import LONGEST_ID, UNREADABLE
from payments.providers.signatures import check_header
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.link import API_VERSION
from payments.providers.stripe.money import from_stripe
from payments.providers.stripe.objects import (
    DISPUTE_STATUS,
    REFUND_STATUS,
    Row,
    challenge_id_of,
    id_of,
    intent_status,
    is_captured,
)

HEADER = "stripe-signature"
TOKEN = re.compile(rf"[\w.:-]{{1,{LONGEST_ID}}}", re.ASCII)
OURS = ("payment_id", "order_number", "refund_id", "refund_number")
KEPT = (
    "id", "object", "status", "amount", "amount_total", "amount_captured", "amount_refunded", "currency", "created",
    "latest_charge", "payment_intent", "charge", "setup_intent", "client_reference_id",
    "payment_status", "reason", "failure_reason", "failure_code", "cancellation_reason", "disputed", "refunded",
    "fraud_type", "actionable",
)  # fmt: skip


def event_of(body: bytes, headers: Mapping[str, str], config: StripeConfig) -> ProviderEvent:
    """Errors: BadSignature, CannotVerify.

    A thin event is rejected: it contains nothing that we use, so the wrong type of destination was set up.
    """
    secrets = [secret for secret in config.webhook_secrets if secret.strip()]
    if not secrets:
        raise CannotVerify("no_secret", "No webhook secret is configured.")
    header = next((value for name, value in headers.items() if name.lower() == HEADER), "")
    check_header(header, config.tolerance)
    if not any(is_signed(body, header, secret, config.tolerance) for secret in secrets):
        raise BadSignature("wrong_signature")
    event = parsed(body)
    if event.get("object") != "event":
        raise BadSignature("not_a_snapshot_event", "Thin events are not used here.")
    return parse_event(event)


# ---- the signature -----------------------------------------------------------------------------------------------


def is_signed(body: bytes, header: str, secret: str, tolerance: int) -> bool:
    """Whether the signature is valid. The verifier raises its own errors and others; all of them mean no."""
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret, tolerance))
    except Exception:
        return False


def parsed(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise BadSignature("unreadable", "Signed, but not a JSON object.")
    return event


# ---- the event ---------------------------------------------------------------------------------------------------


def parse_event(event: Row) -> ProviderEvent:
    """Parse a verified event; a detail that cannot be parsed is left out, because the object is read anyway."""
    event_id, kind = token(event.get("id")), token(event.get("type"))
    row = careful(lambda: event["data"]["object"])
    if not event_id or not kind or not isinstance(row, Mapping):
        raise BadSignature("unreadable", "Signed, but not an event.")
    claims = ABOUT.get(str(row.get("object")), nothing)(kind, row)
    if event.get("api_version") != API_VERSION:
        claims.pop("amount", None)  # older versions may show it in the buyer's currency
    return ProviderEvent(
        event_id=event_id,
        kind=kind,
        is_live=event.get("livemode") is True,
        account=token(event.get("account")),
        created_at=moment(event.get("created")),
        payload=extract(event, row),
        **claims,
    )


def named(row: Row) -> str:
    """Our payment, as stored in the object's metadata."""
    return token(careful(lambda: row["metadata"]["payment_id"]))


def of_intent(kind: str, row: Row) -> dict[str, Any]:
    status = careful(lambda: intent_status(row))
    return {
        "object_ids": ids(row.get("id")),
        "reference": named(row),
        "amount": careful(lambda: from_stripe(row["amount"], row["currency"])),
        "status": status,
        "capture_id": one_id(row.get("latest_charge")) if status == RemoteStatus.SUCCEEDED else "",
        "challenge_id": careful(lambda: token(challenge_id_of(row))) or "",
    }


def of_charge(kind: str, row: Row) -> dict[str, Any]:
    is_taken = bool(careful(lambda: is_captured(row)))
    return {
        "object_ids": ids(row.get("payment_intent"), row.get("id")),
        "reference": named(row),
        "status": RemoteStatus.SUCCEEDED if is_taken else None,
        "capture_id": one_id(row.get("id")) if is_taken else "",
        "refunded": careful(lambda: from_stripe(row["amount_refunded"], row["currency"])),
    }


def of_refund(kind: str, row: Row) -> dict[str, Any]:
    return {
        "object_ids": ids(row.get("payment_intent"), row.get("charge")),
        "refund_id": one_id(row.get("id")),
        "refund_status": REFUND_STATUS.get(str(row.get("status"))),
    }


def of_dispute(kind: str, row: Row) -> dict[str, Any]:
    return {
        "object_ids": ids(row.get("payment_intent"), row.get("charge")),
        "dispute_id": one_id(row.get("id")),
        "dispute_status": DISPUTE_STATUS.get(str(row.get("status"))),
        "disputed": careful(lambda: from_stripe(row["amount"], row["currency"])),
    }


def of_fraud_warning(kind: str, row: Row) -> dict[str, Any]:
    return {
        "object_ids": ids(row.get("payment_intent"), row.get("charge")),
        "warning_id": one_id(row.get("id")),
        "fraud_type": token(row.get("fraud_type")),
    }


SESSION_STATUS = {
    ("open", "unpaid"): RemoteStatus.OPEN,
    ("complete", "paid"): RemoteStatus.SUCCEEDED,
    ("complete", "unpaid"): RemoteStatus.PROCESSING,
    ("expired", "unpaid"): RemoteStatus.EXPIRED,
}


def of_session(kind: str, row: Row) -> dict[str, Any]:
    """A session that failed after it was completed looks as if it were processing, so the event type decides."""
    status = SESSION_STATUS.get((str(row.get("status")), str(row.get("payment_status"))))
    return {
        "object_ids": ids(row.get("id"), row.get("payment_intent")),
        "reference": token(row.get("client_reference_id")) or named(row),
        "amount": careful(lambda: from_stripe(row["amount_total"], row["currency"])),
        "status": RemoteStatus.EXPIRED if kind == "checkout.session.async_payment_failed" else status,
        "setup_id": one_id(row.get("setup_intent")),
    }


def of_setup(kind: str, row: Row) -> dict[str, Any]:
    return {
        "object_ids": (),
        "setup_id": one_id(row.get("id")),
        "method_id": one_id(row.get("payment_method")),
    }


def of_method(kind: str, row: Row) -> dict[str, Any]:
    return {"object_ids": (), "method_id": one_id(row.get("id"))}


def of_customer(kind: str, row: Row) -> dict[str, Any]:
    """Only a deleted customer is of interest."""
    return {"object_ids": (), "customer_id": one_id(row.get("id")) if kind == "customer.deleted" else ""}


def nothing(kind: str, row: Row) -> dict[str, Any]:
    """An object unrelated to a payment: a customer, a payout."""
    return {"object_ids": ()}


ABOUT: dict[str, Callable[[str, Row], dict[str, Any]]] = {
    "payment_intent": of_intent,
    "charge": of_charge,
    "refund": of_refund,
    "dispute": of_dispute,
    "radar.early_fraud_warning": of_fraud_warning,
    "checkout.session": of_session,
    "setup_intent": of_setup,
    "payment_method": of_method,
    "customer": of_customer,
}


# ---- single values --------------------------------------------------------------------------------------------------


def careful(read: Callable[[], Any]) -> Any:
    """A value that may be missing or invalid: then None."""
    try:
        return read()
    except (*UNREADABLE, OSError):  # OSError: a year out of range
        return None


def one_id(value: object) -> str:
    return token(careful(lambda: id_of(value)))


def ids(*values: object) -> tuple[str, ...]:
    return tuple(found for value in values if (found := one_id(value)))


def token(value: object) -> str:
    """An identifier or status; "" for a sentence, and for anything that could be a card number."""
    is_word = isinstance(value, str) and TOKEN.fullmatch(value) is not None
    return str(value) if is_word and scrub(str(value)) == value else ""


def moment(value: object) -> datetime | None:
    found = careful(lambda: datetime.fromtimestamp(value, UTC) if isinstance(value, int) else None)
    return found if isinstance(found, datetime) else None


def extract(event: Row, row: Row) -> dict[str, Any]:
    """The part of an event that is stored: enumerated values, numbers and our own names; no sentences, personal data
    or secrets."""
    metadata = row.get("metadata")
    error = row.get("last_payment_error")
    ours = metadata if isinstance(metadata, Mapping) else {}
    failed = error if isinstance(error, Mapping) else {}
    kept: dict[str, Any] = {name: small(row.get(name)) for name in KEPT}
    kept["metadata"] = {name: token(ours.get(name)) for name in OURS if token(ours.get(name))}
    kept["error"] = {name: token(failed.get(name)) for name in ("code", "decline_code") if failed.get(name)}
    kept["api_version"] = token(event.get("api_version"))
    return {name: value for name, value in kept.items() if value not in (None, "", {})}


def small(value: object) -> str | int | bool | None:
    if isinstance(value, bool | int) or value is None:
        return value
    return one_id(value)
