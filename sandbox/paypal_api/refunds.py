"""https://developer.paypal.com/docs/api/payments/v2/#captures_refund"""

from sandbox.http_messages import Json
from sandbox.paypal_api import captures, forced_errors, serializers
from sandbox.paypal_api.account import PAYEE, Account, moment_of
from sandbox.paypal_api.errors import refused
from sandbox.paypal_api.exchange import payable
from sandbox.paypal_api.money import minor, money, units_of
from sandbox.paypal_api.routes import HOUR, Call, Result, Route

DAYS = 24 * HOUR
REFUNDABLE_FOR = 180 * DAYS
ISSUES = {
    "PENDING": "PENDING_CAPTURE",
    "DECLINED": "REFUND_NOT_ALLOWED",
    "FAILED": "REFUND_NOT_ALLOWED",
    "REFUNDED": "CAPTURE_FULLY_REFUNDED",
}
FIRST = {
    "succeed": "COMPLETED",
    "pending": "PENDING",
    "fail": "PENDING",
    "refuse": "FAILED",
    "pending_balance": "PENDING",
}
LAST = {"pending": "COMPLETED", "fail": "FAILED", "pending_balance": "FAILED"}


def create(account: Account, call: Call, capture_id: str) -> Result:
    capture = account.find("capture", capture_id)
    forced_errors.raise_if_forced(account, "refund")
    row = create_refund(account, capture, call.body)
    return Result(201, serializers.refund(account, row["id"], call.full), object_id=row["id"])


def create_refund(account: Account, capture: Json, body: Json, *, kind: str = "REFUNDED") -> Json:
    """Refund at most what was captured, counting pending refunds. `kind`: REFUNDED, or REVERSED by PayPal."""
    units = check(account, capture, body)
    currency = capture["amount"]["currency_code"]
    outcome = account.simulator.settings["refunds"] if kind == "REFUNDED" else "succeed"
    if outcome == "insufficient_balance":
        raise refused("REFUND_FAILED_INSUFFICIENT_FUNDS")
    row: Json = {
        "id": account.new_id(),
        "status": FIRST[outcome],
        "amount": money(units, currency),
        "payer": PAYEE,
        "create_time": account.stamp(),
        "update_time": account.stamp(),
    } | {name: body[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in body}
    if row["status"] == "PENDING":
        row["status_details"] = {"reason": "ECHECK"}
    account.set_internal(row["id"], capture=capture["id"], kind=kind)
    account.save("refund", row)
    row["seller_payable_breakdown"] = {
        "gross_amount": row["amount"],
        "paypal_fee": money(0, currency),
        "net_amount": row["amount"],
        "total_refunded_amount": money(serializers.refunded_units(account, capture["id"]), currency),
    } | payable(account, units, currency)
    account.record("refund.created", row["id"], **journal_fields(account, row), status=row["status"])
    set_status(account, row, row["status"])
    if outcome in LAST:
        account.simulator.schedule("paypal.refund", refund=row["id"], status=LAST[outcome])
    return row


def check(account: Account, capture: Json, body: Json) -> int:
    """Return the minor units to refund. Raises PayPal's errors if that is not possible."""
    if issue := ISSUES.get(capture["status"]):
        raise refused(issue)
    if account.internal(capture["id"]).get("charged_back"):
        raise refused("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
    captured = units_of(capture["amount"])
    left = captured - serializers.refunded_units(account, capture["id"])
    amount = body.get("amount")
    if amount and amount["currency_code"] != capture["amount"]["currency_code"]:
        raise refused("REFUND_CAPTURE_CURRENCY_MISMATCH", "/amount/currency_code")
    units = minor(amount, "/amount") if amount else left
    if units > left:
        raise refused("REFUND_AMOUNT_EXCEEDED", "/amount/value")
    if account.internal(capture["id"]).get("disputed") and units < captured:
        raise refused("TRANSACTION_DISPUTED")
    if too_old(account, capture):
        raise refused("REFUND_TIME_LIMIT_EXCEEDED")
    invoice = body.get("invoice_id")
    used = {
        row.get("invoice_id") for row in account.rows("refund") if row["status"] in {"COMPLETED", "PENDING"}
    }
    if invoice and invoice in used:
        raise refused("DUPLICATE_INVOICE_ID", "/invoice_id")
    return units


def too_old(account: Account, capture: Json) -> bool:
    return account.now() - moment_of(capture["create_time"]) > REFUNDABLE_FOR


def set_status(account: Account, row: Json, status: str) -> None:
    """Set the refund's status, update its capture, write the journal and send the event."""
    row |= {"status": status, "update_time": account.stamp()}
    if status != "PENDING":
        row.pop("status_details", None)
    account.save("refund", row)
    internal = account.internal(row["id"])
    captures.update_refund_status(account, internal["capture"])
    reversed_by_paypal = internal["kind"] == "REVERSED"
    effect = "capture.reversed" if reversed_by_paypal else f"refund.{status.lower()}"
    account.record(effect, row["id"], **journal_fields(account, row))
    kind, description = {
        "COMPLETED": (f"PAYMENT.CAPTURE.{internal['kind']}", internal["kind"].lower()),
        "PENDING": ("PAYMENT.REFUND.PENDING", "refunded, which is pending"),
        "FAILED": ("PAYMENT.REFUND.FAILED", "not refunded"),
    }.get(status, ("", ""))
    if kind:
        summary = f"A {serializers.format_amount(row['amount'])} capture payment was {description}"
        account.emit(kind, "refund", serializers.refund(account, row["id"]), summary)


def journal_fields(account: Account, row: Json) -> Json:
    capture = account.find("capture", account.internal(row["id"])["capture"])
    return serializers.payment_journal_fields(row) | {
        "capture": capture["id"],
        "order": serializers.order_of(capture),
    }


def settle(account: Account, refund_id: str, status: str) -> Json:
    """Set the final status of a pending refund; others do not change."""
    if status not in {"COMPLETED", "FAILED", "CANCELLED"}:
        raise ValueError("status must be COMPLETED, FAILED or CANCELLED.")
    row = account.find("refund", refund_id)
    if row["status"] == "PENDING":
        set_status(account, row, status)
    return row


def show(account: Account, _: Call, refund_id: str) -> Result:
    return Result(200, serializers.refund(account, refund_id))


ROUTES = (
    Route(
        "POST", serializers.CAPTURES + "/{id}/refund", create, "refund_request",
        key_lifetime=45 * DAYS, serialize=serializers.refund, replay_status=201,
    ),
    Route("GET", serializers.REFUNDS + "/{id}", show),
)  # fmt: skip
