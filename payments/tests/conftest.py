"""Fixtures for payment tests: the simulated providers, in this process, on a real socket."""

import json
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from payments.gateway.connection import configured
from payments.models import Payment
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.provider import StripeProvider
from payments.tests.stripe_helpers import SECRET
from sandbox.__main__ import build
from sandbox.http_server import Server
from sandbox.simulator import JOBS
from sandbox.tests.client import Control, LocalControl, Receiver, wait_until
from sandbox.webhook_delivery import DELIVERIES

WEBHOOK_SECRET = Receiver.secret


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Server]:
    server = Server(0)
    simulator = build(server, None, [])
    simulator.start()
    thread = threading.Thread(target=server.serve, args=(simulator,), daemon=True)
    thread.start()
    wait_until(lambda: hasattr(server, "control"))
    yield server
    server.shutdown()
    server.server_close()
    simulator.close()
    thread.join()


class Stripe(LocalControl):
    """The sandbox as Stripe: actions of the buyer and the dashboard, and the webhooks that it sends."""

    def __init__(self, server: Server, post: "Receiver") -> None:
        super().__init__(server)
        self.simulator = server.simulator
        self.post_box = post
        self.shared: bytes | None = None

    def keep(self) -> bytes:
        """Remember the objects of the module's fixtures, before its first test changes or resets them."""
        with self.simulator.lock:
            self.shared = self.shared or pickle.dumps(self.simulator.store._tables)
            return self.shared

    def restore(self) -> None:
        """Bring back the objects of the module's fixtures."""
        with self.simulator.lock:
            shared = pickle.loads(self.keep())  # noqa: S301  # our own rows
            self.simulator.reset()
            self.simulator.store._tables |= shared
            for key, job in self.simulator.store.table(JOBS).items():
                self.simulator._scheduler.add(job["due"], key)
            for key, row in self.simulator.store.table(DELIVERIES).items():
                self.simulator.webhooks._by_event.setdefault(row["event"], []).append(key)
        self.post_box.raw.clear()

    def pay(self, payment: Payment, card: str = "visa") -> Any:
        """The buyer enters a test card on the page."""
        return self.post("stripe/pay", **self.object_of(payment), payment_method=f"pm_card_{card}")

    def authenticate(self, payment: Payment, *, passed: bool = True) -> Any:
        return self.post("stripe/authenticate", payment_intent=payment.provider_payment_id, passed=passed)

    def object_of(self, payment: Payment) -> dict[str, str]:
        object_id = Payment.objects.values_list("provider_payment_id", flat=True).get(pk=payment.pk)
        return {"session" if object_id.startswith("cs_") else "payment_intent": object_id}

    def captured(self) -> list[int]:
        """Minor units of every capture in the sandbox's journal, independent of what the shop recorded."""
        return [row["amount"] for row in self.journal("charge.captured")]

    def refunded(self) -> list[int]:
        return [row["amount"] for row in self.journal("refund.succeeded")]

    def made(self) -> int:
        return len(self.journal("intent.created"))

    def events(self, *kinds: str) -> list[tuple[dict[str, str], bytes]]:
        """The webhooks sent so far (headers, raw body), of these kinds or all, in sending order."""
        self.post("webhooks/send")
        return [
            (headers, body)
            for headers, body in self.post_box.raw
            if not kinds or json.loads(body)["type"] in kinds
        ]


def stripe_settings(server: Server) -> dict[str, Any]:
    return {
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_PUBLISHABLE_KEY": "pk_test_sandbox",
        "STRIPE_WEBHOOK_SECRET": [WEBHOOK_SECRET],
        "STRIPE_API_BASE": server.base_url,
    }


@contextmanager
def fresh_stripe(server: Server) -> Iterator[Stripe]:
    server.simulator.store.table("endpoint").clear()
    with Receiver() as receiver:
        made = Stripe(server, receiver)
        made.post("reset")
        made.post("settings", async_seconds=3600)
        made.post("stripe/endpoint", url=receiver.url, secret=receiver.secret)
        made.post("webhooks", mode="hold")
        yield made
    configured.cache_clear()


@pytest.fixture
def stripe(request: pytest.FixtureRequest, sandbox_server: Server, settings: Any) -> Iterator[Stripe]:
    """Stripe without objects and faults, and a shop with its keys; webhooks are held until `events()`.

    With `module_stripe`: with the objects of the module's fixtures.
    """
    if "module_stripe" in request.fixturenames:
        made = request.getfixturevalue("module_stripe")
        made.restore()
        yield made
        configured.cache_clear()
        return
    for name, value in stripe_settings(sandbox_server).items():
        setattr(settings, name, value)
    with fresh_stripe(sandbox_server) as made:
        yield made


