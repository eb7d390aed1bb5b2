"""Rejected PayPal requests, transaction search, and the approval page without a browser."""

import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.tests.paypal_client import CANCEL, RETURN, Refused, money, order_body, paid_capture

ORDERS, REPORT = "/v2/checkout/orders", "/v1/reporting/transactions"
UNIT = {"amount": money("1.00")}


def wrong(**change):
    return {"intent": "CAPTURE", "purchase_units": [UNIT]} | change


@pytest.mark.parametrize(
    ("body", "issue", "field"),
    [
        (wrong(colour="red"), "NOT_SUPPORTED", "/colour"),
        (wrong(intent="AUTHORIZE"), "INVALID_PARAMETER_VALUE", "/intent"),
        (wrong(purchase_units=[]), "INVALID_ARRAY_MIN_ITEMS", "/purchase_units"),
        (wrong(purchase_units=[UNIT, UNIT]), "INVALID_ARRAY_MAX_ITEMS", "/purchase_units"),
        (wrong(purchase_units={}), "INVALID_PARAMETER_SYNTAX", "/purchase_units"),
        (wrong(purchase_units=["x"]), "INVALID_PARAMETER_SYNTAX", "/purchase_units/0"),
        ({"purchase_units": [UNIT]}, "MISSING_REQUIRED_PARAMETER", "/intent"),
        (
            wrong(purchase_units=[{"amount": {"currency_code": "USD", "value": 1.0}}]),
            "INVALID_PARAMETER_SYNTAX",
            "/purchase_units/0/amount/value",
        ),
        (
            wrong(purchase_units=[{"amount": {"currency_code": "USD", "value": "1,00"}}]),
            "INVALID_PARAMETER_SYNTAX",
            "/purchase_units/0/amount/value",
        ),
        (
            wrong(purchase_units=[UNIT | {"custom_id": "x" * 128}]),
            "INVALID_STRING_LENGTH",
            "/purchase_units/0/custom_id",
        ),
        (
            wrong(application_context={"return_url": "javascript:alert(1)"}),
            "INVALID_PARAMETER_SYNTAX",
            "/application_context/return_url",
        ),
    ],
)
def test_unknown_and_invalid_fields_are_rejected(paypal, sandbox, body, issue, field):
    with pytest.raises(Refused) as refused:
        paypal.call("POST", ORDERS, body)

    assert (refused.value.status, refused.value.body["name"]) == (400, "INVALID_REQUEST")
    assert (refused.value.issue, refused.value.body["details"][0]["field"]) == (issue, field)
    assert sandbox.get("journal")["rows"] == []


@pytest.mark.parametrize("body", ["{", "[" * 100_000, "grant_type=x"])
def test_malformed_json_is_rejected(paypal, sandbox, body):
    token = paypal.grant()["access_token"]

    status, _, answer = sandbox.raw(
        "POST", ORDERS, body, Authorization=f"Bearer {token}", Content_Type="application/json"
    )

    assert (status, b"MALFORMED_REQUEST_JSON" in answer) == (400, True)


@pytest.mark.parametrize(
    "path",
    [
        f"{ORDERS}/X",
        "/v2/payments/captures/X",
        "/v2/payments/refunds/X",
        "/v3/vault/setup-tokens/X",
        "/v2/elsewhere",
    ],
)
def test_missing_resources_are_404(paypal, path):
    with pytest.raises(Refused) as refused:
        paypal.get(path)

    assert (refused.value.status, refused.value.body["name"]) == (404, "RESOURCE_NOT_FOUND")
    assert refused.value.headers["paypal-debug-id"] == refused.value.body["debug_id"]


def test_a_too_long_request_id_is_refused(paypal):
    with pytest.raises(Refused) as refused:
        paypal.post(ORDERS, order_body(), key="k" * 109)

    assert refused.value.status == 400


# ---- reconciliation ----------------------------------------------------------------------------------------------


def span(start=-1, end=1):
    now = datetime.now(UTC)
    days = {"start_date": now + timedelta(days=start), "end_date": now + timedelta(days=end)}
    return urllib.parse.urlencode({name: f"{day:%Y-%m-%dT%H:%M:%SZ}" for name, day in days.items()})


