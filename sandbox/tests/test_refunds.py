"""Refunds: never more than was captured, some late, some failing."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.tests.client import BACK, SDK


@pytest.fixture
def paid(stripe_api):
    def pay(card="pm_card_visa"):
        params = {
            "amount": 1000,
            "currency": "usd",
            "payment_method": card,
            "confirm": True,
            "return_url": BACK,
        }
        return stripe_api.v1.payment_intents.create(params)

    return pay


def test_partial_refunds_and_the_rest(stripe_api, sandbox, paid):
    intent = paid()

    part = stripe_api.v1.refunds.create(
        {
            "payment_intent": intent.id,
            "amount": 400,
            "reason": "requested_by_customer",
            "metadata": {"refund": "R1"},
        }
    )
    rest = stripe_api.v1.refunds.create({"charge": intent.latest_charge})

    assert (part.status, part.amount, part.metadata["refund"]) == ("succeeded", 400, "R1")
    assert rest.amount == 600
    charge = stripe_api.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (1000, True)
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 1000}
    listed = stripe_api.v1.refunds.list({"payment_intent": intent.id})
    assert [row.id for row in listed.data] == [rest.id, part.id]


def test_the_cap(stripe_api, paid):
    intent = paid()
    stripe_api.v1.refunds.create({"payment_intent": intent.id, "amount": 600})

    with pytest.raises(SDK.InvalidRequestError) as too_much:
        stripe_api.v1.refunds.create({"payment_intent": intent.id, "amount": 401})
    stripe_api.v1.refunds.create({"payment_intent": intent.id, "amount": 400})
    with pytest.raises(SDK.InvalidRequestError) as nothing_left:
        stripe_api.v1.refunds.create({"payment_intent": intent.id})

    assert (too_much.value.param, too_much.value.http_status) == ("amount", 400)
    assert "$4.01" in str(too_much.value)
    assert nothing_left.value.code == "charge_already_refunded"


def test_the_cap_holds_for_eight_concurrent_refunds(stripe_api, sandbox, paid):
    intent = paid()

    def attempt(_):
        try:
            return stripe_api.v1.refunds.create({"payment_intent": intent.id, "amount": 600}).status
        except SDK.InvalidRequestError:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))

    assert sorted(answers) == ["refused"] * 7 + ["succeeded"]
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 600}


def test_unpaid_intents_have_nothing_to_refund(stripe_api):
    intent = stripe_api.v1.payment_intents.create({"amount": 1000, "currency": "usd"})

    with pytest.raises(SDK.InvalidRequestError, match="successful charge"):
        stripe_api.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.refunds.create({"amount": 5})


def test_pending_then_succeeded(stripe_api, sandbox, paid):
    refund = stripe_api.v1.refunds.create({"payment_intent": paid("pm_card_pendingRefund").id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert sandbox.get("journal/totals")["refunded"] == {}

    sandbox.run_jobs()

    assert stripe_api.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 1000}
    types = [
        event.type for event in stripe_api.v1.events.list({"types": ["refund.*", "charge.refund*"]}).data
    ]
    assert sorted(types) == ["charge.refund.updated", "charge.refunded", "refund.created", "refund.updated"]


def test_succeeded_then_failed_gives_the_amount_back(stripe_api, sandbox, paid):
    intent = paid("pm_card_refundFail")
    refund = stripe_api.v1.refunds.create({"payment_intent": intent.id, "amount": 700})
    assert refund.status == "succeeded"

    sandbox.run_jobs()

    failed = stripe_api.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "declined")
    charge = stripe_api.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 0}
    assert [event.type for event in stripe_api.v1.events.list({"type": "refund.failed"}).data] == [
        "refund.failed"
    ]


def test_refund_failure_can_be_injected(stripe_api, sandbox, paid):
    sandbox.post("settings", refunds="refuse")
    refund = stripe_api.v1.refunds.create({"payment_intent": paid().id})
    assert refund.status == "failed"

    sandbox.post("settings", refunds="pending")
    pending = stripe_api.v1.refunds.create({"payment_intent": paid().id})
    sandbox.post(
        "stripe/settle_refund", refund=pending.id, status="failed", failure_reason="lost_or_stolen_card"
    )
    assert stripe_api.v1.refunds.retrieve(pending.id).failure_reason == "lost_or_stolen_card"


def test_a_refund_in_the_dashboard_has_no_request(stripe_api, sandbox, paid):
    intent = paid()

    sandbox.post("stripe/refund", payment_intent=intent.id, amount=300)

    [event] = stripe_api.v1.events.list({"type": "refund.created"}).data
    assert (event.data.object.amount, event.request.id, event.request.idempotency_key) == (300, None, None)
    [row] = sandbox.journal("refund.created")
    assert row["actor"] == "dashboard"


def test_card_refunds_are_not_cancelled_by_api(stripe_api, paid):
    refund = stripe_api.v1.refunds.create({"payment_intent": paid().id})

    with pytest.raises(SDK.InvalidRequestError):
        stripe_api.v1.refunds.cancel(refund.id)
    assert stripe_api.v1.refunds.update(refund.id, {"metadata": {"a": "b"}}).metadata["a"] == "b"
