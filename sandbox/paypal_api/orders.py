"""https://developer.paypal.com/docs/api/orders/v2/ – orders with one purchase unit and intent CAPTURE."""

import copy

from sandbox.http_messages import Json
from sandbox.paypal_api import captures, forced_errors, serializers, vault
from sandbox.paypal_api.account import MERCHANT_ID, PAYEE, Account
from sandbox.paypal_api.amounts import check_unit
from sandbox.paypal_api.buyers import BY_NAME, Buyer
from sandbox.paypal_api.countries import COUNTRIES, WITH_STATE, WITHOUT_POSTAL_CODE
from sandbox.paypal_api.errors import detail, invalid, problem, refused
from sandbox.paypal_api.routes import HOUR, Call, Result, Route

PATH = serializers.ORDERS
OBSTACLES = {  # by instrument: the issue when the shop captures, and the relation of the link in the error
    "card": ("INSTRUMENT_DECLINED", "redirect"),
    "unconfirmed": ("PAYER_ACTION_REQUIRED", "payer-action"),
}
OPEN = {"CREATED", "PAYER_ACTION_REQUIRED"}
LIFETIME = 3 * HOUR  # PayPal's default
MAX_ATTEMPTS = 10
ADDRESS = "/purchase_units/0/shipping/address"


def create(account: Account, call: Call) -> Result:
    """With a `vault_id`, no approval is needed."""
    source = call.body.get("payment_source", {}).get("paypal")
    if source is not None and call.request_id is None:
        raise problem(400, "INVALID_REQUEST", detail("PAYPAL_REQUEST_ID_REQUIRED"))
    forced_errors.raise_if_forced(account, "create")
    unit = checked_unit(call.body["purchase_units"][0])
    context = (source or {}).get("experience_context", {})
    address = unit.get("shipping", {}).get("address")
    if address:
        check_address(address)
    elif context.get("shipping_preference") == "SET_PROVIDED_ADDRESS":
        raise refused("SHIPPING_ADDRESS_INVALID", ADDRESS)
    token = vault.token_for_order(account, source or {})
    row: Json = {
        "id": account.new_id(),
        "intent": "CAPTURE",
        "status": "CREATED" if source is None else "PAYER_ACTION_REQUIRED",
        "purchase_units": [unit],
        "create_time": account.stamp(),
    }
    if source is not None:
        row["payment_source"] = {"paypal": {}}
    if token:
        captures.check_invoice(account, row)
        if issue := vault.buyer_of(account, token["id"]).obstacle:
            raise refused(issue)
    account.save("order", row)
    context = call.body.get("application_context", {}) | (source or {}).get("experience_context", {})
    account.set_internal(row["id"], context=context, attributes=(source or {}).get("attributes", {}))
    account.record("order.created", row["id"], **serializers.order_journal_fields(row))
    account.simulator.schedule("paypal.order.deadline", when=account.now() + LIFETIME, order=row["id"])
    if token:
        pay_from_vault(account, row, token)
    return Result(201, serializers.order(account, row["id"], call.full), object_id=row["id"])


def check_address(address: Json) -> None:
    """Raises PayPal's errors for an incomplete address."""
    country = address["country_code"]
    if country not in COUNTRIES:
        raise invalid("INVALID_COUNTRY_CODE", f"{ADDRESS}/country_code", country)
    wrong = {
        "CITY_REQUIRED": not address.get("admin_area_2"),
        "POSTAL_CODE_REQUIRED": not address.get("postal_code") and country not in WITHOUT_POSTAL_CODE,
        "SHIPPING_ADDRESS_INVALID": not address.get("address_line_1")
        or (not address.get("admin_area_1") and country in WITH_STATE),
    }
    for issue, is_wrong in wrong.items():
        if is_wrong:
            raise refused(issue, ADDRESS)


def checked_unit(unit: Json) -> Json:
    field = f"/purchase_units/@reference_id=='{unit.get('reference_id', 'default')}'"
    check_unit(unit, field)
    if unit.get("payee", {}).get("merchant_id", MERCHANT_ID) != MERCHANT_ID:
        raise refused("PAYEE_ACCOUNT_INVALID", f"{field}/payee")
    return {"reference_id": "default"} | copy.deepcopy(unit) | {"payee": PAYEE}


def pay_from_vault(account: Account, row: Json, token: Json) -> None:
    buyer = vault.buyer_of(account, token["id"])
    set_payer(account, row, buyer, "bank")
    account.set_internal(row["id"], vault_id=token["id"])
    if account.settings["vaulted_orders"] == "COMPLETED":
        captures.create_capture(account, row, buyer)


