"""A sandbox in this process, on a real socket; every response and event is checked against the field lists."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.__main__ import build
from sandbox.http_messages import Request, Response
from sandbox.http_server import Server
from sandbox.tests.client import Control, Receiver, client
from sandbox.tests.paypal_client import PayPal, PayPalReceiver
from sandbox.tests.paypal_schemas import check_event, check_response
from sandbox.tests.stripe_schemas import problems


class WatchedServer(Server):
    """Collects schema violations in its responses."""

    def __init__(self) -> None:
        super().__init__(0)
        self.violations: list[str] = []

    def respond(self, request: Request) -> Response:
        response = super().respond(request)
        if self.is_paypals(request.path):
            self.check_paypal(request, response)
        elif request.path.startswith("/v1/") and response.headers.get("Content-Type") == "application/json":
            self.check(request, response)
        return response

    def is_paypals(self, path: str) -> bool:
        return next(provider for provider in self.simulator.providers if provider.name == "paypal").owns(path)

    def check_paypal(self, request: Request, response: Response) -> None:
        if response.headers.get("Content-Type") != "application/json":
            return  # a page, a certificate, nothing
        try:
            answer = json.loads(response.body)
        except ValueError:
            return  # truncated by a fault
        self.violations += check_response(request.method, request.path, response.status, answer)

    def check(self, request: Request, response: Response) -> None:
        try:
            answer = json.loads(response.body)
        except ValueError:
            return  # truncated by a fault
        is_public = (
            "pk_test_" in request.headers.get("authorization", "") + request.target + request.body.decode()
        )
        if "error" in answer:
            self.violations += problems(answer["error"], "error")
        elif not is_public:
            self.violations += problems(answer)


@pytest.fixture(scope="package")
def server() -> Iterator[WatchedServer]:
    server = WatchedServer()
    simulator = build(server, None, [])
    simulator.start()
    thread = threading.Thread(target=server.serve, args=(simulator,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    simulator.close()
    thread.join()


@pytest.fixture
def sandbox(server: WatchedServer) -> Iterator[Control]:
    """The control API of an empty sandbox: no objects, faults, endpoints; delayed jobs run on `run_jobs()`."""
    server.simulator.store.table("endpoint").clear()
    control = Control(server.base_url)
    control.post("reset")
    control.post("settings", async_seconds=3600)
    server.violations.clear()
    yield control
    for event in server.simulator.store.table("stripe.event").values():
        server.violations += problems(event)
    for event in server.simulator.store.table("paypal.event").values():
        server.violations += check_event(event)
    assert server.violations == []


@pytest.fixture
def stripe_api(sandbox: Control) -> Any:
    """The official SDK with a secret key."""
    return client(sandbox.url)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all modules: a process can drive only one at a time."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 (only the browser tests need it)

    expect.set_options(timeout=60_000)  # how long until a failure
    names = ("chromium-headless-shell", "chromium", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def paypal(sandbox: Control) -> PayPal:
    return PayPal(sandbox.url)


@pytest.fixture
def approved(sandbox: Control, paypal: PayPal) -> Callable[..., str]:
    """`approved(buyer)` creates an order that this test buyer has approved; returns its ID."""

    def make(buyer: str = "pays", **facts: Any) -> str:
        order = str(paypal.order(**facts)["id"])
        sandbox.post("paypal/approve", order=order, buyer=buyer)
        return order

    return make


@pytest.fixture
def paypal_shop(sandbox: Control) -> Iterator[PayPalReceiver]:
    """A shop that receives PayPal's webhooks and trusts the sandbox's certificate authority."""
    with PayPalReceiver(sandbox.get("paypal/ca")["pem"]) as receiver:
        sandbox.post("paypal/endpoint", url=receiver.url, webhook_id=receiver.webhook_id)
        yield receiver


@pytest.fixture
def shop(sandbox: Control) -> Iterator[Receiver]:
    """A shop that receives Stripe's webhooks."""
    with Receiver() as receiver:
        sandbox.post("stripe/endpoint", url=receiver.url, secret=receiver.secret)
        yield receiver
