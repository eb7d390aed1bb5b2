"""A minimal client of PayPal's API, and a shop that verifies its webhooks."""

import base64
import json
import urllib.error
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.verification import PolicyBuilder, Store

from sandbox.tests.client import Receiver

SIGNER = "messageverificationcerts.paypal.com"
RETURN, CANCEL = "http://127.0.0.1:9/return?order=7", "http://127.0.0.1:9/cancel"
EXPERIENCE = {
    "return_url": RETURN,
    "cancel_url": CANCEL,
    "brand_name": "Artisans Alley",
    "user_action": "PAY_NOW",
}
FULL = {"Prefer": "return=representation"}


def money(value: str, currency: str = "USD") -> dict[str, str]:
    return {"currency_code": currency, "value": value}


def order_body(value: str = "99.99", currency: str = "USD", **unit: Any) -> dict[str, Any]:
    return {
        "intent": "CAPTURE",
        "purchase_units": [{"amount": money(value, currency), **unit}],
        "payment_source": {"paypal": {"experience_context": EXPERIENCE}},
    }


class Refused(Exception):
    def __init__(self, status: int, headers: dict[str, str], body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def issue(self) -> str:
        return str(self.body["details"][0]["issue"])


class PayPal:
    """Calls the API with an access token; raises Refused for any status other than 2xx."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        self.calls = 0

    def grant(self, client: str = "shop:secret", body: str = "grant_type=client_credentials") -> Any:
        basic = f"Basic {base64.b64encode(client.encode()).decode()}"
        form = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": basic}
        return self._send("POST", "/v1/oauth2/token", body.encode(), form)[1]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        if not self.token:
            self.token = self.grant()["access_token"]
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(
            method,
            path,
            data,
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **named},
        )

    def get(self, path: str) -> Any:
        return self.call("GET", path)[1]

    def post(self, path: str, body: Any = None, key: str | None = None, **headers: str) -> Any:
        """With a PayPal-Request-Id of its own unless `key` is given."""
        self.calls += 1
        chosen = key or f"test-{self.calls}-{id(self)}"
        return self.call(
            "POST", path, {} if body is None else body, PayPal_Request_Id=chosen, **FULL, **headers
        )[1]

    def order(self, value: str = "99.99", currency: str = "USD", **unit: Any) -> Any:
        return self.post("/v2/checkout/orders", order_body(value, currency, **unit))

    def capture(self, order_id: str, key: str | None = None) -> Any:
        return self.post(f"/v2/checkout/orders/{order_id}/capture", key=key)

    def refund(self, capture_id: str, value: str | None = None, key: str | None = None, **facts: Any) -> Any:
        body = facts | ({"amount": money(value)} if value else {})
        return self.post(f"/v2/payments/captures/{capture_id}/refund", body, key)

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310 (http)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            with error:
                lower = {name.lower(): value for name, value in error.headers.items()}
                raise Refused(error.code, lower, json.loads(error.read())) from error


def paid_capture(order: Any) -> Any:
    return order["purchase_units"][0]["payments"]["captures"][0]


def link(thing: Any, rel: str) -> str:
    return str(next(each["href"] for each in thing["links"] if each["rel"] == rel))


class PayPalReceiver(Receiver):
    """A shop's PayPal webhook endpoint: verifies signature, chain and name as PayPal documents."""

    webhook_id = "5GP028458E2496506"

    def __init__(self, ca_pem: str) -> None:
        super().__init__()
        self.ca = x509.load_pem_x509_certificate(ca_pem.encode())
        self.problems: list[str] = []

    def handle_delivery(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.upper(): value for name, value in handler.headers.items()}
        self.raw.append((headers, body))
        if problem := self.problem(headers, body):
            self.problems.append(problem)
        else:
            self.events.append(json.loads(body))
        handler.send_response(400 if problem else self.responses.pop(0) if self.responses else 200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def types(self) -> list[str]:
        return [event["event_type"] for event in self.events]

    def problem(self, headers: dict[str, str], body: bytes) -> str | None:
        with urllib.request.urlopen(headers["PAYPAL-CERT-URL"], timeout=10) as answer:  # noqa: S310 (the sandbox)
            leaf, *between = x509.load_pem_x509_certificates(answer.read())
        names = ("PAYPAL-TRANSMISSION-ID", "PAYPAL-TRANSMISSION-TIME")
        message = "|".join([*(headers[name] for name in names), self.webhook_id, str(zlib.crc32(body))])
        try:
            PolicyBuilder().store(Store([self.ca])).build_server_verifier(x509.DNSName(SIGNER)).verify(
                leaf, between
            )
            signature = base64.b64decode(headers["PAYPAL-TRANSMISSION-SIG"])
            leaf.public_key().verify(signature, message.encode(), padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr, call-arg]
        except Exception as refused:
            return f"{type(refused).__name__}: {refused}"
        return None