@pytest.fixture(scope="module")
def module_stripe(sandbox_server: Server) -> Iterator[Stripe]:
    """Like `stripe`, for all tests of a module that share rows and the objects that the rows refer to."""
    with override_settings(**stripe_settings(sandbox_server)), fresh_stripe(sandbox_server) as made:
        yield made


@pytest.fixture
def card_shop(settings: Any) -> Iterator[None]:
    """A shop that accepts cards, for tests that write Stripe's state themselves (`apply_card_captures`)."""
    settings.STRIPE_SECRET_KEY = "sk_test_sandbox"
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_sandbox"
    configured.cache_clear()
    yield
    configured.cache_clear()


class PayPal(LocalControl):
    """The sandbox as PayPal."""

    def __init__(self, server: Server, post: "Receiver") -> None:
        super().__init__(server)
        self.post_box = post

    def approve(self, payment: Payment, buyer: str = "pays") -> Any:
        """The buyer approves on PayPal's page."""
        order = Payment.objects.values_list("provider_payment_id", flat=True).get(pk=payment.pk)
        return self.post("paypal/approve", order=order, buyer=buyer)

    def cents(self, effect: str) -> list[int]:
        """Minor units of every effect of this kind in the sandbox's journal, independent of what the shop recorded."""
        return [row["amount"] for row in self.journal(effect, provider="paypal")]

    def events(self, *kinds: str) -> list[tuple[dict[str, str], bytes]]:
        self.post("webhooks/send")
        return [
            (headers, body)
            for headers, body in self.post_box.raw
            if not kinds or json.loads(body)["event_type"] in kinds
        ]


class PlainReceiver(Receiver):
    """Accepts every delivery; the shop checks the signatures."""

    def handle_delivery(self, handler: Any) -> None:
        self.raw.append(
            (dict(handler.headers.items()), handler.rfile.read(int(handler.headers["Content-Length"])))
        )
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


PAYPAL_WEBHOOK_ID = "5GP028458E2496506"


@pytest.fixture
def paypal(
    request: pytest.FixtureRequest, sandbox_server: Server, settings: Any, tmp_path: Path
) -> Iterator[PayPal]:
    """PayPal without objects and faults, and a shop with its credentials; webhooks are held until `events()`."""
    if "module_stripe" in request.fixturenames:
        request.getfixturevalue("module_stripe").keep()
    url = sandbox_server.base_url
    ca_file = tmp_path / "ca.pem"
    settings.PAYPAL_CLIENT_ID = settings.PAYPAL_CLIENT_SECRET = "sandbox"
    settings.PAYPAL_WEBHOOK_ID = PAYPAL_WEBHOOK_ID
    settings.PAYPAL_API_BASE = url
    settings.PAYPAL_CERT_HOSTS = [url.removeprefix("http://")]
    settings.PAYPAL_CA_FILE = str(ca_file)
    sandbox_server.simulator.store.table("endpoint").clear()
    with PlainReceiver() as receiver:
        made = PayPal(sandbox_server, receiver)
        made.post("reset")
        made.post("settings", async_seconds=3600)
        made.post("paypal/endpoint", url=receiver.url, webhook_id=PAYPAL_WEBHOOK_ID)
        made.post("webhooks", mode="hold")
        ca_file.write_text(made.get("paypal/ca")["pem"])
        yield made
    configured.cache_clear()


@pytest.fixture
def deliver() -> Callable[..., list[int]]:
    """Post webhooks to the shop as the provider does; returns the status codes."""

    def post(*events: tuple[dict[str, str], bytes], path: str = "/payments/webhooks/stripe") -> list[int]:
        answers = []
        for headers, body in events:
            signature = {
                f"HTTP_{name.upper().replace('-', '_')}": value
                for name, value in headers.items()
                if name.lower().startswith(("stripe-", "paypal-"))
            }
            answers.append(
                Client().post(path, body, content_type="application/json", **signature).status_code
            )
        return answers

    return post


# ---- the adapter alone, without the shop ---------------------------------------------------------------------------


@pytest.fixture
def sandbox(sandbox_server: Server) -> Control:
    """The sandbox without objects, faults and endpoints; delayed jobs run on `run_jobs()`."""
    sandbox_server.simulator.store.table("endpoint").clear()
    control = LocalControl(sandbox_server)
    control.post("reset")
    control.post("settings", async_seconds=3600)
    return control


@pytest.fixture
def stripe_config(sandbox: Control) -> StripeConfig:
    return StripeConfig("sk_test_sandbox", "pk_test_sandbox", (SECRET,), sandbox.url, read_timeout=2)


@pytest.fixture
def adapter(stripe_config: StripeConfig) -> StripeProvider:
    return StripeProvider(stripe_config)
