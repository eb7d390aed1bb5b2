"""Verification of PayPal's webhooks: real signatures, certificates from a real socket, and every kind of failure."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from payments.providers.contract import BadSignature, CannotVerify, ProviderEvent
from payments.providers.paypal.provider import PayPalProvider
from payments.tests.paypal_certs import CERT_PATH, WEBHOOK_ID, authority, key, leaf, message, signed
from payments.tests.paypal_stub import Answer, Stub, config, refusal

VERIFY_PATH = "/v1/notifications/verify-webhook-signature"
Make = Callable[..., PayPalProvider]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        running.respond_with(CERT_PATH, Answer(raw=leaf(authority())))
        yield running


@pytest.fixture
def shop(stub, tmp_path) -> Make:
    """A provider that trusts the test authority; keyword arguments change its configuration."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority().pem)
    return lambda **changes: PayPalProvider(config(stub, **({"ca_file": str(ca_file)} | changes)))


def sent(provider: PayPalProvider, stub: Stub, body: bytes = b"", **changes: str) -> ProviderEvent:
    """Parse a valid message with these headers changed ("" leaves one out)."""
    body = body or message()
    headers = signed(body, stub.url + CERT_PATH) | {
        "PAYPAL-" + name.replace("_", "-").upper(): value for name, value in changes.items()
    }
    return provider.parse_webhook(body, {name: value for name, value in headers.items() if value})


def code_of(error: type[Exception], act: Callable[[], object]) -> str:
    with pytest.raises(error) as raised:
        act()
    return raised.value.code


# ---- valid -----------------------------------------------------------------------------------------------------


def test_message_of_paypal_is_read(shop, stub):
    event = sent(shop(), stub)

    assert event.event_id == "WH-58D329510W468432D-8HN650336L201105X"
    assert event.kind == "PAYMENT.CAPTURE.COMPLETED"
    assert event.is_live is False


def test_signature_covers_the_raw_bytes(shop, stub):
    body = b'{"event_type" : "X.Y",\r\n  "id":"WH-\\u0031", "amount": 1.50, "name": "\xc3\xbc" }'

    assert sent(shop(), stub, body).event_id == "WH-1"


def test_header_names_may_be_written_in_any_case(shop, stub):
    headers = {name.lower(): value for name, value in signed(message(), stub.url + CERT_PATH).items()}

    assert shop().parse_webhook(message(), headers).event_id


def test_a_certificate_is_fetched_once(shop, stub):
    provider = shop()

    for _ in range(3):
        sent(provider, stub)

    assert len(stub.requests_to(CERT_PATH)) == 1


def test_intermediate_certificate_in_the_bundle_is_used(shop, stub):
    stub.respond_with(CERT_PATH, Answer(raw=leaf(authority()) + authority().pem))

    assert sent(shop(), stub).event_id


def test_retry_after_three_days_is_accepted(shop, stub):
    body = message()
    headers = signed(body, stub.url + CERT_PATH, sent_at=datetime.now(UTC) - timedelta(days=3))

    assert shop().parse_webhook(body, headers).event_id


# ---- not PayPal's ----------------------------------------------------------------------------------------------


def test_every_changed_byte_is_detected(shop, stub):
    provider, body = shop(), message()
    headers = signed(body, stub.url + CERT_PATH)

    for place in range(0, len(body), 7):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(BadSignature):
            provider.parse_webhook(changed, headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"transmission_id": "79cd13f0-d67a-11e5-baa3-778b53f4ae55"},
        {"transmission_sig": "c2lnbmF0dXJl"},
        {"transmission_sig": "no base64!"},
        {"transmission_sig": "A" * 1001},
        {"transmission_time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.5Z")},
        {"transmission_time": "yesterday"},
        {"transmission_time": "2026-11-26T10:00:00"},
        {"auth_algo": "SHA1withRSA"},
        {"auth_algo": "sha256withrsa"},
        {"auth_algo": "none"},
        {"transmission_id": "ü"},
        {"transmission_id": ""},
        {"transmission_sig": ""},
        {"transmission_time": ""},
        {"cert_url": ""},
        {"auth_algo": ""},
    ],
)
def test_a_changed_or_missing_header_is_a_bad_signature(shop, stub, changes):
    with pytest.raises(BadSignature):
        sent(shop(), stub, **changes)


def test_message_to_another_webhook_is_refused(shop, stub):
    body = message()
    headers = signed(body, stub.url + CERT_PATH, webhook_id="2AB4291016473214D")

    assert code_of(BadSignature, lambda: shop().parse_webhook(body, headers)) == "signature_wrong"


def test_signature_by_another_key_is_refused(shop, stub):
    body = message()
    headers = signed(body, stub.url + CERT_PATH, private=key(1))

    assert code_of(BadSignature, lambda: shop().parse_webhook(body, headers)) == "signature_wrong"


