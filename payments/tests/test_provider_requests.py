"""Each request to a provider is recorded once, whatever its outcome, and nothing depends on it."""

import logging

import pytest
from django.db import DatabaseError
from django.utils import timezone

from payments.bookkeeping import provider_requests
from payments.errors import PaymentDeclined
from payments.gateway.connection import execute
from payments.gateway.payments import payment_confirm, payment_ensure_at_provider
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderRequest
from payments.providers.contract import Refused, Unknown
from payments.providers.paypal.client import PayPalClient
from payments.providers.round_trips import collect_round_trips, operation_of, round_trip
from payments.tests.factories import reread, start
from payments.tests.paypal_stub import TOKEN_PATH, Answer, Stub, refusal

CREATE, CONFIRM = "POST /v1/payment_intents", "POST /v1/payment_intents/{id}/confirm"


@pytest.fixture
def payment(store, shopper, stripe) -> Payment:
    return start(PaymentMethod.CREDIT_CARD, user=shopper)


@pytest.mark.django_db
def test_each_request_is_recorded_with_its_time_and_outcome(payment, stripe):
    before = timezone.now()
    payment_ensure_at_provider(payment)
    with pytest.raises(Refused):
        execute("stripe", lambda provider: provider.read_refund("re_unknown", currency="USD"))
    with pytest.raises(PaymentDeclined):
        payment_confirm(payment.pk, method_id="pm_card_visa_chargeDeclinedInsufficientFunds")
    payment_confirm(payment.pk, method_id="pm_card_visa")

    rows = list(ProviderRequest.objects.order_by("pk"))
    sent = [row for row in stripe.get("requests")["rows"] if row["path"].startswith("/v1/")]
    assert len(rows) == len(sent)
    assert [(row.operation, row.outcome, row.status_code, row.error_code) for row in rows] == [
        (CREATE, "answered", 200, ""),
        ("GET /v1/refunds/{id}", "refused", 404, "resource_missing"),
        (CONFIRM, "declined", 402, "insufficient_funds"),
        (CONFIRM, "answered", 200, ""),
    ]
    assert all(row.request_id.startswith("req_") and row.provider == "stripe" for row in rows)
    assert all(before <= row.started_at <= timezone.now() for row in rows)
    assert all(row.duration_ms < 60_000 for row in rows)


@pytest.mark.django_db
def test_request_without_answer_is_unknown(payment, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Unknown):
        execute("stripe", lambda provider: provider.read("pi_1"))

    row = ProviderRequest.objects.get()
    assert (row.operation, row.outcome, row.status_code) == (
        "GET /v1/payment_intents/{id}",
        "unknown",
        None,
    )
    assert row.error_code == "ConnectionError"


@pytest.mark.django_db
def test_errors_are_listed_in_words_with_their_code(payment, settings, client, staff):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(Unknown):
        execute("stripe", lambda provider: provider.read("pi_1"))
    client.force_login(staff)

    listed = client.get("/admin/payments/providerrequest/").content.decode()

    code = ProviderRequest.objects.get().error_code
    assert f'No connection to the provider<span class="aa-muted">{code}</span>' in listed


@pytest.mark.django_db
def test_payment_completes_if_its_requests_cannot_be_recorded(payment, monkeypatch, caplog):
    def fail(rows: object) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(provider_requests, "insert", fail)
    with caplog.at_level(logging.ERROR):
        payment_ensure_at_provider(payment)
        payment_confirm(payment.pk, method_id="pm_card_visa")

    assert (reread(payment).status, ProviderRequest.objects.count()) == ("COMPLETED", 0)
    assert {record.msg for record in caplog.records} == {"provider_requests_not_recorded"}


def test_requests_to_paypal_are_measured_until_their_answer_was_read():
    path = "/v2/checkout/orders"
    with Stub() as stub, collect_round_trips() as trips:
        client = PayPalClient(client_id="c", client_secret="s", mode="sandbox", api_base=stub.url)
        stub.respond_with(path, Answer({"id": "1"}, 201), refusal("INSTRUMENT_DECLINED"), Answer("", 503))
        client.request("POST", path, {})
        for problem in (Refused, Unknown):
            with pytest.raises(problem):
                client.request("POST", path, {})

    assert [(trip.operation, trip.outcome, trip.status_code, trip.error_code) for trip in trips] == [
        (f"POST {TOKEN_PATH}", "answered", 200, ""),
        (f"POST {path}", "answered", 201, ""),
        (f"POST {path}", "declined", 422, "INSTRUMENT_DECLINED"),
        (f"POST {path}", "unknown", 503, ""),
    ]


def test_time_and_kind_of_a_failure_are_kept():
    with collect_round_trips() as trips, pytest.raises(TimeoutError), round_trip("get", "http://a/v1/x"):
        raise TimeoutError
    assert (trips[0].operation, trips[0].error_code, trips[0].outcome) == (
        "GET /v1/x",
        "TimeoutError",
        "unknown",
    )


@pytest.mark.parametrize(
    ("status", "is_decline", "outcome"),
    [
        (200, False, "answered"),
        (402, True, "declined"),
        (422, False, "refused"),
        (429, False, "unknown"),
        (401, False, "unknown"),
        (500, True, "unknown"),
    ],
)
def test_outcome_of_an_answer(status, is_decline, outcome):
    with collect_round_trips() as trips, round_trip("GET", "http://a/") as trip:
        trip.answer(status, error_code="a sentence", request_id="x" * 65, is_decline=is_decline)
    assert (trips[0].outcome, trips[0].error_code, trips[0].request_id) == (outcome, "", "")


@pytest.mark.parametrize(
    ("url", "operation"),
    [
        ("https://api.stripe.com/v1/payment_intents/pi_3A?expand[0]=x", "GET /v1/payment_intents/{id}"),
        ("https://api-m.paypal.com/v1/oauth2/token", "GET /v1/oauth2/token"),
        ("https://api-m.paypal.com/v2/checkout/orders/5O19/capture", "GET /v2/checkout/orders/{id}/capture"),
        ("https://api.paypal.com/v1/notifications/certs/CERT-360c", "GET /v1/notifications/certs/{id}"),
        (f"https://api.stripe.com/{'v1/' * 60}", f"GET /{'v1/' * 24}v1/"),
    ],
)
def test_operation_names_no_ids(url, operation):
    assert operation_of("get", url) == operation[:80]
