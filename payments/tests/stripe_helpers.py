"""Helpers for the tests of the Stripe adapter: requests and webhook messages."""

import hashlib
import hmac
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from artisans.core.money import Money
from payments.providers.contract import (
    ConfirmRequest,
    CreateRequest,
    RefundRequest,
    RemotePayment,
    SaveRequest,
)
from sandbox.tests.client import stop_server

PRICE = Money(9999, "USD")
SECRET = "whsec_of_the_tests"
BACK, AWAY = "http://127.0.0.1:9/back?order=7", "http://127.0.0.1:9/away"
INTENTS, SESSIONS, REFUNDS = "/v1/payment_intents", "/v1/checkout/sessions", "/v1/refunds"


def build_create_request(key: str = "create-1", amount: Money = PRICE, **more: Any) -> CreateRequest:
    usual = {"payment_id": "pay-1", "order_number": "ALLEY-7", "return_url": BACK, "cancel_url": AWAY}
    return CreateRequest(key=key, amount=amount, **{**usual, **more})


def build_confirm_request(of: RemotePayment, method_id: str, key: str = "confirm-1") -> ConfirmRequest:
    return ConfirmRequest(key, of.object_id, of.amount, of.reference, BACK, method_id)


def build_refund_request(
    of: RemotePayment, amount: Money, key: str = "refund-1", refund_id: str = "ref-1"
) -> RefundRequest:
    return RefundRequest(key, of.object_id, of.captures[0].capture_id, refund_id, "R-1", amount)


def build_save_request(key: str = "save-1", customer_id: str = "", *, user: str = "user-1") -> SaveRequest:
    return SaveRequest(key, user, customer_id, BACK, AWAY)


def last_hour() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(hours=1), now + timedelta(hours=1)


# ---- messages ----------------------------------------------------------------------------------------------------


def digest(body: bytes, moment: int | str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def signed(body: bytes, *, at: float = 0, secrets: tuple[str, ...] = (SECRET,)) -> dict[str, str]:
    """Headers as Stripe sends them; `at` seconds from now."""
    moment = int(time.time() + at)
    parts = [f"t={moment}", *(f"v1={digest(body, moment, secret)}" for secret in secrets)]
    return {"Stripe-Signature": ",".join(parts), "Content-Type": "application/json"}


def message(kind: str, row: dict[str, Any], **envelope: Any) -> bytes:
    event = {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_760_000_000,
        "data": {"object": row},
        "livemode": False,
        "type": kind,
    }
    return json.dumps(event | envelope, indent=2).encode()


# ---- a Stripe with scripted answers ------------------------------------------------------------------------------


class Stub:
    """Answers requests in turn with (status, headers, body); records the requests."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.seen: list[tuple[str, str, dict[str, str], str]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else the second write waits for an acknowledgement

            def do_GET(self) -> None:
                stub.answer(self)

            def do_POST(self) -> None:
                stub.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def respond_with(self, status: int, body: Any = b"", **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, named, raw))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        sent = handler.rfile.read(int(handler.headers["Content-Length"] or 0)).decode()
        self.seen.append((handler.command, handler.path, dict(handler.headers), sent))
        status, headers, body = self.answers.pop(0)
        handler.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Request-Id": "req_1"} | headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        stop_server(self._server)
