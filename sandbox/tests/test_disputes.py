"""Disputes: the buyer's bank takes the money back."""

import pytest

from sandbox.tests.client import BACK, SDK


@pytest.fixture
def paid(stripe_api, sandbox):
    def make(token):
        params = {
            "amount": 1000,
            "currency": "usd",
            "payment_method": token,
            "confirm": True,
            "return_url": BACK,
        }
        intent = stripe_api.v1.payment_intents.create(params)
        sandbox.run_jobs()
        return intent

    return make


@pytest.fixture
def disputed(stripe_api, paid):
    def make(token):
        intent = paid(token)
        [dispute] = stripe_api.v1.disputes.list({"payment_intent": intent.id}).data
        return dispute

    return make


def types(api):
    return [event.type for event in api.v1.events.list({"types": ["charge.dispute.*"]}).data][::-1]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("pm_card_createDispute", "fraudulent"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received"),
    ],
)
def test_a_dispute_takes_the_money(stripe_api, sandbox, disputed, token, reason):
    dispute = disputed(token)

    assert (dispute.reason, dispute.status, dispute.amount) == (reason, "needs_response", 1000)
    assert stripe_api.v1.charges.retrieve(dispute.charge).disputed
    assert sandbox.get("journal/totals")["disputed"] == {"usd": 1000}
    assert types(stripe_api) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(SDK.InvalidRequestError) as refused:
        stripe_api.v1.refunds.create({"charge": dispute.charge})
    assert refused.value.code == "charge_disputed"


@pytest.mark.parametrize(("evidence", "status", "lost"), [("winning", "won", 0), ("losing", "lost", 1000)])
def test_evidence_decides_the_dispute(stripe_api, sandbox, disputed, evidence, status, lost):
    dispute = disputed("pm_card_createDispute")

    answered = stripe_api.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": f"{evidence}_evidence"}}
    )
    sandbox.run_jobs()

    assert answered.status == "under_review"
    assert stripe_api.v1.disputes.retrieve(dispute.id).status == status
    assert sandbox.get("journal/totals")["disputed"] == {"usd": lost}
    assert types(stripe_api)[-1] == "charge.dispute.closed"


def test_an_inquiry_moves_no_money(stripe_api, sandbox, disputed):
    dispute = disputed("pm_card_createDisputeInquiry")

    assert (dispute.status, dispute.is_charge_refundable) == ("warning_needs_response", True)
    assert sandbox.get("journal/totals")["disputed"] == {}
    assert stripe_api.v1.refunds.create({"charge": dispute.charge}).status == "succeeded"
    assert stripe_api.v1.disputes.close(dispute.id).status == "warning_closed"


def test_an_early_fraud_warning_moves_no_money(stripe_api, sandbox, paid):
    intent = paid("pm_card_createIssuerFraudRecord")

    [event] = stripe_api.v1.events.list({"types": ["radar.early_fraud_warning.created"]}).data
    warning = event.data.object
    assert (warning.payment_intent, warning.fraud_type, warning.actionable) == (intent.id, "misc", True)
    assert sandbox.get("journal/totals")["disputed"] == {}
    warnings = stripe_api.v1.radar.early_fraud_warnings
    created = {"gte": warning.created, "lt": warning.created + 1}
    assert [row.id for row in warnings.list({"charge": warning.charge, "created": created}).data] == [
        warning.id
    ]
    assert warnings.list({"created": {"gt": warning.created}}).data == []
    assert warnings.retrieve(warning.id).charge == intent.latest_charge


def test_dispute_can_be_created_by_the_control_api(stripe_api, sandbox):
    params = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
        "return_url": BACK,
    }
    intent = stripe_api.v1.payment_intents.create(params)

    dispute = sandbox.post("stripe/dispute", payment_intent=intent.id)
    sandbox.post("stripe/close_dispute", dispute=dispute["id"], outcome="won")

    assert stripe_api.v1.disputes.retrieve(dispute["id"]).status == "won"
    assert types(stripe_api)[2:] == ["charge.dispute.funds_reinstated", "charge.dispute.closed"]
