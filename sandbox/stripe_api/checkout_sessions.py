"""https://docs.stripe.com/api/checkout/sessions: the hosted page. The PaymentIntent is created when the buyer pays."""

from sandbox.http_messages import Json
from sandbox.stripe_api import confirmation, payment_intents, setup_intents
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.errors import bad_parameter, refused
from sandbox.stripe_api.line_items import LINE, list_lines, priced_lines
from sandbox.stripe_api.parameters import (
    SHIPPING,
    Choice,
    Descriptor,
    Int,
    Kind,
    Many,
    Map,
    Metadata,
    Text,
    Url,
    merged,
)
from sandbox.stripe_api.routes import LISTING, Call, Route, list_params, page

HOUR = 3600
INTENT_DATA: dict[str, Kind] = {
    "capture_method": Choice("automatic", "automatic_async"),
    "description": Text(unset=True),
    "metadata": Metadata(),
    "receipt_email": Text(),
    "setup_future_usage": Choice("off_session", "on_session"),
    "shipping": SHIPPING,
    "statement_descriptor": Descriptor(),
    "statement_descriptor_suffix": Descriptor(),
    "transfer_group": Text(),
}
CREATE = Map(
    {
        "allowed_payment_method_types": Many(Choice("card")),
        "cancel_url": Url(),
        "client_reference_id": Text(200),
        "currency": Text(3),
        "customer": Text(),
        "customer_creation": Choice("always", "if_required"),
        "customer_email": Text(512),
        "expires_at": Int(),
        "line_items": Many(LINE),
        "locale": Text(),
        "metadata": Metadata(),
        "mode": Choice("payment", "setup"),
        "payment_intent_data": Map(INTENT_DATA),
        "setup_intent_data": Map({"description": Text(), "metadata": Metadata()}),
        "submit_type": Choice("auto", "book", "donate", "pay"),
        "success_url": Url(),
        "ui_mode": Choice("hosted_page", "hosted"),
    },
    required=("mode", "success_url"),
)


def create(account: Account, call: Call) -> Json:
    params = call.params
    if "customer" in params:
        account.find("customer", params["customer"], "customer")
    lines = priced_lines(account, params)
    expires = params.get("expires_at", account.now() + 24 * HOUR)
    check_expiry(expires - account.now())
    row = new_session(account, params, lines, expires)
    if params["mode"] == "setup":
        start_setup(account, row, params)
    account.save(row)
    account.set_internal(row["id"], lines=lines, intent_data=params.get("payment_intent_data", {}))
    account.simulator.schedule("stripe.session.deadline", when=expires, session=row["id"])
    account.record("session.created", row, amount=row["amount_total"])
    return row


def check_expiry(seconds: int) -> None:
    for is_wrong, limit in (
        (seconds < HOUR // 2, "at least 30 minutes"),
        (seconds > 24 * HOUR, "less than 24 hours"),
    ):
        if is_wrong:
            message = f"The `expires_at` timestamp must be {limit} from Checkout Session creation."
            raise bad_parameter("expires_at", message)


def new_session(account: Account, params: Json, lines: list[Json], expires: int) -> Json:
    session_id = account.new_id("cs_test", 58)
    paying = params["mode"] == "payment"
    total = sum(line["amount_total"] for line in lines)
    empty = (
        "after_expiration", "allow_promotion_codes", "billing_address_collection", "client_secret",
        "collected_information", "consent", "consent_collection", "currency_conversion", "customer_account",
        "integration_identifier", "invoice", "origin_context", "payment_intent", "payment_link", "permissions",
        "recovered_from", "setup_intent", "shipping_address_collection", "shipping_cost", "subscription",
    )  # fmt: skip
    texts = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    return {
        **dict.fromkeys(empty),
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": bool(account.settings["presentment"])} if paying else None,
        "amount_subtotal": total if paying else None,
        "amount_total": total if paying else None,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": account.now(),
        "currency": lines[0]["currency"] if lines else params.get("currency"),
        "custom_fields": [],
        "custom_text": dict.fromkeys(texts),
        "customer": params.get("customer"),
        "customer_creation": None if "customer" in params else params.get("customer_creation", "if_required"),
        "customer_details": details(params.get("customer_email")) if "customer_email" in params else None,
        "customer_email": params.get("customer_email"),
        "discounts": [] if paying else None,
        "expires_at": expires,
        "invoice_creation": None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged({}, params.get("metadata", {})),
        "mode": params["mode"],
        "payment_method_collection": "if_required" if paying else "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid" if paying else "no_payment_required",
        "phone_number_collection": {"enabled": False},
        "saved_payment_method_options": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0} if paying else None,
        "ui_mode": "hosted_page",
        "url": f"{account.simulator.base_url}/c/pay/{session_id}",
        "wallet_options": None,
    }