# ---- buyer -----------------------------------------------------------------------------------------


def awaits_buyer(account: Account, row: Json) -> bool:
    """Whether the buyer must approve, confirm once more, or choose another instrument after a decline."""
    internal = account.internal(row["id"])
    is_stopped = internal.get("instrument") in OBSTACLES and internal.get("failed", 0) > 0
    return row["status"] in OPEN or (row["status"] == "APPROVED" and is_stopped)


def set_payer(account: Account, row: Json, buyer: Buyer, instrument: str) -> None:
    row |= {"status": "APPROVED", "payer": buyer.payer, "payment_source": {"paypal": buyer.wallet}}
    row["update_time"] = account.stamp()
    account.save("order", row)
    account.set_internal(row["id"], buyer=buyer.name, instrument=instrument)
    account.record(
        "order.approved", row["id"], **serializers.order_journal_fields(row), payer_id=buyer.payer_id
    )


def approve(account: Account, row: Json, buyer: Buyer, instrument: str | None = None) -> Json:
    """`instrument`: bank, or one of OBSTACLES; by default the buyer's own, and the bank after a refusal."""
    if not awaits_buyer(account, row):
        raise refused(
            "ORDER_ALREADY_COMPLETED" if row["status"] == "COMPLETED" else "ORDER_COMPLETED_OR_VOIDED"
        )
    is_first = not account.internal(row["id"]).get("failed")
    own = next(
        (name for name, (issue, _) in OBSTACLES.items() if is_first and issue == buyer.obstacle), "bank"
    )
    set_payer(account, row, buyer, instrument or own)
    account.emit(
        "CHECKOUT.ORDER.APPROVED",
        "checkout-order",
        serializers.order(account, row["id"]),
        "An order has been approved by buyer",
    )
    return row


def return_url(account: Account, row: Json) -> str | None:
    context, payer = account.internal(row["id"])["context"], row.get("payer", {})
    return serializers.with_query(
        context.get("return_url"), token=row["id"], PayerID=payer.get("payer_id", "")
    )


def cancel_url(account: Account, row: Json) -> str | None:
    return serializers.with_query(account.internal(row["id"])["context"].get("cancel_url"), token=row["id"])


# ---- shop ------------------------------------------------------------------------------------------


def capture(account: Account, call: Call, order_id: str) -> Result:
    row = account.find("order", order_id)
    forced_errors.raise_if_forced(account, "capture")
    issues = {"COMPLETED": "ORDER_ALREADY_CAPTURED", "VOIDED": "ORDER_COMPLETED_OR_VOIDED", "APPROVED": None}
    if issue := issues.get(row["status"], "ORDER_NOT_APPROVED"):
        raise refused(issue)
    captures.check_invoice(account, row)
    check_instrument(account, row)
    captures.create_capture(account, row, BY_NAME[account.internal(order_id)["buyer"]])
    return Result(201, serializers.order(account, order_id, call.full), object_id=order_id)


def check_instrument(account: Account, row: Json) -> None:
    """Raises INSTRUMENT_DECLINED or PAYER_ACTION_REQUIRED, with a link to the approval page."""
    internal = account.internal(row["id"])
    if internal["instrument"] not in OBSTACLES:
        return
    issue, rel = OBSTACLES[internal["instrument"]]
    failed = internal.get("failed", 0) + 1
    if failed > MAX_ATTEMPTS:
        raise refused("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED")
    account.set_internal(row["id"], failed=failed)
    account.record("capture.refused", row["id"], **serializers.order_journal_fields(row), issue=issue)
    raise refused(issue, links=[serializers.page_link(account, row["id"], rel)])


def show(account: Account, _: Call, order_id: str) -> Result:
    return Result(200, serializers.order(account, order_id))


def void(account: Account, order_id: str) -> Json:
    """Expire an order: delete an unapproved one, void an approved one. Returns its last state."""
    row = account.find("order", order_id)
    if row["status"] in {"COMPLETED", "VOIDED"}:
        return row
    account.record("order.expired", order_id, **serializers.order_journal_fields(row), status=row["status"])
    if row["status"] in OPEN:
        account.remove("order", order_id)
        return row
    return account.save("order", row | {"status": "VOIDED", "update_time": account.stamp()})


ROUTES = (
    Route("POST", PATH, create, "order_request", key_lifetime=6 * HOUR, serialize=serializers.order),
    Route("GET", PATH + "/{id}", show),
    Route(
        "POST",
        PATH + "/{id}/capture",
        capture,
        "order_capture_request",
        key_lifetime=6 * HOUR,
        serialize=serializers.order,
    ),
)
