"""Clients of the sandbox for tests: the official SDK, the control API, and a shop that receives webhooks."""

import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any, Self

import stripe  # noqa: TID251 (these tests use the official SDK; the shop has its own adapter)

from sandbox.http_messages import Request
from sandbox.http_server import Server

SDK = stripe
stripe.enable_telemetry = False
PUBLIC = "pk_test_sandbox"
BACK = "http://127.0.0.1:9/back?order=7"


def client(url: str, *, key: str = "sk_test_sandbox", timeout: float = 10, retries: int = 0) -> Any:
    addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), url)
    http = stripe.RequestsClient(timeout=timeout)
    return stripe.StripeClient(key, base_addresses=addresses, max_network_retries=retries, http_client=http)


class Control:
    """The control API at `/_sandbox/`, and requests as a browser sends them."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, /, **params: Any) -> Any:
        return self._call("POST", path, json.dumps(params).encode())

    def get(self, path: str, /, **query: Any) -> Any:
        return self._call("GET", f"{path}?{urllib.parse.urlencode(query)}")

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def journal(self, effect: str, **filters: Any) -> list[dict[str, Any]]:
        return list(self.get("journal", effect=effect, **filters)["rows"])

    def run_jobs(self) -> None:
        """Run every delayed job now, and those that they schedule."""
        while self.post("jobs/run")["run"]:
            pass

    def fault(self, action: str, **details: Any) -> str:
        return str(self.post("faults", action=action, **details)["id"])

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", body, method=method)  # noqa: S310 (http)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def raw(
        self, method: str, path: str, body: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send any request; returns status, headers (names in lower case) and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body.encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, data, named, method=method)  # noqa: S310
        try:
            answer = urllib.request.urlopen(request, timeout=10)  # noqa: S310
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return (
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.read(),
            )

    def form(self, path: str, **fields: str) -> tuple[int, str | None, str]:
        """Get a page or submit its form, like a browser without JavaScript; returns status, Location and text."""
        body = urllib.parse.urlencode(fields).encode() if fields else None
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
        with closing(connection):
            connection.request("POST" if fields else "GET", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers["Location"], answer.read().decode()

    def browser(self, method: str, path: str, **params: str) -> tuple[int, Any]:
        """Call the API as Stripe.js does, with the publishable key as a parameter."""
        text = urllib.parse.urlencode({"key": PUBLIC, **params})
        target = path if method == "POST" else f"{path}?{text}"
        status, _, body = self.raw(method, target, text)
        return status, json.loads(body)


class LocalControl(Control):
    """The control API of a server in this process. Without HTTP, which takes ninety times as long."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.base_url)
        self.server = server

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = Request(method, f"/_sandbox/{path}", {"host": "localhost"}, body or b"")
        answer = self.server.respond(request)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise urllib.error.HTTPError(self.url, answer.status, answer.body.decode(), Message(), None)
        return json.loads(answer.body)


class Receiver:
    """A shop's webhook endpoint. `responses`: the next status codes to return; then 200."""

    secret = "whsec_test"

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self.responses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.handle_delivery(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def handle_delivery(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.raw.append((dict(handler.headers.items()), body))
        event = stripe.Webhook.construct_event(body, handler.headers["Stripe-Signature"], self.secret)
        self.events.append(event.to_dict())
        handler.send_response(self.responses.pop(0) if self.responses else 200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        stop_server(self._server)


def stop_server(server: BaseServer) -> None:
    """Stop `serve_forever` at once: a connection wakes it up, so that it need not wait for its next poll."""
    stopping = threading.Thread(target=server.shutdown, daemon=True)
    stopping.start()
    with suppress(OSError):
        socket.create_connection(server.server_address).close()  # type: ignore[arg-type]
    stopping.join()
    server.server_close()


def wait_until(true: Callable[[], Any], seconds: float = 8) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "It did not happen in time."
        time.sleep(0.02)
