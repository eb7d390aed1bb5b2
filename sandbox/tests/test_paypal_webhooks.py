"""PayPal's events: signed with a certificate, delivered at least once, and every signature that a shop must reject."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.tests.client import wait_until
from sandbox.tests.paypal_client import link, money, paid_capture

VERIFY = "/v1/notifications/verify-webhook-signature"
EVENTS = "/v1/notifications/webhooks-events"


def test_events_are_signed_as_paypal_signs(paypal, sandbox, paypal_shop, approved):
    order = approved(custom_id="A-7")
    paypal.capture(order)
    wait_until(lambda: len(paypal_shop.events) == 3)

    headers, body = next(raw for raw in paypal_shop.raw if b"PAYMENT.CAPTURE.COMPLETED" in raw[1])
    event = json.loads(body)
    assert paypal_shop.problems == []
    assert sorted(paypal_shop.types()) == [
        "CHECKOUT.ORDER.APPROVED", "CHECKOUT.ORDER.COMPLETED", "PAYMENT.CAPTURE.COMPLETED",
    ]  # fmt: skip
    assert (headers["PAYPAL-AUTH-ALGO"], headers["CONTENT-TYPE"]) == ("SHA256withRSA", "application/json")
    assert headers["PAYPAL-CERT-URL"].startswith(f"{sandbox.url}/v1/notifications/certs/CERT-")
    assert (event["resource_type"], event["resource_version"], event["event_version"]) == (
        "capture",
        "2.0",
        "1.0",
    )
    assert event["summary"] == "Payment completed for $ 99.99 USD"
    assert event["resource"]["supplementary_data"]["related_ids"]["order_id"] == order
    assert (event["resource"]["custom_id"], event["resource"]["amount"]) == ("A-7", money("99.99"))


def test_events_contain_a_snapshot(paypal, sandbox, approved):
    capture = paid_capture(paypal.capture(approved("review")))
    sandbox.run_jobs()

    [pending] = paypal.get(f"{EVENTS}?event_type=PAYMENT.CAPTURE.PENDING")["events"]

    assert (pending["resource"]["id"], pending["resource"]["status"]) == (capture["id"], "PENDING")


@pytest.mark.parametrize(
    ("mode", "reported"),
    [
        ("expired", "VerificationError"),
        ("wrong_name", "VerificationError"),
        ("untrusted_ca", "VerificationError"),
        ("wrong_webhook", "InvalidSignature"),
        ("altered", "InvalidSignature"),
    ],
)
def test_invalid_signatures_can_be_configured(paypal, sandbox, paypal_shop, approved, mode, reported):
    sandbox.post("webhooks", retry_seconds=[])
    sandbox.post("paypal/settings", signing=mode)

    approved()

    wait_until(lambda: len(paypal_shop.problems) == 1)
    assert paypal_shop.problems[0].startswith(reported)
    assert paypal_shop.events == []
    headers, body = paypal_shop.raw[0]
    assert paypal.post(VERIFY, post_back(headers, body, paypal_shop.webhook_id)) == {
        "verification_status": "FAILURE"
    }


def post_back(headers, body, webhook_id):
    """What a shop sends to let PayPal check an event."""
    return {
        "auth_algo": headers["PAYPAL-AUTH-ALGO"],
        "cert_url": headers["PAYPAL-CERT-URL"],
        "transmission_id": headers["PAYPAL-TRANSMISSION-ID"],
        "transmission_sig": headers["PAYPAL-TRANSMISSION-SIG"],
        "transmission_time": headers["PAYPAL-TRANSMISSION-TIME"],
        "webhook_id": webhook_id,
        "webhook_event": json.loads(body),
    }


def test_paypal_checks_an_event_that_is_posted_back(paypal, paypal_shop, approved):
    approved()
    wait_until(lambda: len(paypal_shop.events) == 1)
    headers, body = paypal_shop.raw[0]
    asked = post_back(headers, body, paypal_shop.webhook_id)

    assert paypal.post(VERIFY, asked) == {"verification_status": "SUCCESS"}
    other = asked["webhook_event"] | {"summary": "An order has been approved by a stranger"}
    for change in ({"webhook_event": other}, {"webhook_id": "0EH40505U7160970P"}, {"transmission_id": "x"}):
        assert paypal.post(VERIFY, asked | change) == {"verification_status": "FAILURE"}


def test_rejected_events_are_retried_with_a_new_signature(sandbox, paypal_shop, approved):
    sandbox.post("webhooks", retry_seconds=[0.05, 0.05])
    paypal_shop.responses = [503, 500]

    approved()

    wait_until(lambda: len(paypal_shop.events) == 3)
    assert len({event["id"] for event in paypal_shop.events}) == 1
    assert len({headers["PAYPAL-TRANSMISSION-ID"] for headers, _ in paypal_shop.raw}) == 3


def test_held_events_are_sent_in_the_requested_order(paypal, sandbox, paypal_shop, approved):
    sandbox.post("webhooks", mode="hold")
    paypal.capture(approved())
    ids = [event["id"] for event in paypal.get(EVENTS)["events"]]
    assert paypal_shop.events == []

    sent = sandbox.post("webhooks/send", events=[*ids, ids[0]])["sent"]

    assert [event["id"] for event in paypal_shop.events] == [*ids, ids[0]]
    assert {row["response"] for row in sent} == {200}


def test_dropped_events_are_found_in_the_list(paypal, sandbox, paypal_shop, approved):
    sandbox.post("webhooks", mode="drop", types=["PAYMENT.*"])
    before = datetime.now(UTC) - timedelta(seconds=5)

    capture = paid_capture(paypal.capture(approved()))

    wait_until(lambda: len(paypal_shop.events) == 2)
    assert "PAYMENT.CAPTURE.COMPLETED" not in paypal_shop.types()
    since = f"{before:%Y-%m-%dT%H:%M:%SZ}"
    found = paypal.get(f"{EVENTS}?transaction_id={capture['id']}&start_time={since}&page_size=300")
    assert [event["event_type"] for event in found["events"]] == ["PAYMENT.CAPTURE.COMPLETED"]
    assert paypal.get(f"{EVENTS}?end_time={since}")["count"] == 0
    sandbox.post("webhooks/send", events=[found["events"][0]["id"]])
    wait_until(lambda: "PAYMENT.CAPTURE.COMPLETED" in paypal_shop.types())


def test_false_events_can_be_sent(paypal, sandbox, paypal_shop, approved):
    capture = paid_capture(paypal.capture(approved()))
    changes = {"resource": {"amount": money("1.00")}}

    event = sandbox.post("paypal/event", type="PAYMENT.CAPTURE.COMPLETED", id=capture["id"], changes=changes)

    wait_until(lambda: len(paypal_shop.events) == 4)
    assert event["resource"]["amount"] == money("1.00")
    assert paypal.get(f"/v2/payments/captures/{capture['id']}")["amount"] == money("99.99")


def test_denied_and_declined_captures_send_different_events(paypal, sandbox, paypal_shop, approved):
    paypal.capture(approved("denied"))
    paypal.capture(approved("refused"))
    sandbox.run_jobs()

    wait_until(lambda: len(paypal_shop.events) == 6)
    reported = sorted(kind for kind in paypal_shop.types() if kind.startswith("PAYMENT"))
    assert reported == ["PAYMENT.CAPTURE.DECLINED", "PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.PENDING"]


def test_links_of_an_event_lead_to_it(paypal, sandbox, approved):
    approved()
    [event] = paypal.get(EVENTS)["events"]

    assert paypal.get(link(event, "self").removeprefix(sandbox.url)) == event
