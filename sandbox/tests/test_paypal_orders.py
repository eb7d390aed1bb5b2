"""Orders and captures: approval, capture, and every kind of refusal."""

import pytest

from sandbox.tests.paypal_client import CANCEL, RETURN, Refused, link, money, order_body, paid_capture

ORDERS = "/v2/checkout/orders"


def test_an_order_is_approved_and_captured(paypal, sandbox):
    order = paypal.order(custom_id="A-7", invoice_id="INV-7")
    assert (order["status"], order["intent"]) == ("PAYER_ACTION_REQUIRED", "CAPTURE")
    assert link(order, "payer-action") == f"{sandbox.url}/checkoutnow?token={order['id']}"

    result = sandbox.post("paypal/approve", order=order["id"])
    approved = paypal.get(f"{ORDERS}/{order['id']}")
    done = paypal.capture(order["id"])

    payer = approved["payer"]["payer_id"]
    assert result["redirect_url"] == f"{RETURN}&token={order['id']}&PayerID={payer}"
    assert (approved["status"], link(approved, "capture")) == (
        "APPROVED", f"{sandbox.url}{ORDERS}/{order['id']}/capture",
    )  # fmt: skip
    capture = paid_capture(done)
    assert (done["status"], capture["status"], capture["amount"]) == (
        "COMPLETED",
        "COMPLETED",
        money("99.99"),
    )
    assert (capture["custom_id"], capture["invoice_id"]) == ("A-7", "INV-7")
    shown = paypal.get(f"/v2/payments/captures/{capture['id']}")
    assert shown["supplementary_data"]["related_ids"]["order_id"] == order["id"]
    net = capture["seller_receivable_breakdown"]
    assert (net["paypal_fee"]["value"], net["net_amount"]["value"]) == ("3.98", "96.01")
    assert sandbox.get("journal/totals", provider="paypal")["captured"] == {"usd": 9999}
    assert [row["effect"] for row in sandbox.get("journal")["rows"]] == [
        "order.created", "order.approved", "capture.completed",
    ]  # fmt: skip


def test_without_payment_source_the_order_is_created(paypal, sandbox):
    body = order_body() | {"application_context": {"return_url": RETURN, "cancel_url": CANCEL}}
    del body["payment_source"]

    order = paypal.post(ORDERS, body)
    result = sandbox.post("paypal/cancel", order=order["id"])

    assert (order["status"], link(order, "approve")) == (
        "CREATED", f"{sandbox.url}/checkoutnow?token={order['id']}",
    )  # fmt: skip
    assert result["redirect_url"] == f"{CANCEL}?token={order['id']}"
    assert paypal.get(f"{ORDERS}/{order['id']}")["status"] == "CREATED"


def test_the_short_answer_has_id_status_and_links(paypal):
    status, short = paypal.call("POST", ORDERS, order_body(), PayPal_Request_Id="k")

    assert status == 201
    assert set(short) == {"id", "status", "links", "payment_source"}


