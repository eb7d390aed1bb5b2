"""https://docs.stripe.com/api/checkout/sessions/line_items: the items of a Checkout Session."""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.charges import check_converted
from sandbox.stripe_api.errors import bad_parameter, missing_parameter
from sandbox.stripe_api.money import check_amount, check_currency
from sandbox.stripe_api.parameters import Choice, Int, Many, Map, Metadata, Text, Url
from sandbox.stripe_api.routes import Call

PRODUCT = Map(
    {"description": Text(unset=True), "images": Many(Url()), "metadata": Metadata(), "name": Text(250)},
    required=("name",),
)
PRICE = Map(
    {"currency": Text(3), "product_data": PRODUCT, "tax_behavior": Choice("exclusive", "inclusive", "unspecified"),
     "unit_amount": Int(0)},
    required=("currency", "product_data", "unit_amount"),
)  # fmt: skip
LINE = Map({"price_data": PRICE, "quantity": Int(1)}, required=("price_data",))


def priced_lines(account: Account, params: Json) -> list[Json]:
    if params["mode"] == "setup":
        return []
    if not params.get("line_items"):
        raise missing_parameter("line_items")
    lines = [line_item(account, line) for line in params["line_items"]]
    currencies = {line["currency"] for line in lines}
    if len(currencies) > 1:
        raise bad_parameter("line_items", "All prices on a Checkout Session must have the same currency.")
    total, currency = sum(line["amount_total"] for line in lines), currencies.pop()
    check_amount(total, currency, "line_items")
    check_converted(account, total, currency, "line_items")
    return lines


def line_item(account: Account, line: Json) -> Json:
    price, quantity = line["price_data"], line.get("quantity", 1)
    total = price["unit_amount"] * quantity
    currency = check_currency(price["currency"], "line_items[0][price_data][currency]")
    return {
        "id": account.new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": currency,
        "description": price["product_data"]["name"],
        "metadata": {},
        "price": {
            "id": account.new_id("price"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": account.now(),
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": account.new_id("prod", 14),
            "recurring": None,
            "tax_behavior": price.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": price["unit_amount"],
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": quantity,
    }


def list_lines(account: Account, call: Call, session_id: str) -> Json:
    account.find("checkout.session", session_id, "session")
    rows = account.internal(session_id)["lines"]
    data = rows[: call.params.get("limit", 10)]
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "data": data, "has_more": len(rows) > len(data), "url": url}
