"""https://developer.paypal.com/docs/api/transaction-search/v1/ – transactions and balances for reconciliation."""

import math
from collections import Counter
from hashlib import sha256
from urllib.parse import urlencode

from sandbox.http_messages import Json
from sandbox.paypal_api import serializers
from sandbox.paypal_api.account import MERCHANT_ID, NAME, Account, moment_of, timestamp
from sandbox.paypal_api.buyers import BY_NAME
from sandbox.paypal_api.errors import invalid
from sandbox.paypal_api.money import money, units_of
from sandbox.paypal_api.routes import HOUR, Call, Result, Route

PATH, BALANCES = "/v1/reporting/transactions", "/v1/reporting/balances"
MAX_SPAN = 31 * 24 * HOUR
# https://developer.paypal.com/docs/reports/reference/tcodes/
PAYMENT, REFUND, REVERSAL, HELD, RELEASED = "T0006", "T1107", "T1106", "T1110", "T1111"
CONVERTED = "T0200"
STATUSES = {"PENDING": "P", "DECLINED": "D", "FAILED": "D", "CANCELLED": "D"}


def search(account: Account, call: Call) -> Result:
    query = call.query
    first, last = moment_of(query["start_date"]), moment_of(query["end_date"])
    if last < first or last - first > MAX_SPAN:
        raise invalid("INVALID_PARAMETER_VALUE", "/end_date", query["end_date"], "query")
    refreshed = account.now() - account.settings["report_seconds"]
    rows = [row for row in transactions(account) if matches(row, query, first, min(last, refreshed))]
    size, number = int(query.get("page_size", "100")), int(query.get("page", "1"))
    start = (number - 1) * size
    part = rows[max(0, start - account.settings["report_repeats"]) : start + size]
    body = {
        "transaction_details": [{"transaction_info": row} for row in part],
        "account_number": MERCHANT_ID,
        "start_date": query["start_date"],
        "end_date": query["end_date"],
        "last_refreshed_datetime": timestamp(refreshed),
        "page": number,
        "total_items": len(rows),
        "total_pages": math.ceil(len(rows) / size),
        "links": [account.link("self", f"{PATH}?{urlencode(query)}")],
    }
    return Result(200, body)


def matches(row: Json, query: dict[str, str], first: float, last: float) -> bool:
    fields = {
        "transaction_id": row["transaction_id"],
        "transaction_type": row["transaction_event_code"],
        "transaction_status": row["transaction_status"],
        "transaction_currency": row["transaction_amount"]["currency_code"],
    }
    moves = query.get("balance_affecting_records_only", "Y") == "N" or row["transaction_status"] in {"S", "V"}
    in_time = first <= moment_of(row["transaction_initiation_date"]) <= last
    return moves and in_time and all(query.get(name, value) == value for name, value in fields.items())


def transactions(account: Account) -> list[Json]:
    """Return captures, refunds, reversals, holds and releases of disputes, and what control actions added, by time."""
    rows = [capture_row(account, row) for row in account.rows("capture")]
    rows += [refund_row(account, row) for row in account.rows("refund")]
    for dispute in account.rows("dispute"):
        rows += dispute_rows(account, dispute)
    rows += account.rows("transaction")
    rows += conversions(account)
    hidden = {row["id"] for row in account.rows("hidden_transaction")}
    rows = [row for row in rows if row["transaction_id"] not in hidden]
    return sorted(rows, key=lambda row: str(row["transaction_initiation_date"]))


def conversions(account: Account) -> list[Json]:
    """What was converted to the account's currency: two transactions each, whose reference is what they were for."""
    found = []
    for row in account.rows("capture"):
        parts = row.get("seller_receivable_breakdown", {})
        if receivable := parts.get("receivable_amount"):
            found += conversion_rows(capture_row(account, row), parts["net_amount"], receivable)
    for row in account.rows("refund"):
        for part in row["seller_payable_breakdown"].get("net_amount_breakdown", []):
            found += conversion_rows(
                refund_row(account, row), part["payable_amount"], part["converted_amount"]
            )
    for dispute in account.rows("dispute"):
        internal = account.internal(dispute["dispute_id"])
        sides = (internal.get("taken"), internal.get("returned"))
        for row, amount in zip(dispute_rows(account, dispute), sides, strict=False):
            if amount:
                found += conversion_rows(row, dispute["dispute_amount"], amount)
    return found


def conversion_rows(row: Json, amount: Json, converted: Json) -> list[Json]:
    """`row`: the transaction whose `amount` was converted, both positive."""
    sign = 1 if signed(row["transaction_amount"]) > 0 else -1
    sides = ((amount, -sign), (converted, sign))
    return [
        {
            name: row[name]
            for name in ("paypal_account_id", "transaction_initiation_date", "transaction_updated_date")
        }
        | {
            "transaction_id": derived_id(row["transaction_id"], row["transaction_event_code"], direction),
            "paypal_reference_id": row["transaction_id"],
            "paypal_reference_id_type": "TXN",
            "transaction_event_code": CONVERTED,
            "transaction_amount": money(units_of(part) * direction, part["currency_code"]),
            "transaction_status": row["transaction_status"],
            "protection_eligibility": "02",
        }
        for part, direction in sides
    ]