def details(email: str | None) -> Json:
    names = ("address", "business_name", "individual_name", "name", "phone", "tax_ids")
    return {**dict.fromkeys(names), "email": email, "tax_exempt": "none"}


def start_setup(account: Account, row: Json, params: Json) -> None:
    data = params.get("setup_intent_data", {}) | ({"customer": row["customer"]} if row["customer"] else {})
    intent = account.save(setup_intents.new_intent(account, data))
    account.set_internal(intent["id"], session=row["id"])
    account.emit("setup_intent.created", intent)
    row["setup_intent"] = intent["id"]


def pay(account: Account, row: Json, method_params: Json) -> Json:
    """Pay on the hosted page as the buyer; returns the intent. Raises card errors, as confirm does."""
    if row["status"] != "open":
        raise refused("This Checkout Session is no longer open.")
    back = f"{account.simulator.base_url}/c/pay/{row['id']}/back"
    params = method_params | {"return_url": back}
    if row["mode"] == "setup":
        setup = account.find("setup_intent", row["setup_intent"])
        setup_intents.confirm_row(account, setup, params, public=True)
        complete(account, row)
        return setup
    intent = account.get("payment_intent", row["payment_intent"]) or start_payment(account, row)
    confirmation.confirm(account, intent, params, public=True)
    complete(account, row)
    return intent


def start_payment(account: Account, row: Json) -> Json:
    data = account.internal(row["id"])["intent_data"]
    params = data | {
        "amount": row["amount_total"],
        "currency": row["currency"],
        "allowed_payment_method_types": ["card"],
    }
    if row["customer"]:
        params["customer"] = row["customer"]
    presented = presentment(account, row)
    intent = account.save(payment_intents.new_intent(account, params) | presented)
    account.set_internal(intent["id"], session=row["id"])
    row |= {"payment_intent": intent["id"]} | presented
    account.save(row)
    account.record("intent.created", intent, session=row["id"])
    account.emit("payment_intent.created", intent)
    return intent


def presentment(account: Account, row: Json) -> Json:
    """With Adaptive Pricing, the currency and amount that the buyer sees; the shop's own do not change."""
    setting = account.settings["presentment"]
    if not setting or setting["currency"] == row["currency"]:
        return {}
    amount = round(row["amount_total"] * float(setting["rate"]))
    return {
        "presentment_details": {
            "presentment_amount": amount,
            "presentment_currency": setting["currency"],
        }
    }


def complete(account: Account, row: Json) -> None:
    """Complete the session if its intent succeeded or is processing; otherwise it stays open."""
    kind = "setup_intent" if row["mode"] == "setup" else "payment_intent"
    intent = account.find(kind, row[kind])
    if row["status"] != "open" or intent["status"] not in {"succeeded", "processing"}:
        return
    row |= {"status": "complete", "url": None, "customer_details": row["customer_details"] or details(None)}
    if kind == "payment_intent" and intent["status"] == "succeeded":
        row["payment_status"] = "paid"
    account.save(row)
    account.record("session.completed", row, amount=row["amount_total"], payment_intent=row["payment_intent"])
    account.emit("checkout.session.completed", row)


def after_processing(account: Account, intent: Json) -> None:
    """Update a session that was completed while its payment was processing."""
    row = account.get("checkout.session", account.internal(intent["id"]).get("session"))
    if row is None:
        return
    paid = intent["status"] == "succeeded"
    if paid:
        account.save(row | {"payment_status": "paid"})
    kind = "checkout.session.async_payment_succeeded" if paid else "checkout.session.async_payment_failed"
    account.emit(kind, account.find("checkout.session", row["id"]))


def close(account: Account, row: Json) -> Json:
    row |= {"status": "expired", "url": None}
    account.save(row)
    intent = account.get("payment_intent", row["payment_intent"])
    if intent and intent["status"] in confirmation.OPEN:
        payment_intents.cancel_row(account, intent, None)
    account.record("session.expired", row, amount=row["amount_total"])
    account.emit("checkout.session.expired", row)
    return row


def expire(account: Account, _: Call, session_id: str) -> Json:
    row = account.find("checkout.session", session_id)
    if row["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{row['status']}."
        )
        raise refused(message)
    return close(account, row)


def retrieve(account: Account, _: Call, session_id: str) -> Json:
    return account.find("checkout.session", session_id, "session")


def list_all(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("customer", "payment_intent", "status")}
    return page(account, call, "checkout.session", "/v1/checkout/sessions", **filters)


PATH = "/v1/checkout/sessions"
ROUTES = (
    Route("POST", PATH, create, CREATE),
    Route("GET", PATH, list_all, list_params(customer=Text(), payment_intent=Text(), status=Text())),
    Route("GET", PATH + "/{id}", retrieve),
    Route("POST", PATH + "/{id}/expire", expire),
    Route(
        "GET",
        PATH + "/{id}/line_items",
        list_lines,
        Map({"limit": LISTING["limit"], "starting_after": Text()}),
    ),
)
