"""PaymentIntents from creation to the final status."""

import pytest

from sandbox.tests.client import BACK, PUBLIC, SDK

OPEN = {"amount": 9999, "currency": "usd", "automatic_payment_methods": {"enabled": True}}


def paid(api, **more):
    return api.v1.payment_intents.create(
        {**OPEN, "confirm": True, "payment_method": "pm_card_visa", "return_url": BACK, **more}
    )


def test_a_new_intent_waits_for_a_payment_method(stripe_api, sandbox):
    intent = stripe_api.v1.payment_intents.create(
        {**OPEN, "metadata": {"order": "7"}, "description": "Order 7", "receipt_email": "a@shop.test"}
    )

    assert (intent.status, intent.amount, intent.currency) == ("requires_payment_method", 9999, "usd")
    assert intent.client_secret.startswith(f"{intent.id}_secret_")
    [row] = sandbox.journal("intent.created")
    assert (row["id"], row["amount"], row["metadata"], row["actor"]) == (
        intent.id,
        9999,
        {"order": "7"},
        "api",
    )


def test_confirming_takes_the_money_once(stripe_api, sandbox):
    intent = stripe_api.v1.payment_intents.create(OPEN)

    done = stripe_api.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "return_url": BACK}
    )
    with pytest.raises(SDK.InvalidRequestError) as again:
        stripe_api.v1.payment_intents.confirm(
            intent.id, {"payment_method": "pm_card_visa", "return_url": BACK}
        )

    assert (done.status, done.amount_received) == ("succeeded", 9999)
    assert again.value.code == "payment_intent_unexpected_state"
    assert again.value.error.payment_intent.status == "succeeded"
    assert [row["amount"] for row in sandbox.journal("charge.captured")] == [9999]


def test_a_declined_intent_can_succeed_later(stripe_api, sandbox):
    intent = stripe_api.v1.payment_intents.create(OPEN)

    with pytest.raises(SDK.CardError) as declined:
        stripe_api.v1.payment_intents.confirm(
            intent.id, {"payment_method": "pm_card_chargeDeclined", "return_url": BACK}
        )
    failed = stripe_api.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    done = stripe_api.v1.payment_intents.confirm(
        intent.id, {"payment_method": "pm_card_visa", "return_url": BACK}
    )

    error = declined.value.error
    assert (declined.value.http_status, error.code, error.decline_code) == (
        402,
        "card_declined",
        "generic_decline",
    )
    assert error.payment_intent.id == intent.id
    assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
    assert failed.last_payment_error.charge == failed.latest_charge.id == error.charge
    assert failed.latest_charge.status == "failed"
    assert (done.status, done.last_payment_error) == ("succeeded", None)
    assert done.latest_charge != failed.latest_charge.id


def test_without_return_url_automatic_methods_are_not_confirmed(stripe_api):
    intent = stripe_api.v1.payment_intents.create(OPEN)

    with pytest.raises(SDK.InvalidRequestError, match="return_url"):
        stripe_api.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})