def derived_id(*parts: object) -> str:
    return sha256(repr(parts).encode()).hexdigest()[:17].upper()


def capture_row(account: Account, row: Json) -> Json:
    fee = row.get("seller_receivable_breakdown", {}).get("paypal_fee")
    info = transaction_row(PAYMENT, row, units_of(row["amount"]))
    if fee:
        info["fee_amount"] = money(-units_of(fee), fee["currency_code"])
    order = serializers.order_of(row)
    buyer = BY_NAME[account.internal(order)["buyer"]]
    return info | {
        "paypal_account_id": buyer.payer_id,
        "paypal_reference_id": order,
        "paypal_reference_id_type": "ODR",
    }


def refund_row(account: Account, row: Json) -> Json:
    internal = account.internal(row["id"])
    code = REVERSAL if internal["kind"] == "REVERSED" else REFUND
    capture = capture_row(account, account.find("capture", internal["capture"]))
    return transaction_row(code, row, -units_of(row["amount"])) | {
        "paypal_account_id": capture["paypal_account_id"],
        "paypal_reference_id": internal["capture"],
        "paypal_reference_id_type": "TXN",
    }


def dispute_rows(account: Account, dispute: Json) -> list[Json]:
    capture = capture_row(
        account, account.find("capture", account.internal(dispute["dispute_id"])["capture"])
    )
    units = units_of(dispute["dispute_amount"])
    held = account.internal(dispute["dispute_id"]).get("held")
    if not held:
        return []
    row = {
        "id": account.internal(dispute["dispute_id"])["transaction"],
        "amount": dispute["dispute_amount"],
        "status": "COMPLETED",
        "create_time": held,
        "update_time": held,
    }
    about = {
        "paypal_account_id": capture["paypal_account_id"],
        "paypal_reference_id": capture["transaction_id"],
        "paypal_reference_id_type": "TXN",
    }
    found = [transaction_row(HELD, row, -units) | about]
    if dispute.get("dispute_outcome", {}).get("outcome_code") == "RESOLVED_SELLER_FAVOUR":
        then = {"create_time": dispute["update_time"], "update_time": dispute["update_time"]}
        found.append(transaction_row(RELEASED, row | then, units) | about)
    return found


def transaction_row(code: str, row: Json, units: int) -> Json:
    info: Json = {
        "transaction_id": row["id"],
        "transaction_event_code": code,
        "transaction_initiation_date": row["create_time"],
        "transaction_updated_date": row["update_time"],
        "transaction_amount": money(units, row["amount"]["currency_code"]),
        "transaction_status": STATUSES.get(row["status"], "S"),
        "protection_eligibility": "01",
    }
    named = {"invoice_id": "invoice_id", "custom_id": "custom_field"}
    return info | {theirs: row[ours] for ours, theirs in named.items() if ours in row}


def add(account: Account, body: Json) -> Json:
    """Add a transaction: `{"code", "amount", "fee"?, "currency"?, "reference"?}`, amounts in minor units."""
    currency = body.get("currency", "USD")
    stamp = account.stamp()
    row: Json = {
        "id": account.new_id(),
        "amount": money(0, currency),
        "status": "COMPLETED",
        "create_time": stamp,
        "update_time": stamp,
    }
    info = transaction_row(body["code"], row, body["amount"]) | {"paypal_account_id": MERCHANT_ID}
    if "fee" in body:
        info["fee_amount"] = money(-body["fee"], currency)
    if "reference" in body:
        info |= {"paypal_reference_id": body["reference"], "paypal_reference_id_type": "TXN"}
    account.store.save(f"{NAME}.transaction", row["id"], info)
    return info


def balances(account: Account, call: Call) -> Result:
    """What is withheld for disputes is not available."""
    refreshed = account.now() - account.settings["report_seconds"]
    available = Counter[str]({"USD": 0})
    withheld = Counter[str]()
    for row in transactions(account):
        is_seen = moment_of(row["transaction_initiation_date"]) <= refreshed
        if row["transaction_status"] not in {"S", "V"} or not is_seen:
            continue
        currency = row["transaction_amount"]["currency_code"]
        for part in ("transaction_amount", "fee_amount"):
            available[currency] += signed(row[part]) if part in row else 0
        if row["transaction_event_code"] in {HELD, RELEASED}:
            withheld[currency] -= signed(row["transaction_amount"])
    for currency, shift in account.settings["balance_shift"].items():
        available[currency] += shift
    shown = [
        {
            "currency": currency,
            "primary": currency == "USD",
            "total_balance": money(units + withheld[currency], currency),
            "available_balance": money(units, currency),
            "withheld_balance": money(withheld[currency], currency),
        }
        for currency, units in sorted(available.items())
    ]
    as_of = timestamp(refreshed)
    body = {"balances": shown, "account_id": MERCHANT_ID, "as_of_time": as_of, "last_refresh_time": as_of}
    return Result(200, body)


def signed(amount: Json) -> int:
    value = amount["value"].removeprefix("-")
    return units_of(amount | {"value": value}) * (-1 if amount["value"].startswith("-") else 1)


ROUTES = (
    Route("GET", PATH, search, query="transactions_query"),
    Route("GET", BALANCES, balances, query="balances_query"),
)
