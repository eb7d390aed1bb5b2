"""What Stripe refuses, and what changes without the shop's doing, so that a shop cannot rely on a kind sandbox."""

import time
from typing import Any

import pytest

from sandbox.tests.client import BACK, PUBLIC, SDK, Receiver, client
from sandbox.tests.test_sessions import PARAMS

MINUTE = 60
INTENT = {"amount": 1000, "currency": "usd"}


@pytest.fixture
def customer(stripe_api):
    return stripe_api.v1.customers.create({"email": "sam@shop.test"})


@pytest.fixture
def gone(stripe_api, sandbox, customer):
    sandbox.post("stripe/delete_customer", customer=customer.id)
    return customer.id


def paid(api, **more):
    params = INTENT | {"payment_method": "pm_card_visa", "confirm": True, "return_url": BACK} | more
    return api.v1.payment_intents.create(params)


def code_of(error: Any) -> str:
    return str(error.json_body["error"]["code"])


def refusal(call, *arguments, kind=SDK.InvalidRequestError):
    with pytest.raises(kind) as refused:
        call(*arguments)
    return refused.value


# ---- deleted customers ----------------------------------------------------------------------------------------------


def test_a_deleted_customer_can_be_retrieved_and_is_not_listed(stripe_api, gone):
    assert stripe_api.v1.customers.retrieve(gone).to_dict() == {
        "id": gone,
        "object": "customer",
        "deleted": True,
    }
    assert stripe_api.v1.customers.list().data == []


def test_a_deleted_customer_is_refused_everywhere(stripe_api, gone):
    api = stripe_api.v1
    calls = [
        (api.payment_intents.create, INTENT | {"customer": gone}),
        (api.setup_intents.create, {"customer": gone}),
        (api.checkout.sessions.create, {k: v for k, v in PARAMS.items() if k != "customer_email"} | {"customer": gone}),
        (api.customers.update, gone, {"email": "pat@shop.test"}),
        (api.customers.delete, gone),
        (api.customers.payment_methods.list, gone),
        (api.payment_methods.attach, "pm_card_visa", {"customer": gone}),
    ]  # fmt: skip
    for call, *arguments in calls:
        error = refusal(call, *arguments)
        assert (error.code, error.user_message) == ("resource_missing", f"No such customer: '{gone}'")


def test_an_intent_of_a_customer_deleted_since_cannot_be_confirmed(stripe_api, sandbox, customer):
    intent = stripe_api.v1.payment_intents.create(INTENT | {"customer": customer.id})
    sandbox.post("stripe/delete_customer", customer=customer.id)

    params = {"payment_method": "pm_card_visa", "return_url": BACK}
    error = refusal(stripe_api.v1.payment_intents.confirm, intent.id, params)

    assert (error.code, error.param) == ("resource_missing", "customer")


def test_deleting_a_customer_sends_an_event_and_detaches_cards(stripe_api, sandbox, customer):
    method = stripe_api.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})

    sandbox.post("stripe/delete_customer", customer=customer.id)

    [event] = stripe_api.v1.events.list({"type": "customer.deleted"}).data
    assert event.data.object.id == customer.id
    assert "previously used" in str(refusal(lambda: paid(stripe_api, payment_method=method.id)))


# ---- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(30 * MINUTE - 2, "at least 30 minutes"), (24 * 60 * MINUTE + 5, "less than 24 hours")],
)
def test_a_session_expires_within_30_minutes_to_24_hours(stripe_api, seconds, wanted):
    params = PARAMS | {"expires_at": int(time.time()) + seconds}
    error = refusal(stripe_api.v1.checkout.sessions.create, params)
    assert error.param == "expires_at"
    assert wanted in error.user_message


def test_a_session_may_expire_at_either_limit(stripe_api):
    for seconds in (30 * MINUTE + 2, 24 * 60 * MINUTE - 1):
        assert stripe_api.v1.checkout.sessions.create(PARAMS | {"expires_at": int(time.time()) + seconds}).url


def test_product_names_are_at_most_250_characters(stripe_api):
    price = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "x" * 251}}
    params = PARAMS | {"line_items": [{"price_data": price, "quantity": 1}]}
    error = refusal(stripe_api.v1.checkout.sessions.create, params)
    assert error.param == "line_items[0][price_data][product_data][name]"
    assert error.user_message.endswith("must be at most 250 characters")


@pytest.mark.parametrize("name", ["statement_descriptor", "statement_descriptor_suffix"])
@pytest.mark.parametrize("text", ["ALLEY* 1", 'ALLEY "1"', "ALLEY <1>", "12345", "ALLEY\\1"])
def test_illegal_statement_descriptors(stripe_api, name, text):
    error = refusal(stripe_api.v1.payment_intents.create, INTENT | {name: text})
    assert (error.code, error.param) == ("invalid_statement_descriptor", name)


