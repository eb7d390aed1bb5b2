"""Verifies PayPal's webhooks: by their signature over the raw body, checked here, or by asking PayPal.

Three outcomes: verified, not from PayPal (BadSignature), or not verifiable now (CannotVerify). Doubt never counts as
verified.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from payments.providers.contract import BadSignature, CannotVerify, Refused, Unknown
from payments.providers.paypal.certificates import Certificates
from payments.providers.paypal.client import PayPalClient
from payments.providers.paypal.config import PayPalConfig
from payments.providers.paypal.shapes import text_at, time_at

ALGORITHM = "SHA256withRSA"
OLDEST = timedelta(days=4)  # PayPal retries for three days
NEWEST = timedelta(minutes=5)
HEADERS = {
    "transmission_id": ("paypal-transmission-id", 50),
    "transmission_time": ("paypal-transmission-time", 100),
    "transmission_sig": ("paypal-transmission-sig", 1000),
    "cert_url": ("paypal-cert-url", 500),
    "auth_algo": ("paypal-auth-algo", 100),
}


@dataclass(frozen=True, slots=True)
class Claim:
    """The five signature headers."""

    transmission_id: str
    transmission_time: str
    transmission_sig: str
    cert_url: str
    auth_algo: str

    def signed_text(self, webhook_id: str, body: bytes) -> bytes:
        checksum = str(zlib.crc32(body))
        return "|".join((self.transmission_id, self.transmission_time, webhook_id, checksum)).encode()


class WebhookVerifier:
    def __init__(self, config: PayPalConfig, client: PayPalClient) -> None:
        self._webhook_id = config.webhook_id
        self._verify_by_call = config.verify_by_call
        self._client = client
        self._certificates = Certificates(config)

    def verified(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        """The event, after verifying that PayPal sent it to this webhook. Errors: BadSignature, CannotVerify."""
        if not self._webhook_id:
            raise CannotVerify("webhook_id_missing", "PAYPAL_WEBHOOK_ID is not set.")
        claim = claim_of(headers)
        if self._verify_by_call:
            event = parsed(body)
            self._ask(claim, body)
            return event
        self._check(claim, body)
        return parsed(body)

    def _check(self, claim: Claim, body: bytes) -> None:
        try:
            signature = base64.b64decode(claim.transmission_sig, validate=True)
        except (binascii.Error, ValueError):
            raise BadSignature("signature_unreadable", "The signature is not base64.") from None
        key = self._certificates.key_at(claim.cert_url)
        try:
            key.verify(signature, claim.signed_text(self._webhook_id, body), PKCS1v15(), SHA256())
        except InvalidSignature:
            raise BadSignature("signature_wrong", "The signature does not match this message.") from None

    def _ask(self, claim: Claim, body: bytes) -> None:
        """The body is sent back byte for byte; `parsed` ensured that it is a single JSON object."""
        fields = {name: getattr(claim, name) for name in HEADERS} | {"webhook_id": self._webhook_id}
        text = f'{json.dumps(fields)[:-1]}, "webhook_event": {body.decode()}}}'
        try:
            answer = self._client.request("POST", "/v1/notifications/verify-webhook-signature", text)
        except (Refused, Unknown) as unanswered:
            raise CannotVerify(unanswered.code, unanswered.detail) from None
        verdict = text_at(answer, "verification_status")
        if verdict == "FAILURE":
            raise BadSignature("signature_wrong", "PayPal did not send this message.")
        if verdict != "SUCCESS":
            raise CannotVerify("verdict_unreadable", "PayPal's verification response is unclear.")


def claim_of(headers: Mapping[str, str]) -> Claim:
    """The headers, checked without the body. Errors: BadSignature."""
    given = {name.lower(): value for name, value in headers.items()}
    found = {field: given.get(header, "") for field, (header, _) in HEADERS.items()}
    for field, (header, longest) in HEADERS.items():
        if not found[field].isascii() or not 0 < len(found[field]) <= longest:
            raise BadSignature("header_missing", f"{header} is missing or too long.")
    claim = Claim(**found)
    if claim.auth_algo != ALGORITHM:
        raise BadSignature("algorithm", f"Signatures must use {ALGORITHM}.")
    sent_at = time_at(found, "transmission_time")
    if sent_at is None or not -NEWEST <= datetime.now(UTC) - sent_at <= OLDEST:
        raise BadSignature("transmission_time", "The message is too old, or its time is in the future.")
    return claim


def parsed(body: bytes) -> dict[str, Any]:
    """The body as a JSON object without duplicate names. Errors: BadSignature."""
    try:
        event = json.loads(body.decode(), object_pairs_hook=without_doubles)
    except (ValueError, RecursionError):
        raise BadSignature("not_json", "The message is not a JSON object.") from None
    if not isinstance(event, dict):
        raise BadSignature("not_json", "The message is not a JSON object.")
    return event


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A name comes twice.")
    return found
