"""https://docs.stripe.com/api/payment_methods, cards only."""

from sandbox.http_messages import Json
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.cards import BY_NAME, LIVE, Card, card_by_number, card_by_token, card_fields
from sandbox.stripe_api.errors import INVALID, ApiError, bad_parameter, missing_resource, refused
from sandbox.stripe_api.parameters import ADDRESS, Choice, Int, Map, Metadata, Text, merged
from sandbox.stripe_api.routes import Call, Route, list_params, page

EXPIRY = (12, 2034)  # of cards that are created from a token
BILLING = Map(
    {
        "address": ADDRESS,
        "email": Text(unset=True),
        "name": Text(unset=True),
        "phone": Text(unset=True),
    }
)
CARD = Map(
    {
        "number": Text(30),
        "exp_month": Int(),
        "exp_year": Int(),
        "cvc": Text(10),
        "token": Text(100),
    }
)
DATA = Map(
    {
        "type": Choice("card"),
        "card": CARD,
        "billing_details": BILLING,
        "metadata": Metadata(),
        "allow_redisplay": Choice("always", "limited", "unspecified"),
    },
    required=("type",),
)


def create(account: Account, call: Call) -> Json:
    return create_from_data(account, call.params, public=call.public)


def create_from_data(account: Account, data: Json, *, public: bool, param: str = "card") -> Json:
    """Create from card data (from browsers only) or from a token."""
    card = data.get("card", {})
    if token := card.get("token"):
        known = card_by_token(token)
        if known is None:
            raise missing_resource("token", token, f"{param}[token]")
        return create_payment_method(account, known, EXPIRY, data)
    for name in ("number", "exp_month", "exp_year"):
        if name not in card:
            raise bad_parameter(
                f"{param}[{name}]", f"Missing required param: {param}[{name}].", "parameter_missing"
            )
    if not public:
        message = (
            "Sending credit card numbers directly to the Stripe API is generally unsafe. To continue processing use "
            "Stripe.js, the Stripe mobile bindings, or Stripe Elements."
        )
        raise ApiError(402, INVALID, message, stored=False)
    year = card["exp_year"] + (2000 if card["exp_year"] < 100 else 0)  # noqa: PLR2004 (two digits)
    found = card_by_number(card["number"], card["exp_month"], year, card.get("cvc"))
    return create_payment_method(account, found, (card["exp_month"], year), data, has_cvc="cvc" in card)


def create_payment_method(
    account: Account, card: Card, expiry: tuple[int, int], data: Json, *, has_cvc: bool = True
) -> Json:
    billing = data.get("billing_details", {})
    parts = ("city", "country", "line1", "line2", "postal_code", "state")
    row = {
        "id": account.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": data.get("allow_redisplay", "unspecified"),
        "billing_details": {
            "address": {part: billing.get("address", {}).get(part) for part in parts},
            "email": billing.get("email"),
            "name": billing.get("name"),
            "phone": billing.get("phone"),
            "tax_id": None,
        },
        "card": {
            **card_fields(card, *expiry),
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "unchecked" if has_cvc else None,
            },
            "display_brand": card.brand,
            "generated_from": None,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": account.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": merged({}, data.get("metadata", {})),
        "type": "card",
    }
    account.set_internal(row["id"], card=card.name, set_up=False, used=False)
    return account.save(row)


def resolve(account: Account, token_or_id: str, param: str = "payment_method") -> Json:
    """Return the payment method with this ID; for `pm_card_…` a new one, as at Stripe."""
    if row := account.get("payment_method", token_or_id):
        return row
    card = card_by_token(token_or_id) if token_or_id.startswith("pm_card_") else None
    if card is None:
        raise missing_resource("PaymentMethod", token_or_id, param)
    return create_payment_method(account, card, EXPIRY, {})


def card_of(account: Account, payment_method: Json) -> Card:
    return BY_NAME.get(account.internal(payment_method["id"])["card"], LIVE)


