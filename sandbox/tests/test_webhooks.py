"""Events and their delivery: signed, at least once, in any order if configured."""

import json

import pytest

from sandbox.tests.client import BACK, SDK, Receiver, wait_until


@pytest.fixture
def pay(stripe_api):
    def make(card="pm_card_visa", **options):
        params = {
            "amount": 1000,
            "currency": "usd",
            "payment_method": card,
            "confirm": True,
            "return_url": BACK,
        }
        return stripe_api.v1.payment_intents.create(params, options)

    return make


def test_real_headers_and_signature(stripe_api, shop, pay):
    intent = pay(idempotency_key="k-1")
    wait_until(lambda: len(shop.events) == 3)

    headers, body = next(raw for raw in shop.raw if b"payment_intent.succeeded" in raw[1])
    event = json.loads(body)
    assert headers["User-Agent"] == "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert {part.split("=")[0] for part in headers["Stripe-Signature"].split(",")} == {"t", "v1", "v0"}
    assert event["data"]["object"]["id"] == intent.id
    assert (event["api_version"], event["livemode"], event["pending_webhooks"]) == (
        "2026-10-28.endive",
        False,
        1,
    )
    assert event["request"]["idempotency_key"] == "k-1"
    assert sorted(shop.types()) == ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]


def test_events_contain_a_snapshot(stripe_api, pay):
    pay()

    [created] = stripe_api.v1.events.list({"type": "payment_intent.created"}).data

    assert created.data.object.status == "requires_confirmation"


def test_rejected_events_are_retried_with_a_new_signature(sandbox, stripe_api, shop):
    sandbox.post("webhooks", retry_seconds=[0.05, 0.05, 0.05])
    shop.responses = [500, 302]

    stripe_api.v1.customers.create({})

    wait_until(lambda: len(shop.events) == 3)
    assert len({event["id"] for event in shop.events}) == 1
    wait_until(lambda: sandbox.get("webhooks")["deliveries"][0]["state"] == "delivered")
    assert sandbox.get("webhooks")["deliveries"][0]["responses"] == [500, 302, 200]


def test_retries_are_limited(sandbox, stripe_api, shop):
    sandbox.post("webhooks", retry_seconds=[0.01])
    shop.responses = [500, 500]

    stripe_api.v1.customers.create({})

    wait_until(lambda: sandbox.get("webhooks")["deliveries"][0]["state"] == "failed")
    [missed] = stripe_api.v1.events.list({"delivery_success": False}).data
    assert (missed.type, missed.pending_webhooks) == ("customer.created", 1)
    sandbox.post("webhooks/send", events=[missed.id])
    assert stripe_api.v1.events.list({"delivery_success": False}).data == []


def test_held_events_are_sent_in_the_requested_order(sandbox, stripe_api, shop, pay):
    sandbox.post("webhooks", mode="hold")
    pay()
    events = [event.id for event in stripe_api.v1.events.list().data]
    assert shop.events == []

    sent = sandbox.post("webhooks/send", events=[*events, events[0]])["sent"]

    assert [event["id"] for event in shop.events] == [*events, events[0]]
    assert {row["response"] for row in sent} == {200}


def test_copies_and_shuffle(sandbox, shop, pay):
    sandbox.post("webhooks", mode="hold")
    pay()

    sandbox.post("webhooks/send", copies=10, shuffle=7)

    assert len(shop.events) == 30
    order = [event["id"] for event in shop.events]
    assert (len(set(order)), order != sorted(order, key=order.index)) == (3, True)


def test_each_event_can_be_sent_twice_from_the_start(sandbox, stripe_api, shop):
    sandbox.post("webhooks", copies=2, delay=0.05, shuffle=0.05)

    stripe_api.v1.customers.create({})

    wait_until(lambda: len(shop.events) == 2)


def test_dropped_events_are_listed_as_undelivered(sandbox, stripe_api, shop, pay):
    sandbox.post("webhooks", mode="drop", types=["payment_intent.*"])

    intent = pay()

    wait_until(lambda: shop.types() == ["charge.succeeded"])
    wait_until(lambda: len(stripe_api.v1.events.list({"delivery_success": False}).data) == 2)
    missed = stripe_api.v1.events.list({"delivery_success": False}).data
    assert {event.data.object.id for event in missed} == {intent.id}


def test_two_secrets_sign_during_a_rotation(sandbox, stripe_api, shop):
    [endpoint] = stripe_api.v1.webhook_endpoints.list().data
    sandbox.post("stripe/endpoint", id=endpoint.id, secrets=["whsec_new", shop.secret])

    stripe_api.v1.customers.create({})

    wait_until(lambda: len(shop.events) == 1)
    assert shop.raw[0][0]["Stripe-Signature"].count("v1=") == 2


def test_endpoints_by_api_with_chosen_events(stripe_api, shop):
    with Receiver() as other:
        made = stripe_api.v1.webhook_endpoints.create(
            {"url": other.url, "enabled_events": ["customer.updated"]}
        )
        other.secret = made.secret

        customer = stripe_api.v1.customers.create({})
        stripe_api.v1.customers.update(customer.id, {"name": "Sam"})

        wait_until(lambda: other.types() == ["customer.updated"])
        wait_until(lambda: len(shop.events) == 2)
        assert other.events[0]["data"]["previous_attributes"] == {"name": None}
        assert "secret" not in stripe_api.v1.webhook_endpoints.retrieve(made.id)
        assert stripe_api.v1.webhook_endpoints.delete(made.id).deleted


def test_false_events_can_be_sent(sandbox, stripe_api, shop, pay):
    intent = pay()
    changes = {"livemode": True, "account": "acct_other", "object": {"amount_received": 1}}

    event = sandbox.post("stripe/event", id=intent.id, type="payment_intent.succeeded", changes=changes)

    wait_until(lambda: len(shop.events) == 4)
    assert (event["livemode"], event["data"]["object"]["amount_received"]) == (True, 1)
    assert stripe_api.v1.payment_intents.retrieve(intent.id).amount_received == 1000
    sandbox.post("reset")  # the false event has a field that real ones lack


def test_events_are_listed_newest_first(stripe_api, pay):
    pay("pm_card_visa")
    with pytest.raises(SDK.CardError):
        pay("pm_card_chargeDeclined")

    types = [event.type for event in stripe_api.v1.events.list({"limit": 100}).data]

    assert types == [
        "payment_intent.payment_failed",
        "charge.failed",
        "payment_intent.created",
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_intent.created",
    ]
    one = stripe_api.v1.events.list({"limit": 1}).data[0]
    assert stripe_api.v1.events.retrieve(one.id).type == one.type
