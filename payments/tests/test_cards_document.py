"""The calls of docs/cards.md against a real server and the sandbox; checked against the sandbox's journal."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from artisans.accounts.principals import Principal
from artisans.accounts.tests.sign_in import token_of
from carts.services import cart_items_add, cart_open
from orders.tests.factories import place
from payments.models import Payment, WebhookEvent
from payments.tests.periodic import process_due

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = Path(settings.BASE_DIR, "docs/cards.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="session")
def live_server(django_db_setup, live_server):
    """Starts once the test database exists; before, SQLite would use and share an in-memory database."""
    return live_server


@pytest.fixture
def call(live_server, shopper, staff, settings):
    """Run one block with the names defined so far; returns the answer as JSON."""
    settings.ALLOW_TEST_CARDS = True
    token, office = (token_of(user) for user in (shopper, staff))
    named = {"http://localhost:8000": live_server.url, "<token>": token, "<staff-token>": office}

    def run(block: str, **names: str):
        script = block.replace("curl ", "curl -sS --fail-with-body ")
        for name, value in (named | names).items():
            script = script.replace(name, value)
        done = subprocess.run(
            ["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


def order_of(user, product):
    with transaction.atomic():
        return place({product: 1}, user=user).order


@pytest.fixture
def deliver_events(stripe, sandbox_server, live_server):
    """Let Stripe deliver its events and the worker process them; returns the shop's status codes."""
    sandbox_server.simulator.store.table("endpoint").clear()
    secret = settings.STRIPE_WEBHOOK_SECRET[0]
    stripe.post("stripe/endpoint", url=f"{live_server.url}/payments/webhooks/stripe", secret=secret)

    def send() -> set[int]:
        answers = {each["response"] for each in stripe.post("webhooks/send")["sent"]}
        process_due()
        assert not WebhookEvent.objects.filter(state__in=["received", "waiting"]).exists()
        return answers

    return send


def test_document_calls_do_what_it_says(call, stripe, deliver_events, shopper, bowl):
    pay, confirm, look, number, token, methods, default, checkout, again, delete, refund = BLOCKS
    order = order_of(shopper, bowl)

    payment = call(pay, **{"order-uuid": str(order.pk)})
    assert (payment["status"], payment["amount"]) == ("PENDING", "99.99")
    assert payment["next_action"]["client_secret"] == payment["client_secret"]
    paid = call(confirm, pi_1234567890=payment["provider_payment_id"])
    assert (paid["status"], paid["next_action"]) == ("COMPLETED", None)
    assert call(look, **{"payment-uuid": payment["id"]})["status"] == "COMPLETED"

    first, second = call(number), call(token)
    assert (first["card_last_four"], first["is_default"], second["is_default"]) == ("4242", True, False)
    assert [row["id"] for row in call(methods)["results"]] == [first["id"], second["id"]]
    assert call(default, **{"method-uuid": second["id"]})["is_default"] is True
    assert [row["id"] for row in call(methods)["results"]] == [second["id"], first["id"]]

    mine = Principal(user=shopper)
    cart = cart_open(mine).cart
    cart_items_add(principal=mine, cart_id=cart.pk, adds={bowl.pk: 1})
    ordered = call(checkout, **{"{cart_id}": str(cart.pk)})
    assert ordered["order"]["total"] == "99.99"
    names = {"payment-uuid": ordered["payment"]["id"], "method-uuid": second["id"]}
    assert call(again, **names)["status"] == "COMPLETED"
    assert call(delete, **names) is None
    assert [row["id"] for row in call(methods)["results"]] == [first["id"]]

    return_form = call(refund, **names)
    assert (return_form["amount"], return_form["status"]) == ("50.00", "COMPLETED")

    assert deliver_events() == {200}
    assert (stripe.captured(), stripe.refunded()) == ([9999, 9999], [5000])
    assert set(Payment.objects.values_list("status", flat=True)) == {"COMPLETED", "PARTIALLY_REFUNDED"}


def test_webhook_completes_the_payment_of_a_closed_browser(call, stripe, deliver_events, shopper, bowl):
    pay, look = BLOCKS[0], BLOCKS[2]
    order = order_of(shopper, bowl)
    payment = call(pay, **{"order-uuid": str(order.pk)})
    stripe.post("stripe/pay", payment_intent=payment["provider_payment_id"], payment_method="pm_card_visa")

    assert deliver_events() == {200}

    assert call(look, **{"payment-uuid": payment["id"]})["status"] == "COMPLETED"
    assert stripe.captured() == [9999]