@pytest.mark.parametrize("age", [timedelta(days=4, minutes=1), timedelta(minutes=-6)])
def test_an_old_or_future_message_is_refused_before_anything_is_fetched(shop, stub, age):
    body = message()
    headers = signed(body, stub.url + CERT_PATH, sent_at=datetime.now(UTC) - age)

    assert code_of(BadSignature, lambda: shop().parse_webhook(body, headers)) == "transmission_time"
    assert stub.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test" + CERT_PATH,
        "https://api.paypal.com.evil.test" + CERT_PATH,
        "https://{host}@evil.test" + CERT_PATH,
        "https://evil.test#{host}" + CERT_PATH,
        "http://{host}.evil.test" + CERT_PATH,
        "http://localhost:1" + CERT_PATH,
        "http://{host}/other/CERT-1",
        "http://{host}/v1/notifications/certs/../../../v1/oauth2/token",
        "http://{host}/v1/notifications/certs/%2e%2e/token",
        "http://{host}" + CERT_PATH + "?to=evil",
        "http://{host}\\@evil.test" + CERT_PATH,
        "ftp://{host}" + CERT_PATH,
        "file:///etc/passwd",
        "http://[::1" + CERT_PATH,
        "//{host}" + CERT_PATH,
        "/v1/notifications/certs/CERT-1",
        "http://{host}/v1/notifications/certs/" + "A" * 500,
    ],
)
def test_certificates_are_fetched_only_from_known_hosts(shop, stub, url):
    with pytest.raises(BadSignature):
        sent(shop(), stub, cert_url=url.format(host=stub.host))

    assert stub.seen == []


def test_plain_http_is_allowed_only_for_loopback(shop, stub):
    provider = shop(cert_hosts=("api.sandbox.paypal.com", stub.host))

    assert (
        code_of(
            BadSignature, lambda: sent(provider, stub, cert_url="http://api.sandbox.paypal.com" + CERT_PATH)
        )
        == "certificate_address"
    )


def test_paypals_own_hosts_are_the_default(stub):
    sandbox, live = (
        PayPalProvider(config(stub, cert_hosts=())),
        PayPalProvider(config(stub, cert_hosts=(), mode="live")),
    )
    sandboxed = "https://api.sandbox.paypal.com:443" + CERT_PATH

    assert code_of(BadSignature, lambda: sent(sandbox, stub)) == "certificate_address"
    assert code_of(BadSignature, lambda: sent(live, stub, cert_url=sandboxed)) == "certificate_address"


@pytest.mark.parametrize(
    "certificate",
    [
        lambda: leaf(authority("Foreign Root")),
        lambda: leaf(authority("Foreign Root")) + authority("Foreign Root").pem,
        lambda: leaf(authority(), name="www.paypal.com"),
        lambda: leaf(authority(), name="messageverificationcerts.paypal.com.evil.test"),
        lambda: leaf(authority(), since=timedelta(days=-20), until=timedelta(days=-1)),
        lambda: leaf(authority(), since=timedelta(days=1)),
        lambda: authority().pem,
        lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        lambda: b"<html>hello</html>",
        lambda: b"",
        lambda: b"x" * 70_000,
    ],
    ids=[
        "foreign",
        "foreign-chain",
        "other-name",
        "longer-name",
        "expired",
        "future",
        "root",
        "broken",
        "html",
        "empty",
        "long",
    ],
)
def test_certificate_of_another_owner_is_a_bad_signature(shop, stub, certificate):
    stub.respond_with(CERT_PATH, Answer(raw=certificate()))

    with pytest.raises(BadSignature):
        sent(shop(), stub)


def test_live_shop_refuses_the_sandboxs_certificate(shop, stub):
    assert code_of(BadSignature, lambda: sent(shop(mode="live"), stub)) == "certificate_untrusted"


def test_self_made_authority_is_not_trusted_by_the_public_roots(shop, stub):
    assert code_of(BadSignature, lambda: sent(shop(ca_file=""), stub)) == "certificate_untrusted"


SHORT = rsa.generate_private_key(65537, 1024)  # noqa: S505 (that is the point)


@pytest.mark.parametrize("private", [ec.generate_private_key(ec.SECP256R1()), SHORT], ids=["ec", "short"])
def test_key_of_another_type_is_refused(shop, stub, private):
    stub.respond_with(CERT_PATH, Answer(raw=leaf(authority(), public=private.public_key())))

    with pytest.raises(BadSignature):
        sent(shop(), stub)


