"""https://developer.paypal.com/docs/api/customer-disputes/v1/ – listing and showing; responses are not simulated."""

from sandbox.http_messages import Json
from sandbox.paypal_api import exchange, serializers
from sandbox.paypal_api.account import PAYEE, Account, moment_of, timestamp
from sandbox.paypal_api.buyers import BY_NAME
from sandbox.paypal_api.money import money, units_of
from sandbox.paypal_api.routes import HOUR, Call, Result, Route

REASON = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"
SHOWN = (
    "dispute_id", "create_time", "update_time", "reason", "status", "dispute_amount", "dispute_life_cycle_stage",
    "dispute_channel",
)  # fmt: skip
OUTCOMES = {"won": "RESOLVED_SELLER_FAVOUR", "lost": "RESOLVED_BUYER_FAVOUR"}
STAGES = ("INQUIRY", "CHARGEBACK", "PRE_ARBITRATION", "ARBITRATION")
STATUSES = ("OPEN", "WAITING_FOR_BUYER_RESPONSE", "WAITING_FOR_SELLER_RESPONSE", "UNDER_REVIEW", "OTHER")


def open_dispute(
    account: Account,
    capture_id: str,
    reason: str = REASON,
    amount: str | None = None,
    stage: str = "CHARGEBACK",
) -> Json:
    """Open a dispute, which holds the money unless it is an inquiry. Raises ValueError if nothing can be disputed."""
    check_choice(STAGES, stage)
    capture = account.find("capture", capture_id)
    left = units_of(capture["amount"]) - serializers.refunded_units(account, capture_id)
    currency = capture["amount"]["currency_code"]
    units = units_of({"currency_code": currency, "value": amount}) if amount else left
    if capture["status"] not in {"COMPLETED", "PARTIALLY_REFUNDED"} or not 0 < units <= left:
        raise ValueError("This capture cannot be disputed for this amount.")
    row: Json = {
        "dispute_id": f"PP-R-{account.new_id(3)}-{account.new_id(8)}",
        "create_time": account.stamp(),
        "update_time": account.stamp(),
        "disputed_transactions": [transaction(account, capture)],
        "reason": reason,
        "status": "WAITING_FOR_SELLER_RESPONSE",
        "dispute_amount": money(units, currency),
        "dispute_life_cycle_stage": stage,
        "dispute_channel": "INTERNAL",
        "seller_response_due_date": timestamp(account.now() + 10 * 24 * HOUR),
    }
    account.save("dispute", row)
    account.set_internal(row["dispute_id"], capture=capture_id, transaction=account.new_id())
    account.set_internal(capture_id, disputed=True)
    notify(account, row, "created", f"A new dispute opened with Case # {row['dispute_id']}")
    hold(account, row)
    return row


def hold(account: Account, row: Json) -> None:
    """Hold the money from the chargeback on, once."""
    dispute_id = row["dispute_id"]
    if row["dispute_life_cycle_stage"] != "INQUIRY" and not account.internal(dispute_id).get("held"):
        withdraw(account, row)


def withdraw(account: Account, row: Json) -> None:
    dispute_id, amount = row["dispute_id"], row["dispute_amount"]
    taken = exchange.converted(account, units_of(amount), amount["currency_code"])
    account.set_internal(dispute_id, held=account.stamp(), taken=taken and taken[0])
    account.record("dispute.withdrawn", dispute_id, **journal_fields(account, row))


def check_choice(choices: tuple[str, ...], value: str) -> None:
    if value not in choices:
        raise ValueError(f"{value} is not one of {', '.join(choices)}.")


def transaction(account: Account, capture: Json) -> Json:
    order_id = serializers.order_of(capture)
    buyer = BY_NAME[account.internal(order_id)["buyer"]]
    row: Json = {
        "seller_transaction_id": capture["id"],
        "create_time": capture["create_time"],
        "transaction_status": capture["status"],
        "gross_amount": capture["amount"],
        "buyer": {"name": f"{buyer.given_name} {buyer.surname}"},
        "seller": {
            "email": PAYEE["email_address"],
            "merchant_id": PAYEE["merchant_id"],
            "name": "Test Store",
        },
    }
    named = {"invoice_id": "invoice_number", "custom_id": "custom"}
    return row | {theirs: capture[ours] for ours, theirs in named.items() if ours in capture}


