"""The HTTP/1.1 server on 127.0.0.1: one thread per connection, faults applied to requests and responses."""

import json
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sandbox.control import Control
from sandbox.faults import NO_FAULT, RATE_LIMITED, Fault
from sandbox.http_messages import ConnectionDropped, Json, Request, Response, json_response
from sandbox.simulator import Provider, Simulator

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOCAL_NAMES = {"127.0.0.1", "localhost"}
BODY_LIMIT = 1_000_000


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    simulator: Simulator
    control: Control

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.base_url = f"http://{HOST}:{self.server_port}"

    def serve(self, simulator: Simulator) -> None:
        """Serve until another thread calls `shutdown`."""
        self.simulator = simulator
        self.control = Control(simulator)
        self.serve_forever(poll_interval=0.1)

    def respond(self, request: Request) -> Response:
        if request.headers.get("host", "").rsplit(":", 1)[0] not in LOCAL_NAMES:
            return json_response({"error": "This is a sandbox on 127.0.0.1."}, 421)
        if self.control.owns(request.path):
            return self.control.respond(request)
        for provider in self.simulator.providers:
            if provider.owns(request.path):
                fault = self._fault(request, provider)
                entry = log_entry(request, provider.name, self.simulator.now(), fault.id)
                self.simulator.requests.append(entry)
                response = provider.respond(request, fault)
                entry |= {"status": response.status, "reason": reason_of(provider, response)}
                return fault.on_response(response)
        return json_response({"error": {"message": "The sandbox does not simulate this path."}}, 404)

    def _fault(self, request: Request, provider: Provider) -> Fault:
        """The fault that applies to this request; requests of browsers and to pages are not rate limited."""
        fault = self.simulator.faults.match(request)
        is_counted = fault is NO_FAULT and "authorization" in request.headers
        return RATE_LIMITED if is_counted and self.simulator.is_rate_limited(provider.name) else fault


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_LIMIT:
            self.close_connection = True
            self.send_error(413)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        try:
            self._write(self.server.respond(request))
        except ConnectionDropped as end:
            self.close_connection = True
            if end.response:
                self._write(end.response, part=len(end.response.body) // 2)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            self._write(
                json_response({"error": {"type": "api_error", "message": "The sandbox has a bug."}}, 500)
            )

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any  # noqa: N815 (names of http.server)

    def _write(self, response: Response, part: int | None = None) -> None:
        """Send headers and body in one write, so that the client never waits for a delayed acknowledgement."""
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self._headers_buffer.append(b"\r\n" + response.body[:part])  # type: ignore[attr-defined]
        self.flush_headers()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client disconnected

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (name of http.server)
        logger.debug(format, *args)


def reason_of(provider: Provider, response: Response) -> str:
    """Why the provider refused the request; "" if it did not, or not in JSON."""
    if response.status < 400 or "json" not in response.headers.get("Content-Type", ""):  # noqa: PLR2004 (errors)
        return ""
    return provider.refusal(json.loads(response.body))


def log_entry(request: Request, provider: str, at: float, fault_id: str) -> Json:
    """`status` and `reason` are None until the provider has responded."""
    headers = request.headers
    return {
        "id": request.id,
        "at": int(at),
        "provider": provider,
        "method": request.method,
        "path": request.path,
        "idempotency_key": headers.get("idempotency-key") or headers.get("paypal-request-id"),
        "fault": None if fault_id == NO_FAULT.id else fault_id,
        "status": None,
        "reason": None,
    }
