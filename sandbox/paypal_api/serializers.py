"""Serializes the current state of objects, in full or minimal, with related objects and the links for their state."""

import copy
from urllib.parse import urlencode

from sandbox.http_messages import Json
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.money import units_of

ORDERS, CAPTURES, REFUNDS = "/v2/checkout/orders", "/v2/payments/captures", "/v2/payments/refunds"
SETUP_TOKENS, PAYMENT_TOKENS = "/v3/vault/setup-tokens", "/v3/vault/payment-tokens"
DISPUTES = "/v1/customer/disputes"


# ---- related objects ---------------------------------------------------------------------------------------


def captures_of(account: Account, order_id: str) -> list[Json]:
    return [row for row in account.rows("capture") if order_of(row) == order_id]


def order_of(capture: Json) -> str:
    return str(capture["supplementary_data"]["related_ids"]["order_id"])


def refunds_of(account: Account, capture_id: str) -> list[Json]:
    return [row for row in account.rows("refund") if account.internal(row["id"])["capture"] == capture_id]


def refunded_units(account: Account, capture_id: str) -> int:
    """Return the minor units refunded, including pending refunds and excluding failed ones."""
    rows = refunds_of(account, capture_id)
    return sum(units_of(row["amount"]) for row in rows if row["status"] in {"COMPLETED", "PENDING"})


# ---- serializers ------------------------------------------------------------------------------------------------


def order(account: Account, order_id: str, full: bool = True) -> Json:  # noqa: FBT001, FBT002 (a Serializer)
    row = account.find("order", order_id)
    links = order_links(account, row)
    if not full:
        named = ("id", "status", "payment_source")
        return {name: row[name] for name in named if name in row} | {"links": links}
    fields = copy.deepcopy(row)
    paid = captures_of(account, order_id)
    if paid:
        refunds = [refund(account, row["id"]) for each in paid for row in refunds_of(account, each["id"])]
        payments: Json = {"captures": [capture_in_order(capture(account, each["id"])) for each in paid]}
        fields["purchase_units"][0]["payments"] = payments | ({"refunds": refunds} if refunds else {})
    return fields | {"links": links}


def order_links(account: Account, row: Json) -> list[Json]:
    path = f"{ORDERS}/{row['id']}"
    found = [account.link("self", path)]
    match row["status"]:
        case "PAYER_ACTION_REQUIRED":
            found.append(page_link(account, row["id"], "payer-action"))
        case "CREATED":
            found.append(page_link(account, row["id"], "approve"))
    if row["status"] in {"CREATED", "APPROVED"}:
        found += [account.link("update", path, "PATCH"), account.link("capture", f"{path}/capture", "POST")]
    return found


def page_link(account: Account, order_id: str, rel: str) -> Json:
    return account.link(rel, f"/checkoutnow?{urlencode({'token': order_id})}")


def capture(account: Account, capture_id: str) -> Json:
    row = account.find("capture", capture_id)
    path = f"{CAPTURES}/{capture_id}"
    links = [
        account.link("self", path),
        account.link("refund", f"{path}/refund", "POST"),
        account.link("up", f"{ORDERS}/{order_of(row)}"),
    ]
    return copy.deepcopy(row) | {"links": links}


def capture_in_order(fields: Json) -> Json:
    """Remove the fields that a capture does not have inside an order."""
    return {name: part for name, part in fields.items() if name not in {"supplementary_data", "payee"}}


def refund(account: Account, refund_id: str, full: bool = True) -> Json:  # noqa: FBT001, FBT002 (a Serializer)
    row = account.find("refund", refund_id)
    up = f"{CAPTURES}/{account.internal(refund_id)['capture']}"
    links = [account.link("self", f"{REFUNDS}/{refund_id}"), account.link("up", up)]
    if not full:
        return {"id": row["id"], "status": row["status"], "links": links}
    return copy.deepcopy(row) | {"links": links}


def setup_token(account: Account, token_id: str, _: bool = True) -> Json:  # noqa: FBT001, FBT002 (a Serializer)
    row = account.find("setup_token", token_id)
    links = [account.link("self", f"{SETUP_TOKENS}/{token_id}")]
    if row["status"] == "PAYER_ACTION_REQUIRED":
        links.append(
            account.link("approve", f"/agreements/approve?{urlencode({'approval_session_id': token_id})}")
        )
    if row["status"] == "APPROVED":
        links.append(account.link("confirm", PAYMENT_TOKENS, "POST"))
    return copy.deepcopy(row) | {"links": links}


def payment_token(account: Account, token_id: str, _: bool = True) -> Json:  # noqa: FBT001, FBT002 (a Serializer)
    row = account.find("payment_token", token_id)
    path = f"{PAYMENT_TOKENS}/{token_id}"
    links = [account.link("self", path), account.link("delete", path, "DELETE")]
    return copy.deepcopy(row) | {"links": links}


def dispute(account: Account, dispute_id: str) -> Json:
    row = account.find("dispute", dispute_id)
    return copy.deepcopy(row) | {"links": [account.link("self", f"{DISPUTES}/{dispute_id}")]}


def with_query(url: str | None, **arguments: str) -> str | None:
    """Return the URL with the parameters that PayPal adds."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(arguments)}" if url else None


# ---- event summaries and the journal --------------------------------------------------------------------------------


def format_amount(amount: Json) -> str:
    """Return "$ 5.00 USD", for example, as in event summaries."""
    currency = amount["currency_code"]
    return f"{'$' if currency == 'USD' else currency} {amount['value']} {currency}"


def order_journal_fields(row: Json) -> Json:
    """Return an order's fields for the journal, where every provider's currencies are lower case."""
    unit = row["purchase_units"][0]
    return {"order": row["id"]} | payment_journal_fields(unit)


def capture_journal_fields(row: Json) -> Json:
    return {"order": order_of(row)} | payment_journal_fields(row)


def payment_journal_fields(row: Json) -> Json:
    return {
        "amount": units_of(row["amount"]),
        "currency": row["amount"]["currency_code"].lower(),
        "custom_id": row.get("custom_id"),
        "invoice_id": row.get("invoice_id"),
    }
