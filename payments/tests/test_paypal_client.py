"""The HTTP client over real sockets: requests, access tokens, and every kind of failure."""

import gzip
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from payments.providers.contract import ObjectNotFound, Refused, Unknown
from payments.providers.paypal.client import PayPalClient
from payments.tests.paypal_stub import TOKEN_PATH, Answer, Stub, refusal

PATH = "/v2/checkout/orders"


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


def client_of(stub: Stub, timeout: tuple[float, float] = (2, 2)) -> PayPalClient:
    return PayPalClient(
        client_id="client", client_secret="secret", mode="sandbox", api_base=stub.url, timeout=timeout
    )


# ---- requests -----------------------------------------------------------------------------------------------


def test_call_sends_token_key_and_preference(stub):
    stub.respond_with(PATH, Answer({"id": "1"}, 201))

    answer = client_of(stub).request(
        "POST", PATH, {"intent": "CAPTURE"}, key="k-1", prefer="return=representation"
    )

    (sent,) = stub.requests_to(PATH)
    assert answer == {"id": "1"}
    assert sent.json == {"intent": "CAPTURE"}
    assert sent.headers["authorization"] == "Bearer A21.1"
    assert sent.headers["paypal-request-id"] == "k-1"
    assert sent.headers["prefer"] == "return=representation"


def test_token_call_sends_no_headers_of_the_caller(stub):
    stub.respond_with(PATH, Answer({}))

    client_of(stub).request("POST", PATH, {}, key="k-1", prefer="return=representation")

    (sent,) = stub.requests_to(TOKEN_PATH)
    assert sent.body == b"grant_type=client_credentials"
    assert sent.headers["authorization"].startswith("Basic ")
    assert not {"paypal-request-id", "prefer"} & set(sent.headers)


def test_get_and_delete_have_no_body(stub):
    stub.respond_with(PATH, Answer({}))

    client_of(stub).request("GET", PATH)
    client_of(stub).request("DELETE", PATH)

    both = stub.requests_to(PATH)
    assert [(sent.body, "content-type" in sent.headers) for sent in both] == [(b"", False)] * 2


def test_text_is_sent_byte_for_byte(stub):
    stub.respond_with(PATH, Answer({}))

    client_of(stub).request("POST", PATH, '{"a" :  1.50, "b": "ü"}')

    assert stub.requests_to(PATH)[0].body == '{"a" :  1.50, "b": "ü"}'.encode()


def test_connections_and_the_token_are_reused(stub):
    stub.respond_with(PATH, Answer({}))
    client = client_of(stub)

    for _ in range(5):
        client.request("GET", PATH)

    assert len(stub.requests_to(TOKEN_PATH)) == 1
    assert stub.connections == 1


def test_netrc_does_not_replace_the_token(stub, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login stranger password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    stub.respond_with(PATH, Answer({}))

    client_of(stub).request("GET", PATH)

    assert stub.requests_to(PATH)[0].headers["authorization"] == "Bearer A21.1"


def test_cookies_are_not_stored(stub):
    stub.respond_with(PATH, Answer({}, headers={"Set-Cookie": "session=1; Path=/"}))
    client = client_of(stub)

    client.request("GET", PATH)
    client.request("GET", PATH)

    assert "cookie" not in stub.requests_to(PATH)[1].headers


def test_bodies_secrets_and_tokens_are_not_logged(stub, caplog):
    caplog.set_level(logging.DEBUG)
    stub.respond_with(PATH, Answer({"buyer": "Mia Muster"}))

    client_of(stub).request("POST", PATH, {"card": "4242-secret"})

    logged = caplog.text
    assert not [word for word in ("Mia", "4242", "A21.1", "c2VjcmV0", "Y2xpZW50") if word in logged]


# ---- the token ----------------------------------------------------------------------------------------------


def test_token_is_renewed_before_it_expires(stub, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("payments.providers.paypal.client.time.monotonic", lambda: now)
    stub.respond_with(PATH, Answer({}))
    client = client_of(stub)

    client.request("GET", PATH)
    now += 32400 - 61
    client.request("GET", PATH)
    before = len(stub.requests_to(TOKEN_PATH))
    now += 2
    client.request("GET", PATH)

    assert (before, len(stub.requests_to(TOKEN_PATH))) == (1, 2)
    assert stub.requests_to(PATH)[-1].headers["authorization"] == "Bearer A21.2"


def test_token_that_expired_during_a_call_is_renewed_once_with_the_same_key(stub):
    stub.respond_with(PATH, Answer({"id": "1"}, 201))
    stub.revoked.add("A21.1")

    answer = client_of(stub).request("POST", PATH, {"a": 1}, key="k-1")

    first, second = stub.requests_to(PATH)
    assert answer == {"id": "1"}
    assert len(stub.requests_to(TOKEN_PATH)) == 2
    assert (first.headers["paypal-request-id"], first.body) == (
        second.headers["paypal-request-id"],
        second.body,
    )
    assert second.headers["authorization"] == "Bearer A21.2"


def test_repeated_401_is_an_unknown_outcome_after_one_retry(stub):
    stub.respond_with(PATH, refusal("invalid_token", 401))

    with pytest.raises(Unknown) as unknown:
        client_of(stub).request("POST", PATH, {})

    assert not unknown.value.is_outage
    assert len(stub.requests_to(PATH)) == 2


def test_wrong_credentials_are_an_unknown_outcome_and_nothing_is_sent(stub):
    stub.respond_with(TOKEN_PATH, Answer({"error": "invalid_client"}, 401))

    with pytest.raises(Unknown):
        client_of(stub).request("POST", PATH, {})

    assert stub.requests_to(PATH) == []


@pytest.mark.parametrize(
    "token",
    [
        {},
        [],
        {"access_token": None, "expires_in": 9},
        {"access_token": "x"},
        {"access_token": "x", "expires_in": "soon"},
    ],
)
def test_unreadable_token_is_an_unknown_outcome_and_not_cached(stub, token):
    good = Answer({"access_token": "A21.9", "token_type": "Bearer", "expires_in": 32400})
    stub.respond_with(TOKEN_PATH, Answer(token), good)
    stub.respond_with(PATH, Answer({"id": "1"}))
    client = client_of(stub)

    with pytest.raises(Unknown):
        client.request("GET", PATH)

    assert client.request("GET", PATH) == {"id": "1"}


def test_many_threads_fetch_one_token(stub):
    stub.respond_with(PATH, Answer({}))
    client = client_of(stub)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: client.request("GET", PATH), range(48)))

    assert len(stub.requests_to(TOKEN_PATH)) == 1