def test_cached_certificate_is_dropped_when_it_expires(shop, stub):
    stub.respond_with(CERT_PATH, Answer(raw=leaf(authority(), until=timedelta(hours=1))))
    provider = shop()
    sent(provider, stub)

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
        assert code_of(BadSignature, lambda: sent(provider, stub)) == "certificate_expired"


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b"null",
        b"{",
        b"\xff{}",
        b'{"id": "WH-1", "id": "WH-2", "event_type": "X"}',
        b"[" * 100_000,
        b'{"id": "WH-1"}',
        b'{"id": 7, "event_type": "X"}',
        b'{"id": "' + b"W" * 256 + b'", "event_type": "X"}',
    ],
)
def test_signed_text_that_is_not_an_event_is_refused(shop, stub, body):
    with pytest.raises(BadSignature):
        sent(shop(), stub, body)


# ---- cannot be verified now ------------------------------------------------------------------------------------


def test_nothing_can_be_verified_without_a_webhook_id(shop, stub):
    assert code_of(CannotVerify, lambda: sent(shop(webhook_id=""), stub)) == "webhook_id_missing"


@pytest.mark.parametrize(
    "answer",
    [
        Answer({}, 503),
        Answer({}, 500),
        Answer({}, 429),
        Answer({}, 302, headers={"Location": "/v1/elsewhere"}),
        Answer(raw=b"-----BEGIN", cut=4),
        Answer(cut=0),
    ],
    ids=lambda answer: f"{answer.status}-{answer.cut}",
)
def test_message_cannot_be_verified_without_the_certificate(shop, stub, answer):
    stub.respond_with(CERT_PATH, answer, Answer(raw=leaf(authority())))
    provider = shop()

    assert code_of(CannotVerify, lambda: sent(provider, stub)) == "certificate_unreachable"
    assert stub.requests_to("/v1/elsewhere") == []
    assert sent(provider, stub).event_id  # the failure is not cached


def test_message_cannot_be_verified_when_the_certificate_host_is_unavailable(shop, stub, monkeypatch):
    monkeypatch.setattr("payments.providers.paypal.certificates.TIMEOUT", (0.2, 0.2))
    release = threading.Event()
    stub.respond_with(CERT_PATH, Answer({}, wait=release.wait))

    with pytest.raises(CannotVerify):
        sent(shop(), stub)
    release.set()


def test_message_cannot_be_verified_without_root_certificates(shop, stub):
    assert code_of(CannotVerify, lambda: sent(shop(ca_file="/nowhere/ca.pem"), stub)) == "roots_unreadable"


# ---- verification by PayPal ------------------------------------------------------------------------------------


def test_message_is_sent_to_paypal_byte_for_byte(shop, stub):
    stub.respond_with(VERIFY_PATH, Answer({"verification_status": "SUCCESS"}))
    body = b'{"id":"WH-1",  "event_type" : "X.Y", "amount": 1.50}'

    event = sent(shop(verify_by_call=True), stub, body)

    (asked,) = stub.requests_to(VERIFY_PATH)
    assert event.event_id == "WH-1"
    assert asked.body.endswith(b'"webhook_event": ' + body + b"}")
    assert asked.json["webhook_id"] == WEBHOOK_ID
    assert stub.requests_to(CERT_PATH) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({"verification_status": "FAILURE"}), BadSignature),
        (Answer({"verification_status": "success"}), CannotVerify),
        (Answer({"verification_status": True}), CannotVerify),
        (Answer({}), CannotVerify),
        (Answer([]), CannotVerify),
        (Answer(raw=b"<html>"), CannotVerify),
        (Answer({"name": "INTERNAL_SERVER_ERROR"}, 500), CannotVerify),
        (Answer(cut=0), CannotVerify),
        (refusal("VALIDATION_ERROR", 400), CannotVerify),
        (refusal("invalid_token", 401), CannotVerify),
    ],
)
def test_only_an_explicit_success_of_paypal_is_accepted(shop, stub, answer, error):
    stub.respond_with(VERIFY_PATH, answer)

    with pytest.raises(error):
        sent(shop(verify_by_call=True), stub)


def test_message_cannot_inject_into_the_verification_request(shop, stub):
    stub.respond_with(VERIFY_PATH, Answer({"verification_status": "SUCCESS"}))
    body = b'{"id": "WH-1", "event_type": "X"}, "webhook_id": "THEIRS", "more": {}'

    with pytest.raises(BadSignature):
        sent(shop(verify_by_call=True), stub, body)

    assert stub.requests_to(VERIFY_PATH) == []


def test_bodies_and_signatures_are_not_logged(shop, stub, caplog):
    caplog.set_level(logging.DEBUG)
    body = message(resource={"id": "1", "payer": {"email_address": "mia@private.test"}})

    sent(shop(), stub, body)

    assert "mia@private.test" not in caplog.text
    assert "mia@private.test" not in json.dumps(dict(sent(shop(), stub, body).payload))
