"""https://docs.stripe.com/api/payment_intents"""

from sandbox.http_messages import Json
from sandbox.stripe_api import confirmation, search
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.charges import check_converted
from sandbox.stripe_api.errors import bad_parameter, refused
from sandbox.stripe_api.money import check_amount, check_currency
from sandbox.stripe_api.parameters import (
    SHIPPING,
    Choice,
    Descriptor,
    Flag,
    Int,
    Kind,
    Many,
    Map,
    Metadata,
    Text,
    Unsettable,
    Url,
    merged,
)
from sandbox.stripe_api.payment_methods import DATA, resolve
from sandbox.stripe_api.routes import Call, Route, list_params, page

REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
THREE_D_SECURE = Choice("any", "automatic", "challenge")
OPTIONS = Map({"card": Map({"request_three_d_secure": THREE_D_SECURE, "setup_future_usage": Text()})})
COMMON: dict[str, Kind] = {
    "payment_method": Text(),
    "payment_method_data": DATA,
    "payment_method_options": OPTIONS,
    "receipt_email": Text(512, unset=True),
    "setup_future_usage": Choice("off_session", "on_session"),
    "shipping": SHIPPING,
}
CONFIRM: dict[str, Kind] = {
    "error_on_requires_action": Flag(),
    "off_session": Choice("true", "false", "one_off", "recurring"),
    "return_url": Url(),
    "use_stripe_sdk": Flag(),
}
CHANGES: dict[str, Kind] = {
    "amount": Int(1),
    "currency": Text(3),
    "customer": Text(),
    "description": Text(1000, unset=True),
    "metadata": Metadata(),
    "statement_descriptor": Descriptor(),
    "statement_descriptor_suffix": Descriptor(),
    "transfer_group": Text(),
}
NEW: dict[str, Kind] = {
    "allowed_payment_method_types": Many(Choice("card")),
    "automatic_payment_methods": Map(
        {"enabled": Flag(), "allow_redirects": Choice("always", "never")}, required=("enabled",)
    ),
    "capture_method": Choice("automatic", "automatic_async", "manual"),
    "confirm": Flag(),
    "confirmation_method": Choice("automatic"),
}
CREATE = Map({**COMMON, **CONFIRM, **CHANGES, **NEW}, required=("amount", "currency"))
UPDATE = Map(
    {**COMMON, **CHANGES, "setup_future_usage": Unsettable(COMMON["setup_future_usage"])},
)
PLAIN = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def create(account: Account, call: Call) -> Json:
    params = call.params
    check_create(account, params)
    row = new_intent(account, params)
    if params.get("confirm"):
        confirmation.check_confirmable(account, row, params, public=False)
    if params.get("confirm") or {"payment_method", "payment_method_data"} & set(params):
        row["payment_method"] = confirmation.choose_method(account, row, params, public=False)["id"]
        row["status"] = "requires_confirmation"
        params = {name: params[name] for name in CONFIRM if name in params} | {
            "confirm": params.get("confirm")
        }
    account.save(row)
    account.record("intent.created", row)
    account.emit("payment_intent.created", row)
    return confirmation.confirm(account, row, params) if params.get("confirm") else row


def check_create(account: Account, params: Json) -> None:
    params["currency"] = check_currency(params["currency"])
    check_amount(params["amount"], params["currency"])
    check_converted(account, params["amount"], params["currency"])
    if params.get("capture_method") == "manual":
        raise bad_parameter("capture_method", "The sandbox does not simulate capture_method=manual.")
    automatic = params.get("automatic_payment_methods", {})
    if automatic.get("enabled") and "allowed_payment_method_types" in params:
        message = "Only one of allowed_payment_method_types and automatic_payment_methods may be specified."
        raise bad_parameter("automatic_payment_methods", message, "parameters_exclusive")
    for name in CONFIRM:
        if name in params and not params.get("confirm"):
            raise bad_parameter(name, f"You can only provide `{name}` if `confirm` is set to `true`.")
    if "customer" in params:
        account.find("customer", params["customer"], "customer")


