"""PayPal-Request-Id and network failures. https://developer.paypal.com/api/rest/reference/idempotency"""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import paypalrestsdk  # type: ignore[import-untyped]  # noqa: TID251 (these tests use the official SDK; the shop has its own adapter)
import pytest

from sandbox.tests.client import wait_until
from sandbox.tests.paypal_client import FULL, PayPal, Refused, order_body, paid_capture

ORDERS = "/v2/checkout/orders"


def ask(paypal, path, body, key):
    return paypal.call("POST", path, body, PayPal_Request_Id=key, **FULL)


def test_same_id_returns_the_latest_state(paypal, sandbox):
    first, order = ask(paypal, ORDERS, order_body(), "k-1")
    sandbox.post("paypal/approve", order=order["id"])

    again, answer = ask(paypal, ORDERS, order_body(), "k-1")

    assert (first, again) == (201, 200)
    assert (answer["id"], order["status"], answer["status"]) == (
        order["id"],
        "PAYER_ACTION_REQUIRED",
        "APPROVED",
    )
    assert len(sandbox.journal("order.created")) == 1


def test_another_body_under_the_same_id_changes_nothing(paypal, sandbox):
    _, order = ask(paypal, ORDERS, order_body("10.00"), "k")

    _, answer = ask(paypal, ORDERS, order_body("20.00"), "k")

    assert (answer["id"], answer["purchase_units"][0]["amount"]["value"]) == (order["id"], "10.00")


def test_without_an_id_each_call_makes_a_new_order(paypal, sandbox):
    body = order_body()
    del body["payment_source"]

    ids = {paypal.call("POST", ORDERS, body)[1]["id"] for _ in range(2)}

    assert len(ids) == len(sandbox.journal("order.created")) == 2


def test_a_payment_source_needs_an_id(paypal):
    with pytest.raises(Refused) as refused:
        paypal.call("POST", ORDERS, order_body())

    assert (refused.value.status, refused.value.issue) == (400, "PAYPAL_REQUEST_ID_REQUIRED")


@pytest.mark.parametrize(("first", "retry", "effects"), [("k", "k", 1), ("k-1", "k-2", 1)])
def test_a_repeated_capture_takes_the_money_once(paypal, sandbox, approved, first, retry, effects):
    order = approved()
    done = paypal.capture(order, key=first)

    if first == retry:
        assert paid_capture(paypal.capture(order, key=retry)) == paid_capture(done)
    else:
        with pytest.raises(Refused) as refused:
            paypal.capture(order, key=retry)
        assert refused.value.issue == "ORDER_ALREADY_CAPTURED"

    assert len(sandbox.journal("capture.completed")) == effects


def test_repeated_refund_is_answered_with_201(paypal, sandbox, approved):
    capture = paid_capture(paypal.capture(approved()))["id"]
    sandbox.post("settings", refunds="pending")
    path = f"/v2/payments/captures/{capture}/refund"
    first, refund = ask(paypal, path, {}, "r")
    sandbox.run_jobs()

    again, answer = ask(paypal, path, {}, "r")

    assert (first, again) == (201, 201)
    assert (answer["id"], refund["status"], answer["status"]) == (refund["id"], "PENDING", "COMPLETED")
    assert sandbox.get("journal/totals")["refunded"] == {"usd": 9999}


def test_second_of_two_concurrent_requests_fails(paypal, sandbox, approved):
    order = approved()
    fault = sandbox.fault("hold_before", path="*/capture")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(paypal.capture, order, "k")
        wait_until(lambda: sandbox.get("faults")["rows"][0]["matched"] == 1)
        with pytest.raises(Refused) as refused:
            paypal.capture(order, key="k")
        sandbox.post(f"faults/{fault}/release")
        done = held.result()

    assert (refused.value.status, refused.value.body["name"]) == (409, "RESOURCE_CONFLICT")
    assert refused.value.issue == "PREVIOUS_REQUEST_IN_PROGRESS"
    assert done["status"] == "COMPLETED"
    assert len(sandbox.journal("capture.completed")) == 1


