"""The webhook endpoint: what is accepted and refused; nothing is processed here."""

import gzip
import io
import json
import re
import time
from pathlib import Path
from unittest import mock

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from payments.gateway.connection import is_down, note_outage
from payments.models import RefusalReason, WebhookEvent, WebhookRefusal
from payments.tests.conftest import WEBHOOK_SECRET
from payments.tests.webhook_helpers import (
    FEED,
    FEED_SECRET,
    STRIPE,
    feed_body,
    only_event,
    post,
    post_feed,
    post_stripe,
    signed,
    stripe_body,
)
from payments.webhooks.refusals import refusal_count
from tests.dump import dump

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

OLD, NEW = "whsec_old", "whsec_new"
CARD = "4242 4242 4242 4242"


def now() -> int:
    return int(time.time())


@pytest.fixture(autouse=True)
def feed(settings):
    settings.MANUAL_WEBHOOK_SECRET = [FEED_SECRET]


# ---- accepted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_signed_message_is_stored_and_acknowledged(slash):
    body = stripe_body(id="evt_1")

    answer = post(STRIPE + slash, body, stripe_signature=signed(body, WEBHOOK_SECRET))

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    event = only_event(provider="stripe", event_id="evt_1")
    assert (event.kind, event.state, event.copies, event.tries) == (
        "payment_intent.succeeded",
        "received",
        1,
        0,
    )
    assert event.content["object_ids"] == ["pi_foreign"]


def test_ten_deliveries_are_one_row_with_a_count():
    body = stripe_body(id="evt_1")

    assert [post_stripe(body).status_code for _ in range(10)] == [200] * 10

    assert only_event().copies == 10


