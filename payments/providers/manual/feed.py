"""The bank feed: transfers received on the shop's account, reported by the shop's own program and signed with
HMAC."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from artisans.core.money import Money
from artisans.core.security.redaction import scrub
from artisans.core.strict_json import strict_json
from payments.providers.contract import BadSignature, CannotVerify, ProviderEvent
from payments.providers.signatures import check_header, signatures_in

HEADER = "x-alley-signature"
TOLERANCE = 300  # seconds
RECEIVED = "payment.received"
ENVELOPE = {"provider", "event_type", "provider_event_id", "data"}
IN_THE_BODY = "signature"  # part of the specified envelope; a signature cannot cover itself, so it is ignored
DATA = {"reference", "amount", "currency", "value_date", "bank_reference"}
IDENTIFIER = re.compile(r"[\w.:-]{1,80}", re.ASCII)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
LONGEST_TEXT = 80


def feed_event(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> ProviderEvent:
    """Errors: CannotVerify without a secret, BadSignature for anything that the feed did not send in this
    form."""
    secrets = [secret for secret in secrets if secret.strip()]
    if not secrets:
        raise CannotVerify("no_secret", "MANUAL_WEBHOOK_SECRET is not set.")
    header = next((value for name, value in headers.items() if name.lower() == HEADER), "")
    at = check_header(header, TOLERANCE)
    given = signatures_in(header)
    wanted = [signature(body, at, secret) for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise BadSignature("wrong_signature")
    try:
        return replace(parse_event(strict_json(body)), created_at=datetime.fromtimestamp(at, UTC))
    except (ValueError, RecursionError) as error:
        raise BadSignature("unreadable", f"The signature is valid, but the body is not: {error}") from None


def signature(body: bytes, at: int, secret: str) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def parse_event(envelope: Any) -> ProviderEvent:
    """Errors: ValueError. Events other than `payment.received` are accepted without their data."""
    if not isinstance(envelope, dict) or set(envelope) - {IN_THE_BODY} != ENVELOPE:
        raise ValueError(f"The envelope must have the fields {', '.join(sorted(ENVELOPE))}.")
    if envelope["provider"] != "manual":
        raise ValueError('provider must be "manual".')
    event_id, kind = read_identifier(envelope["provider_event_id"]), read_identifier(envelope["event_type"])
    if kind != RECEIVED:
        return ProviderEvent(event_id=event_id, kind=kind, object_ids=(), is_live=True)
    data = envelope["data"]
    if not isinstance(data, dict) or set(data) != DATA:
        raise ValueError(f"data must have the fields {', '.join(sorted(DATA))}.")
    amount = amount_of(data["amount"], data["currency"])
    texts = {name: text(data[name]) for name in ("reference", "bank_reference")}
    payload: dict[str, Any] = {name: scrub(value) for name, value in texts.items()}
    payload["value_date"] = day(data["value_date"]).isoformat()
    payload["is_masked"] = any(payload[name] != value for name, value in texts.items())
    return ProviderEvent(
        event_id=event_id, kind=kind, object_ids=(), is_live=True, amount=amount, payload=payload
    )


def read_identifier(value: object) -> str:
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value) or scrub(value) != value:
        raise ValueError("provider_event_id and event_type may have at most 80 letters, digits and . : _ -")
    return value


def text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.strip()) <= LONGEST_TEXT:
        raise ValueError(f"A reference is a line of at most {LONGEST_TEXT} signs.")
    return value.strip()


def amount_of(value: object, currency: object) -> Money:
    is_number = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    if is_number and isinstance(currency, str) and (amount := Money.parse(str(value), currency)):
        return amount
    raise ValueError("amount is a plain decimal above zero, currency three capital letters.")


def day(value: object) -> date:
    if not isinstance(value, str) or not DAY.fullmatch(value):
        raise ValueError("value_date is written like 2026-11-30.")
    return date.fromisoformat(value)