def update(account: Account, dispute_id: str, status: str | None = None, stage: str | None = None) -> Json:
    """Change the status or the stage of an unresolved dispute."""
    row = account.find("dispute", dispute_id)
    status = status or ("UNDER_REVIEW" if stage is None else row["status"])
    stage = stage or row["dispute_life_cycle_stage"]
    check_choice((*STATUSES, "RESOLVED"), status)
    check_choice(STAGES, stage)
    if row["status"] != "RESOLVED":
        row |= {"status": status, "dispute_life_cycle_stage": stage, "update_time": account.stamp()}
        account.save("dispute", row)
        hold(account, row)
        notify(account, row, "updated", f"Dispute updated with Case # {dispute_id}")
    return row


def close(account: Account, dispute_id: str, outcome: str) -> Json:
    """`outcome`: won or lost (by the shop). Closing a closed dispute has no effect."""
    row = account.find("dispute", dispute_id)
    if row["status"] == "RESOLVED":
        return row
    row |= {
        "status": "RESOLVED",
        "update_time": account.stamp(),
        "dispute_outcome": {"outcome_code": OUTCOMES[outcome]},
    }
    row.pop("seller_response_due_date")
    if outcome == "lost":
        row["dispute_outcome"]["amount_refunded"] = row["dispute_amount"]
    account.save("dispute", row)
    account.set_internal(
        account.internal(dispute_id)["capture"], disputed=False, charged_back=outcome == "lost"
    )
    is_held = bool(account.internal(dispute_id).get("held"))
    if outcome == "lost" and not is_held:
        withdraw(account, row)
    if outcome == "won" and is_held:
        amount = row["dispute_amount"]
        back = exchange.converted(account, units_of(amount), amount["currency_code"])
        account.set_internal(dispute_id, returned=back and back[0])
        account.record("dispute.reinstated", dispute_id, **journal_fields(account, row))
    notify(account, row, "resolved", f"Dispute resolved with Case # {dispute_id}", outcome=outcome)
    return row


def notify(account: Account, row: Json, what: str, summary: str, **more: str) -> None:
    dispute_id = row["dispute_id"]
    account.record(
        f"dispute.{what}", dispute_id, **journal_fields(account, row), status=row["status"], **more
    )
    account.emit(
        f"CUSTOMER.DISPUTE.{what.upper()}", "dispute", serializers.dispute(account, dispute_id), summary
    )


def journal_fields(account: Account, row: Json) -> Json:
    capture = account.find("capture", account.internal(row["dispute_id"])["capture"])
    amount = row["dispute_amount"]
    disputed = {
        "amount": units_of(amount),
        "currency": amount["currency_code"].lower(),
        "capture": capture["id"],
    }
    return serializers.capture_journal_fields(capture) | disputed


def show(account: Account, _: Call, dispute_id: str) -> Result:
    return Result(200, serializers.dispute(account, dispute_id))


def is_updated_between(row: Json, query: dict[str, str]) -> bool:
    updated = moment_of(row["update_time"])
    after, before = query.get("update_time_after"), query.get("update_time_before")
    return (not after or moment_of(after) <= updated) and (not before or updated <= moment_of(before))


def list_all(account: Account, call: Call) -> Result:
    query = call.query
    since = moment_of(query["start_time"]) if "start_time" in query else 0
    capture = query.get("disputed_transaction_id")
    rows = [
        serializers.dispute(account, row["dispute_id"])
        for row in reversed(account.rows("dispute"))
        if moment_of(row["create_time"]) >= since
        and is_updated_between(row, query)
        and (capture is None or account.internal(row["dispute_id"])["capture"] == capture)
    ]
    items = [{name: row[name] for name in (*SHOWN, "links")} for row in rows]
    links = [account.link("self", serializers.DISPUTES)]
    return Result(200, {"items": items[: int(query.get("page_size", "10"))], "links": links})


ROUTES = (
    Route("GET", serializers.DISPUTES, list_all, query="dispute_list_query"),
    Route("GET", serializers.DISPUTES + "/{id}", show),
)