def test_delivery_costs_at_most_three_statements():
    body = stripe_body(id="evt_1")
    post_stripe(stripe_body())  # loads what is cached per process

    for _ in ("first", "again"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert post_stripe(body).status_code == 200
        sent = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
        assert len(sent) <= 3, sent


def test_known_id_with_different_content_is_reported_and_ignored(caplog):
    post_stripe(stripe_body(id="evt_1"))

    answer = post_stripe(stripe_body(id="evt_1", object={"id": "pi_other"}))

    assert answer.status_code == 200
    assert only_event().content["object_ids"] == ["pi_foreign"]
    assert "webhook_id_reused" in caplog.text


def test_same_id_of_two_providers_is_two_events():
    post_stripe(stripe_body(id="same"))
    post_feed(feed_body(provider_event_id="same"))

    assert WebhookEvent.objects.count() == 2


def test_message_up_to_the_size_limit_is_accepted():
    body = stripe_body()
    full = body + b" " * (256 * 1024 - len(body))

    assert post_stripe(full).status_code == 200
    refused = post_stripe(full + b" ")

    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert WebhookEvent.objects.count() == 1


def chunked(body: bytes, **headers: str):
    """A chunked request as a server passes it on: a stream that ends, without a length."""
    environ = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    named = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Client().post(STRIPE, b"", content_type="application/json", **(environ | named))


def test_chunked_body_is_verified_over_its_bytes():
    body = stripe_body()

    assert chunked(body, stripe_signature=signed(body, WEBHOOK_SECRET)).status_code == 200
    assert chunked(body, stripe_signature=signed(body, "other")).status_code == 400
    assert chunked(b"x" * (256 * 1024 + 1), stripe_signature=signed(body, "other")).status_code == 413
    assert WebhookEvent.objects.count() == 1


def test_compressed_body_is_verified_as_received():
    body = stripe_body()
    header = signed(body, WEBHOOK_SECRET)

    assert (
        post(STRIPE, gzip.compress(body), stripe_signature=header, content_encoding="gzip").status_code == 400
    )


def test_staff_session_has_no_effect(browser, admin_user):
    client, body = browser(admin_user), stripe_body()

    unsigned = client.post(STRIPE, body, content_type="application/json")
    with CaptureQueriesContext(connection) as queries:
        signature = signed(body, WEBHOOK_SECRET)
        taken = client.post(STRIPE, body, content_type="application/json", HTTP_STRIPE_SIGNATURE=signature)

    assert (unsigned.status_code, taken.status_code) == (400, 200)
    assert not any("session" in query["sql"] or "accounts_user" in query["sql"] for query in queries)


def test_webhook_of_a_provider_marked_down_is_accepted_and_the_mark_stays():
    note_outage("stripe")
    note_outage("stripe")

    assert post_stripe(stripe_body()).status_code == 200
    assert is_down("stripe")


# ---- the signature -----------------------------------------------------------------------------------------------


def forged(body: bytes, secret: str) -> dict[str, str | None]:
    good = signed(body, secret)
    return {
        "none": None,
        "empty": "",
        "garbage": "let me in",
        "of another body": signed(body + b" ", secret),
        "wrong secret": signed(body, "whsec_wrong"),
        "empty secret": signed(body, ""),
        "301 s old": signed(body, secret, at=now() - 302),
        "a day old": signed(body, secret, at=now() - 86400),
        "10 min ahead": signed(body, secret, at=now() + 600),
        "only v0": signed(body, secret, scheme="v0"),
        "upper case": good[:-64] + good[-64:].upper(),
        "spaces": good.replace(",", ", "),
        "two times": f"t={now()},{good}",
        "too long": good + ",v1=" + ",v1=".join(["0" * 64] * 40),
    }


@pytest.mark.parametrize("name", forged(b"", ""))
@pytest.mark.parametrize("path", [STRIPE, FEED])
def test_message_with_a_wrong_signature_changes_nothing_and_is_counted(path, name, caplog):
    is_stripe = path == STRIPE
    body = stripe_body() if is_stripe else feed_body()
    header = forged(body, WEBHOOK_SECRET if is_stripe else FEED_SECRET)[name]
    headers = {} if header is None else {"stripe_signature" if is_stripe else "x_alley_signature": header}
    before = dump()

    answer = post(path, body, **headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert answer["Content-Type"] == "application/problem+json"
    assert dump() == before
    assert refusal_count("stripe" if is_stripe else "manual") == 1
    assert "webhook_refused" in caplog.text


def test_signature_covers_the_raw_bytes():
    body = stripe_body()
    indented = json.dumps(json.loads(body), indent=2).encode()

    assert post_stripe(indented, signed(body, WEBHOOK_SECRET)).status_code == 400


def test_signature_in_the_body_is_ignored():
    body = feed_body(signature="0" * 64)

    assert post(FEED, body).status_code == 400
    assert post_feed(body).status_code == 200


@pytest.mark.parametrize("used", [(OLD,), (NEW,), (OLD, NEW), ("whsec_gone", NEW)])
def test_both_secrets_are_accepted_during_a_rotation(settings, used):
    settings.STRIPE_WEBHOOK_SECRET = [OLD, NEW]
    settings.MANUAL_WEBHOOK_SECRET = [OLD, NEW]
    body, feed_message = stripe_body(), feed_body()

    assert post_stripe(body, signed(body, *used)).status_code == 200
    assert post_feed(feed_message, signed(feed_message, *used)).status_code == 200


@pytest.mark.parametrize("seconds", [-290, 0, 290])
def test_clock_difference_of_five_minutes_is_tolerated(seconds):
    body, feed_message = stripe_body(), feed_body()

    assert post_stripe(body, signed(body, WEBHOOK_SECRET, at=now() + seconds)).status_code == 200
    assert post_feed(feed_message, signed(feed_message, FEED_SECRET, at=now() + seconds)).status_code == 200


# ---- unavailable -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secrets", [[], [""], ["  "]])
def test_endpoint_is_disabled_without_a_secret(settings, secrets):
    settings.STRIPE_WEBHOOK_SECRET = settings.MANUAL_WEBHOOK_SECRET = secrets
    body, feed_message = stripe_body(), feed_body()
    key = secrets[0] if secrets else ""
    answers = [post_stripe(body, signed(body, key)), post_feed(feed_message, signed(feed_message, key))]

    assert [(answer.status_code, answer.json()["retryable"]) for answer in answers] == [(503, True)] * 2
    assert answers[0]["Retry-After"] == "30"
    assert not WebhookEvent.objects.exists()


def test_endpoint_is_disabled_without_keys(settings):
    settings.STRIPE_SECRET_KEY = settings.PAYPAL_CLIENT_ID = ""

    assert post_stripe(stripe_body()).status_code == 503
    assert post("/payments/webhooks/paypal", b"{}").status_code == 503


def test_unavailable_database_is_a_503_that_can_be_retried():
    with mock.patch("payments.webhooks.endpoint.webhook_receive", side_effect=OperationalError("gone")):
        answer = post_stripe(stripe_body())

    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


# ---- other paths and methods -------------------------------------------------------------------------------------


def test_unknown_provider_is_not_found():
    body = stripe_body()

    answer = post("/payments/webhooks/square", body, stripe_signature=signed(body, WEBHOOK_SECRET))

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_other_methods_are_refused(method):
    answer = getattr(Client(), method)(STRIPE)

    assert (answer.status_code, answer["Allow"]) == (405, "POST")


# ---- rate limits -------------------------------------------------------------------------------------------------


def test_invalid_messages_of_a_network_are_rate_limited_and_valid_ones_are_not():
    body = stripe_body()
    answers = [post_stripe(body, "t=1,v1=0") for _ in range(31)]

    assert [answer.status_code for answer in answers] == [400] * 30 + [429]
    assert int(answers[-1]["Retry-After"]) > 0
    assert post_stripe(body).status_code == 200
    assert refusal_count("stripe") == 30  # the limit counts the rest


def test_refusals_of_an_hour_are_one_row_for_each_reason():
    bodies = [stripe_body() for _ in range(3)]
    for body in bodies:
        post_stripe(body, "t=1,v1=0")
        post_stripe(body, signed(body, "whsec_other"))

    rows = WebhookRefusal.objects.order_by("reason").values_list("provider", "reason", "count")
    assert list(rows) == [("stripe", "header_malformed", 3), ("stripe", "wrong_signature", 3)]


def test_request_is_refused_although_it_cannot_be_counted(caplog):
    failing = mock.patch("payments.webhooks.refusals.insert", side_effect=OperationalError)
    with failing:
        answer = post_stripe(stripe_body(), "t=1,v1=0")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert "webhook_refusal_not_recorded" in caplog.text
    assert refusal_count("stripe") == 0


def test_each_reason_has_words():
    files = (*Path("payments/providers").rglob("*.py"),)
    codes = {code for file in files for code in re.findall(r'BadSignature\(\s*"(\w+)"', file.read_text())}

    assert codes == set(RefusalReason.values)


# ---- what must not be stored -------------------------------------------------------------------------------------


def test_card_numbers_and_secrets_in_free_fields_are_not_stored(caplog):
    secret = "pi_1_secret_abcdef"
    intent = {
        "description": CARD,
        "client_secret": secret,
        "receipt_email": "ada@example.test",
        "statement_descriptor": CARD.replace(" ", ""),
        "cancellation_reason": CARD.replace(" ", ""),
        "metadata": {"payment_id": CARD.replace(" ", ""), "note": CARD},
        "last_payment_error": {"message": CARD, "code": CARD.replace(" ", "")},
    }

    assert post_stripe(stripe_body(object=intent, request={"note": CARD})).status_code == 200
    assert post_feed(feed_body(reference=f"card {CARD}", bank_reference=CARD)).status_code == 200

    kept = json.dumps(list(WebhookEvent.objects.values_list("content", "note")))
    for unwanted in (CARD, CARD.replace(" ", ""), secret, "ada@example.test"):
        assert unwanted not in kept
        assert unwanted not in caplog.text


# ---- the format of the bank feed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "stripe"},
        {"provider_event_id": ""},
        {"provider_event_id": "with space"},
        {"provider_event_id": CARD.replace(" ", "")},
        {"event_type": 7},
        {"more": 1},
        {"data": []},
        {"data": {}},
        {"amount": "-1.00"},
        {"amount": "1.001"},
        {"amount": True},
        {"amount": None},
        {"amount": "0.00"},
        {"amount": "1e3"},
        {"currency": "usd"},
        {"currency": None},
        {"value_date": "30.11.2026"},
        {"value_date": "2026-02-30"},
        {"reference": ""},
        {"reference": "a\nb"},
        {"reference": "x" * 81},
        {"bank_reference": None},
    ],
)
def test_malformed_bank_feed_is_refused(changes):
    assert post_feed(feed_body(**changes)).status_code == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 5000, b'{"a": NaN}'])
def test_signed_malformed_message_is_refused(body):
    assert post_feed(body).status_code == 400
    assert post_stripe(body).status_code == 400
