"""Stripe's webhooks: signature verification and parsing."""

import copy
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from artisans.core.money import Money
from payments.providers.contract import (
    BadSignature,
    CannotVerify,
    RemoteDisputeStatus,
    RemoteRefundStatus,
    RemoteStatus,
)
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.provider import StripeProvider
from payments.tests.stripe_helpers import (
    SECRET,
    build_create_request,
    build_refund_request,
    digest,
    message,
    signed,
)
from sandbox.tests.client import Control, Receiver, wait_until

INTENT = {"object": "payment_intent", "id": "pi_1", "amount": 9999, "currency": "usd", "status": "succeeded",
          "latest_charge": "ch_1", "metadata": {"payment_id": "pay-1"}}  # fmt: skip
BODY = message("payment_intent.succeeded", INTENT)


@pytest.fixture
def offline_provider():
    """A provider without a server: webhooks are parsed without a call."""
    return provider(SECRET)


def provider(*secrets: str) -> StripeProvider:
    return StripeProvider(StripeConfig("sk_test_x", "pk_test_x", secrets, "http://127.0.0.1:9"))


# ---- verification -------------------------------------------------------------------------------------------


def test_signed_message_is_read(offline_provider):
    event = offline_provider.parse_webhook(BODY, signed(BODY))

    assert (event.event_id, event.kind, event.object_ids) == ("evt_1", "payment_intent.succeeded", ("pi_1",))
    assert (event.is_live, event.account, event.created_at.year) == (False, "", 2025)


def refused_headers(now: int) -> dict[str, str]:
    good = digest(BODY, now)
    return {
        "none": "",
        "garbage": "garbage",
        "of another body": f"t={now},v1={digest(BODY + b' ', now)}",
        "of another secret": f"t={now},v1={digest(BODY, now, 'whsec_other')}",
        "of an empty secret": f"t={now},v1={digest(BODY, now, '')}",
        "of another time": f"t={now + 1},v1={good}",
        "without time": f"v1={good}",
        "without signature": f"t={now}",
        "only v0": f"t={now},v0={good}",
        "upper case": f"t={now},v1={good.upper()}",
        "upper case name": f"t={now},V1={good}",
        "a space after the comma": f"t={now}, v1={good}",
        "a space at the end": f"t={now},v1={good} ",
        "two times": f"t={now},t={now},v1={good}",
        "two times, one old": f"t={now - 9999},t={now},v1={good}",
        "cut": f"t={now},v1={good[:-1]}",
        "longer": f"t={now},v1={good}0",
        "empty signature": f"t={now},v1=",
        "no number": f"t=now,v1={good}",
        "negative": f"t=-{now},v1={good}",
        "other digits": f"t={''.join(chr(0x660 + int(digit)) for digit in str(now))},v1={good}",
        "letters that are none": f"t={now},v1={'é' * 64}",
        "a field more": f"t={now},v1={good},x=1",
        "a comma more": f"t={now},v1={good},",
        "too long": f"t={now},v1={good}" + f",v1={'0' * 64}" * 40,
    }


@pytest.mark.parametrize("name", refused_headers(0))
def test_malformed_signature_header_is_refused(offline_provider, name):
    with pytest.raises(BadSignature) as seen:
        offline_provider.parse_webhook(BODY, {"Stripe-Signature": refused_headers(int(time.time()))[name]})

    assert seen.value.code in {"header_malformed", "header_too_long", "wrong_signature"}


def test_message_without_header_is_refused(offline_provider):
    with pytest.raises(BadSignature):
        offline_provider.parse_webhook(BODY, {})


def test_signature_in_the_body_is_ignored(offline_provider):
    body = message("payment_intent.succeeded", INTENT, signature=digest(BODY, int(time.time())))

    with pytest.raises(BadSignature):
        offline_provider.parse_webhook(body, {})


@pytest.mark.parametrize("seconds", [-86400, -302, 302, 600, 365 * 86400])
def test_message_outside_the_tolerance_is_refused(offline_provider, seconds):
    with pytest.raises(BadSignature, match="outside_tolerance"):
        offline_provider.parse_webhook(BODY, signed(BODY, at=seconds))


@pytest.mark.parametrize("seconds", [-298, 298])
def test_message_within_the_tolerance_is_accepted(offline_provider, seconds):
    assert offline_provider.parse_webhook(BODY, signed(BODY, at=seconds)).event_id == "evt_1"


