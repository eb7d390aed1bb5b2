"""https://developer.paypal.com/docs/api/payments/v2/#captures_refund"""

from sandbox.http_messages import Json
from sandbox.paypal_api import captures, forced_errors, serializers
from sandbox.paypal_api.account import PAYEE, Account, moment_of
from sandbox.paypal_api.errors import refused
from sandbox.paypal_api.money import minor, money, units_of
from sandbox.paypal_api.routes import HOUR, Answer, Call, Route

DAYS = 24 * HOUR
REFUNDABLE_FOR = 180 * DAYS
ISSUES = {
    "PENDING": "PENDING_CAPTURE",
    "DECLINED": "REFUND_NOT_ALLOWED",
    "FAILED": "REFUND_NOT_ALLOWED",
    "REFUNDED": "CAPTURE_FULLY_REFUNDED",
}
FIRST = {"succeed": "COMPLETED", "pend": "PENDING", "fail": "PENDING", "refuse": "FAILED"}
LAST = {"pend": "COMPLETED", "fail": "FAILED"}


def create(account: Account, call: Call, capture_id: str) -> Answer:
    capture = account.find("capture", capture_id)
    forced_errors.raise_ordered(account, "refund")
    row = make(account, capture, call.body)
    return Answer(201, serializers.refund(account, row["id"], call.full), about=row["id"])


def make(account: Account, capture: Json, wish: Json, *, kind: str = "REFUNDED") -> Json:
    """Never more than was captured, counting refunds that are pending. `kind`: REFUNDED, or REVERSED by PayPal."""
    units = check(account, capture, wish)
    currency = capture["amount"]["currency_code"]
    outcome = account.program.settings["refunds"] if kind == "REFUNDED" else "succeed"
    row: Json = {
        "id": account.new_id(),
        "status": FIRST[outcome],
        "amount": money(units, currency),
        "payer": PAYEE,
        "create_time": account.stamp(),
        "update_time": account.stamp(),
    } | {name: wish[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in wish}
    if row["status"] == "PENDING":
        row["status_details"] = {"reason": "ECHECK"}
    account.keep_secret(row["id"], capture=capture["id"], kind=kind)
    account.save("refund", row)
    row["seller_payable_breakdown"] = {
        "gross_amount": row["amount"],
        "paypal_fee": money(0, currency),
        "net_amount": row["amount"],
        "total_refunded_amount": money(serializers.returned(account, capture["id"]), currency),
    }
    account.effect("refund.created", row["id"], **facts(account, row), status=row["status"])
    enter(account, row, row["status"])
    if outcome in LAST:
        account.program.later("paypal.refund", refund=row["id"], status=LAST[outcome])
    return row


def check(account: Account, capture: Json, wish: Json) -> int:
    """The smallest units to give back; raises what PayPal answers when that is not possible."""
    if issue := ISSUES.get(capture["status"]):
        raise refused(issue)
    if account.secret(capture["id"]).get("charged_back"):
        raise refused("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
    captured = units_of(capture["amount"])
    left = captured - serializers.returned(account, capture["id"])
    amount = wish.get("amount")
    if amount and amount["currency_code"] != capture["amount"]["currency_code"]:
        raise refused("REFUND_CAPTURE_CURRENCY_MISMATCH", "/amount/currency_code")
    units = minor(amount, "/amount") if amount else left
    if units > left:
        raise refused("REFUND_AMOUNT_EXCEEDED", "/amount/value")
    if account.secret(capture["id"]).get("disputed") and units < captured:
        raise refused("TRANSACTION_DISPUTED")
    if too_old(account, capture):
        raise refused("REFUND_TIME_LIMIT_EXCEEDED")
    invoice = wish.get("invoice_id")
    used = {
        row.get("invoice_id") for row in account.rows("refund") if row["status"] in {"COMPLETED", "PENDING"}
    }
    if invoice and invoice in used:
        raise refused("DUPLICATE_INVOICE_ID", "/invoice_id")
    return units


def too_old(account: Account, capture: Json) -> bool:
    return account.now() - moment_of(capture["create_time"]) > REFUNDABLE_FOR


def enter(account: Account, row: Json, status: str) -> None:
    """The refund gets this status: its capture is counted anew, the journal and the shop hear of it."""
    row |= {"status": status, "update_time": account.stamp()}
    if status != "PENDING":
        row.pop("status_details", None)
    account.save("refund", row)
    secret = account.secret(row["id"])
    captures.recount(account, secret["capture"])
    reversed_by_paypal = secret["kind"] == "REVERSED"
    effect = "capture.reversed" if reversed_by_paypal else f"refund.{status.lower()}"
    account.effect(effect, row["id"], **facts(account, row))
    kind, words = {
        "COMPLETED": (f"PAYMENT.CAPTURE.{secret['kind']}", secret["kind"].lower()),
        "PENDING": ("PAYMENT.REFUND.PENDING", "refunded, which is pending"),
        "FAILED": ("PAYMENT.REFUND.FAILED", "not refunded"),
    }.get(status, ("", ""))
    if kind:
        summary = f"A {serializers.in_words(row['amount'])} capture payment was {words}"
        account.emit(kind, "refund", serializers.refund(account, row["id"]), summary)


def facts(account: Account, row: Json) -> Json:
    capture = account.find("capture", account.secret(row["id"])["capture"])
    return serializers.payment_facts(row) | {"capture": capture["id"], "order": serializers.order_of(capture)}


def settle(account: Account, refund_id: str, status: str) -> Json:
    """A pending refund ends: COMPLETED, FAILED or CANCELLED. Others stay as they are."""
    if status not in {"COMPLETED", "FAILED", "CANCELLED"}:
        raise ValueError("A refund ends as COMPLETED, FAILED or CANCELLED.")
    row = account.find("refund", refund_id)
    if row["status"] == "PENDING":
        enter(account, row, status)
    return row


def show(account: Account, _: Call, refund_id: str) -> Answer:
    return Answer(200, serializers.refund(account, refund_id))


ROUTES = (
    Route(
        "POST", serializers.CAPTURES + "/{id}/refund", create, "refund_request",
        keeps=45 * DAYS, tell=serializers.refund, repeated=201,
    ),
    Route("GET", serializers.REFUNDS + "/{id}", show),
)  # fmt: skip