def new_intent(account: Account, params: Json) -> Json:
    intent_id = account.new_id("pi")
    automatic = "allowed_payment_method_types" not in params and params.get(
        "automatic_payment_methods", {}
    ).get("enabled", True)
    redirects = params.get("automatic_payment_methods", {}).get("allow_redirects", "always")
    request = (
        params.get("payment_method_options", {}).get("card", {}).get("request_three_d_secure", "automatic")
    )
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True} if automatic else None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": account.new_id(f"{intent_id}_secret", 25),
        "confirmation_method": "automatic",
        "created": account.now(),
        "currency": params["currency"],
        "customer": params.get("customer"),
        "customer_account": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": {"id": "pmc_sandbox", "parent": None} if automatic else None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": request,
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        **{name: params.get(name) for name in PLAIN},
    }


def retrieve(account: Account, _: Call, intent_id: str) -> Json:
    return account.find("payment_intent", intent_id, "intent")


def update(account: Account, call: Call, intent_id: str) -> Json:
    row, params = account.find("payment_intent", intent_id, "intent"), call.params
    if row["status"] not in confirmation.OPEN and (
        fixed := set(params) - {"metadata", "description", "expand"}
    ):
        name = sorted(fixed)[0]
        message = (
            f"This PaymentIntent's {name} could not be updated because it has a status of {row['status']}. You may "
            f"only update the {name} of a PaymentIntent with one of the following statuses: requires_payment_method, "
            "requires_confirmation, requires_action."
        )
        raise refused(message, confirmation.UNEXPECTED, payment_intent=dict(row))
    currency = check_currency(params["currency"]) if "currency" in params else row["currency"]
    amount = params["amount"] if "amount" in params else row["amount"]
    check_amount(amount, currency)
    check_converted(account, amount, currency)
    if "customer" in params:
        account.find("customer", params["customer"], "customer")
    if "payment_method" in params:
        params["payment_method"] = resolve(account, params["payment_method"])["id"]
    row |= {name: params[name] for name in (*PLAIN, "amount", "customer", "payment_method") if name in params}
    row["currency"] = currency
    row["metadata"] = merged(row["metadata"], params["metadata"]) if "metadata" in params else row["metadata"]
    if row["status"] in confirmation.OPEN and {"amount", "currency", "payment_method"} & set(params):
        row["status"] = "requires_confirmation" if row["payment_method"] else "requires_payment_method"
        row["next_action"] = None
    account.record("intent.updated", row)
    return account.save(row)


def confirm(account: Account, call: Call, intent_id: str) -> Json:
    intent = account.find("payment_intent", intent_id, "intent")
    return confirmation.confirm(account, intent, call.params, public=call.public)


def cancel(account: Account, call: Call, intent_id: str) -> Json:
    row = account.find("payment_intent", intent_id, "intent")
    if account.internal(intent_id).get("session") and row["status"] in confirmation.OPEN:
        message = (
            "You cannot cancel this PaymentIntent because it was created by a Checkout Session. Expire the Checkout "
            "Session instead."
        )
        raise refused(message, confirmation.UNEXPECTED, payment_intent=dict(row))
    return cancel_row(account, row, call.params.get("cancellation_reason"))


def cancel_row(account: Account, row: Json, reason: str | None) -> Json:
    if row["status"] not in confirmation.OPEN:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {row['status']}. Only a PaymentIntent "
            "with one of the following statuses may be canceled: requires_payment_method, requires_capture, "
            "requires_confirmation, requires_action."
        )
        raise refused(message, confirmation.UNEXPECTED, payment_intent=dict(row))
    row |= {
        "status": "canceled",
        "canceled_at": account.now(),
        "cancellation_reason": reason,
        "next_action": None,
    }
    account.save(row)
    account.record("intent.canceled", row, reason=reason)
    account.emit("payment_intent.canceled", row)
    return row


def list_all(account: Account, call: Call) -> Json:
    return page(account, call, "payment_intent", "/v1/payment_intents", customer=call.params.get("customer"))


ROUTES = (
    Route("POST", "/v1/payment_intents", create, CREATE),
    Route("GET", "/v1/payment_intents", list_all, list_params(customer=Text())),
    Route("GET", "/v1/payment_intents/search", search.find_intents, search.PARAMS),
    Route("GET", "/v1/payment_intents/{id}", retrieve, public=True),
    Route("POST", "/v1/payment_intents/{id}", update, UPDATE),
    Route("POST", "/v1/payment_intents/{id}/confirm", confirm, Map({**COMMON, **CONFIRM}), public=True),
    Route("POST", "/v1/payment_intents/{id}/cancel", cancel, Map({"cancellation_reason": Choice(*REASONS)})),
)
