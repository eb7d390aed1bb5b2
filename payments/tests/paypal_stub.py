"""A PayPal server with scripted answers, on a real socket, which records the requests."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from artisans.core.money import Money
from payments.providers.contract import CreateRequest
from payments.providers.paypal.config import PayPalConfig
from sandbox.tests.client import stop_server

TOKEN_PATH = "/v1/oauth2/token"
ORDER_ID = "5O190127TN364715T"
CAPTURE_ID = "3C679366HH908993F"
PAYMENT_ID = "0198a5c2-5b7e-7c3e-9d5f-4b6a7c8d9e0f"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """`raw` is sent instead of `body`; `cut` closes the connection after so many bytes.

    `drip`: seconds between any two bytes.
    """

    body: Any = None
    status: int = 200
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0
    wait: Callable[[], object] = field(default=lambda: None)

    @property
    def content(self) -> bytes:
        return json.dumps(self.body).encode() if self.raw is None else self.raw


def refusal(issue: str, status: int = 422, **more: Any) -> Answer:
    """An error as PayPal writes it."""
    details = [{"issue": issue, "description": f"About {issue}."}]
    return Answer(
        {"name": "UNPROCESSABLE_ENTITY", "details": details, "debug_id": "90957fca61718"} | more, status
    )


class Stub:
    """Answers per path in the given order; the last one repeats. The token call always works unless scripted."""

    def __init__(self) -> None:
        self.seen: list[RecordedRequest] = []
        self.connections = 0
        self.revoked: set[str] = set()
        self._script: dict[str, list[Answer]] = {}
        self._tokens = 0
        self._lock = threading.Lock()
        self._server = Listener(("127.0.0.1", 0), Handler)
        self._server.stub = self
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def respond_with(self, path: str, *answers: Answer) -> None:
        """Script the answers of a path (without its query)."""
        self._script[path] = list(answers)

    def requests_to(self, path: str) -> list[RecordedRequest]:
        return [each for each in self.seen if each.path.partition("?")[0] == path]

    def answer(self, request: RecordedRequest) -> Answer:
        path = request.path.partition("?")[0]
        with self._lock:
            self.seen.append(request)
            if request.headers.get("authorization", "").removeprefix("Bearer ") in self.revoked:
                return Answer({"error": "invalid_token"}, 401)
            answers = self._script.get(path)
            if answers:
                return answers.pop(0) if len(answers) > 1 else answers[0]
            if path == TOKEN_PATH:
                self._tokens += 1
                return Answer(
                    {"access_token": f"A21.{self._tokens}", "token_type": "Bearer", "expires_in": 32400}
                )
        return refusal("RESOURCE_NOT_FOUND", 404)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        stop_server(self._server)


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    stub: Stub

    def get_request(self) -> Any:
        self.stub.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        """The client may close the connection at any time."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def log_message(self, *_: object) -> None:
        pass

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.stub.answer(RecordedRequest(self.command, self.path, headers, body))
        answer.wait()
        if answer.cut == 0:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if answer.drip:
            for byte in answer.content:
                time.sleep(answer.drip)
                self.wfile.write(bytes([byte]))
        self.wfile.write(b"" if answer.drip else answer.content[: answer.cut])
        self.close_connection = answer.cut is not None

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 (names of http.server)


def config(stub: Stub, **changes: Any) -> PayPalConfig:
    values = {
        "client_id": "client",
        "client_secret": "secret",
        "mode": "sandbox",
        "api_base": stub.url,
        "cert_hosts": (stub.host,),
        "webhook_id": "1JE4291016473214C",
    }
    return PayPalConfig(**(values | changes))


PRICE = Money(9999, "USD")


def build_create_request(amount: Money = PRICE, **changes: Any) -> CreateRequest:
    values = {
        "key": "pay-1:create",
        "payment_id": PAYMENT_ID,
        "order_number": "K7Q2M9XC4",
        "amount": amount,
        "return_url": "https://shop.test/back",
        "cancel_url": "https://shop.test/stop",
    }
    return CreateRequest(**(values | changes))


def order(status: str = "CREATED", **changes: Any) -> dict[str, Any]:
    """An order as PayPal shows it. `captures` and `refunds` are put in place; other changes replace fields."""
    payments = {name: changes.pop(name) for name in ("captures", "refunds") if name in changes}
    unit = {
        "reference_id": "K7Q2M9XC4",
        "amount": {"currency_code": "USD", "value": "99.99"},
        "payee": {"email_address": "shop@artisans.test", "merchant_id": "2BP3WP8PK6566"},
        "custom_id": PAYMENT_ID,
        "invoice_id": f"K7Q2M9XC4-{PAYMENT_ID}",
    }
    links = [
        {"rel": "self", "href": f"https://api.test/v2/checkout/orders/{ORDER_ID}", "method": "GET"},
        {"rel": "payer-action", "href": f"https://paypal.test/checkoutnow?token={ORDER_ID}", "method": "GET"},
    ]
    return {
        "id": ORDER_ID,
        "intent": "CAPTURE",
        "status": status,
        "purchase_units": [unit | ({"payments": payments} if payments else {})],
        "links": links,
    } | changes


def capture(status: str = "COMPLETED", value: str = "99.99", **changes: Any) -> dict[str, Any]:
    amount = {"currency_code": "USD", "value": value}
    return {"id": CAPTURE_ID, "status": status, "amount": amount, "custom_id": PAYMENT_ID} | changes


def refund(status: str = "COMPLETED", value: str = "10.00", **changes: Any) -> dict[str, Any]:
    amount = {"currency_code": "USD", "value": value}
    return {"id": "1JU08902781691411", "status": status, "amount": amount, "custom_id": "refund-7"} | changes
