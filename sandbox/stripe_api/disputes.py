"""https://docs.stripe.com/api/disputes"""

from sandbox.http_messages import Json
from sandbox.stripe_api import charges
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.errors import refused
from sandbox.stripe_api.parameters import Flag, Map, Metadata, Text, merged
from sandbox.stripe_api.routes import Call, Route, list_params, page

FEE = 1500
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip
NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1"}
INQUIRY = ("warning_needs_response", "warning_under_review", "warning_closed")
CLOSED = ("warning_closed", "prevented", "won", "lost")
WITHDRAWN = ("needs_response", "under_review", "lost")  # statuses in which the money is gone
STATUSES = tuple(dict.fromkeys((*INQUIRY, *WITHDRAWN, *CLOSED)))
VERDICTS = {"winning_evidence": "won", "losing_evidence": "lost"}  # https://docs.stripe.com/testing#evidence


def open_dispute(account: Account, charge_id: str, reason: str) -> Json:
    """Open a dispute, which withdraws the money, or an inquiry, which does not."""
    charge = account.find("charge", charge_id)
    inquiry = reason == "inquiry"
    reason = "general" if inquiry else reason
    amount = charge["amount_captured"] - charge["amount_refunded"]
    if amount == 0 or charge["disputed"]:
        raise refused(f"Charge {charge_id} has nothing left to dispute.")
    row = account.save(
        {
            "id": account.new_id("du"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge_id,
            "created": account.now(),
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": account.now() + 9 * 86400,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": inquiry,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": charge["payment_method_details"]["card"]["brand"],
                    "case_type": "inquiry" if inquiry else "chargeback",
                    "network": charge["payment_method_details"]["card"]["network"],
                    "network_reason_code": NETWORK_REASONS.get(reason, "10.4"),
                },
                "type": "card",
            },
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
    )
    account.record("dispute.created", row, reason=reason, inquiry=inquiry)
    if not inquiry:
        account.save(charge | {"disputed": True})
        move(account, row, -amount, fee=FEE)
        account.record("dispute.withdrawn", row)
    account.emit("charge.dispute.created", row)
    if not inquiry:
        account.emit("charge.dispute.funds_withdrawn", row)
    return row


def move(account: Account, row: Json, amount: int, fee: int = 0) -> None:
    line = charges.book(account, "adjustment", row, amount, fee_of=lambda amount: fee)
    row["balance_transactions"] = [
        *row["balance_transactions"],
        dict(account.find("balance_transaction", line)),
    ]
    account.save(row)


def close_dispute(account: Account, dispute_id: str, verdict: str) -> Json:
    """`verdict`: won or lost. Closing a closed dispute has no effect."""
    row = account.find("dispute", dispute_id)
    if row["status"] in CLOSED:
        return row
    return set_status(account, dispute_id, "warning_closed" if row["status"] in INQUIRY else verdict)


def set_status(account: Account, dispute_id: str, status: str) -> Json:
    """Give a dispute any published status, also after it was closed; the money follows."""
    row = account.find("dispute", dispute_id)
    if status not in STATUSES:
        raise refused(f"Invalid status: must be one of {', '.join(STATUSES)}")
    before = dict(row)
    row |= {"status": status, "is_charge_refundable": status in INQUIRY}
    account.save(row)
    move_for_status(account, row)
    if status in CLOSED:
        account.record("dispute.closed", row, status=status)
        account.emit("charge.dispute.closed", row)
    else:
        account.emit("charge.dispute.updated", row, before)
    return row


def move_for_status(account: Account, row: Json) -> None:
    """Withdraw the money when an inquiry becomes a chargeback, and reinstate it when the shop wins."""
    is_withdrawn = sum(line["amount"] for line in row["balance_transactions"]) < 0
    if row["status"] in WITHDRAWN and not is_withdrawn:
        account.save(account.find("charge", row["charge"]) | {"disputed": True})
        card = row["payment_method_details"]["card"] | {"case_type": "chargeback"}
        row["payment_method_details"] = row["payment_method_details"] | {"card": card}
        move(account, row, -row["amount"], fee=FEE)
        account.record("dispute.withdrawn", row)
        account.emit("charge.dispute.funds_withdrawn", row)
    elif row["status"] not in WITHDRAWN and is_withdrawn:
        move(account, row, row["amount"])
        account.record("dispute.reinstated", row)
        account.emit("charge.dispute.funds_reinstated", row)


def retrieve(account: Account, _: Call, dispute_id: str) -> Json:
    return account.find("dispute", dispute_id)


def update(account: Account, call: Call, dispute_id: str) -> Json:
    row, params = account.find("dispute", dispute_id), call.params
    before = dict(row)
    row["metadata"] = merged(row["metadata"], params.get("metadata", {}))
    evidence = params.get("evidence", {})
    row["evidence"] = row["evidence"] | evidence
    if evidence:
        row["evidence_details"] = row["evidence_details"] | {"has_evidence": True}
    if evidence and params.get("submit", True):
        row["evidence_details"] |= {"submission_count": row["evidence_details"]["submission_count"] + 1}
        row["status"] = "warning_under_review" if row["status"].startswith("warning") else "under_review"
        if verdict := VERDICTS.get(evidence.get("uncategorized_text")):
            account.simulator.schedule("stripe.verdict", dispute=dispute_id, verdict=verdict)
    account.save(row)
    account.emit("charge.dispute.updated", row, before)
    return row


def close(account: Account, _: Call, dispute_id: str) -> Json:
    return close_dispute(account, dispute_id, "lost")


def list_all(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("charge", "payment_intent")}
    return page(account, call, "dispute", "/v1/disputes", **filters)


CHANGES = Map(
    {
        "evidence": Map(dict.fromkeys(EVIDENCE, Text(150_000, unset=True))),
        "metadata": Metadata(),
        "submit": Flag(),
    }
)
ROUTES = (
    Route("GET", "/v1/disputes", list_all, list_params(charge=Text(), payment_intent=Text())),
    Route("GET", "/v1/disputes/{id}", retrieve),
    Route("POST", "/v1/disputes/{id}", update, CHANGES),
    Route("POST", "/v1/disputes/{id}/close", close),
)