# ---- API versions ---------------------------------------------------------------------------------------------------


def test_an_api_version_that_does_not_exist_is_refused(stripe_api):
    error = refusal(lambda: stripe_api.v1.balance.retrieve({}, {"stripe_version": "2019-2-19"}))
    assert (error.http_status, error.user_message) == (400, "Invalid Stripe API version: 2019-2-19")


def test_events_have_the_version_of_their_endpoint(stripe_api, sandbox):
    with Receiver() as now, Receiver() as old:
        sandbox.post("stripe/endpoint", url=now.url, secret=now.secret)
        sandbox.post("stripe/endpoint", url=old.url, secret=old.secret, api_version="2020-03-02")
        sandbox.post("webhooks", mode="hold")
        intent = paid(stripe_api)
        sandbox.post("webhooks/send")

    def succeeded(shop):
        return next(event for event in shop.events if event["type"] == "payment_intent.succeeded")

    assert (succeeded(now)["api_version"], succeeded(old)["api_version"]) == (
        "2026-10-28.endive",
        "2020-03-02",
    )
    [charge] = succeeded(old)["data"]["object"]["charges"]["data"]
    assert charge["payment_intent"] == intent.id
    assert charge["refunds"]["data"] == []
    assert "charges" not in succeeded(now)["data"]["object"]


def test_an_endpoint_cannot_have_an_unknown_version(stripe_api):
    params = {"url": BACK, "enabled_events": ["*"], "api_version": "2020-13-01"}
    assert "Invalid Stripe API version" in str(refusal(stripe_api.v1.webhook_endpoints.create, params))


# ---- Adaptive Pricing -----------------------------------------------------------------------------------------------


def test_the_buyer_may_see_another_currency(stripe_api, sandbox):
    sandbox.post("stripe/settings", presentment={"currency": "eur", "rate": "0.9"})
    session = stripe_api.v1.checkout.sessions.create(PARAMS)

    intent = sandbox.post("stripe/pay", session=session.id)

    shown = {"presentment_amount": 1800, "presentment_currency": "eur"}
    done = stripe_api.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (done.currency, done.amount_total, done.adaptive_pricing.enabled) == ("usd", 2000, True)
    assert (intent["currency"], intent["amount"]) == ("usd", 2000)
    for shows in (done, done.payment_intent, done.payment_intent.latest_charge):
        assert shows.presentment_details.to_dict() == shown


def test_older_versions_show_a_session_in_the_buyers_currency(stripe_api, sandbox):
    sandbox.post("stripe/settings", presentment={"currency": "eur", "rate": "0.9"})
    session = stripe_api.v1.checkout.sessions.create(PARAMS)
    sandbox.post("stripe/pay", session=session.id)

    old = stripe_api.v1.checkout.sessions.retrieve(session.id, {}, {"stripe_version": "2024-06-20"})

    assert (old.currency, old.amount_total) == ("eur", 1800)
    assert old.currency_conversion.to_dict()["source_currency"] == "usd"


# ---- without the shop's doing ---------------------------------------------------------------------------------------


def test_the_card_network_updates_a_saved_card(stripe_api, sandbox, customer):
    method = stripe_api.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})

    sandbox.post("stripe/update_card", payment_method=method.id, exp_month=1, exp_year=2040, last4="4321")

    card = stripe_api.v1.payment_methods.retrieve(method.id).card
    assert (card.exp_month, card.exp_year, card.last4) == (1, 2040, "4321")
    [event] = stripe_api.v1.events.list({"type": "payment_method.automatically_updated"}).data
    assert event.data.previous_attributes.card.last4 == "4242"


def test_search_lags_behind(stripe_api, sandbox):
    sandbox.post("stripe/settings", search_seconds=60)
    stripe_api.v1.payment_intents.create(INTENT | {"metadata": {"order": "7"}})

    def found():
        return len(stripe_api.v1.payment_intents.search({"query": "metadata['order']:'7'"}).data)

    assert found() == 0
    sandbox.post("clock", advance=61)
    assert found() == 1


