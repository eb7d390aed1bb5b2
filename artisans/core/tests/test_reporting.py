"""Error reports and traces: what leaves the shop, by the bytes that a server gets, and that nothing waits for it."""

import gzip
import json
import os
import re
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.conf import settings
from django.db import connection
from django.urls import path

from artisans.core.security.redaction import scrub_error

pytest.importorskip("sentry_sdk", reason="pip install -r requirements-sentry.txt")
pytest.importorskip("opentelemetry", reason="pip install -r requirements-otel.txt")

SECRETS = {
    "card": "4242424242424242",
    "stripe_key": "sk_live_abcDEF123planted",
    "webhook_secret": "whsec_planted123",
    "client_secret": "pi_3abc_secret_planted",
    "bearer": "aa_0123456789abcdef0123456789abcdef",
    "order_link": "0123456789abcdef0123456789abcdef-1:planted",
    "cart_token": "cart-token-planted",
    "session": "session-planted",
    "csrf": "csrf-planted",
    "email": "buyer.planted@example.test",
    "name": "Ada Planted",
    "street": "12 Planted Street",
    "phone": "+1 555 0100 77",
    "iban": "DE89370400440532013000",
    "password": "password-planted-1",
    "query": "query-planted",
    "user_agent": "agent-planted",
    "forwarded": "203.0.113.77",
    "database": "hunter2planted",
}


def fail(request, token):
    """Holds every secret in a variable, and fails with those that errors of libraries quote."""
    secrets = dict(SECRETS)
    request.POST.dict()
    raise ValueError(
        f"{secrets['email']} paid with {secrets['card']}: '{secrets['name']}, {secrets['street']}' {secrets['bearer']} "
        f"postgres://shop:{secrets['database']}@db:5432 {secrets['client_secret']}\n"
        f"DETAIL:  Failing row contains (1, {secrets['phone']},\n{secrets['iban']})."
    )


urlpatterns = [path("fail/<str:token>/", fail)]