def test_threads_with_an_expired_token_renew_it_once(stub):
    stub.respond_with(PATH, Answer({}))
    client = client_of(stub)
    client.request("GET", PATH)
    stub.revoked.add("A21.1")
    together = threading.Barrier(6)

    def call(_):
        together.wait()
        client.request("GET", PATH)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(call, range(6)))

    assert len(stub.requests_to(TOKEN_PATH)) == 2


def test_waiting_for_the_token_is_limited_by_the_timeout(stub):
    release = threading.Event()
    stub.respond_with(TOKEN_PATH, Answer({}, wait=release.wait))
    client = client_of(stub, timeout=(0.2, 0.3))
    began = time.monotonic()

    def call(_):
        with pytest.raises(Unknown) as unknown:
            client.request("GET", PATH)
        return unknown.value.is_outage

    with ThreadPoolExecutor(16) as threads:
        outages = list(threads.map(call, range(16)))
    release.set()

    assert all(outages)
    assert time.monotonic() - began < 6, "16 calls of half a second, one after another, take 8"


# ---- failures -----------------------------------------------------------------------------------------------


def test_timeout_is_an_outage(stub):
    release = threading.Event()
    stub.respond_with(PATH, Answer({}, wait=release.wait))

    with pytest.raises(Unknown) as unknown:
        client_of(stub, timeout=(0.3, 0.3)).request("POST", PATH, {})
    release.set()

    assert unknown.value.is_outage


def test_answer_slower_than_the_timeout_is_an_outage(stub):
    stub.respond_with(PATH, Answer({"id": "1" * 40}, drip=0.1))
    began = time.monotonic()

    with pytest.raises(Unknown) as unknown:
        client_of(stub, timeout=(0.5, 0.5)).request("GET", PATH)

    assert unknown.value.is_outage
    assert time.monotonic() - began < 3.5, "the whole answer takes 4"


def test_compressed_answer_is_decompressed(stub):
    packed = {"Content-Encoding": "gzip"}
    stub.respond_with(
        PATH, Answer(raw=gzip.compress(b'{"id": "1"}'), headers=packed), Answer({"id": "1"}, headers=packed)
    )
    client = client_of(stub)

    assert client.request("GET", PATH) == {"id": "1"}
    with pytest.raises(Unknown):
        client.request("GET", PATH)


def test_closed_port_is_an_outage():
    with Stub() as gone:
        client = client_of(gone)

    with pytest.raises(Unknown) as unknown:
        client.request("GET", PATH)

    assert unknown.value.is_outage