def test_signature_covers_the_raw_bytes(offline_provider):
    again = json.dumps(json.loads(BODY)).encode()

    with pytest.raises(BadSignature):
        offline_provider.parse_webhook(again, signed(BODY))


@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
def test_header_name_is_case_insensitive(offline_provider, name):
    headers = signed(BODY)

    assert offline_provider.parse_webhook(BODY, {name: headers["Stripe-Signature"]}).event_id == "evt_1"


@pytest.mark.parametrize(
    "order", [("whsec_new", "whsec_old"), ("whsec_old", "whsec_new"), ("whsec_new",), ("whsec_old",)]
)
def test_both_secrets_are_accepted_during_a_rotation(order):
    rotating = provider("whsec_new", "whsec_old")

    assert rotating.parse_webhook(BODY, signed(BODY, secrets=order)).event_id == "evt_1"


def test_old_secret_is_refused_after_the_rotation():
    with pytest.raises(BadSignature):
        provider("whsec_new").parse_webhook(BODY, signed(BODY, secrets=("whsec_old",)))


def test_test_mode_signature_beside_the_real_one_is_ignored(offline_provider):
    headers = signed(BODY)
    headers["Stripe-Signature"] += f",v0={'0' * 64}"

    assert offline_provider.parse_webhook(BODY, headers).event_id == "evt_1"


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",)])
def test_messages_are_refused_without_a_secret(secrets):
    with pytest.raises(CannotVerify):
        provider(*secrets).parse_webhook(BODY, signed(BODY, secrets=("",)))


THIN = {
    "id": "evt_2",
    "object": "v2.core.event",
    "type": "v1.billing.meter.error_report_triggered",
    "livemode": False,
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"evt_1"',
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps(THIN).encode(),
        message("payment_intent.succeeded", INTENT, id=None),
        message("payment_intent.succeeded", INTENT, id=""),
        message("payment_intent.succeeded", INTENT, id=["evt_1"]),
        message("payment_intent.succeeded", INTENT, type=7),
        message("payment_intent.succeeded", INTENT, data=None),
        message("payment_intent.succeeded", INTENT, data={"object": "pi_1"}),
        message("payment_intent.succeeded", INTENT, object="account"),
    ],
)
def test_signed_malformed_and_thin_events_are_refused(offline_provider, body):
    with pytest.raises(BadSignature) as seen:
        offline_provider.parse_webhook(body, signed(body))

    is_text = not body.startswith(b"\xff")  # which the SDK cannot sign
    assert seen.value.code in ({"unreadable", "not_a_snapshot_event"} if is_text else {"wrong_signature"})


# ---- parsing ------------------------------------------------------------------------------------------------

REFUND = {"object": "refund", "id": "re_1", "payment_intent": "pi_1", "charge": "ch_1", "status": "pending"}
DISPUTE = {
    "object": "dispute",
    "id": "du_1",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "status": "needs_response",
}
CHARGE = {"object": "charge", "id": "ch_1", "payment_intent": "pi_1", "status": "succeeded", "captured": True}
SESSION = {"object": "checkout.session", "id": "cs_1", "payment_intent": None, "status": "open",
           "payment_status": "unpaid", "amount_total": 9999, "currency": "usd"}  # fmt: skip
SETUP = {"object": "setup_intent", "id": "seti_1", "payment_method": "pm_1", "status": "succeeded"}
METHOD = {"object": "payment_method", "id": "pm_1", "customer": "cus_1"}
USD = Money(9999, "USD")