PROGRAM = """
import logging, sys, time
from celery import current_app
import django
django.setup()
from django.db import connection
from django.test import Client, override_settings
from artisans.core.tests.test_reporting import SECRETS as s

logging.disable(logging.NOTSET)
client = Client(SERVER_NAME="localhost", raise_request_exception=False)
client.cookies["session"], client.cookies["csrf"] = s["session"], s["csrf"]
headers = {"Authorization": f"Bearer {s['bearer']}", "X-Cart-Token": s["cart_token"], "User-Agent": s["user_agent"],
           "X-Forwarded-For": s["forwarded"], "X-Request-Id": "request-of-this-test"}
form = {name: s[name] for name in ("email", "password", "street", "name", "iban", "phone", "webhook_secret")}
started = time.monotonic()
with override_settings(ROOT_URLCONF="artisans.core.tests.test_reporting"):
    status = client.post(f"/fail/{s['order_link']}/?q={s['query']}", form, headers=headers).status_code
logging.getLogger("payments.x").error("call_failed", extra={"key": s["stripe_key"], "call": "c-1"})
print(status, "at once" if time.monotonic() - started < 2 else "late")
if connection.vendor == "postgresql":
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT '{s['street']}' WHERE 1 = %s", [1])
if sys.argv[1:]:
    import requests
    requests.get(f"{sys.argv[1]}/v1/things?client_secret={s['client_secret']}", timeout=10)

@current_app.task(name="tests.fails")
def fails(address):
    raise LookupError(f"nothing for {address}")

fails.apply(args=[s["email"]], headers={"request_id": "request-of-the-task"})
"""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    hangs = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.received: list[tuple[str, bytes]] = []
        self.is_over = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Endpoint(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers.get("Content-Encoding", "")
        body = gzip.decompress(raw) if kind == "gzip" else zlib.decompress(raw) if kind == "deflate" else raw
        self.server.received.append((self.path, str(self.headers).encode() + body))
        if self.server.hangs:
            self.server.is_over.wait(60)
        else:
            self.do_GET()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.is_over.set()
        server.shutdown()


def environment(**variables: str) -> dict[str, str]:
    return os.environ | {"DJANGO_SETTINGS_MODULE": "artisans.settings_test"} | variables


def program(server: Server, *arguments: str) -> subprocess.Popen[str]:
    variables = {
        "SENTRY_DSN": f"http://key@{server.address}/1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{server.address}",
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment(**variables),
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_no_secret_leaves_the_shop_and_nothing_waits_for_a_server_that_hangs():
    with serving() as server, serving() as stuck:
        stuck.hangs = True
        process, waiting = program(server, f"http://{server.address}"), program(stuck)
        _, errors = process.communicate(timeout=60)
        late_output, late_errors = waiting.communicate(timeout=60)
    assert (process.returncode, waiting.returncode) == (0, 0), errors + late_errors
    assert late_output == "500 at once\n"
    sent = {
        path: b"".join(body for each, body in server.received if each == path) for path, _ in server.received
    }

    for name, secret in SECRETS.items():
        for address, body in sent.items():
            assert secret.encode() not in body, (name, address)
    assert sent.keys() == {"/api/1/envelope/", "/v1/traces"}
    check_reports(sent["/api/1/envelope/"])
    check_spans(sent["/v1/traces"])


def check_reports(sent: bytes) -> None:
    events = [json.loads(line) for line in re.findall(rb'^{"level.*$', sent, re.MULTILINE)]
    errors = [event["exception"]["values"][-1] for event in events if "exception" in event]
    assert [error["type"] for error in errors] == ["ValueError", "LookupError"]
    assert (
        errors[0]["value"]
        == "[address] paid with [card]: [text] [secret] postgres://[secret]@db:5432 [secret]"
    )
    assert errors[0]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "vars" not in json.dumps(events)
    assert [event["tags"]["request_id"] for event in events] == [
        "request-of-this-test",
        "",
        "request-of-the-task",
    ]
    assert [event["logentry"]["message"] for event in events][:2] == ["request_failed", "call_failed"]
    assert events[0]["transaction"] == "/fail/<str:token>"
    assert events[1]["extra"] == {"key": "[secret]", "call": "c-1"}
    assert events[2]["transaction"] == "tests.fails"
    for event in events:
        assert not event.keys() & {"request", "user", "breadcrumbs", "contexts", "modules"}


def check_spans(sent: bytes) -> None:
    """Of a message of protobuf, texts are found as they are."""
    for text in (
        b"POST /fail/<str:token>",
        b"request-of-this-test",
        b"tests.fails",
        b"LookupError",
        b"127.0.0.1",
    ):
        assert text in sent, text
    for text in (b"http.url", b"url.full", b"url.path", b"user_agent", b"exception.message", b"things"):
        assert text not in sent, text
    if connection.vendor == "postgresql":
        assert b"SELECT '\xe2\x80\xa6' WHERE 1 = %s" in sent


WITHOUT = """
import django, sys
django.setup()
import artisans.urls
optional = "boto3", "storages", "sentry_sdk", "opentelemetry.instrumentation", "opentelemetry.exporter"
# redis imports some of the others of OpenTelemetry
print([name for name in sys.modules if name.startswith(optional)])
"""


def test_off_means_not_imported_and_a_wrong_address_is_refused_without_being_shown():
    wrong = {"SENTRY_DSN": "https://planted.example"}
    off, refused = (
        subprocess.run(
            [sys.executable, "-c", WITHOUT],
            env=environment(**variables),
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        for variables in ({}, wrong)
    )
    assert off.stdout == "[]\n", off.stderr
    assert refused.stderr.splitlines()[-1].endswith(
        "ImproperlyConfigured: SENTRY_DSN is not a valid address."
    )


def test_message_of_an_error_loses_the_row_and_email_addresses():
    row = (
        "IntegrityError: new row violates a check\nDETAIL:  Failing row (1, Ada Planted,\n12 Planted Street)."
    )
    chained = (
        f"{row}\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most"
    )
    assert scrub_error(row) == "IntegrityError: new row violates a check"
    assert "Planted" not in scrub_error(chained)
    assert scrub_error(chained).endswith("Traceback (most")
    assert scrub_error("no user ada@shop.test, worker@host1") == "no user [address], worker@host1"
    assert scrub_error("redis://:hunter2@cache:6379/1") == "redis://[secret]@cache:6379/1"
