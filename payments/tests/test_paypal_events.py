"""Parsing PayPal's webhook events as published."""

import json

import pytest

from artisans.core.money import Money
from payments.providers.contract import RemoteDisputeStatus, RemoteRefundStatus, RemoteStatus
from payments.providers.paypal.events import event_of
from payments.tests.paypal_certs import event
from payments.tests.paypal_stub import CAPTURE_ID, ORDER_ID, capture, order, refund

UP = "https://api.sandbox.paypal.com"


def read(kind: str, resource: object, resource_type: str = "capture"):
    return event_of(event(kind, resource=resource, resource_type=resource_type), is_live=False)


def linked(path: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": f"{UP}/x"}, {"rel": "up", "href": UP + path}]


def test_approved_order_event_names_the_order():
    result = read("CHECKOUT.ORDER.APPROVED", order("APPROVED"), "checkout-order")

    assert result.object_ids == (ORDER_ID,)
    assert result.status == RemoteStatus.APPROVED
    assert result.amount == Money(9999, "USD")
    assert result.account == "2BP3WP8PK6566"


def test_withdrawn_approval_names_its_order():
    result = read("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": ORDER_ID}, "checkout-order")

    assert result.object_ids == (ORDER_ID,)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("COMPLETED", RemoteStatus.SUCCEEDED),
        ("PENDING", RemoteStatus.PROCESSING),
        ("DENIED", RemoteStatus.FAILED),
        ("DECLINED", RemoteStatus.FAILED),
        ("REVERSED", None),
        ("REFUNDED", None),
    ],
)
def test_capture_names_its_order_first(kind, status):
    resource = capture(supplementary_data={"related_ids": {"order_id": ORDER_ID}})

    result = read(f"PAYMENT.CAPTURE.{kind}", resource)

    assert result.object_ids == (ORDER_ID, CAPTURE_ID)
    assert (result.capture_id, result.status, result.amount) == (CAPTURE_ID, status, Money(9999, "USD"))


def test_capture_names_its_order_by_a_link():
    result = read("PAYMENT.CAPTURE.COMPLETED", capture(links=linked(f"/v2/checkout/orders/{ORDER_ID}")))

    assert result.object_ids == (ORDER_ID, CAPTURE_ID)


def test_capture_without_an_order_is_named_by_its_id():
    assert read("PAYMENT.CAPTURE.COMPLETED", capture()).object_ids == (CAPTURE_ID,)


@pytest.mark.parametrize(
    "kind", ["PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED", "PAYMENT.REFUND.FAILED"]
)
def test_refund_names_its_capture_and_no_payment_amount(kind):
    result = read(kind, refund("PENDING", links=linked(f"/v2/payments/captures/{CAPTURE_ID}")), "refund")

    assert result.object_ids == (CAPTURE_ID,)
    assert (result.refund_id, result.refund_status) == ("1JU08902781691411", RemoteRefundStatus.PENDING)
    assert (result.amount, result.status) == (None, None)


def test_dispute_names_its_captures():
    resource = {
        "dispute_id": "PP-D-27803",
        "status": "RESOLVED",
        "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"},
        "dispute_amount": {"currency_code": "USD", "value": "3.00"},
        "disputed_transactions": [
            {"seller_transaction_id": CAPTURE_ID, "seller": {"merchant_id": "RD465XN5VS364"}}
        ],
    }

    result = read("CUSTOMER.DISPUTE.RESOLVED", resource, "dispute")

    assert result.object_ids == (CAPTURE_ID,)
    assert (result.dispute_id, result.dispute_status) == ("PP-D-27803", RemoteDisputeStatus.LOST)
    assert (result.account, result.amount) == ("RD465XN5VS364", None)


def test_saved_wallet_names_the_order_it_was_saved_with():
    resource = {"id": "8kk8451t", "customer": {"id": "cus_1"}, "metadata": {"order_id": ORDER_ID}}

    result = read("VAULT.PAYMENT-TOKEN.CREATED", resource, "payment_token")

    assert (result.method_id, result.object_ids) == ("8kk8451t", (ORDER_ID,))


def test_event_of_another_kind_is_stored_without_a_payment():
    result = read("BILLING.PLAN.CREATED", {"id": "P-1"}, "plan")

    assert (result.kind, result.object_ids) == ("BILLING.PLAN.CREATED", ())


@pytest.mark.parametrize(
    "kind",
    [
        "CHECKOUT.ORDER.APPROVED",
        "PAYMENT.CAPTURE.COMPLETED",
        "CUSTOMER.DISPUTE.CREATED",
        "VAULT.PAYMENT-TOKEN.CREATED",
    ],
)
@pytest.mark.parametrize(
    "resource",
    [
        None,
        [],
        "text",
        {},
        {
            "id": 7,
            "amount": [],
            "links": "x",
            "status": {},
            "purchase_units": {},
            "disputed_transactions": {"a": 1},
        },
    ],
)
def test_event_with_an_unusual_resource_is_accepted(kind, resource):
    result = read(kind, resource)

    assert result.event_id
    assert result.object_ids == ()


def test_only_fields_that_staff_may_see_are_stored():
    resource = capture(
        payer={"email_address": "mia@private.test", "name": {"given_name": "Mia"}},
        shipping={"address": {"address_line_1": "Secret Street 1"}},
        note_to_payer="for Mia",
        status={"nested": "Mia"},
        invoice_id="x" * 1000,
    )

    payload = read("PAYMENT.CAPTURE.COMPLETED", resource).payload

    assert set(payload["resource"]) == {"id", "amount", "custom_id", "invoice_id"}
    assert len(payload["resource"]["invoice_id"]) == 255
    assert "Mia" not in json.dumps(payload)


def test_times_without_a_zone_are_not_guessed():
    assert event_of(event(create_time="2026-11-26T10:00:00.000Z"), is_live=False).created_at.hour == 10
    assert event_of(event(create_time="2026-11-26T10:00:00"), is_live=False).created_at is None
    assert event_of(event(create_time=None), is_live=False).created_at is None