def test_transaction_search_lists_balance_changes(paypal, sandbox, approved):
    capture = paid_capture(paypal.capture(approved(custom_id="A-7", invoice_id="INV-7")))["id"]
    refund = paypal.refund(capture, "30.00")["id"]
    sandbox.post("paypal/dispute", capture=capture, amount="20.00")
    [case] = paypal.get("/v1/customer/disputes")["items"]
    sandbox.post("paypal/close_dispute", dispute=case["dispute_id"], outcome="won")
    sandbox.post("paypal/reverse", capture=capture, amount="5.00")
    paypal.capture(approved("review"))

    report = paypal.get(f"{REPORT}?{span()}&fields=transaction_info&page_size=500")

    rows = [row["transaction_info"] for row in report["transaction_details"]]
    reported = {(row["transaction_event_code"], row["transaction_amount"]["value"]) for row in rows}
    assert reported == {
        ("T0006", "99.99"),
        ("T1107", "-30.00"),
        ("T1110", "-20.00"),
        ("T1111", "20.00"),
        ("T1106", "-5.00"),
    }
    paid = next(row for row in rows if row["transaction_id"] == capture)
    assert (paid["custom_field"], paid["invoice_id"], paid["fee_amount"]["value"]) == (
        "A-7",
        "INV-7",
        "-3.98",
    )
    back = next(row for row in rows if row["transaction_id"] == refund)
    assert (back["paypal_reference_id"], back["paypal_reference_id_type"]) == (capture, "TXN")
    pending = paypal.get(f"{REPORT}?{span()}&transaction_status=P&balance_affecting_records_only=N")
    assert pending["total_items"] == 1


def test_transaction_search_is_paginated(paypal, approved):
    for _ in range(3):
        paypal.capture(approved())

    page = paypal.get(f"{REPORT}?{span()}&page_size=2&page=2")

    assert (len(page["transaction_details"]), page["total_items"], page["total_pages"]) == (1, 3, 2)


@pytest.mark.parametrize(
    "query",
    [span(start=-40), span(start=1, end=-1), "start_date=today", f"{span()}&colour=red"],
    ids=["too long", "ends before it starts", "no time", "unknown parameter"],
)
def test_transaction_search_rejects_invalid_queries(paypal, query):
    with pytest.raises(Refused) as refused:
        paypal.get(f"{REPORT}?{query}")

    assert (refused.value.status, refused.value.body["details"][0]["location"]) == (400, "query")


# ---- the page, as a form without scripts -------------------------------------------------------------------------


@pytest.fixture
def press(sandbox):
    return sandbox.form


def test_the_page_shows_shop_and_amount_and_approves(paypal, sandbox, press):
    order = paypal.order(description="Two <b>bowls</b>")
    target = f"/checkoutnow?token={order['id']}"

    status, _, page = press(target)
    gone, address, _ = press(target, buyer="pays", action="approve")

    assert status == 200
    assert "Artisans Alley" in page
    assert "Pay 99.99 USD" in page
    assert "Two &lt;b&gt;bowls&lt;/b&gt;" in page
    assert (gone, address) == (303, f"{RETURN}&token={order['id']}&PayerID=PAYS2SANDBX22")
    assert press(target)[1] == address
    assert [row["actor"] for row in sandbox.journal("order.approved")] == ["browser"]


def test_the_page_cancels_without_any_effect(paypal, sandbox, press):
    order = paypal.order()

    status, address, _ = press(f"/checkoutnow?token={order['id']}", action="cancel")

    assert (status, address) == (303, f"{CANCEL}?token={order['id']}")
    assert paypal.get(f"{ORDERS}/{order['id']}")["status"] == "PAYER_ACTION_REQUIRED"
    assert len(sandbox.journal("order.cancelled")) == 1


def test_after_a_declined_card_the_page_offers_another(paypal, press, approved):
    order = approved("declined")
    target = f"/checkoutnow?token={order}"
    assert press(target)[0] == 303
    with pytest.raises(Refused):
        paypal.capture(order)

    _, _, page = press(target)
    press(target, action="approve", instrument="bank")

    assert "Dana, your card was declined." in page
    assert "Bank account" in page
    assert paypal.capture(order)["payer"]["name"]["given_name"] == "Dana"


def test_without_return_urls_the_page_shows_the_result(paypal, press):
    body = order_body()
    del body["payment_source"]
    order = paypal.post(ORDERS, body)["id"]

    status, _, page = press(f"/checkoutnow?token={order}", action="approve", buyer="pays")

    assert (status, "You have approved the payment." in page) == (200, True)


def test_an_unknown_page_is_404(press):
    assert press("/checkoutnow?token=X")[0] == 404
    assert press("/agreements/approve")[0] == 404