@pytest.mark.parametrize(
    ("status", "lost", "sent"),
    [
        ("warning_under_review", 0, ["updated"]),
        ("warning_closed", 0, ["closed"]),
        ("prevented", 0, ["closed"]),
        ("needs_response", 1000, ["funds_withdrawn", "updated"]),
        ("under_review", 1000, ["funds_withdrawn", "updated"]),
        ("lost", 1000, ["funds_withdrawn", "closed"]),
        ("won", 0, ["closed"]),
    ],
)
def test_an_inquiry_can_get_any_status(stripe_api, sandbox, status, lost, sent):
    intent = paid(stripe_api)
    dispute = sandbox.post("stripe/dispute", payment_intent=intent.id, reason="inquiry")

    sandbox.post("stripe/update_dispute", dispute=dispute["id"], status=status)

    assert stripe_api.v1.disputes.retrieve(dispute["id"]).status == status
    assert sandbox.get("journal/totals")["disputed"].get("usd", 0) == lost
    types = [event.type for event in stripe_api.v1.events.list({"types": ["charge.dispute.*"]}).data][::-1]
    assert types == [f"charge.dispute.{name}" for name in ("created", *sent)]


def test_a_lost_dispute_may_be_reviewed_again_and_won(stripe_api, sandbox):
    dispute = sandbox.post("stripe/dispute", payment_intent=paid(stripe_api).id)
    for status, lost in (("lost", 1000), ("under_review", 1000), ("won", 0)):
        sandbox.post("stripe/update_dispute", dispute=dispute["id"], status=status)
        assert sandbox.get("journal/totals")["disputed"]["usd"] == lost


# ---- refunds, locks, rates ------------------------------------------------------------------------------------------


def test_a_refund_that_the_balance_cannot_cover_is_refused(stripe_api, sandbox):
    sandbox.post("settings", refunds="insufficient_balance")
    error = refusal(stripe_api.v1.refunds.create, {"payment_intent": paid(stripe_api).id})
    assert error.code == "balance_insufficient"
    assert sandbox.journal("refund.created") == []


def test_a_refund_that_waits_for_the_balance_fails(stripe_api, sandbox):
    sandbox.post("settings", refunds="pending_balance")
    refund = stripe_api.v1.refunds.create({"payment_intent": paid(stripe_api).id})
    assert (refund.status, refund.pending_reason) == ("pending", "insufficient_funds")

    sandbox.run_jobs()

    done = stripe_api.v1.refunds.retrieve(refund.id)
    assert (done.status, done.failure_reason) == ("failed", "insufficient_funds")


def test_an_unknown_refund_setting_is_refused(sandbox):
    with pytest.raises(Exception, match="400"):
        sandbox.post("settings", refunds="perhaps")


def test_an_object_in_use_is_locked(stripe_api, sandbox):
    sandbox.fault("locked", path="/v1/payment_intents")
    error = refusal(
        stripe_api.v1.payment_intents.create, INTENT, {"idempotency_key": "k"}, kind=SDK.RateLimitError
    )
    assert (error.http_status, code_of(error)) == (429, "lock_timeout")
    assert stripe_api.v1.payment_intents.create(INTENT, {"idempotency_key": "k"}).id


def test_requests_per_second_are_limited(stripe_api, sandbox):
    sandbox.post("settings", requests_per_second=2)
    api = client(sandbox.url)
    with pytest.raises(SDK.RateLimitError) as refused:
        for _ in range(200):
            api.v1.payment_intents.list({"limit": 1})
    assert code_of(refused.value) == "rate_limit"


# ---- what a person sees ---------------------------------------------------------------------------------------------


def test_refused_requests_are_listed_with_their_reason(stripe_api, sandbox, gone):
    refusal(stripe_api.v1.payment_intents.create, INTENT | {"customer": gone})
    sandbox.fault("forbidden", path="/v1/disputes")
    refusal(stripe_api.v1.disputes.list, kind=SDK.PermissionError)

    missing, forbidden = [row for row in sandbox.get("requests")["rows"] if row["reason"]]

    assert (missing["provider"], missing["status"], missing["fault"]) == ("stripe", 400, None)
    assert missing["reason"] == f"resource_missing: No such customer: '{gone}'"
    assert forbidden["status"] == 403
    assert forbidden["fault"].startswith("fault_")
    page = sandbox.form("/_sandbox/")[2]
    assert f"No such customer: &#x27;{gone}&#x27;" in page
    assert "Injected by fault_" in page


def test_the_console_says_when_nothing_was_refused(stripe_api, sandbox):
    stripe_api.v1.payment_intents.create(INTENT)
    assert "No request was refused." in sandbox.form("/_sandbox/")[2]


def test_a_browser_is_not_rate_limited(stripe_api, sandbox):
    secret = stripe_api.v1.payment_intents.create(INTENT).client_secret
    sandbox.post("settings", requests_per_second=0)
    path = f"/v1/payment_intents/{secret.split('_secret_')[0]}"
    assert sandbox.browser("GET", path, client_secret=secret, key=PUBLIC)[0] == 200
