"""https://developer.paypal.com/docs/api/webhooks/v1/ – events, their signatures, and signature verification."""

import base64
import binascii
import json
import time as real_time
import uuid
import zlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.http_messages import Json
from sandbox.paypal_api.account import NAME, Account, moment_of, timestamp
from sandbox.paypal_api.certificates import HASH
from sandbox.paypal_api.routes import Call, Result, Route
from sandbox.webhook_delivery import ENDPOINTS

PATH = "/v1/notifications"
CERTIFICATES = f"{PATH}/certs/"
# "Up to 25 times over the course of 3 days": https://developer.paypal.com/api/rest/webhooks/
RETRY_SECONDS: list[float] = [3 * 86400 / 25] * 25
ALGORITHM = "SHA256withRSA"


def build_delivery(account: Account, endpoint: Json, event_id: str) -> tuple[dict[str, str], bytes]:
    """Return headers and body of one delivery, signed according to the setting `signing`."""
    body = json.dumps(account.find("event", event_id), separators=(",", ":")).encode()
    mode = account.settings["signing"]
    webhook_id = account.new_id() if mode == "wrong_webhook" else endpoint["id"]
    signed = body.replace(b'"event_version"', b'"event_versiom"') if mode == "altered" else body
    pair = account.certificates.pair(mode)
    transmission, time = str(uuid.uuid4()), timestamp(real_time.time())
    signature = pair.sign(message(transmission, time, webhook_id, signed))
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "PayPal/AUHD-214.0-58327958",
        "PAYPAL-AUTH-ALGO": ALGORITHM,
        "PAYPAL-AUTH-VERSION": "v2",
        "PAYPAL-CERT-URL": f"{account.base_url}{CERTIFICATES}{pair.name}",
        "PAYPAL-TRANSMISSION-ID": transmission,
        "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
        "PAYPAL-TRANSMISSION-TIME": time,
    }
    return headers, body


def message(transmission: str, time: str, webhook_id: str, body: bytes) -> bytes:
    return f"{transmission}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()


def verify(account: Account, request: Json) -> bool:
    """Whether the sandbox signed this event for this webhook. Serializes the event as when it was signed."""
    certificates = account.certificates
    chain = certificates.chain(request["cert_url"].removeprefix(f"{account.base_url}{CERTIFICATES}"))
    if account.store.table(ENDPOINTS).get(request["webhook_id"], {}).get("provider") != NAME or chain is None:
        return False
    leaf = x509.load_pem_x509_certificate(chain)
    body = json.dumps(request["webhook_event"], separators=(",", ":")).encode()
    text = message(request["transmission_id"], request["transmission_time"], request["webhook_id"], body)
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)  # noqa: S101 (no other is issued)
    try:
        key.verify(
            base64.b64decode(request["transmission_sig"], validate=True), text, padding.PKCS1v15(), HASH
        )
    except (InvalidSignature, binascii.Error):
        return False
    return request["auth_algo"] == ALGORITHM and leaf == certificates.valid.certificate


def verify_call(account: Account, call: Call) -> Result:
    good = verify(account, call.body)
    return Result(200, {"verification_status": "SUCCESS" if good else "FAILURE"})


def show(account: Account, _: Call, event_id: str) -> Result:
    return Result(200, account.find("event", event_id))


def list_all(account: Account, call: Call) -> Result:
    """Newest first."""
    query = call.query
    first = moment_of(query["start_time"]) if "start_time" in query else 0
    last = moment_of(query["end_time"]) if "end_time" in query else account.now()
    about = query.get("transaction_id")
    events = [
        event
        for event in reversed(account.rows("event"))
        if first <= moment_of(event["create_time"]) <= last
        and query.get("event_type", event["event_type"]) == event["event_type"]
        and (about is None or about == event["resource"].get("id"))
    ][: int(query.get("page_size", "10"))]
    links = [account.link("self", f"{PATH}/webhooks-events")]
    return Result(200, {"events": events, "count": len(events), "links": links})


# ---- webhooks ----------------------------------------------------------------------------------------


def ensure_endpoint(account: Account, url: str, webhook_id: str | None, enabled: list[str]) -> Json:
    """Create the webhook, or update the one with this ID."""
    row: Json = {
        "id": webhook_id or account.new_id(),
        "provider": NAME,
        "url": url,
        "enabled_events": enabled,
        "status": "enabled",
    }
    account.store.save(ENDPOINTS, row["id"], row)
    return row


EVENTS = f"{PATH}/webhooks-events"
ROUTES = (
    Route("POST", f"{PATH}/verify-webhook-signature", verify_call, "verify_request"),
    Route("GET", EVENTS, list_all, query="event_list_query"),
    Route("GET", EVENTS + "/{id}", show),
)