@pytest.mark.parametrize(
    ("kind", "row", "result"),
    [
        ("payment_intent.succeeded", INTENT,
         {"object_ids": ("pi_1",), "amount": USD, "status": RemoteStatus.SUCCEEDED, "capture_id": "ch_1"}),
        ("payment_intent.payment_failed",
         INTENT | {"status": "requires_payment_method", "last_payment_error": {"code": "card_declined"}},
         {"object_ids": ("pi_1",), "amount": USD, "status": RemoteStatus.FAILED}),
        ("payment_intent.processing", INTENT | {"status": "processing"},
         {"object_ids": ("pi_1",), "amount": USD, "status": RemoteStatus.PROCESSING}),
        ("payment_intent.canceled", INTENT | {"status": "canceled"},
         {"object_ids": ("pi_1",), "amount": USD, "status": RemoteStatus.CANCELLED}),
        ("payment_intent.succeeded", INTENT | {"latest_charge": {"id": "ch_9", "object": "charge"}},
         {"object_ids": ("pi_1",), "amount": USD, "status": RemoteStatus.SUCCEEDED, "capture_id": "ch_9"}),
        ("payment_intent.of_next_year", INTENT | {"status": "levitating", "amount": "much"},
         {"object_ids": ("pi_1",), "status": RemoteStatus.UNKNOWN}),
        ("charge.succeeded", CHARGE,
         {"object_ids": ("pi_1", "ch_1"), "status": RemoteStatus.SUCCEEDED, "capture_id": "ch_1"}),
        ("charge.failed", CHARGE | {"status": "failed", "captured": False}, {"object_ids": ("pi_1", "ch_1")}),
        ("charge.refunded", CHARGE,
         {"object_ids": ("pi_1", "ch_1"), "status": RemoteStatus.SUCCEEDED, "capture_id": "ch_1"}),
        ("refund.created", REFUND,
         {"object_ids": ("pi_1", "ch_1"), "refund_id": "re_1", "refund_status": RemoteRefundStatus.PENDING}),
        ("charge.refund.updated", REFUND | {"status": "failed"},
         {"object_ids": ("pi_1", "ch_1"), "refund_id": "re_1", "refund_status": RemoteRefundStatus.FAILED}),
        ("charge.dispute.created", DISPUTE,
         {"object_ids": ("pi_1", "ch_1"), "dispute_id": "du_1", "dispute_status": RemoteDisputeStatus.OPEN}),
        ("charge.dispute.closed", DISPUTE | {"status": "lost"},
         {"object_ids": ("pi_1", "ch_1"), "dispute_id": "du_1", "dispute_status": RemoteDisputeStatus.LOST}),
        ("checkout.session.expired", SESSION | {"status": "expired"},
         {"object_ids": ("cs_1",), "amount": USD, "status": RemoteStatus.EXPIRED}),
        ("checkout.session.completed",
         SESSION | {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"},
         {"object_ids": ("cs_1", "pi_1"), "amount": USD, "status": RemoteStatus.SUCCEEDED}),
        ("checkout.session.completed", SESSION | {"status": "complete", "payment_intent": "pi_1"},
         {"object_ids": ("cs_1", "pi_1"), "amount": USD, "status": RemoteStatus.PROCESSING}),
        ("checkout.session.async_payment_failed", SESSION | {"status": "complete", "payment_intent": "pi_1"},
         {"object_ids": ("cs_1", "pi_1"), "amount": USD, "status": RemoteStatus.EXPIRED}),
        ("setup_intent.succeeded", SETUP, {"setup_id": "seti_1", "method_id": "pm_1"}),
        ("payment_method.detached", METHOD, {"method_id": "pm_1"}),
        ("customer.deleted", {"object": "customer", "id": "cus_1"}, {}),
        ("payout.paid", {"object": "payout", "id": "po_1", "amount": 5}, {}),
        ("strange.event", {}, {}),
    ],
)  # fmt: skip
def test_message_names_its_object_and_claims(offline_provider, kind, row, result):
    body = message(kind, row)

    event = offline_provider.parse_webhook(body, signed(body))

    nothing = {
        "object_ids": (), "amount": None, "status": None, "capture_id": "", "refund_id": "", "refund_status": None,
        "dispute_id": "", "dispute_status": None, "setup_id": "", "method_id": "",
    }  # fmt: skip
    assert {name: getattr(event, name) for name in nothing} == nothing | result
    assert event.kind == kind


@pytest.mark.parametrize("written", ["6f1c2c1e-8a52-4c4e-9d8a-0c1f3f0b7a11", "", "a b", None, 7, ["x"]])
def test_payment_id_in_the_metadata_is_read(offline_provider, written):
    for kind, row in (("payment_intent.succeeded", INTENT), ("charge.succeeded", CHARGE)):
        body = message(kind, row | {"metadata": {"payment_id": written}})

        reference = offline_provider.parse_webhook(body, signed(body)).reference

        assert reference == (written if isinstance(written, str) and " " not in written else "")


def test_live_mode_and_account_of_a_message_are_read(offline_provider):
    body = message("payment_intent.succeeded", INTENT, livemode=True, account="acct_1")

    event = offline_provider.parse_webhook(body, signed(body))

    assert (event.is_live, event.account) == (True, "acct_1")


@pytest.mark.parametrize("created", [None, "yesterday", -1e99, 10**30, []])
def test_invalid_time_is_omitted(offline_provider, created):
    body = message("payment_intent.succeeded", INTENT, created=created)

    assert offline_provider.parse_webhook(body, signed(body)).created_at is None


PRIVATE = [
    "pi_1_secret_abc", "Jenny Rosen", "jenny@example.test", "10 Main Street", "+15555550100", "4242424242424242",
    "4242 4242 4242 4242", "please write 4000056655665556 here", "sk_live_abcdef", "whsec_abcdef",
]  # fmt: skip


def test_no_private_data_of_a_message_is_stored(offline_provider):
    row = copy.deepcopy(INTENT) | {
        "client_secret": "pi_1_secret_abc",
        "description": "please write 4000056655665556 here",
        "receipt_email": "jenny@example.test",
        "shipping": {"name": "Jenny Rosen", "address": {"line1": "10 Main Street"}, "phone": "+15555550100"},
        "billing_details": {"name": "Jenny Rosen"},
        "next_action": {"redirect_to_url": {"url": "https://hooks.stripe.test/pi_1_secret_abc"}},
        "last_payment_error": {"code": "card_declined", "decline_code": "lost_card", "message": "Jenny Rosen",
                               "payment_method": {"billing_details": {"name": "Jenny Rosen"}}},
        "payment_method": "4242424242424242",
        "cancellation_reason": "4242-4242-4242-4242",
        "metadata": {"payment_id": "pay-1", "order_number": "4242 4242 4242 4242", "note": "Jenny Rosen",
                     "refund_id": "sk_live_abcdef", "refund_number": "whsec_abcdef"},
    }  # fmt: skip
    body = message("payment_intent.payment_failed", row)

    event = offline_provider.parse_webhook(body, signed(body))

    kept = json.dumps(dict(event.payload)) + repr(event)
    assert [word for word in PRIVATE if word in kept] == []
    assert event.payload["metadata"] == {"payment_id": "pay-1"}
    assert event.payload["error"] == {"code": "card_declined", "decline_code": "lost_card"}
    assert (event.payload["id"], event.payload["amount"], event.payload["currency"]) == ("pi_1", 9999, "usd")


# ---- with the sandbox's webhooks ----------------------------------------------------------------------------


@contextmanager
def receiving(sandbox: Control) -> Iterator[Receiver]:
    """A shop that receives the sandbox's webhooks, signed with our secret."""
    with Receiver() as shop:
        shop.secret = SECRET
        shop.endpoint = sandbox.post("stripe/endpoint", url=shop.url, secret=SECRET)["id"]
        yield shop


def test_every_sandbox_webhook_names_its_payment(adapter, sandbox, sandbox_server):
    with receiving(sandbox) as shop:
        paid = adapter.create(build_create_request(method_id="pm_card_visa", save=True))
        adapter.refund(build_refund_request(paid, Money(100, "USD")))
        hosted = adapter.create_hosted(build_create_request("hosted"))
        sandbox.post("stripe/pay", session=hosted.object_id)
        sandbox.post("stripe/dispute", payment_intent=adapter.read(hosted.object_id).related_ids[0])
        sandbox.post("webhooks/send")
        wait_until(lambda: len(shop.raw) >= len(sandbox_server.simulator.store.table("stripe.event")))

    events = [adapter.parse_webhook(body, headers) for headers, body in shop.raw]

    about = [event for event in events if event.object_ids]
    assert {event.kind for event in about} >= {
        "payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "refund.created", "charge.refunded",
        "checkout.session.completed", "charge.dispute.created",
    }  # fmt: skip
    for event in about:
        remote = adapter.read(event.object_ids[0])
        assert remote.reference == "pay-1"
        assert event.amount in {None, remote.amount}
    captured = {event.capture_id for event in events} - {""}
    assert captured == {row["id"] for row in sandbox.journal("charge.captured")}


def test_sandbox_webhook_is_accepted_during_a_rotation(stripe_config, sandbox):
    with receiving(sandbox) as shop:
        endpoint = shop.endpoint
        sandbox.post("stripe/endpoint", id=endpoint, secrets=[SECRET, "whsec_next"])
        StripeProvider(stripe_config).create(build_create_request())
        wait_until(lambda: shop.raw)

    headers, body = shop.raw[0]
    for secret in (SECRET, "whsec_next"):
        assert provider(secret).parse_webhook(body, headers).kind == "payment_intent.created"
