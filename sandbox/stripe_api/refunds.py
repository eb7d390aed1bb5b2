"""https://docs.stripe.com/api/refunds"""

from sandbox.http_messages import Json
from sandbox.stripe_api import charges
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.cards import BY_NAME, LIVE
from sandbox.stripe_api.errors import bad_parameter, refused
from sandbox.stripe_api.money import format_amount
from sandbox.stripe_api.parameters import Choice, Int, Map, Metadata, Text, merged
from sandbox.stripe_api.routes import Call, Route, list_params, page

CREATE = Map(
    {
        "amount": Int(1),
        "charge": Text(),
        "metadata": Metadata(),
        "payment_intent": Text(),
        "reason": Choice("duplicate", "fraudulent", "requested_by_customer"),
    }
)

# https://docs.stripe.com/changelog/basil/2025-04-30/refund-pending-reason
PENDING = {"pending": "processing", "pending_balance": "insufficient_funds"}
LATER = {
    "pending": ("succeeded", ""),
    "fail": ("failed", "declined"),
    "pending_balance": ("failed", "insufficient_funds"),
}


def create(account: Account, call: Call) -> Json:
    charge = charge_of(account, call.params)
    return refund(account, charge, call.params)


def charge_of(account: Account, params: Json) -> Json:
    if ("charge" in params) == ("payment_intent" in params):
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise bad_parameter("payment_intent", message, "parameter_missing")
    if "charge" in params:
        return account.find("charge", params["charge"], "charge")
    intent = account.find("payment_intent", params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise refused(
            "This PaymentIntent does not have a successful charge to refund.", param="payment_intent"
        )
    return account.find("charge", intent["latest_charge"], "charge")


def refund(account: Account, charge: Json, params: Json) -> Json:
    """Refund at most what was captured, counting pending refunds."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    check_refundable(charge, amount, left)
    outcome = find_outcome(account, charge)
    if outcome == "insufficient_balance":
        message = "Insufficient funds in your Stripe balance to refund this amount."
        raise refused(message, "balance_insufficient")
    row = account.save(
        {
            "id": account.new_id("re"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": account.now(),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "customer_account": None,
            "destination_details": {
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            "metadata": merged({}, params.get("metadata", {})),
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": params.get("reason"),
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "pending" if outcome in PENDING else "succeeded",
            "transfer_reversal": None,
        }
    )
    if outcome in PENDING:
        row["pending_reason"] = PENDING[outcome]
    account.record("refund.created", row, status=row["status"])
    count_refund(account, charge, amount)
    if row["status"] == "succeeded":
        money_leaves(account, row)
    account.emit("refund.created", row)
    account.emit("charge.refunded", charge)
    if outcome == "refuse":
        settle(account, row["id"], "failed", "declined")
    elif outcome != "succeed":
        status, reason = LATER[outcome]
        account.simulator.schedule("stripe.refund", refund=row["id"], status=status, reason=reason)
    return row


def check_refundable(charge: Json, amount: int, left: int) -> None:
    if charge["disputed"] and not charge["refunded"]:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise refused(message, "charge_disputed")
    if not charge["captured"]:
        raise refused(f"Charge {charge['id']} was not captured; cannot issue a refund.", param="charge")
    if left == 0:
        raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    if amount > left:
        requested, remaining = (
            format_amount(amount, charge["currency"]),
            format_amount(left, charge["currency"]),
        )
        raise refused(
            f"Refund amount ({requested}) is greater than unrefunded amount on charge ({remaining})",
            param="amount",
        )


def find_outcome(account: Account, charge: Json) -> str:
    """Return one of the simulator's REFUNDS; `fail` succeeds first, and `refuse` fails immediately."""
    card = BY_NAME.get(account.internal(charge["payment_method"])["card"], LIVE)
    ordered = account.simulator.settings["refunds"]
    return str(ordered if ordered != "succeed" else card.refund)


def count_refund(account: Account, charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    account.save(charge)


def money_leaves(account: Account, row: Json) -> None:
    row["balance_transaction"] = charges.book(account, "refund", row, -row["amount"])
    account.save(row)
    account.record("refund.succeeded", row)


def settle(account: Account, refund_id: str, status: str, reason: str = "unknown") -> Json:
    """Set the final status: pending → succeeded or failed, succeeded → failed. Other changes are ignored."""
    row = account.find("refund", refund_id)
    was = row["status"]
    if (was, status) not in {("pending", "succeeded"), ("pending", "failed"), ("succeeded", "failed")}:
        return row
    before = dict(row)
    row["status"] = status
    row.pop("pending_reason", None)
    charge = account.find("charge", row["charge"])
    if status == "succeeded":
        money_leaves(account, row)
    else:
        row["failure_reason"] = reason
        count_refund(account, charge, -row["amount"])
        if was == "succeeded":
            row["failure_balance_transaction"] = charges.book(account, "refund_failure", row, row["amount"])
            account.record("refund.reversed", row)
        account.record("refund.failed", row, reason=reason)
    account.save(row)
    account.emit("refund.updated", row, before)
    account.emit("charge.refund.updated", row, before)
    if status == "failed":
        account.emit("refund.failed", row)
    return row


def retrieve(account: Account, _: Call, refund_id: str) -> Json:
    return account.find("refund", refund_id)


def update(account: Account, call: Call, refund_id: str) -> Json:
    row = account.find("refund", refund_id)
    row["metadata"] = merged(row["metadata"], call.params.get("metadata", {}))
    return account.save(row)


def cancel(account: Account, _: Call, refund_id: str) -> Json:
    row = account.find("refund", refund_id)
    raise refused(f"Refund {row['id']} is a card refund; it can be canceled in the Dashboard only.")


def list_all(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(account, call, "refund", "/v1/refunds", **filters)


def list_of_charge(account: Account, call: Call, charge_id: str) -> Json:
    account.find("charge", charge_id)
    return page(account, call, "refund", f"/v1/charges/{charge_id}/refunds", charge=charge_id)


ROUTES = (
    Route("POST", "/v1/refunds", create, CREATE),
    Route("GET", "/v1/refunds", list_all, list_params(charge=Text(), payment_intent=Text())),
    Route("GET", "/v1/refunds/{id}", retrieve),
    Route("POST", "/v1/refunds/{id}", update, Map({"metadata": Metadata()})),
    Route("POST", "/v1/refunds/{id}/cancel", cancel),
    Route("GET", "/v1/charges/{id}/refunds", list_of_charge, list_params()),
)
