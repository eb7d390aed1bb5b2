"""One key, one effect. https://docs.stripe.com/api/idempotent_requests"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.tests.client import BACK, SDK, wait_until

INTENT = {"amount": 1000, "currency": "usd"}
FORM = {"Authorization": "Bearer sk_test_1", "Idempotency_Key": "k"}


def create(api, key, **more):
    return api.v1.payment_intents.create({**INTENT, **more}, {"idempotency_key": key})


def test_the_same_key_replays_the_first_answer(stripe_api, sandbox):
    first = create(stripe_api, "k")
    stripe_api.v1.payment_intents.update(first.id, {"amount": 2000})

    again = create(stripe_api, "k")

    assert (again.id, again.amount) == (first.id, 1000)  # the stored answer, not the current object
    headers = again.last_response.headers
    assert headers["Idempotent-Replayed"] == "true"
    assert headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert "Idempotent-Replayed" not in first.last_response.headers
    [row] = sandbox.journal("intent.created")
    assert row["idempotency_key"] == "k"


def test_other_parameters_are_an_error(stripe_api, sandbox):
    create(stripe_api, "k")

    with pytest.raises(SDK.IdempotencyError) as refused:
        create(stripe_api, "k", amount=1001)
    with pytest.raises(SDK.IdempotencyError, match="same endpoint"):
        stripe_api.v1.customers.create({}, {"idempotency_key": "k"})

    assert refused.value.http_status == 400
    assert len(sandbox.journal("intent.created")) == 1


def test_the_order_of_parameters_does_not_matter(sandbox):
    first = sandbox.raw("POST", "/v1/payment_intents", "amount=1000&currency=usd", **FORM)
    again = sandbox.raw("POST", "/v1/payment_intents", "currency=usd&amount=1000", **FORM)

    assert first[2] == again[2]


def test_failed_validation_is_not_stored(stripe_api):
    with pytest.raises(SDK.InvalidRequestError):
        create(stripe_api, "k", foo=1)

    assert create(stripe_api, "k").amount == 1000


def test_decline_is_stored(stripe_api, sandbox):
    declined = {"confirm": True, "payment_method": "pm_card_chargeDeclined", "return_url": BACK}
    charges = set()
    for _ in range(2):
        with pytest.raises(SDK.CardError) as refused:
            create(stripe_api, "k", **declined)
        charges.add(refused.value.error.charge)

    assert len(charges) == len(sandbox.journal("charge.failed")) == 1


def test_concurrent_request_with_the_same_key_is_refused(stripe_api, sandbox):
    fault = sandbox.fault("hold_before", path="/v1/payment_intents")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(create, stripe_api, "k")
        wait_until(lambda: sandbox.get("faults")["rows"][0]["matched"])

        with pytest.raises(SDK.StripeError) as twin:
            create(stripe_api, "k")
        assert (twin.value.http_status, twin.value.error.code) == (409, "idempotency_key_in_use")

        sandbox.post(f"faults/{fault}/release")
        assert first.result().id == create(stripe_api, "k").id
    assert len(sandbox.journal("intent.created")) == 1


def test_fifty_concurrent_requests_have_one_effect(stripe_api, sandbox):
    def attempt(_):
        try:
            return create(stripe_api, "k").id
        except SDK.StripeError as error:
            return error.http_status

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(attempt, range(50)))

    assert len(answers - {409}) == len(sandbox.journal("intent.created")) == 1


def test_keys_expire_after_a_day(stripe_api, sandbox):
    first = create(stripe_api, "k")
    sandbox.post("clock", advance=86_500)
    try:
        assert create(stripe_api, "k").id != first.id
    finally:
        sandbox.post("clock", offset=0)


def test_long_keys_are_refused(stripe_api):
    assert create(stripe_api, "k" * 255).amount == 1000
    with pytest.raises(SDK.InvalidRequestError, match="255"):
        create(stripe_api, "k" * 256)