def test_three_d_secure_asks_the_buyer_first(stripe_api, sandbox):
    intent = paid(stripe_api, payment_method="pm_card_authenticationRequired")
    address = intent.next_action.redirect_to_url.url

    status, _, page = sandbox.raw("GET", address.removeprefix(sandbox.url))
    assert (intent.status, status) == ("requires_action", 200)
    assert b"$99.99" in page
    assert sandbox.journal("charge.captured") == []

    sandbox.post("stripe/authenticate", payment_intent=intent.id, passed=True)
    assert stripe_api.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_failed_three_d_secure_leaves_the_intent_open(stripe_api, sandbox):
    intent = paid(stripe_api, payment_method="pm_card_threeDSecure2Required")

    sandbox.post("stripe/authenticate", payment_intent=intent.id, passed=False)

    failed = stripe_api.v1.payment_intents.retrieve(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"


def test_three_d_secure_may_end_in_a_decline(stripe_api, sandbox):
    intent = paid(stripe_api, payment_method="pm_card_threeDSecureRequiredChargeDeclined")

    sandbox.post("stripe/authenticate", payment_intent=intent.id, passed=True)

    failed = stripe_api.v1.payment_intents.retrieve(intent.id)
    assert (failed.status, failed.last_payment_error.decline_code) == (
        "requires_payment_method",
        "generic_decline",
    )


@pytest.mark.parametrize(
    ("token", "end"),
    [("sandboxProcessing", "succeeded"), ("sandboxProcessingFails", "requires_payment_method")],
)
def test_processing_ends_later(stripe_api, sandbox, token, end):
    intent = paid(stripe_api, payment_method=f"pm_card_{token}")
    assert intent.status == "processing"
    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.payment_intents.cancel(intent.id)

    sandbox.run_jobs()

    assert stripe_api.v1.payment_intents.retrieve(intent.id).status == end
    assert len(sandbox.journal("charge.captured")) == (end == "succeeded")
    name = "succeeded" if end == "succeeded" else "failed"
    [event] = stripe_api.v1.events.list({"type": f"charge.{name}"}).data
    assert (event.data.object.status, event.data.object.paid) == (name, name == "succeeded")


def test_cancelling_is_final(stripe_api, sandbox):
    intent = stripe_api.v1.payment_intents.create(OPEN)

    gone = stripe_api.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    assert (gone.status, gone.cancellation_reason) == ("canceled", "abandoned")
    for act in ("confirm", "cancel"):
        with pytest.raises(SDK.InvalidRequestError) as refused:
            getattr(stripe_api.v1.payment_intents, act)(intent.id)
        assert refused.value.code == "payment_intent_unexpected_state"
    assert len(sandbox.journal("intent.canceled")) == 1


def test_a_challenge_of_a_cancelled_intent_is_void(stripe_api, sandbox):
    intent = paid(stripe_api, payment_method="pm_card_authenticationRequired")
    path = intent.next_action.redirect_to_url.url.removeprefix(sandbox.url)
    stripe_api.v1.payment_intents.cancel(intent.id)

    form = {"Content_Type": "application/x-www-form-urlencoded"}
    _, _, page = sandbox.raw("POST", path, "answer=complete", **form)

    assert b"Nothing to confirm" in page
    assert sandbox.journal("charge.captured") == []


def test_the_amount_can_change_until_it_is_paid(stripe_api):
    intent = stripe_api.v1.payment_intents.create(OPEN)
    assert stripe_api.v1.payment_intents.update(intent.id, {"amount": 5000}).amount == 5000
    stripe_api.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa", "return_url": BACK})

    with pytest.raises(SDK.InvalidRequestError) as refused:
        stripe_api.v1.payment_intents.update(intent.id, {"amount": 1})

    assert refused.value.code == "payment_intent_unexpected_state"
    changed = stripe_api.v1.payment_intents.update(intent.id, {"metadata": {"note": "late"}})
    assert (changed.metadata["note"], changed.amount) == ("late", 5000)


def test_a_browser_sees_its_intent_only_with_the_client_secret(stripe_api, sandbox):
    intent = stripe_api.v1.payment_intents.create({**OPEN, "metadata": {"order": "7"}})
    path = f"/v1/payment_intents/{intent.id}"

    status, seen = sandbox.browser("GET", path, client_secret=intent.client_secret)

    assert (status, seen["status"], "metadata" in seen) == (200, "requires_payment_method", False)
    assert sandbox.browser("GET", path)[0] == 400
    assert sandbox.browser("GET", path, client_secret=f"{intent.id}_secret_guess")[0] == 400
    assert sandbox.browser("POST", f"{path}/cancel", client_secret=intent.client_secret)[0] == 401
    assert sandbox.raw("GET", f"{path}?key={PUBLIC.replace('test', 'live')}")[0] == 401


def test_balance_transaction_is_available_a_moment_later(stripe_api, sandbox):
    intent = paid(stripe_api)
    before = stripe_api.v1.charges.retrieve(intent.latest_charge)
    assert (before.captured, before.balance_transaction) == (True, None)

    sandbox.run_jobs()

    charge = stripe_api.v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    assert (charge.balance_transaction.amount, charge.balance_transaction.fee) == (9999, 320)
    pending = stripe_api.v1.balance.retrieve().pending
    assert [(side.amount, side.currency) for side in pending] == [(9679, "usd")]