def test_id_can_be_reused_after_a_refusal(paypal, sandbox, approved):
    order = approved("declined")
    with pytest.raises(Refused):
        paypal.capture(order, key="k")
    sandbox.post("paypal/approve", order=order)

    assert paypal.capture(order, key="k")["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("action", "effects"),
    [
        ("error_before", 0),
        ("error_after", 1),
        ("rate_limit", 0),
        ("unavailable", 0),
        ("drop_before", 0),
        ("drop_after", 1),
        ("truncate", 1),
        ("garbage", 1),
        ("html", 1),
        ("empty", 1),
    ],
)
def test_same_id_captures_once_after_any_fault(paypal, sandbox, approved, action, effects):
    order = approved()
    sandbox.fault(action, path="*/capture")

    with pytest.raises((Refused, HTTPException, OSError, ValueError, TypeError)) as broken:
        paypal.capture(order, key="k")["id"]
    assert len(sandbox.journal("capture.completed")) == effects
    done = paypal.capture(order, key="k")

    assert paid_capture(done)["status"] == "COMPLETED"
    assert len(sandbox.journal("capture.completed")) == 1
    if action == "rate_limit":
        assert (broken.value.status, broken.value.body["name"]) == (429, "RATE_LIMIT_REACHED")
        assert broken.value.headers["retry-after"] == "1"
    if action.startswith("error"):
        assert (broken.value.status, broken.value.body["name"]) == (500, "INTERNAL_SERVER_ERROR")


def test_the_id_is_in_the_journal_and_in_the_list_of_requests(paypal, sandbox, approved):
    paypal.capture(approved(), key="capture-7")

    [row] = sandbox.journal("capture.completed")
    assert (row["provider"], row["actor"], row["idempotency_key"]) == ("paypal", "api", "capture-7")
    assert sandbox.get("requests")["rows"][-1]["idempotency_key"] == "capture-7"


def test_id_expires_after_the_published_time(paypal, sandbox):
    _, first = ask(paypal, ORDERS, order_body(), "k")
    sandbox.post("clock", advance=6 * 3600 + 1)

    status, second = ask(paypal, ORDERS, order_body(), "k")

    assert (status, first["id"] == second["id"]) == (201, False)


# ---- access tokens -----------------------------------------------------------------------------------------------


def test_token_is_valid_for_nine_hours(paypal, sandbox):
    granted = paypal.grant()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 32400)
    paypal.token = granted["access_token"]
    order = paypal.order()["id"]

    sandbox.post("clock", advance=32401)

    with pytest.raises(Refused) as refused:
        paypal.get(f"{ORDERS}/{order}")
    assert (refused.value.status, refused.value.body["error"]) == (401, "invalid_token")


def test_a_short_token_and_one_that_ends_during_a_call(paypal, sandbox, approved):
    sandbox.post("paypal/settings", token_seconds=60)
    assert paypal.grant()["expires_in"] == 60
    order = approved()
    fault = sandbox.fault("hold_before", path="*/capture")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(paypal.capture, order, "k")
        wait_until(lambda: sandbox.get("faults")["rows"][0]["matched"] == 1)
        assert sandbox.post("paypal/expire_tokens")["expired"] >= 1
        sandbox.post(f"faults/{fault}/release")
        with pytest.raises(Refused) as refused:
            held.result()

    assert (refused.value.status, refused.value.body["error"]) == (401, "invalid_token")
    paypal.token = ""
    assert paypal.capture(order, key="k")["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("client", "body", "status", "error"),
    [
        ("shop:wrong", "grant_type=client_credentials", 401, "invalid_client"),
        (":", "grant_type=client_credentials", 401, "invalid_client"),
        ("shop:secret", "grant_type=password", 400, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_get_no_token(paypal, sandbox, client, body, status, error):
    sandbox.post("paypal/settings", client="shop:secret")

    with pytest.raises(Refused) as refused:
        paypal.grant(client, body)

    assert (refused.value.status, refused.value.body["error"]) == (status, error)
    assert paypal.grant()["access_token"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, {"name": "AUTHENTICATION_FAILURE"}),
        ({"Authorization": "Bearer stranger"}, {"error": "invalid_token"}),
    ],
)
def test_request_without_a_valid_token_is_refused(sandbox, header, expected):
    status, _, body = sandbox.raw("GET", f"{ORDERS}/X", **header)

    assert (status, json.loads(body) | expected) == (401, json.loads(body))


def test_official_sdk_captures_and_refunds(sandbox):
    api = paypalrestsdk.Api(mode="sandbox", endpoint=sandbox.url, client_id="shop", client_secret="secret")

    order = api.post("v2/checkout/orders", order_body(), headers={"PayPal-Request-Id": "k-1"})
    sandbox.post("paypal/approve", order=order["id"])
    headers = {"PayPal-Request-Id": "k-2", **FULL}
    capture = paid_capture(api.post(f"v2/checkout/orders/{order['id']}/capture", {}, headers=headers))
    refund = api.post(
        f"v2/payments/captures/{capture['id']}/refund", {}, headers={"PayPal-Request-Id": "k-3"}
    )

    assert (capture["status"], refund["status"]) == ("COMPLETED", "COMPLETED")
    assert PayPal(sandbox.url).get(f"/v2/payments/captures/{capture['id']}")["status"] == "REFUNDED"
