"""Checkout Sessions: the hosted page, which needs no script."""

import re
import urllib.parse
from contextlib import closing
from http.client import HTTPConnection

import pytest

from sandbox.tests.client import SDK

PARAMS = {
    "mode": "payment",
    "success_url": "http://127.0.0.1:9/done?session={CHECKOUT_SESSION_ID}",
    "cancel_url": "http://127.0.0.1:9/back",
    "client_reference_id": "order-7",
    "customer_email": "sam@shop.test",
    "payment_intent_data": {"metadata": {"order": "7"}},
    "line_items": [
        {
            "quantity": 2,
            "price_data": {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Vase <b>"}},
        }
    ],
}


@pytest.fixture
def session(stripe_api):
    return stripe_api.v1.checkout.sessions.create(PARAMS)


def visit(address, **form):
    """Status, Location and the page."""
    parts = urllib.parse.urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request(
        "POST" if form else "GET", path, urllib.parse.urlencode(form) or None, headers if form else {}
    )
    with closing(connection), connection.getresponse() as answer:
        return answer.status, answer.headers.get("Location", ""), answer.read().decode()


def test_no_intent_until_the_buyer_pays(stripe_api, sandbox, session):
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert session.amount_total == 2000
    assert session.url.startswith(f"{sandbox.url}/c/pay/cs_test_")
    assert sandbox.journal("intent.created") == []
    status, _, page = visit(session.url)
    assert (status, "$20.00" in page, "Vase &lt;b&gt;" in page, "no real money" in page) == (
        200,
        True,
        True,
        True,
    )
    assert "<script" not in page


def test_paying(stripe_api, sandbox, session):
    status, place, _ = visit(session.url, card="pm_card_visa")

    assert (status, place) == (303, f"http://127.0.0.1:9/done?session={session.id}")
    done = stripe_api.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent", "line_items"]})
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.payment_intent.metadata["order"] == "7"
    assert done.line_items.data[0].quantity == 2
    assert [row["amount"] for row in sandbox.journal("charge.captured")] == [2000]
    [event] = stripe_api.v1.events.list({"type": "checkout.session.completed"}).data
    assert event.data.object.id == session.id


def test_a_decline_leaves_it_open(stripe_api, session):
    status, _, page = visit(session.url, card="pm_card_chargeDeclined")
    assert (status, "Your card was declined." in page) == (402, True)
    first = stripe_api.v1.checkout.sessions.retrieve(session.id).payment_intent

    visit(session.url, card="typed", number="5555 5555 5555 4444")

    done = stripe_api.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_intent) == ("complete", first)


def test_three_d_secure_on_the_way(stripe_api, session):
    status, bank, _ = visit(session.url, card="pm_card_threeDSecure2Required")
    assert (status, "/3d_secure/" in bank) == (303, True)

    status, back, _ = visit(bank, answer="fail")
    _, _, page = visit(back)
    assert re.search(r'role="alert">[^<]*failed authentication', page)

    _, bank, _ = visit(session.url, card="pm_card_threeDSecure2Required")
    _, back, _ = visit(bank, answer="complete")
    assert visit(back)[1].startswith("http://127.0.0.1:9/done")
    assert stripe_api.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_expiring_ends_it(stripe_api, sandbox, session):
    visit(session.url, card="pm_card_chargeDeclined")

    gone = stripe_api.v1.checkout.sessions.expire(session.id)

    assert (gone.status, gone.url) == ("expired", None)
    assert stripe_api.v1.payment_intents.retrieve(gone.payment_intent).status == "canceled"
    assert "expired" in visit(session.url, card="pm_card_visa")[2]
    assert sandbox.journal("charge.captured") == []
    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.checkout.sessions.expire(session.id)


def test_the_intent_of_a_session_is_cancelled_by_the_session(stripe_api, session):
    visit(session.url, card="pm_card_chargeDeclined")
    intent = stripe_api.v1.checkout.sessions.retrieve(session.id).payment_intent

    with pytest.raises(SDK.InvalidRequestError, match="Expire the Checkout"):
        stripe_api.v1.payment_intents.cancel(intent)


def test_its_time_is_limited(stripe_api, sandbox):
    now = int(sandbox.get("clock")["now"])
    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.checkout.sessions.create({**PARAMS, "expires_at": now + 60})
    short = stripe_api.v1.checkout.sessions.create({**PARAMS, "expires_at": now + 1900})

    sandbox.post("jobs/run")
    assert stripe_api.v1.checkout.sessions.retrieve(short.id).status == "open"
    sandbox.post("jobs/run", kind="stripe.session.deadline")

    assert stripe_api.v1.checkout.sessions.retrieve(short.id).status == "expired"


def test_processing_is_complete_but_unpaid_at_first(stripe_api, sandbox, session):
    sandbox.post("stripe/pay", session=session.id, payment_method="pm_card_sandboxProcessing")
    first = stripe_api.v1.checkout.sessions.retrieve(session.id)
    assert (first.status, first.payment_status) == ("complete", "unpaid")

    sandbox.run_jobs()

    assert stripe_api.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert len(stripe_api.v1.events.list({"type": "checkout.session.async_payment_succeeded"}).data) == 1


def test_saving_a_card_on_the_hosted_page(stripe_api):
    customer = stripe_api.v1.customers.create({}).id
    params = {
        "mode": "setup",
        "customer": customer,
        "currency": "usd",
        "success_url": "http://127.0.0.1:9/done",
    }
    session = stripe_api.v1.checkout.sessions.create(params)

    visit(session.url, card="pm_card_visa")

    assert (
        stripe_api.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]}).setup_intent.status
        == "succeeded"
    )
    assert len(stripe_api.v1.customers.payment_methods.list(customer).data) == 1


def test_a_list_of_sessions(stripe_api, session):
    visit(session.url, card="pm_card_visa")
    intent = stripe_api.v1.checkout.sessions.retrieve(session.id).payment_intent

    assert [row.id for row in stripe_api.v1.checkout.sessions.list({"payment_intent": intent}).data] == [
        session.id
    ]
    assert stripe_api.v1.checkout.sessions.line_items.list(session.id).data[0].amount_total == 2000