@pytest.mark.parametrize(
    ("change", "issue"),
    [
        ({"amount": money("99.99", "XYZ")}, "INVALID_CURRENCY_CODE"),
        ({"amount": money("99.999")}, "DECIMAL_PRECISION"),
        ({"amount": money("100.00", "JPY")}, "DECIMALS_NOT_SUPPORTED"),
        ({"amount": money("0.00")}, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        ({"amount": money("-5.00")}, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        ({"amount": money("1000000000000000.00")}, "MAX_VALUE_EXCEEDED"),
        ({"amount": money("99.99") | {"breakdown": {"item_total": money("99.98")}}}, "AMOUNT_MISMATCH"),
        (
            {"amount": money("99.99") | {"breakdown": {"item_total": money("99.99", "EUR")}}},
            "MULTI_CURRENCY_ORDER",
        ),
        (
            {"items": [{"name": "Vase", "quantity": "1", "unit_amount": money("99.99")}]},
            "ITEM_TOTAL_REQUIRED",
        ),
        ({"payee": {"merchant_id": "2222222222222"}}, "PAYEE_ACCOUNT_INVALID"),
    ],
)
def test_inconsistent_amounts_are_refused(paypal, sandbox, change, issue):
    with pytest.raises(Refused) as refused:
        paypal.order(**change)

    assert (refused.value.status, refused.value.body["name"]) == (422, "UNPROCESSABLE_ENTITY")
    assert refused.value.issue == issue
    assert sandbox.journal("order.created") == []


def breakdown(**parts):
    return {name: money(value) for name, value in parts.items()}


def test_the_breakdown_must_be_right_to_the_cent(paypal):
    items = [
        {"name": "Bowl", "quantity": "3", "unit_amount": money("28.48"), "tax": money("2.85")},
        {"name": "Card", "quantity": "1", "unit_amount": money("0.01")},
    ]
    parts = breakdown(item_total="85.45", tax_total="8.55", shipping="5.99", discount="0.01", handling="0.01")

    order = paypal.order(amount=money("99.99") | {"breakdown": parts}, items=items)

    assert order["purchase_units"][0]["items"] == items
    for name, value, issue in (
        ("tax_total", "8.56", "TAX_TOTAL_MISMATCH"),
        ("item_total", "85.46", "ITEM_TOTAL_MISMATCH"),
    ):
        wrong = parts | {name: money(value), "shipping": money("5.98")}
        with pytest.raises(Refused) as refused:
            paypal.order(amount=money("99.99") | {"breakdown": wrong}, items=items)
        assert refused.value.issue == issue


def test_zero_decimal_currencies_have_no_decimals(paypal, sandbox):
    order = paypal.order("1200", "JPY")
    sandbox.post("paypal/approve", order=order["id"])

    assert paid_capture(paypal.capture(order["id"]))["amount"] == money("1200", "JPY")
    assert sandbox.get("journal/totals")["captured"] == {"jpy": 1200}


def test_an_order_is_not_captured_before_the_buyer_approves(paypal, sandbox):
    order = paypal.order()

    with pytest.raises(Refused) as refused:
        paypal.capture(order["id"])

    assert (refused.value.status, refused.value.issue) == (422, "ORDER_NOT_APPROVED")
    assert sandbox.get("journal/totals")["captured"] == {}


def test_an_order_is_captured_once(paypal, sandbox, approved):
    order = approved()
    paypal.capture(order)

    with pytest.raises(Refused) as refused:
        paypal.capture(order)

    assert refused.value.issue == "ORDER_ALREADY_CAPTURED"
    assert sandbox.get("journal/totals")["captured"] == {"usd": 9999}


def test_declined_card_returns_to_the_page(paypal, sandbox, approved):
    order = approved("declined")
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            paypal.capture(order)
        assert refused.value.issue == "INSTRUMENT_DECLINED"
        assert link(refused.value.body, "redirect") == f"{sandbox.url}/checkoutnow?token={order}"
    assert sandbox.get("journal/totals")["captured"] == {}

    sandbox.post("paypal/approve", order=order)

    assert paid_capture(paypal.capture(order))["status"] == "COMPLETED"


def test_too_many_attempts_end_the_order(paypal, approved):
    order = approved("declined")
    issues = []
    for _ in range(11):
        with pytest.raises(Refused) as refused:
            paypal.capture(order)
        issues.append(refused.value.issue)

    assert issues == ["INSTRUMENT_DECLINED"] * 10 + ["MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED"]


@pytest.mark.parametrize(
    ("buyer", "end"), [("review", "COMPLETED"), ("denied", "DECLINED"), ("echeck", "COMPLETED")]
)
def test_a_pending_capture_ends_later(paypal, sandbox, approved, buyer, end):
    done = paypal.capture(approved(buyer))
    capture = paid_capture(done)
    assert (done["status"], capture["status"]) == ("COMPLETED", "PENDING")
    assert capture["status_details"]["reason"] == ("ECHECK" if buyer == "echeck" else "PENDING_REVIEW")
    assert sandbox.get("journal/totals")["captured"] == {}

    sandbox.run_jobs()

    assert paypal.get(f"/v2/payments/captures/{capture['id']}")["status"] == end
    assert sandbox.get("journal/totals")["captured"] == ({"usd": 9999} if end == "COMPLETED" else {})


def test_a_completed_order_can_hold_a_declined_capture(paypal, sandbox, approved):
    done = paypal.capture(approved("refused"))

    assert (done["status"], paid_capture(done)["status"]) == ("COMPLETED", "DECLINED")
    assert sandbox.get("journal/totals")["captured"] == {}


def test_an_invoice_is_paid_once(paypal, sandbox):
    orders = [paypal.order(invoice_id="INV-1")["id"] for _ in range(2)]
    for order in orders:
        sandbox.post("paypal/approve", order=order)
    paypal.capture(orders[0])

    with pytest.raises(Refused) as refused:
        paypal.capture(orders[1])

    assert refused.value.issue == "DUPLICATE_INVOICE_ID"


def test_an_order_is_changed_before_it_is_captured(paypal, approved):
    order = approved()
    unit = "/purchase_units/@reference_id=='default'/"
    changes = [
        {"op": "add", "path": f"{unit}invoice_id", "value": "INV-9"},
        {"op": "replace", "path": f"{unit}amount", "value": money("90.00")},
    ]

    status, _ = paypal.call("PATCH", f"{ORDERS}/{order}", changes)

    assert status == 204
    assert paid_capture(paypal.capture(order))["amount"] == money("90.00")
    with pytest.raises(Refused) as refused:
        paypal.call("PATCH", f"{ORDERS}/{order}", changes)
    assert refused.value.issue == "ORDER_ALREADY_COMPLETED"


@pytest.mark.parametrize(
    ("path", "value", "issue"),
    [
        ("/purchase_units/@reference_id=='default'/amount", money("100.00"), "AMOUNT_CHANGE_NOT_ALLOWED"),
        ("/purchase_units/@reference_id=='default'/payee", "x", "INVALID_JSON_POINTER_FORMAT"),
        ("/intent", "CAPTURE", "INVALID_JSON_POINTER_FORMAT"),
    ],
)
def test_approved_fields_cannot_be_changed(paypal, approved, path, value, issue):
    order = approved()

    with pytest.raises(Refused) as refused:
        paypal.call("PATCH", f"{ORDERS}/{order}", [{"op": "replace", "path": path, "value": value}])

    assert refused.value.issue == issue


def test_order_is_deleted_or_voided_after_three_hours(paypal, sandbox, approved):
    forgotten, late, paid = paypal.order()["id"], approved(), approved()
    paypal.capture(paid)

    sandbox.post("clock", advance=3 * 3600 + 1)
    sandbox.post("jobs/run", kind="paypal.order.deadline")

    with pytest.raises(Refused) as refused:
        paypal.get(f"{ORDERS}/{forgotten}")
    assert (refused.value.status, refused.value.body["name"]) == (404, "RESOURCE_NOT_FOUND")
    assert paypal.get(f"{ORDERS}/{late}")["status"] == "VOIDED"
    assert paypal.get(f"{ORDERS}/{paid}")["status"] == "COMPLETED"
    with pytest.raises(Refused) as refused:
        paypal.capture(late)
    assert refused.value.issue == "ORDER_COMPLETED_OR_VOIDED"


def test_any_business_error_can_be_injected(paypal, sandbox, approved):
    order = approved()
    sandbox.post("paypal/force_error", call="capture", issue="PAYEE_ACCOUNT_RESTRICTED")

    with pytest.raises(Refused) as refused:
        paypal.capture(order)

    assert (refused.value.status, refused.value.issue) == (422, "PAYEE_ACCOUNT_RESTRICTED")
    assert paypal.capture(order)["status"] == "COMPLETED"
