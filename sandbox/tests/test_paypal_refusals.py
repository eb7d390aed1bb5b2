"""What PayPal refuses, and what changes without the shop's doing."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from sandbox.tests.paypal_client import EXPERIENCE, Refused, link, order_body, paid_capture

ADDRESS = {
    "address_line_1": "1 Main St",
    "admin_area_2": "Portland",
    "admin_area_1": "OR",
    "postal_code": "97201",
    "country_code": "US",
}


def shipped(preference="SET_PROVIDED_ADDRESS", **changes):
    address = {name: value for name, value in (ADDRESS | changes).items() if value}
    body = order_body(shipping={"address": address})
    body["payment_source"]["paypal"]["experience_context"] = EXPERIENCE | {"shipping_preference": preference}
    return body


def create(paypal, body):
    return paypal.post("/v2/checkout/orders", body)


@pytest.mark.parametrize(
    ("changes", "status", "issue"),
    [
        ({"country_code": "UK", "admin_area_1": ""}, 400, "INVALID_COUNTRY_CODE"),
        ({"country_code": "XK"}, 400, "INVALID_COUNTRY_CODE"),
        ({"admin_area_2": ""}, 422, "CITY_REQUIRED"),
        ({"postal_code": ""}, 422, "POSTAL_CODE_REQUIRED"),
        ({"admin_area_1": ""}, 422, "SHIPPING_ADDRESS_INVALID"),
        ({"address_line_1": ""}, 422, "SHIPPING_ADDRESS_INVALID"),
    ],
)
def test_an_incomplete_address_is_refused(paypal, changes, status, issue):
    with pytest.raises(Refused) as refused:
        create(paypal, shipped(**changes))
    assert (refused.value.status, refused.value.issue) == (status, issue)


def test_some_countries_have_no_postal_codes_and_states(paypal):
    for country in ("HK", "IE", "AE"):
        assert create(paypal, shipped(country_code=country, postal_code="", admin_area_1=""))["id"]


@pytest.mark.parametrize(
    ("preference", "unit", "status"),
    [
        ("SET_PROVIDED_ADDRESS", {}, "ELIGIBLE"),
        ("NO_SHIPPING", {}, "NOT_ELIGIBLE"),
        ("GET_FROM_FILE", {"shipping": {}}, "NOT_ELIGIBLE"),
    ],
)
def test_seller_protection_depends_on_the_address(sandbox, paypal, preference, unit, status):
    body = shipped(preference)
    body["purchase_units"][0] |= unit
    order = create(paypal, body)
    sandbox.post("paypal/approve", order=order["id"])

    assert paid_capture(paypal.capture(order["id"]))["seller_protection"]["status"] == status


@pytest.mark.parametrize("status", ["PARTIALLY_ELIGIBLE", "NOT_ELIGIBLE"])
def test_seller_protection_can_be_set(sandbox, paypal, approved, status):
    sandbox.post("paypal/settings", seller_protection=status)
    assert paid_capture(paypal.capture(approved()))["seller_protection"]["status"] == status


def test_payer_action_may_be_required_when_the_shop_captures(sandbox, paypal, approved):
    order = approved("confirms")

    with pytest.raises(Refused) as refused:
        paypal.capture(order)

    assert (refused.value.status, refused.value.issue) == (422, "PAYER_ACTION_REQUIRED")
    page = link(refused.value.body, "payer-action").removeprefix(sandbox.url)
    assert "your bank asks you to confirm this payment" in sandbox.form(page)[2]
    sandbox.post("paypal/approve", order=order)
    assert paid_capture(paypal.capture(order))["status"] == "COMPLETED"


def test_a_refund_that_the_balance_cannot_cover_is_refused(sandbox, paypal, approved):
    capture = paid_capture(paypal.capture(approved()))
    sandbox.post("settings", refunds="insufficient_balance")

    with pytest.raises(Refused) as refused:
        paypal.refund(capture["id"])

    assert refused.value.issue == "REFUND_FAILED_INSUFFICIENT_FUNDS"


def test_disputes_pass_all_published_stages(sandbox, paypal, approved):
    capture = paid_capture(paypal.capture(approved()))
    dispute = sandbox.post("paypal/dispute", capture=capture["id"], stage="INQUIRY")["dispute_id"]
    assert sandbox.journal("dispute.withdrawn") == []

    for stage in ("CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION"):
        sandbox.post("paypal/update_dispute", dispute=dispute, stage=stage)
        assert paypal.get(f"/v1/customer/disputes/{dispute}")["dispute_life_cycle_stage"] == stage
        assert len(sandbox.journal("dispute.withdrawn")) == 1

    for status in ("WAITING_FOR_BUYER_RESPONSE", "UNDER_REVIEW", "OTHER"):
        sandbox.post("paypal/update_dispute", dispute=dispute, status=status)
        assert paypal.get(f"/v1/customer/disputes/{dispute}")["status"] == status


def test_an_inquiry_that_is_lost_costs_the_amount(sandbox, paypal, approved):
    capture = paid_capture(paypal.capture(approved()))
    dispute = sandbox.post("paypal/dispute", capture=capture["id"], stage="INQUIRY")["dispute_id"]
    sandbox.post("paypal/close_dispute", dispute=dispute, outcome="lost")
    assert sandbox.get("journal/totals")["disputed"] == {"usd": 9999}


def test_reports_lag_behind(sandbox, paypal, approved):
    sandbox.post("paypal/settings", report_seconds=3 * 3600)

    def report():
        now = datetime.now(UTC) + timedelta(hours=8)
        times = {"start_date": (now - timedelta(days=1)).isoformat(), "end_date": now.isoformat()}
        sandbox.post("paypal/expire_tokens")
        paypal.token = ""
        return paypal.get(f"/v1/reporting/transactions?{urlencode(times)}")["total_items"]

    paypal.capture(approved())
    sandbox.post("clock", advance=3 * 3600 + 60)
    paypal.token = ""
    paypal.capture(approved())
    assert report() == 1
    sandbox.post("clock", advance=3 * 3600 + 60)
    assert report() == 2


def test_an_object_in_use_and_too_many_requests(sandbox, paypal):
    sandbox.fault("locked", path="/v2/checkout/orders")
    with pytest.raises(Refused) as refused:
        paypal.order()
    assert (refused.value.status, refused.value.issue) == (409, "PREVIOUS_REQUEST_IN_PROGRESS")

    sandbox.post("settings", requests_per_second=1)
    with pytest.raises(Refused) as refused:
        for _ in range(200):
            paypal.order()
    assert (refused.value.status, refused.value.body["name"]) == (429, "RATE_LIMIT_REACHED")


def test_refused_requests_are_listed_with_their_reason(sandbox, paypal):
    sandbox.fault("forbidden", path="/v1/customer/disputes")
    with pytest.raises(Refused):
        paypal.get("/v1/customer/disputes")
    sandbox.post("paypal/settings", client="shop:other")
    with pytest.raises(Refused):
        paypal.grant()

    first, second = [row for row in sandbox.get("requests")["rows"] if row["reason"]]

    assert (first["status"], first["reason"].split(":")[0]) == (403, "PERMISSION_DENIED")
    assert (second["status"], second["reason"]) == (401, "Client Authentication failed")


def test_webhooks_can_be_retried_as_published(sandbox, paypal_shop, paypal):
    sandbox.post("webhooks", retry_seconds="published")
    paypal_shop.responses += [500]
    sandbox.post("webhooks", mode="hold")
    order = paypal.order()["id"]
    sandbox.post("paypal/approve", order=order)
    sandbox.post("webhooks/send")
    [delivery] = sandbox.get("webhooks")["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
