"""Keys, parameters, lists and expansion, whatever the resource."""

import base64

import pytest

from sandbox.tests.client import BACK, SDK, client


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 1000, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        (
            {"amount": 1000, "currency": "usd", "shipping": {"name": "A", "x": 1}},
            "parameter_unknown",
            "shipping[x]",
        ),
        ({"amount": 1000}, "parameter_missing", "currency"),
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": "ten", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": -1, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": "", "currency": "usd"}, "parameter_invalid_empty", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 10**12, "currency": "usd"}, "amount_too_large", "amount"),
        ({"amount": 1000, "currency": "xxx"}, None, "currency"),
        ({"amount": 1001, "currency": "kwd"}, None, "amount"),
        ({"amount": 1000, "currency": "usd", "metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 40}]"),
        ({"amount": 1000, "currency": "usd", "metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"amount": 1000, "currency": "usd", "capture_method": "manual"}, None, "capture_method"),
        (
            {"amount": 1000, "currency": "usd", "allowed_payment_method_types": ["sofort"]},
            None,
            "allowed_payment_method_types[0]",
        ),
        ({"amount": 1000, "currency": "usd", "customer": "cus_no"}, "resource_missing", "customer"),
        ({"amount": 1000, "currency": "usd", "off_session": True}, None, "off_session"),
    ],
)
def test_wrong_parameters_are_named(stripe_api, sandbox, params, code, param):
    with pytest.raises(SDK.InvalidRequestError) as refused:
        stripe_api.v1.payment_intents.create(params)

    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.request_id.startswith("req_")
    assert sandbox.journal("intent.created") == []


@pytest.mark.parametrize("key", ["sk_live_123456789", "nonsense-key"])
def test_only_test_keys_are_accepted(sandbox, key):
    with pytest.raises(SDK.AuthenticationError) as refused:
        client(sandbox.url, key=key).v1.balance.retrieve()

    assert key not in str(refused.value)


def test_basic_and_missing_authorization(sandbox):
    basic = "Basic " + base64.b64encode(b"sk_test_1:").decode()
    assert sandbox.raw("GET", "/v1/balance", Authorization=basic)[0] == 200
    assert sandbox.raw("GET", "/v1/balance")[0] == 401


def test_unknown_paths_and_objects_are_404(stripe_api, sandbox):
    assert sandbox.raw("GET", "/v1/invoices", Authorization="Bearer sk_test_1")[0] == 404
    for resource in (
        "payment_intents",
        "refunds",
        "charges",
        "customers",
        "events",
        "setup_intents",
        "disputes",
    ):
        with pytest.raises(SDK.InvalidRequestError) as missing:
            getattr(stripe_api.v1, resource).retrieve("no_such")
        assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")


def test_lists_are_paged_newest_first(stripe_api):
    made = [
        stripe_api.v1.payment_intents.create({"amount": 1000 + n, "currency": "usd"}).id for n in range(5)
    ]

    first = stripe_api.v1.payment_intents.list({"limit": 2})
    assert ([row.id for row in first.data], first.has_more) == ([made[4], made[3]], True)
    assert [row.id for row in first.auto_paging_iter()] == made[::-1]
    back = stripe_api.v1.payment_intents.list({"limit": 2, "ending_before": made[1]})
    assert [row.id for row in back.data] == [made[3], made[2]]


def test_lists_filter_by_time(stripe_api, sandbox):
    now = int(sandbox.get("clock")["now"])
    stripe_api.v1.payment_intents.create({"amount": 1000, "currency": "usd"})

    def count(**bounds):
        return len(stripe_api.v1.payment_intents.list({"created": bounds}).data)

    assert (count(gte=now), count(gt=now + 60), count(gte=now - 60, lt=now + 60)) == (1, 0, 1)


def test_expansion_replaces_ids(stripe_api):
    customer = stripe_api.v1.customers.create({"email": "a@shop.test"})
    intent = stripe_api.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "return_url": BACK,
            "expand": ["latest_charge.refunds", "customer", "payment_method"],
        }
    )
    assert intent.customer.email == "a@shop.test"
    assert intent.latest_charge.refunds.data == []

    refund = stripe_api.v1.refunds.create(
        {"payment_intent": intent.id, "expand": ["payment_intent.latest_charge"]}
    )
    assert refund.payment_intent.latest_charge.amount_refunded == 1000
    charges = stripe_api.v1.charges.list({"payment_intent": intent.id, "expand": ["data.refunds"]})
    assert charges.data[0].refunds.data[0].id == refund.id


def test_a_wrong_expansion_has_no_effect(stripe_api, sandbox):
    with pytest.raises(SDK.InvalidRequestError, match="cannot be expanded"):
        stripe_api.v1.payment_intents.create({"amount": 1000, "currency": "usd", "expand": ["shop"]})

    assert sandbox.journal("intent.created") == []


def test_search_finds_by_metadata(stripe_api):
    wanted = stripe_api.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "metadata": {"attempt": "7"}}
    )
    stripe_api.v1.payment_intents.create({"amount": 1000, "currency": "usd", "metadata": {"attempt": "8"}})

    found = stripe_api.v1.payment_intents.search(
        {"query": "metadata['attempt']:'7' AND status:'requires_payment_method'"}
    )

    assert [row.id for row in found.data] == [wanted.id]


def test_only_names_of_this_machine_are_served(sandbox):
    assert sandbox.raw("GET", "/_sandbox/health", Host="evil.example")[0] == 421
