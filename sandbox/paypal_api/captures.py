"""https://developer.paypal.com/docs/api/payments/v2/#captures – the capture of an order."""

from sandbox.http_messages import Json
from sandbox.paypal_api import serializers, vault
from sandbox.paypal_api.account import PAYEE, Account
from sandbox.paypal_api.buyers import Buyer
from sandbox.paypal_api.errors import refused
from sandbox.paypal_api.exchange import receivable
from sandbox.paypal_api.money import fee, money, units_of
from sandbox.paypal_api.routes import Call, Result, Route

SUMMARIES = {
    "COMPLETED": "Payment completed for {}",
    "PENDING": "Payment pending for {}",
    "DENIED": "A {} capture payment was denied",
    "DECLINED": "A {} capture payment was declined",
}


def check_invoice(account: Account, order: Json) -> None:
    """An invoice ID can be paid only once."""
    invoice = order["purchase_units"][0].get("invoice_id")
    paid = [row for row in account.rows("capture") if row["status"] != "DECLINED"]
    if invoice and any(row.get("invoice_id") == invoice for row in paid):
        raise refused("DUPLICATE_INVOICE_ID")


CATEGORIES = {
    "ELIGIBLE": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
    "PARTIALLY_ELIGIBLE": ["UNAUTHORIZED_TRANSACTION"],
}


def protection(account: Account, order: Json) -> Json:
    """Only goods that are sent to the address that PayPal shows are protected."""
    unit = order["purchase_units"][0]
    preference = account.internal(order["id"])["context"].get("shipping_preference", "GET_FROM_FILE")
    is_digital = any(item.get("category") == "DIGITAL_GOODS" for item in unit.get("items", []))
    has_address = "address" in unit.get("shipping", {}) and preference != "NO_SHIPPING"
    by_order = "ELIGIBLE" if has_address and not is_digital else "NOT_ELIGIBLE"
    status = account.settings["seller_protection"] or by_order
    categories = CATEGORIES.get(status)
    return {"status": status} | ({"dispute_categories": categories} if categories else {})


def create_capture(account: Account, order: Json, buyer: Buyer) -> Json:
    """Capture the order's amount with this test buyer's result; the order is COMPLETED in any case."""
    unit = order["purchase_units"][0]
    row: Json = {
        "id": account.new_id(),
        "amount": {name: unit["amount"][name] for name in ("currency_code", "value")},
        "final_capture": True,
        "seller_protection": protection(account, order),
        "supplementary_data": {"related_ids": {"order_id": order["id"]}},
        "payee": PAYEE,
        "create_time": account.stamp(),
    } | {name: unit[name] for name in ("invoice_id", "custom_id") if name in unit}
    if buyer.pending:
        row["status_details"] = {"reason": buyer.pending}
    if buyer.processor:
        row["processor_response"] = dict(buyer.processor)
    account.save("order", order | {"status": "COMPLETED", "update_time": account.stamp()})
    set_status(account, row, "PENDING" if buyer.pending else buyer.outcome)
    if row["status"] != "DECLINED":
        vault.store_with_order(account, order["id"], buyer)
        serialized = serializers.order(account, order["id"])
        account.emit("CHECKOUT.ORDER.COMPLETED", "checkout-order", serialized, "Checkout Order Completed")
    if buyer.pending:
        account.simulator.schedule("paypal.capture", capture=row["id"], status=buyer.outcome)
    elif buyer.disputes:
        account.simulator.schedule("paypal.dispute", capture=row["id"])
    return row


def set_status(account: Account, row: Json, status: str, *, was_pending: bool = False) -> None:
    """Set the capture's status, write it to the journal and send the event."""
    row |= {"status": status, "update_time": account.stamp()}
    if status == "COMPLETED":
        gross, currency = units_of(row["amount"]), row["amount"]["currency_code"]
        taken = fee(gross, currency)
        row["seller_receivable_breakdown"] = {
            "gross_amount": row["amount"],
            "paypal_fee": money(taken, currency),
            "net_amount": money(gross - taken, currency),
        } | receivable(account, gross - taken, currency)
    if status != "PENDING":
        row.pop("status_details", None)
    account.save("capture", row)
    name = "DENIED" if was_pending and status == "DECLINED" else status
    account.record(f"capture.{name.lower()}", row["id"], **serializers.capture_journal_fields(row))
    summary = SUMMARIES[name].format(serializers.format_amount(row["amount"]))
    account.emit(f"PAYMENT.CAPTURE.{name}", "capture", serializers.capture(account, row["id"]), summary)


def settle(account: Account, capture_id: str, status: str) -> Json:
    """Set the final status of a pending capture; others do not change."""
    if status not in {"COMPLETED", "DECLINED"}:
        raise ValueError("status must be COMPLETED or DECLINED.")
    row = account.find("capture", capture_id)
    if row["status"] == "PENDING":
        set_status(account, row, status, was_pending=True)
    return row


def update_refund_status(account: Account, capture_id: str) -> None:
    """Set the capture's status from its completed and pending refunds."""
    row = account.find("capture", capture_id)
    back = serializers.refunded_units(account, capture_id)
    partly = back < units_of(row["amount"])
    row["status"] = "COMPLETED" if back == 0 else "PARTIALLY_REFUNDED" if partly else "REFUNDED"
    account.save("capture", row | {"update_time": account.stamp()})


def show(account: Account, _: Call, capture_id: str) -> Result:
    return Result(200, serializers.capture(account, capture_id))


ROUTES = (Route("GET", serializers.CAPTURES + "/{id}", show),)
