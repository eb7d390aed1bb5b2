"""Saved wallets: saved with an order or separately, and payments with them."""

import pytest

from sandbox.tests.client import wait_until
from sandbox.tests.paypal_client import CANCEL, EXPERIENCE, RETURN, Refused, link, order_body, paid_capture

SETUP, TOKENS, ORDERS = "/v3/vault/setup-tokens", "/v3/vault/payment-tokens", "/v2/checkout/orders"
CONTEXT = {"return_url": RETURN, "cancel_url": CANCEL, "brand_name": "Artisans Alley"}
WALLET = {"usage_type": "MERCHANT", "description": "Faster next time.", "experience_context": CONTEXT}


@pytest.fixture
def setup(paypal):
    def make(customer="customer_7"):
        return paypal.post(SETUP, {"customer": {"id": customer}, "payment_source": {"paypal": WALLET}})

    return make


@pytest.fixture
def wallet(paypal, sandbox, setup):
    """`wallet(buyer)` is a payment token that this buyer has agreed to."""

    def make(buyer="pays", customer="customer_7"):
        token = setup(customer)["id"]
        sandbox.post("paypal/approve", setup_token=token, buyer=buyer)
        return paypal.post(TOKENS, exchange(token))

    return make


def exchange(token):
    return {"payment_source": {"token": {"id": token, "type": "SETUP_TOKEN"}}}


def paid_with(token):
    return order_body() | {
        "payment_source": {"paypal": {"vault_id": token, "experience_context": EXPERIENCE}}
    }


def test_wallet_is_saved_after_the_buyer_agrees(paypal, sandbox, paypal_shop, setup):
    token = setup()
    assert (token["status"], token["customer"]["id"]) == ("PAYER_ACTION_REQUIRED", "customer_7")
    assert link(token, "approve") == f"{sandbox.url}/agreements/approve?approval_session_id={token['id']}"
    with pytest.raises(Refused) as refused:
        paypal.post(TOKENS, exchange(token["id"]))
    assert (refused.value.status, refused.value.issue) == (422, "PAYER_ACTION_REQUIRED")

    result = sandbox.post("paypal/approve", setup_token=token["id"])
    assert paypal.get(f"{SETUP}/{token['id']}")["status"] == "APPROVED"
    kept = paypal.post(TOKENS, exchange(token["id"]))

    assert f"approval_token_id={token['id']}" in result["redirect_url"]
    assert kept["payment_source"]["paypal"]["email_address"] == "pays@buyers.example"
    assert paypal.get(f"{TOKENS}/{kept['id']}") == kept
    with pytest.raises(Refused) as refused:
        paypal.post(TOKENS, exchange(token["id"]))
    assert refused.value.issue == "SETUP_TOKEN_ALREADY_TOKENIZED"
    wait_until(lambda: paypal_shop.types() == ["VAULT.PAYMENT-TOKEN.CREATED"])
    assert paypal_shop.events[0]["resource"]["id"] == kept["id"]


def test_wallets_are_listed_by_customer_and_deleted(paypal, sandbox, paypal_shop, wallet):
    mine, second, other = wallet(), wallet(), wallet(customer="customer_8")

    listed = paypal.get(f"{TOKENS}?customer_id=customer_7&page_size=1&page=2&total_required=true")
    status, _ = paypal.call("DELETE", f"{TOKENS}/{mine['id']}")

    assert [row["id"] for row in listed["payment_tokens"]] == [second["id"]]
    assert (listed["total_items"], listed["total_pages"]) == (2, 2)
    assert status == 204
    assert [row["id"] for row in paypal.get(f"{TOKENS}?customer_id=customer_7")["payment_tokens"]] == [
        second["id"]
    ]
    with pytest.raises(Refused) as refused:
        paypal.get(f"{TOKENS}/{mine['id']}")
    assert refused.value.status == 404
    assert paypal.call("DELETE", f"{TOKENS}/{mine['id']}")[0] == 204
    sandbox.post("paypal/delete_token", payment_token=other["id"])
    wait_until(lambda: paypal_shop.types().count("VAULT.PAYMENT-TOKEN.DELETED") == 2)
    assert [row["actor"] for row in sandbox.journal("vault.token_deleted")] == ["api", "dashboard"]


def test_saved_wallet_pays_without_the_buyer(paypal, sandbox, wallet):
    done = paypal.post(ORDERS, paid_with(wallet()["id"]))

    assert (done["status"], paid_capture(done)["status"]) == ("COMPLETED", "COMPLETED")
    assert sandbox.get("journal/totals")["captured"] == {"usd": 9999}


def test_saved_wallet_can_leave_the_capture_to_the_shop(paypal, sandbox, wallet):
    sandbox.post("paypal/settings", vaulted_orders="APPROVED")

    order = paypal.post(ORDERS, paid_with(wallet()["id"]))

    assert order["status"] == "APPROVED"
    assert paypal.capture(order["id"])["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("buyer", "issue"), [("declined", "INSTRUMENT_DECLINED"), (None, "TOKEN_ID_NOT_FOUND")]
)
def test_wallet_that_cannot_pay_creates_no_order(paypal, sandbox, wallet, buyer, issue):
    token = wallet(buyer)["id"] if buyer else "stranger"

    with pytest.raises(Refused) as refused:
        paypal.post(ORDERS, paid_with(token))

    assert (refused.value.status, refused.value.issue) == (422, issue)
    assert sandbox.journal("order.created") == []


def test_wallet_is_saved_with_an_order(paypal, sandbox, paypal_shop):
    attributes = {
        "customer": {"id": "customer_9"},
        "vault": {"store_in_vault": "ON_SUCCESS", "usage_type": "MERCHANT"},
    }
    source = {"experience_context": EXPERIENCE, "attributes": attributes}
    order = paypal.post(ORDERS, order_body() | {"payment_source": {"paypal": source}})["id"]
    sandbox.post("paypal/approve", order=order)

    vaulted = paypal.capture(order)["payment_source"]["paypal"]["attributes"]["vault"]

    assert (vaulted["status"], vaulted["customer"]["id"]) == ("VAULTED", "customer_9")
    assert paypal.get(f"{TOKENS}/{vaulted['id']}")["customer"]["id"] == "customer_9"
    wait_until(lambda: "VAULT.PAYMENT-TOKEN.CREATED" in paypal_shop.types())
    event = next(event for event in paypal_shop.events if event["resource_type"] == "payment_token")
    assert event["resource"]["metadata"] == {"order_id": order}
    assert paypal.post(ORDERS, paid_with(vaulted["id"]))["status"] == "COMPLETED"


def test_vault_requires_the_same_body_per_request_id(paypal):
    body = {"payment_source": {"paypal": WALLET}}
    first = paypal.post(SETUP, body, key="k")

    assert paypal.post(SETUP, body, key="k")["id"] == first["id"]
    with pytest.raises(Refused) as refused:
        paypal.post(SETUP, body | {"customer": {"id": "other"}}, key="k")
    assert (refused.value.status, refused.value.issue) == (422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED")
    with pytest.raises(Refused) as refused:
        paypal.call("POST", SETUP, body)
    assert (refused.value.status, refused.value.issue) == (400, "MISSING_REQUIRED_PARAMETER")


def test_a_setup_token_ends_after_three_days(paypal, sandbox, setup):
    token = setup()["id"]

    sandbox.post("jobs/run", kind="paypal.setup_token.deadline")

    with pytest.raises(Refused) as refused:
        paypal.get(f"{SETUP}/{token}")
    assert refused.value.status == 404
