"""Stripe's errors and unreadable answers: how each one is classified."""

import logging
import traceback
from urllib.parse import parse_qs

import pytest

from artisans.core.money import Money
from payments.providers.contract import (
    Capture,
    DeclineGroup,
    ObjectNotFound,
    ProviderError,
    Refused,
    RemoteStatus,
    Unknown,
)
from payments.providers.stripe.link import API_VERSION, StripeConfig
from payments.providers.stripe.provider import StripeProvider
from payments.tests.stripe_helpers import Stub, build_create_request, build_save_request

KEY = "sk_test_topsecret"
INTENT = {
    "id": "pi_1", "object": "payment_intent", "amount": 9999, "amount_received": 0, "currency": "usd",
    "status": "requires_payment_method", "livemode": False, "metadata": {"payment_id": "pay-1"},
    "client_secret": "pi_1_secret_hush", "customer": None, "latest_charge": None, "last_payment_error": None,
}  # fmt: skip
CHARGE = {
    "id": "ch_2", "object": "charge", "status": "succeeded", "captured": True, "amount": 9999, "amount_captured": 9999,
    "currency": "usd", "refunds": {"object": "list", "data": [], "has_more": False, "url": "/v1/charges/ch_2/refunds"},
}  # fmt: skip


@pytest.fixture
def stub():
    with Stub() as stub:
        yield stub


@pytest.fixture
def adapter(stub):
    return StripeProvider(StripeConfig(KEY, "pk_test_x", api_base=stub.url))


def listing(*rows):
    return {"object": "list", "data": list(rows), "has_more": False, "url": "/v1/any"}


# ---- errors --------------------------------------------------------------------------------------------------------


def error(kind, **more):
    return {"error": {"type": kind, "message": "No.", **more}}