def retrieve(account: Account, _: Call, method_id: str) -> Json:
    return resolve(account, method_id, "payment_method")


def update(account: Account, call: Call, method_id: str) -> Json:
    row = account.find("payment_method", method_id, "payment_method")
    if row["customer"] is None:
        raise refused("You must save this PaymentMethod to a customer before you can update it.")
    before = dict(row)
    if "metadata" in call.params:
        row["metadata"] = merged(row["metadata"], call.params["metadata"])
    row["billing_details"] = row["billing_details"] | call.params.get("billing_details", {})
    row["allow_redisplay"] = call.params.get("allow_redisplay", row["allow_redisplay"])
    account.save(row)
    account.emit("payment_method.updated", row, before)
    return row


def attach(account: Account, call: Call, method_id: str) -> Json:
    customer = account.find("customer", call.params["customer"], "customer")
    row = resolve(account, method_id)
    if row["customer"] not in {None, customer["id"]}:
        raise refused("The payment method you provided has already been attached to a customer.")
    check_reusable(account, row)
    if (card := card_of(account, row)).decline and not card.attachable:
        decline = card.decline
        raise ApiError(402, "card_error", decline.message, code=decline.code, decline_code=decline.reason)
    return attach_to(account, row, customer["id"])


def check_reusable(account: Account, row: Json) -> None:
    if row["customer"] is None and account.internal(row["id"])["used"]:
        message = (
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared "
            "with a connected account without Customer attachment, or was detached from a Customer. It may not be "
            "used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
        )
        raise refused(message)


def attach_to(account: Account, row: Json, customer_id: str) -> Json:
    if row["customer"] != customer_id:
        row["customer"] = customer_id
        row["card"]["checks"]["cvc_check"] = "pass"
        account.save(row)
        account.record("payment_method.attached", row, customer=customer_id)
        account.emit("payment_method.attached", row)
    return row


def detach(account: Account, _: Call, method_id: str) -> Json:
    row = account.find("payment_method", method_id)
    if row["customer"] is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise refused(message)
    before = dict(row)
    row["customer"] = None
    account.save(row)
    account.set_internal(method_id, used=True)
    account.record("payment_method.detached", row, customer=before["customer"])
    account.emit("payment_method.detached", row, before)
    return row


def list_all(account: Account, call: Call) -> Json:
    if customer := call.params.get("customer"):
        return list_of_customer(account, call, customer)
    return {"object": "list", "data": [], "has_more": False, "url": "/v1/payment_methods"}


def list_of_customer(account: Account, call: Call, customer_id: str) -> Json:
    account.find("customer", customer_id, "customer")
    return page(
        account,
        call,
        "payment_method",
        f"/v1/customers/{customer_id}/payment_methods",
        customer=customer_id,
        type=call.params.get("type"),
    )


def retrieve_of_customer(account: Account, _: Call, customer_id: str, method_id: str) -> Json:
    row = account.find("payment_method", method_id, "payment_method")
    if row["customer"] != customer_id:
        raise missing_resource("PaymentMethod", method_id, "payment_method")
    return row


CHANGES = Map(
    {
        "metadata": Metadata(),
        "billing_details": BILLING,
        "allow_redisplay": Choice("always", "limited", "unspecified"),
    }
)
ROUTES = (
    Route("POST", "/v1/payment_methods", create, DATA, public=True),
    Route("GET", "/v1/payment_methods", list_all, list_params(customer=Text(), type=Text())),
    Route("GET", "/v1/payment_methods/{id}", retrieve),
    Route("POST", "/v1/payment_methods/{id}", update, CHANGES),
    Route(
        "POST", "/v1/payment_methods/{id}/attach", attach, Map({"customer": Text()}, required=("customer",))
    ),
    Route("POST", "/v1/payment_methods/{id}/detach", detach),
    Route("GET", "/v1/customers/{id}/payment_methods", list_of_customer, list_params(type=Text())),
    Route("GET", "/v1/customers/{id}/payment_methods/{method}", retrieve_of_customer),
)
