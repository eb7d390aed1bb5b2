"""Payments at Stripe from creation to refund, against the sandbox."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from artisans.core.money import Money
from payments.providers.contract import (
    ActionKind,
    Breakdown,
    DeclineGroup,
    Item,
    ObjectNotFound,
    Refused,
    RemoteDisputeStatus,
    RemoteRefundStatus,
    RemoteStatus,
)
from payments.tests.stripe_helpers import (
    BACK,
    build_confirm_request,
    build_create_request,
    build_refund_request,
    last_hour,
)

USD = Money(9999, "USD")


def pay(sandbox, remote, card="pm_card_visa"):
    kind = "session" if remote.object_id.startswith("cs_") else "payment_intent"
    return sandbox.post("stripe/pay", **{kind: remote.object_id}, payment_method=card)


# ---- payment intents ---------------------------------------------------------------------------------------------


def test_new_payment_waits_for_the_buyer_with_a_client_secret(adapter, sandbox):
    made = adapter.create(build_create_request())

    assert made.object_id.startswith("pi_")
    assert (made.status, made.amount, made.reference, made.is_live) == (
        RemoteStatus.OPEN,
        USD,
        "pay-1",
        False,
    )
    assert made.action.kind is ActionKind.CONFIRM
    assert made.action.client_secret.startswith(made.object_id + "_secret_")
    assert (made.captures, made.refunds, made.disputes, made.decline, made.method) == ((), (), (), None, None)
    assert sandbox.journal("intent.created")[0]["metadata"] == {
        "payment_id": "pay-1",
        "order_number": "ALLEY-7",
        "call": "create-1",
    }


def test_payment_is_captured_when_the_buyer_paid(adapter, sandbox):
    made = adapter.create(build_create_request())
    pay(sandbox, made)

    now = adapter.read(made.object_id)

    assert (now.status, now.action) == (RemoteStatus.SUCCEEDED, None)
    charged = sandbox.journal("charge.captured")[0]["id"]
    assert [(one.capture_id, one.amount) for one in now.captures] == [(charged, USD)]


def test_same_key_returns_the_current_state_of_the_first_payment(adapter, sandbox):
    made = adapter.create(build_create_request())
    pay(sandbox, made)

    again = adapter.create(build_create_request())

    assert again == adapter.read(made.object_id)
    assert again.status is RemoteStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ("pm_card_sandboxProcessing", RemoteStatus.SUCCEEDED),
        ("pm_card_sandboxProcessingFails", RemoteStatus.FAILED),
    ],
)
def test_payment_is_processing_until_stripe_knows(adapter, sandbox, card, status):
    made = adapter.create(build_create_request())
    pay(sandbox, made, card)
    between = adapter.read(made.object_id)
    assert (between.status, between.captures, between.action) == (RemoteStatus.PROCESSING, (), None)

    sandbox.run_jobs()

    assert adapter.read(made.object_id).status is status


def test_failed_payment_can_be_retried_and_only_the_successful_attempt_counts(adapter, sandbox):
    made = adapter.create(build_create_request())
    pay(sandbox, made, "pm_card_visa_chargeDeclinedInsufficientFunds")
    failed = adapter.read(made.object_id)
    assert (failed.status, failed.decline) == (RemoteStatus.FAILED, DeclineGroup.FUNDS)
    assert (failed.decline_code, failed.captures) == ("insufficient_funds", ())
    assert failed.action.client_secret

    pay(sandbox, made)

    now = adapter.read(made.object_id)
    assert (now.status, now.decline, now.decline_code) == (RemoteStatus.SUCCEEDED, None, "")
    assert [one.amount for one in now.captures] == [USD]


def test_failed_authentication_is_reported_as_such(adapter, sandbox):
    made = adapter.create(build_create_request())
    pay(sandbox, made, "pm_card_authenticationRequired")
    sandbox.post("stripe/authenticate", payment_intent=made.object_id, passed=False)

    now = adapter.read(made.object_id)

    assert (now.status, now.decline) == (RemoteStatus.FAILED, DeclineGroup.AUTHENTICATION)


@pytest.mark.parametrize(
    "amount", [Money(500, "JPY"), Money(175, "ISK"), Money(17505, "HUF"), Money(5120, "KWD")]
)
def test_unusual_currencies_are_charged_and_read_exactly(adapter, sandbox, amount):
    made = adapter.create(build_create_request(amount=amount, method_id="pm_card_visa"))

    assert made.amount == amount
    assert [one.amount for one in adapter.read(made.object_id).captures] == [amount]


@pytest.mark.parametrize(
    "amount", [Money(5121, "KWD"), Money(1, "USD"), Money(10**12, "USD"), Money(5, "XTS")]
)
def test_amount_unsupported_by_stripe_is_refused(adapter, sandbox, amount):
    with pytest.raises(Refused):
        adapter.create(build_create_request(amount=amount))

    assert sandbox.journal("intent.created") == []


# ---- with a saved card -------------------------------------------------------------------------------------------


def test_saved_card_pays_at_once(adapter, sandbox):
    done = adapter.create(build_create_request(method_id="pm_card_visa"))

    assert done.status is RemoteStatus.SUCCEEDED
    assert [one.amount for one in done.captures] == [USD]


def test_saved_card_that_needs_authentication_redirects_to_the_bank(adapter, sandbox):
    made = adapter.create(build_create_request(method_id="pm_card_authenticationRequired"))

    assert (made.status, made.action.kind) == (RemoteStatus.OPEN, ActionKind.REDIRECT)
    assert made.action.url.startswith(sandbox.url + "/3d_secure/")
    sandbox.post("stripe/authenticate", payment_intent=made.object_id)
    assert adapter.read(made.object_id).status is RemoteStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("card", "group", "code"),
    [
        ("visa_chargeDeclined", DeclineGroup.DECLINED, "generic_decline"),
        ("visa_chargeDeclinedLostCard", DeclineGroup.DECLINED, "lost_card"),
        ("visa_chargeDeclinedStolenCard", DeclineGroup.DECLINED, "stolen_card"),
        ("radarBlock", DeclineGroup.DECLINED, "fraudulent"),
        ("visa_chargeDeclinedInsufficientFunds", DeclineGroup.FUNDS, "insufficient_funds"),
        ("visa_chargeDeclinedVelocityLimitExceeded", DeclineGroup.FUNDS, "card_velocity_exceeded"),
        ("chargeDeclinedExpiredCard", DeclineGroup.EXPIRED, "expired_card"),
        ("chargeDeclinedIncorrectCvc", DeclineGroup.FIX_DATA, "incorrect_cvc"),
        ("chargeDeclinedProcessingError", DeclineGroup.TRY_AGAIN, "processing_error"),
    ],
)
@pytest.mark.parametrize("way", ["create", "confirm"])
def test_decline_is_a_refusal_with_its_group_and_the_payment(adapter, sandbox, card, group, code, way):
    with pytest.raises(Refused) as seen:
        if way == "create":
            adapter.create(build_create_request(method_id=f"pm_card_{card}"))
        else:
            adapter.confirm(build_confirm_request(adapter.create(build_create_request()), f"pm_card_{card}"))

    refusal = seen.value
    assert (refusal.decline, refusal.remote.decline, refusal.remote.decline_code) == (group, group, code)
    assert (refusal.remote.status, refusal.remote.reference) == (RemoteStatus.FAILED, "pay-1")
    assert refusal.remote.object_id == sandbox.journal("intent.created")[0]["id"]
    assert refusal.remote.captures == ()
    assert sandbox.journal("charge.captured") == []


def test_confirming_takes_the_money_once(adapter, sandbox):
    made = adapter.create(build_create_request())

    done = adapter.confirm(build_confirm_request(made, "pm_card_visa"))

    assert done == adapter.confirm(build_confirm_request(made, "pm_card_visa"))
    assert done == adapter.confirm(build_confirm_request(made, "pm_card_visa", "confirm-2"))
    assert len(sandbox.journal("charge.captured")) == 1


def test_confirming_a_cancelled_payment_is_refused(adapter, sandbox):
    made = adapter.create(build_create_request())
    adapter.cancel(made.object_id, key="cancel-1")

    with pytest.raises(Refused, match="unexpected_state") as seen:
        adapter.confirm(build_confirm_request(made, "pm_card_visa"))

    assert seen.value.remote.status is RemoteStatus.CANCELLED
    assert not isinstance(seen.value, ObjectNotFound)


def test_confirming_without_a_card_is_refused(adapter):
    with pytest.raises(Refused, match="missing a payment method"):
        adapter.confirm(build_confirm_request(adapter.create(build_create_request()), ""))


def test_session_cannot_be_confirmed(adapter):
    with pytest.raises(Refused, match="not_confirmable"):
        adapter.confirm(build_confirm_request(adapter.create_hosted(build_create_request()), "pm_card_visa"))


@pytest.mark.parametrize(
    "named", [{"customer_id": "cus_no", "method_id": "pm_card_visa"}, {"method_id": "pm_no"}]
)
def test_unknown_customer_or_card_is_not_a_missing_payment(adapter, named):
    with pytest.raises(Refused, match="resource_missing") as seen:
        adapter.create(build_create_request(**named))

    assert not isinstance(seen.value, ObjectNotFound)


def test_paying_saves_the_card_when_the_buyer_agreed(adapter, sandbox):
    made = adapter.create(build_create_request(save=True))
    assert made.customer_id.startswith("cus_")
    pay(sandbox, made, "pm_card_mastercard")

    method = adapter.read(made.object_id).method

    assert (method.customer_id, method.kind, method.brand) == (made.customer_id, "card", "mastercard")
    assert (method.last_four, method.exp_month, method.exp_year) == ("4444", 12, 2034)
    assert method.funding == "credit"
    assert adapter.saved_methods(made.customer_id) == [method]


def test_paying_saves_nothing_without_consent(adapter, sandbox):
    customer = adapter.create(build_create_request("first", save=True)).customer_id
    made = adapter.create(build_create_request(customer_id=customer))
    pay(sandbox, made)

    assert adapter.read(made.object_id).method is None
    assert adapter.saved_methods(customer) == []


# ---- on Stripe's page --------------------------------------------------------------------------------------------


def test_hosted_payment_redirects_to_stripe_and_has_no_intent_yet(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())

    assert made.object_id.startswith("cs_")
    assert (made.status, made.amount, made.reference) == (RemoteStatus.OPEN, USD, "pay-1")
    assert (made.action.kind, made.related_ids) == (ActionKind.REDIRECT, ())
    assert made.action.url.startswith(sandbox.url)
    assert made == adapter.read(made.object_id)


def test_hosted_payment_is_captured_under_both_ids(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())
    pay(sandbox, made)

    now = adapter.read(made.object_id)

    assert (now.status, now.action, [c.amount for c in now.captures]) == (RemoteStatus.SUCCEEDED, None, [USD])
    (intent_id,) = now.related_ids
    intent = adapter.read(intent_id)
    assert (intent.captures, intent.reference) == (now.captures, "pay-1")


def test_failed_hosted_payment_can_be_retried(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())
    pay(sandbox, made, "pm_card_visa_chargeDeclined")

    now = adapter.read(made.object_id)

    assert (now.status, now.decline) == (RemoteStatus.FAILED, DeclineGroup.DECLINED)
    assert now.action.url == made.action.url


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ("pm_card_sandboxProcessing", RemoteStatus.SUCCEEDED),
        ("pm_card_sandboxProcessingFails", RemoteStatus.EXPIRED),
    ],
)
def test_processing_hosted_payment_succeeds_or_fails(adapter, sandbox, card, status):
    made = adapter.create_hosted(build_create_request())
    pay(sandbox, made, card)
    assert adapter.read(made.object_id).status is RemoteStatus.PROCESSING

    sandbox.run_jobs()

    assert adapter.read(made.object_id).status is status


def test_expired_hosted_payment_is_expired_not_cancelled(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())
    sandbox.post("jobs/run", kind="stripe.session.deadline")

    now = adapter.read(made.object_id)

    assert (now.status, now.action) == (RemoteStatus.EXPIRED, None)


BOWLS = Breakdown(
    (Item("Moss bowl", 2, Money(4000, "USD")), Item("Scarf", 1, Money(900, "USD"))),
    Money(8900, "USD"),
    Money(500, "USD"),
    Money(599, "USD"),
)


def lines_of(sandbox, made):
    path = f"/v1/checkout/sessions/{made.object_id}/line_items"
    _, _, body = sandbox.raw("GET", path, Authorization="Bearer sk_test_x")
    return [
        (line["description"], line["quantity"], line["amount_total"]) for line in json.loads(body)["data"]
    ]


def test_hosted_page_shows_the_items(adapter, sandbox):
    made = adapter.create_hosted(build_create_request(breakdown=BOWLS))

    assert made.amount == USD
    assert lines_of(sandbox, made) == [
        ("Moss bowl", 2, 8000),
        ("Scarf", 1, 900),
        ("Tax", 1, 500),
        ("Delivery", 1, 599),
    ]


@pytest.mark.parametrize(
    ("amount", "breakdown"),
    [(USD, None), (Money(5000, "USD"), BOWLS), (USD, Breakdown((), USD, Money(0, "USD"), Money(0, "USD")))],
)
def test_hosted_page_shows_one_line_when_the_parts_do_not_add_up(adapter, sandbox, amount, breakdown):
    made = adapter.create_hosted(build_create_request(amount=amount, breakdown=breakdown))

    assert lines_of(sandbox, made) == [("Order ALLEY-7", 1, amount.minor)]


def test_hosted_page_of_a_long_order_shows_one_line(adapter, sandbox):
    cents = tuple(Item("Bead", 1, Money(100, "USD")) for _ in range(101))
    whole, none = Money(10100, "USD"), Money(0, "USD")

    made = adapter.create_hosted(
        build_create_request(amount=whole, breakdown=Breakdown(cents, whole, none, none))
    )

    assert lines_of(sandbox, made) == [("Order ALLEY-7", 1, 10100)]


DAY = 60 * 24


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(45, 45), (30, 35), (10, 35), (-5, 35), (DAY + 5, DAY - 5), (None, DAY)],
)
def test_hosted_page_expires_as_requested_within_stripes_limits(
    adapter, sandbox, sandbox_server, minutes, expected
):
    now = datetime.now(UTC)
    ends = None if minutes is None else now + timedelta(minutes=minutes)

    made = adapter.create_hosted(build_create_request(expires_at=ends, requested_at=now))

    expires = sandbox_server.simulator.store.table("stripe.checkout.session")[made.object_id]["expires_at"]
    assert abs(expires - (now + timedelta(minutes=expected)).timestamp()) < 10


def test_hosted_page_returns_to_the_shop_and_saves_the_card(adapter, sandbox, sandbox_server):
    made = adapter.create_hosted(build_create_request(save=True))
    row = sandbox_server.simulator.store.table("stripe.checkout.session")[made.object_id]
    assert (row["success_url"], row["client_reference_id"]) == (BACK, "pay-1")
    pay(sandbox, made)

    method = adapter.read(made.object_id).method

    assert adapter.saved_methods(made.customer_id) == [method]


# ---- cancelling --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "status"), [("create", RemoteStatus.CANCELLED), ("create_hosted", RemoteStatus.EXPIRED)]
)
def test_cancelled_payment_cannot_be_paid(adapter, sandbox, way, status):
    made = getattr(adapter, way)(build_create_request())

    assert adapter.cancel(made.object_id, key="cancel-1").status is status
    assert adapter.cancel(made.object_id, key="cancel-2").status is status
    with pytest.raises(Exception, match="HTTP Error 400"):
        pay(sandbox, made)


@pytest.mark.parametrize("way", ["create", "create_hosted"])
@pytest.mark.parametrize(
    ("card", "status"),
    [("pm_card_visa", RemoteStatus.SUCCEEDED), ("pm_card_sandboxProcessing", RemoteStatus.PROCESSING)],
)
def test_cancelling_a_paid_payment_reports_it_as_paid(adapter, sandbox, way, card, status):
    made = getattr(adapter, way)(build_create_request())
    pay(sandbox, made, card)

    now = adapter.cancel(made.object_id, key="cancel-1")

    assert now == adapter.read(made.object_id)
    assert now.status is status


def test_cancelling_a_hosted_payment_after_a_decline_also_cancels_its_intent(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())
    pay(sandbox, made, "pm_card_visa_chargeDeclined")

    now = adapter.cancel(made.object_id, key="cancel-1")

    assert now.status is RemoteStatus.EXPIRED
    assert adapter.read(now.related_ids[0]).status is RemoteStatus.CANCELLED


def test_cancelling_the_intent_of_an_open_hosted_page_is_refused(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())
    pay(sandbox, made, "pm_card_visa_chargeDeclined")
    (intent_id,) = adapter.read(made.object_id).related_ids

    with pytest.raises(Refused):
        adapter.cancel(intent_id, key="cancel-1")


@pytest.mark.parametrize(
    "object_id", ["pi_no", "cs_test_no", "ch_1", "", "pi_../refunds", "pi_1?a=b", "4242424242424242"]
)
def test_object_unknown_to_stripe_is_not_found(adapter, object_id):
    with pytest.raises(ObjectNotFound):
        adapter.read(object_id)
    with pytest.raises(ObjectNotFound):
        adapter.cancel(object_id, key="cancel-1")
    with pytest.raises(ObjectNotFound):
        adapter.read_refund(object_id, currency="USD")
    with pytest.raises(ObjectNotFound):
        adapter.save_read(object_id)


# ---- refunds -----------------------------------------------------------------------------------------------------


@pytest.fixture
def paid(adapter):
    return adapter.create(build_create_request(method_id="pm_card_visa"))


def test_partial_refunds_reach_the_last_cent_and_no_further(adapter, paid):
    first = adapter.refund(build_refund_request(paid, Money(9998, "USD")))
    assert (first.amount, first.status, first.reference) == (
        Money(9998, "USD"),
        RemoteRefundStatus.SUCCEEDED,
        "ref-1",
    )
    with pytest.raises(Refused):
        adapter.refund(build_refund_request(paid, Money(2, "USD"), "refund-2", "ref-2"))

    adapter.refund(build_refund_request(paid, Money(1, "USD"), "refund-3", "ref-3"))

    with pytest.raises(Refused, match="charge_already_refunded"):
        adapter.refund(build_refund_request(paid, Money(1, "USD"), "refund-4", "ref-4"))
    now = adapter.read(paid.object_id)
    assert {one.reference: one.amount.minor for one in now.refunds} == {"ref-1": 9998, "ref-3": 1}
    assert now.status is RemoteStatus.SUCCEEDED


def test_refund_is_made_once_per_key(adapter, sandbox, paid):
    first = adapter.refund(build_refund_request(paid, Money(100, "USD")))

    assert adapter.refund(build_refund_request(paid, Money(100, "USD"))) == first
    assert adapter.read_refund(first.refund_id, currency="USD") == first
    assert len(sandbox.journal("refund.created")) == 1


@pytest.mark.parametrize(
    ("mode", "at_once", "later"),
    [
        ("succeed", RemoteRefundStatus.SUCCEEDED, RemoteRefundStatus.SUCCEEDED),
        ("pending", RemoteRefundStatus.PENDING, RemoteRefundStatus.SUCCEEDED),
        ("fail", RemoteRefundStatus.SUCCEEDED, RemoteRefundStatus.FAILED),
        ("refuse", RemoteRefundStatus.FAILED, RemoteRefundStatus.FAILED),
    ],
)
def test_refund_follows_its_current_state_at_stripe(adapter, sandbox, paid, mode, at_once, later):
    sandbox.post("settings", refunds=mode)
    made = adapter.refund(build_refund_request(paid, Money(100, "USD")))
    assert adapter.read(paid.object_id).refunds[0].status is at_once

    sandbox.run_jobs()

    assert adapter.read_refund(made.refund_id, currency="USD").status is later
    assert adapter.refund(build_refund_request(paid, Money(100, "USD"))).status is later
    assert adapter.read(paid.object_id).refunds[0].status is later


def test_dashboard_refund_has_no_reference(adapter, sandbox, paid):
    sandbox.post("stripe/refund", payment_intent=paid.object_id, amount=700, reason="duplicate")

    (refund,) = adapter.read(paid.object_id).refunds

    assert (refund.amount, refund.reference, refund.reason) == (Money(700, "USD"), "", "duplicate")


def test_many_refunds_are_all_read(adapter, paid):
    for number in range(23):
        adapter.refund(build_refund_request(paid, Money(10, "USD"), f"refund-{number}", f"ref-{number}"))

    assert {one.reference for one in adapter.read(paid.object_id).refunds} == {f"ref-{n}" for n in range(23)}


def test_refund_of_a_disputed_charge_is_refused(adapter, sandbox, paid):
    sandbox.post("stripe/dispute", payment_intent=paid.object_id)

    with pytest.raises(Refused, match="charge_disputed"):
        adapter.refund(build_refund_request(paid, Money(1, "USD")))


# ---- disputes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["won", "lost"])
def test_dispute_is_reported_with_its_outcome(adapter, sandbox, paid, verdict):
    opened = sandbox.post("stripe/dispute", payment_intent=paid.object_id, reason="product_not_received")
    (dispute,) = adapter.read(paid.object_id).disputes
    assert (dispute.dispute_id, dispute.amount) == (opened["id"], USD)
    assert (dispute.status, dispute.reason) == (RemoteDisputeStatus.OPEN, "product_not_received")

    sandbox.post("stripe/close_dispute", dispute=dispute.dispute_id, outcome=verdict)

    assert adapter.read(paid.object_id).disputes[0].status is RemoteDisputeStatus(verdict)


def test_inquiry_is_an_open_dispute_until_closed(adapter, sandbox, paid):
    opened = sandbox.post("stripe/dispute", payment_intent=paid.object_id, reason="inquiry")
    assert adapter.read(paid.object_id).disputes[0].status is RemoteDisputeStatus.OPEN

    sandbox.post("stripe/close_dispute", dispute=opened["id"])

    assert adapter.read(paid.object_id).disputes[0].status is RemoteDisputeStatus.WON


def test_hosted_payment_shows_its_dispute(adapter, sandbox):
    made = adapter.create_hosted(build_create_request())
    pay(sandbox, made)
    sandbox.post("stripe/dispute", payment_intent=adapter.read(made.object_id).related_ids[0])

    assert [one.amount for one in adapter.read(made.object_id).disputes] == [USD]


# ---- listing -----------------------------------------------------------------------------------------------------


def test_listing_equals_reading_one_by_one(adapter, sandbox):
    paid = adapter.create(build_create_request("a", method_id="pm_card_visa"))
    adapter.refund(build_refund_request(paid, Money(5, "USD")))
    sandbox.post(
        "stripe/dispute",
        payment_intent=adapter.create(build_create_request("b", method_id="pm_card_visa")).object_id,
    )
    adapter.create(build_create_request("c"))
    pay(sandbox, adapter.create_hosted(build_create_request("d")))
    adapter.create_hosted(build_create_request("e"))

    listed = list(adapter.list_payments(*last_hour()))

    assert len(listed) == 5
    for remote in listed:
        alone = adapter.read(remote.object_id)
        assert (remote.status, remote.captures, remote.refunds) == (
            alone.status,
            alone.captures,
            alone.refunds,
        )
        assert (remote.disputes, remote.related_ids) == (alone.disputes, alone.related_ids)
        assert remote.action is None


def test_listing_reads_all_pages_and_has_each_payment_once(adapter, sandbox):
    for _ in range(105):
        sandbox.raw(
            "POST", "/v1/payment_intents", "amount=100&currency=usd", Authorization="Bearer sk_test_x"
        )

    listed = [remote.object_id for remote in adapter.list_payments(*last_hour())]

    assert len(listed) == len(set(listed)) == 105


def test_listing_is_limited_to_its_period_and_has_a_hosted_payment_once(adapter, sandbox):
    hosted = adapter.create_hosted(build_create_request("old"))
    sandbox.post("clock", advance=7200)
    pay(sandbox, hosted)
    late = adapter.create(build_create_request("late"))
    now = datetime.now(UTC)

    listed = list(adapter.list_payments(now + timedelta(hours=1), now + timedelta(hours=3)))

    (intent_id,) = adapter.read(hosted.object_id).related_ids
    assert {one.object_id: one.related_ids for one in listed} == {
        late.object_id: (),
        intent_id: (hosted.object_id,),
    }
    both = adapter.list_payments(now - timedelta(hours=1), now + timedelta(hours=3))
    assert {one.object_id for one in both} == {late.object_id, hosted.object_id}