def test_closed_connection_is_an_outage(stub):
    stub.respond_with(PATH, Answer({"id": "1"}, cut=0))

    with pytest.raises(Unknown) as unknown:
        client_of(stub).request("POST", PATH, {})

    assert unknown.value.is_outage
    assert len(stub.requests_to(PATH)) == 1  # only the caller, who knows the key, may retry


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"id": "1", "status": "COMPLETED"}, cut=9),
        Answer(raw=b'{"id": "1", "sta'),
        Answer(raw=b"<html>Access denied</html>", headers={"Content-Type": "text/html"}),
        Answer(raw=b"<html>Bad gateway</html>", status=502),
        Answer(raw=b"\xff\xfe\x00"),
        Answer([1, 2]),
        Answer("text"),
        Answer(raw=b"[" * 200_000),
        Answer(raw=b'{"id": "' + b"x" * 9_000_000 + b'"}'),
        Answer({"name": "INTERNAL_SERVER_ERROR"}, 500),
        Answer({"name": "SERVICE_UNAVAILABLE"}, 503),
        Answer(raw=b"", status=500),
        Answer({}, 302, headers={"Location": "/v1/elsewhere"}),
        Answer({}, 308, headers={"Location": "/v1/elsewhere"}),
        Answer(raw=b"<html>Access denied</html>", status=403),
        Answer(raw=b"<html>Not found</html>", status=404),
        Answer(raw=b"", status=422),
        Answer({"message": "no name"}, 400),
        refusal("PREVIOUS_REQUEST_IN_PROGRESS", 409),
        refusal("PREVIOUS_REQUEST_IN_PROGRESS", 422),
        refusal("DUPLICATE_INVOICE_ID", 422),
        refusal("SOMETHING", 409),
        refusal("SOMETHING", 408),
        refusal("SOMETHING", 425),
    ],
    ids=lambda answer: f"{answer.status}-{answer.content[:24]!r}",
)
def test_ambiguous_answer_is_an_unknown_outcome(stub, answer):
    stub.respond_with(PATH, answer)

    with pytest.raises(Unknown) as unknown:
        client_of(stub).request("POST", PATH, {})

    assert not unknown.value.is_outage
    assert stub.requests_to("/v1/elsewhere") == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("999999999999", 3600),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
    ],
)
def test_rate_limit_answer_gives_the_time_to_wait(stub, header, seconds):
    stub.respond_with(PATH, refusal("RATE_LIMIT_REACHED", 429, name="RATE_LIMIT_REACHED"))
    stub.respond_with(PATH, Answer({"name": "RATE_LIMIT_REACHED"}, 429, headers={"Retry-After": header}))

    with time_machine.travel("2026-03-01T12:00:00Z", tick=False), pytest.raises(Unknown) as unknown:
        client_of(stub).request("GET", PATH)

    assert unknown.value.retry_after == seconds
    assert not unknown.value.is_outage


def test_empty_answer_is_an_empty_object(stub):
    stub.respond_with(PATH, Answer(raw=b"", status=204))

    assert client_of(stub).request("DELETE", PATH) == {}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal("INVALID_PARAMETER_SYNTAX", 400), Refused, "INVALID_PARAMETER_SYNTAX"),
        (refusal("PERMISSION_DENIED", 403), Refused, "PERMISSION_DENIED"),
        (refusal("INVALID_RESOURCE_ID", 404), ObjectNotFound, "INVALID_RESOURCE_ID"),
        (refusal("INVALID_RESOURCE_ID", 422), ObjectNotFound, "INVALID_RESOURCE_ID"),
        (Answer({"name": "RESOURCE_NOT_FOUND", "details": []}, 404), ObjectNotFound, "RESOURCE_NOT_FOUND"),
        (refusal("ORDER_NOT_APPROVED"), Refused, "ORDER_NOT_APPROVED"),
        (Answer({"name": "ODD", "details": "text"}, 422), Refused, "ODD"),
    ],
)
def test_definite_refusal_has_the_most_specific_code(stub, answer, kind, code):
    stub.respond_with(PATH, answer)

    with pytest.raises(Refused) as refused:
        client_of(stub).request("POST", PATH, {})

    assert type(refused.value) is kind or (kind is Refused and not isinstance(refused.value, ObjectNotFound))
    assert refused.value.code == code


def test_errors_quote_no_values_from_the_request(stub):
    details = [{"issue": "INVALID", "field": "/payer/email", "value": "mia@private.test"}]
    stub.respond_with(
        PATH, Answer({"name": "INVALID_REQUEST", "details": details, "debug_id": "b1d1f06c7246c"}, 400)
    )

    with pytest.raises(Refused) as refused:
        client_of(stub).request("POST", PATH, {})

    assert "mia@private.test" not in str(refused.value)
    assert "b1d1f06c7246c" in refused.value.detail
    assert refused.value.__cause__ is None