INVALID, CARD, IDEMPOTENCY, API = "invalid_request_error", "card_error", "idempotency_error", "api_error"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, error(INVALID, code="amount_too_small", param="amount"), Refused, "amount_too_small"),
        (400, error(INVALID), Refused, INVALID),
        (400, error(INVALID, code="resource_missing", param="customer"), Refused, "resource_missing"),
        (404, error(INVALID, code="resource_missing", param="intent"), ObjectNotFound, "resource_missing"),
        (404, error(INVALID, code="resource_missing", param="id"), ObjectNotFound, "resource_missing"),
        (402, error(CARD, code="card_declined", decline_code="lost_card"), Refused, "card_declined"),
        (400, error(CARD, code="card_declined"), Refused, "card_declined"),
        (400, error(IDEMPOTENCY), Unknown, "idempotency_mismatch"),
        (400, error(IDEMPOTENCY, code="idempotency_key_in_use"), Unknown, "idempotency_key_in_use"),
        (409, error(IDEMPOTENCY, code="idempotency_key_in_use"), Unknown, "idempotency_key_in_use"),
        (400, error(INVALID, code="lock_timeout"), Unknown, "lock_timeout"),
        (429, error(INVALID, code="lock_timeout"), Unknown, "lock_timeout"),
        (429, error(INVALID, code="rate_limit"), Unknown, "rate_limit"),
        (429, error(INVALID), Unknown, "rate_limit"),
        (401, error(INVALID), Unknown, "key_refused"),
        (403, error(INVALID), Unknown, "key_refused"),
        (405, error(INVALID), Unknown, "http_405"),
        (409, error(INVALID), Unknown, "http_409"),
        (424, error(API), Unknown, "http_424"),
        (500, error(API), Unknown, "http_500"),
        (500, error(CARD, code="card_declined"), Unknown, "card_declined"),
        (502, b"<html>Bad Gateway</html>", Unknown, "http_502"),
        (503, b"", Unknown, "http_503"),
        (504, b"null", Unknown, "http_504"),
        (400, b"<html>Bad Request</html>", Unknown, "http_400"),
        (400, b"[]", Unknown, "http_400"),
        (400, {"error": "invalid_request"}, Unknown, "http_400"),
        (400, {"error": ["no"]}, Unknown, "unreadable"),
        (402, {"error": None}, Unknown, "unreadable"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("call", ["create", "read"])
def test_error_is_classified(stub, adapter, status, body, kind, code, call):
    stub.respond_with(status, body)
    stub.respond_with(
        200, {"object": "search_result", "data": [], "has_more": False, "url": "/"}
    )  # when it is read

    with pytest.raises(ProviderError) as seen:
        adapter.create(build_create_request()) if call == "create" else adapter.read("pi_1")

    assert isinstance(seen.value, kind)
    assert isinstance(seen.value, ObjectNotFound) == (kind is ObjectNotFound)
    assert seen.value.code == code


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("999999", 3600),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
        ("-5", 0),
        ("٣", 0),
        ("1.5", 0),
        ("", 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_parsed_strictly(stub, adapter, text, seconds, status):
    stub.respond_with(status, error(API), Retry_After=text.encode().decode("latin-1"))

    with pytest.raises(Unknown) as seen:
        adapter.read("pi_1")

    assert seen.value.retry_after == seconds


def test_decline_without_its_payment_is_a_refusal(stub, adapter):
    stub.respond_with(402, error(CARD, code="expired_card"))

    with pytest.raises(Refused) as seen:
        adapter.create(build_create_request(method_id="pm_1"))

    assert (seen.value.decline, seen.value.remote) == (DeclineGroup.EXPIRED, None)


def test_decline_with_an_unreadable_payment_is_a_refusal(stub, adapter):
    stub.respond_with(402, error(CARD, code="card_declined", payment_intent={"id": "pi_1"}))

    with pytest.raises(Refused) as seen:
        adapter.create(build_create_request(method_id="pm_1"))

    assert (seen.value.decline, seen.value.remote) == (DeclineGroup.DECLINED, None)


# ---- unreadable answers --------------------------------------------------------------------------------------------


def without(name):
    return {key: value for key, value in INTENT.items() if key != name}


UNREADABLE = [
    b"", b"{", b"null", b"[]", b"7", b'"pi_1"', b"\xff", b"<html></html>", {}, {"id": "pi_1"}, {"error": "no"},
    without("id"), without("object"), INTENT | {"object": "charge"},
]  # fmt: skip
READABLE_IN_PARTS = [
    *(without(name) for name in ("amount", "currency", "status", "livemode")),
    INTENT | {"status": "levitating"}, INTENT | {"amount": "9999"},
    INTENT | {"amount": 99.99}, INTENT | {"currency": "dollar"}, INTENT | {"currency": None},
    INTENT | {"status": "succeeded", "amount_received": 9999, "latest_charge": CHARGE | {"captured": None}},
    INTENT | {"latest_charge": {"id": "ch_1", "object": "charge"}},
]  # fmt: skip


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize("call", ["create", "read"])
def test_unreadable_answer_is_an_unknown_outcome(stub, adapter, body, call):
    stub.respond_with(200, body)
    stub.respond_with(500, error(API))  # in case a part is requested

    with pytest.raises(Unknown):
        adapter.create(build_create_request(method_id="pm_1")) if call == "create" else adapter.read("pi_1")


@pytest.mark.parametrize("body", READABLE_IN_PARTS)
def test_unreadable_part_is_reported_and_hides_no_other(stub, adapter, body):
    stub.respond_with(200, body)
    stub.respond_with(500, error(API))  # in case a part is requested

    remote = adapter.read("pi_1")

    assert (remote.object_id, remote.captures) == ("pi_1", ())
    assert remote.problems


@pytest.mark.parametrize("body", READABLE_IN_PARTS)
def test_ambiguous_answer_is_an_unknown_outcome(stub, adapter, body):
    stub.respond_with(200, body)
    stub.respond_with(500, error(API))

    with pytest.raises(Unknown):
        adapter.create(build_create_request(method_id="pm_1"))


def test_money_missing_from_the_latest_charge_is_searched_for(stub, adapter):
    failed = CHARGE | {"id": "ch_3", "status": "failed", "captured": False, "amount_captured": 0}
    stub.respond_with(200, INTENT | {"status": "succeeded", "amount_received": 9999, "latest_charge": failed})
    stub.respond_with(200, listing(failed, CHARGE))
    stub.respond_with(200, listing())

    remote = adapter.read("pi_1")

    assert remote.captures == (Capture("ch_2", Money(9999, "USD")),)
    assert stub.seen[1][1].startswith("/v1/charges?payment_intent=pi_1")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "requires_confirmation"}, RemoteStatus.OPEN),
        ({"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}}, RemoteStatus.OPEN),
        ({"status": "requires_capture"}, RemoteStatus.APPROVED),
        ({"status": "canceled", "last_payment_error": {"code": "card_declined"}}, RemoteStatus.CANCELLED),
    ],
)
def test_intent_status_is_mapped(stub, adapter, fields, status):
    stub.respond_with(200, INTENT | fields)

    assert adapter.read("pi_1").status is status


def test_foreign_payment_can_be_read(stub, adapter):
    stub.respond_with(
        200, INTENT | {"metadata": None, "customer": {"id": "cus_1", "object": "customer"}, "livemode": True}
    )

    remote = adapter.read("pi_1")

    assert (remote.reference, remote.customer_id, remote.is_live) == ("", "cus_1", True)


