"""Injected faults: what the caller sees, what really happened, and the answer to a retry with the same key."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.tests.client import SDK, client, wait_until

PATH = "/v1/payment_intents"
INTENT = {"amount": 1000, "currency": "usd"}


def create(api, key="k"):
    return api.v1.payment_intents.create(INTENT, {"idempotency_key": key})


@pytest.mark.parametrize(
    ("action", "error", "effects", "after"),
    [
        ("rate_limit", SDK.RateLimitError, 0, "works"),
        ("unavailable", SDK.APIError, 0, "works"),
        ("unauthorized", SDK.AuthenticationError, 0, "works"),
        ("forbidden", SDK.PermissionError, 0, "works"),
        ("drop_before", SDK.APIConnectionError, 0, "works"),
        ("error_before", SDK.APIError, 0, "sticks"),
        ("error_after", SDK.APIError, 1, "sticks"),
        ("drop_after", SDK.APIConnectionError, 1, "works"),
        ("truncate", SDK.APIConnectionError, 1, "works"),
        ("garbage", SDK.APIError, 1, "works"),
        ("html", SDK.APIError, 1, "works"),
        ("empty", SDK.APIError, 1, "works"),
    ],
)
def test_fault_has_the_expected_error_and_effects(stripe_api, sandbox, action, error, effects, after):
    sandbox.fault(action, path=PATH, retry_after=7)

    with pytest.raises(error) as seen:
        create(stripe_api)

    assert len(sandbox.journal("intent.created")) == effects
    if action == "rate_limit":
        assert seen.value.headers["Retry-After"] == "7"
    if after == "works":
        create(stripe_api)
        assert len(sandbox.journal("intent.created")) == 1
    else:
        with pytest.raises(SDK.APIError) as again:
            create(stripe_api)
        assert (again.value.http_status, again.value.headers["Idempotent-Replayed"]) == (500, "true")
        assert len(sandbox.journal("intent.created")) == effects


@pytest.mark.parametrize("action", ["hold_before", "hold_after"])
def test_a_held_request_times_out_and_is_found_again(sandbox, action):
    fault = sandbox.fault(action, path=PATH)
    impatient = client(sandbox.url, timeout=0.3)

    with pytest.raises(SDK.APIConnectionError):
        create(impatient)
    assert len(sandbox.journal("intent.created")) == (action == "hold_after")

    sandbox.post(f"faults/{fault}/release")
    wait_until(lambda: sandbox.journal("intent.created"))
    wait_until(lambda: create(client(sandbox.url, retries=2)).id)
    assert len(sandbox.journal("intent.created")) == 1


def test_the_sdk_repeats_with_the_same_key(sandbox):
    sandbox.fault("drop_after", path=PATH)

    made = create(client(sandbox.url, retries=1), key="once")

    assert [row["id"] for row in sandbox.journal("intent.created")] == [made.id]
    seen = [row for row in sandbox.get("requests")["rows"] if row["path"] == PATH]
    assert [(row["idempotency_key"], bool(row["fault"])) for row in seen] == [("once", True), ("once", False)]


def test_fault_applies_only_to_matching_requests(stripe_api, sandbox):
    sandbox.fault("unavailable", method="POST", path="/v1/payment_intents/*/cancel", skip=1, count=1)
    intents = [create(stripe_api, key) for key in "abc"]

    stripe_api.v1.payment_intents.cancel(intents[0].id)
    with pytest.raises(SDK.APIError):
        stripe_api.v1.payment_intents.cancel(intents[1].id)
    stripe_api.v1.payment_intents.cancel(intents[2].id)

    assert len(sandbox.journal("intent.canceled")) == 2


def test_fault_can_last_until_it_is_deleted(stripe_api, sandbox):
    sandbox.fault("unavailable", count=None)
    for key in "ab":
        with pytest.raises(SDK.APIError):
            create(stripe_api, key)

    sandbox.delete("faults")

    assert create(stripe_api, "c").amount == 1000


def test_a_slow_answer(stripe_api, sandbox):
    sandbox.fault("delay", seconds=0.3)
    started = time.monotonic()

    create(stripe_api)

    assert time.monotonic() - started >= 0.3


def test_held_request_does_not_block_others(stripe_api, sandbox):
    fault = sandbox.fault("hold_before", path="/v1/refunds")
    with ThreadPoolExecutor() as pool:
        held = pool.submit(sandbox.raw, "POST", "/v1/refunds", Authorization="Bearer sk_test_1")
        assert create(stripe_api).amount == 1000
        assert not held.done() or held.result()[0] == 400
        sandbox.post(f"faults/{fault}/release")


@pytest.mark.parametrize("params", [{"action": "explode"}, {}, {"action": "delay", "colour": "red"}])
def test_a_wrong_rule_is_refused(sandbox, params):
    status, _, _ = sandbox.raw("POST", "/_sandbox/faults", __import__("json").dumps(params))

    assert status == 400