# ---- requests ------------------------------------------------------------------------------------------------------


def test_every_call_sends_version_and_key_and_no_telemetry(stub, adapter):
    for _ in range(2):
        stub.respond_with(200, INTENT)
        adapter.create(build_create_request("my-key"))

    for _, _, headers, _ in stub.seen:
        assert headers["Stripe-Version"] == API_VERSION == "2026-10-28.endive"
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert headers["Idempotency-Key"] == "my-key"
        assert "X-Stripe-Client-Telemetry" not in headers
        assert "platform" not in headers["X-Stripe-Client-User-Agent"]


def test_fields_of_a_payment_with_a_saved_card(stub, adapter):
    stub.respond_with(200, INTENT)

    adapter.create(
        build_create_request(method_id="pm_1", customer_id="cus_1", save=True, amount=Money(5, "ISK"))
    )

    method, path, _, sent = stub.seen[0]
    assert (method, path) == ("POST", "/v1/payment_intents")
    assert {name: values[0] for name, values in parse_qs(sent).items()} == {
        "amount": "500",
        "currency": "isk",
        "allowed_payment_method_types[0]": "card",
        "description": "Order ALLEY-7",
        "metadata[payment_id]": "pay-1",
        "metadata[order_number]": "ALLEY-7",
        "metadata[call]": "create-1",
        "expand[0]": "latest_charge.refunds",
        "customer": "cus_1",
        "setup_future_usage": "on_session",
        "payment_method": "pm_1",
        "confirm": "true",
        "return_url": "http://127.0.0.1:9/back?order=7",
    }


def test_customer_is_created_with_a_key_of_the_user(stub, adapter):
    stub.respond_with(200, {"id": "cus_1", "object": "customer"})
    stub.respond_with(500, error(API))

    with pytest.raises(Unknown):
        adapter.save_start(build_save_request("my-key"))

    assert [headers["Idempotency-Key"] for _, _, headers, _ in stub.seen] == [
        "alley-user-1:customer",
        "my-key",
    ]


# ---- secrets -------------------------------------------------------------------------------------------------------


def test_configuration_shows_no_secret():
    config = StripeConfig(KEY, "pk_test_x", ("whsec_hush",))

    for text in (repr(config), str(config), repr(StripeProvider(config)), repr(vars(StripeProvider(config)))):
        assert KEY not in text
        assert "whsec_hush" not in text


@pytest.mark.parametrize(
    ("key", "is_live"),
    [
        ("sk_live_x", True),
        ("rk_live_x", True),
        ("sk_test_x", False),
        ("rk_test_x", False),
        ("nonsense", False),
    ],
)
def test_key_determines_live_mode(key, is_live):
    assert StripeProvider(StripeConfig(key, "pk")).is_live is is_live


CARD_NUMBER = "4242424242424242"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, error(INVALID) | {"error": {"type": INVALID, "message": f"Invalid API Key provided: {KEY}"}}),
        (402, error(CARD, message="pi_1_secret_hush", code="card_declined", payment_intent=INTENT)),
        (400, error(INVALID, message="No such card 4242 4242 4242 4242", param="whsec_hush")),
        (200, INTENT | {"object": CARD_NUMBER}),
        (200, b'{"client_secret": "pi_1_secret_hush"'),
        (500, b"pi_1_secret_hush"),
    ],
)
def test_error_shows_no_secret_anywhere(stub, adapter, caplog, status, body):
    caplog.set_level(logging.INFO)
    stub.respond_with(status, body)

    with pytest.raises(ProviderError) as seen:
        adapter.create(build_create_request())

    shown = "".join(traceback.format_exception(seen.value)) + repr(seen.value) + repr(vars(seen.value))
    for secret in (KEY, "secret_hush", "whsec_hush", "4242424242424242", "4242 4242 4242 4242"):
        assert secret not in shown
    assert (seen.value.__context__, seen.value.__cause__) == (None, None)


def test_key_that_cannot_be_sent_is_not_shown(stub):
    broken = StripeProvider(StripeConfig(f"{KEY}\n", "pk_test_x", api_base=stub.url))

    with pytest.raises(Unknown) as seen:
        broken.read("pi_1")

    assert KEY not in str(seen.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", ["create", "read"])
def test_redirect_to_another_host_is_not_followed(stub, adapter, status, call):
    with Stub() as other:
        stub.respond_with(status, b"", Location=f"{other.url}/v1/payment_intents")
        with pytest.raises(Unknown):
            adapter.create(build_create_request()) if call == "create" else adapter.read("pi_1")
        assert other.seen == []
    assert len(stub.seen) == 1
