"""https://docs.stripe.com/api/setup_intents: saving a card without charging it."""

from sandbox.http_messages import Json
from sandbox.stripe_api import challenges
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.cards import Decline, bank_decision
from sandbox.stripe_api.confirmation import check_owner, check_return_url
from sandbox.stripe_api.errors import INVALID, ApiError, refused
from sandbox.stripe_api.parameters import Choice, Flag, Kind, Many, Map, Metadata, Text, Url, merged
from sandbox.stripe_api.payment_methods import DATA, attach_to, card_of, create_from_data, resolve
from sandbox.stripe_api.routes import Call, Route, list_params, page

UNEXPECTED = "setup_intent_unexpected_state"
OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}
CONFIRM: dict[str, Kind] = {
    "payment_method": Text(),
    "payment_method_data": DATA,
    "payment_method_options": Map(
        {"card": Map({"request_three_d_secure": Choice("any", "automatic", "challenge")})}
    ),
    "return_url": Url(),
    "use_stripe_sdk": Flag(),
}
CHANGES: dict[str, Kind] = {"customer": Text(), "description": Text(unset=True), "metadata": Metadata()}
NEW: dict[str, Kind] = {
    "allowed_payment_method_types": Many(Choice("card")),
    "automatic_payment_methods": Map(
        {"enabled": Flag(), "allow_redirects": Choice("always", "never")}, required=("enabled",)
    ),
    "confirm": Flag(),
    "usage": Choice("off_session", "on_session"),
}


def create(account: Account, call: Call) -> Json:
    params = call.params
    if "customer" in params:
        account.find("customer", params["customer"], "customer")
    row = new_intent(account, params)
    if params.get("confirm"):
        check_return_url(row, params)
    if params.get("confirm") or {"payment_method", "payment_method_data"} & set(params):
        row["payment_method"] = choose_method(account, row, params, public=False)["id"]
        row["status"] = "requires_confirmation"
    account.save(row)
    account.record("setup.created", row, customer=row["customer"])
    account.emit("setup_intent.created", row)
    confirm_params: Json = {name: params[name] for name in ("return_url", "use_stripe_sdk") if name in params}
    return confirm_row(account, row, confirm_params, public=False) if params.get("confirm") else row


def new_intent(account: Account, params: Json) -> Json:
    intent_id = account.new_id("seti")
    automatic = "allowed_payment_method_types" not in params and params.get(
        "automatic_payment_methods", {}
    ).get("enabled", True)
    redirects = params.get("automatic_payment_methods", {}).get("allow_redirects", "always")
    return {
        "id": intent_id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": {"allow_redirects": redirects, "enabled": True} if automatic else None,
        "cancellation_reason": None,
        "client_secret": account.new_id(f"{intent_id}_secret", 31),
        "created": account.now(),
        "customer": params.get("customer"),
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": merged({}, params.get("metadata", {})),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": {"id": "pmc_sandbox", "parent": None} if automatic else None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }


def choose_method(account: Account, row: Json, params: Json, *, public: bool) -> Json:
    if data := params.get("payment_method_data"):
        return create_from_data(account, data, public=public, param="payment_method_data[card]")
    wanted = params.get("payment_method") or row["payment_method"]
    if wanted is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise refused(message, UNEXPECTED, setup_intent=dict(row))
    method = resolve(account, wanted)
    check_owner(account, method, row["customer"])
    return method


def confirm(account: Account, call: Call, intent_id: str) -> Json:
    return confirm_row(
        account, account.find("setup_intent", intent_id, "intent"), call.params, public=call.public
    )


def confirm_row(account: Account, row: Json, params: Json, *, public: bool) -> Json:
    """Raises a card error if the issuer declines."""
    if row["status"] not in OPEN:
        message = f"You cannot confirm this SetupIntent because it has a status of {row['status']}."
        raise refused(message, UNEXPECTED, setup_intent=dict(row))
    if not public:
        check_return_url(row, params)
    method = choose_method(account, row, params, public=public)
    row |= {"payment_method": method["id"], "next_action": None, "last_setup_error": None}
    row["latest_attempt"] = account.new_id("setatt")
    card = card_of(account, method)
    decision = bank_decision(card, off_session=False, set_up=False, authenticated=False)
    if isinstance(decision, Decline) and not card.attachable:
        raise fail(
            account, row, {"type": "card_error", **decline_fields(decision), "payment_method": dict(method)}
        )
    if decision == "authenticate":
        row["status"] = "requires_action"
        row["next_action"] = challenges.begin(
            account, row, return_url=params.get("return_url"), sdk=params.get("use_stripe_sdk", False)
        )
        account.save(row)
        account.emit("setup_intent.requires_action", row)
        return row
    return succeed(account, row, method)


def decline_fields(decline: Decline) -> Json:
    facts = {"code": decline.code, "decline_code": decline.reason, "message": decline.message}
    return {name: value for name, value in facts.items() if value}


def succeed(account: Account, row: Json, method: Json) -> Json:
    row |= {"status": "succeeded", "next_action": None}
    account.save(row)
    account.set_internal(method["id"], set_up=row["usage"] == "off_session")
    if row["customer"]:
        attach_to(account, method, row["customer"])
    account.record("setup.succeeded", row, customer=row["customer"], payment_method=method["id"])
    account.emit("setup_intent.succeeded", row)
    return row


def fail(account: Account, row: Json, error: Json) -> ApiError:
    """Record the failure. Returns the error, for callers that raise it."""
    row |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": error,
    }
    account.save(row)
    account.emit("setup_intent.setup_failed", row)
    details = {name: value for name, value in error.items() if name not in {"type", "message"}}
    return ApiError(402, error["type"], error["message"], setup_intent=dict(row), **details)


def finish_authentication(account: Account, row: Json, *, passed: bool) -> None:
    method = account.find("payment_method", row["payment_method"])
    if passed:
        succeed(account, row, method)
        return
    message = "The latest attempt to set up the payment method has failed because authentication failed."
    error = {"type": INVALID, "code": "setup_intent_authentication_failure", "message": message}
    fail(account, row, error | {"payment_method": dict(method)})


def retrieve(account: Account, _: Call, intent_id: str) -> Json:
    return account.find("setup_intent", intent_id, "intent")


def update(account: Account, call: Call, intent_id: str) -> Json:
    row, params = account.find("setup_intent", intent_id, "intent"), call.params
    if "customer" in params:
        account.find("customer", params["customer"], "customer")
    row |= {name: params[name] for name in ("customer", "description") if name in params}
    row["metadata"] = merged(row["metadata"], params.get("metadata", {}))
    return account.save(row)


def cancel(account: Account, call: Call, intent_id: str) -> Json:
    row = account.find("setup_intent", intent_id, "intent")
    if row["status"] not in OPEN:
        message = f"You cannot cancel this SetupIntent because it has a status of {row['status']}."
        raise refused(message, UNEXPECTED, setup_intent=dict(row))
    row |= {
        "status": "canceled",
        "cancellation_reason": call.params.get("cancellation_reason"),
        "next_action": None,
    }
    account.save(row)
    account.record("setup.canceled", row)
    account.emit("setup_intent.canceled", row)
    return row


def list_all(account: Account, call: Call) -> Json:
    filters = {name: call.params.get(name) for name in ("customer", "payment_method")}
    return page(account, call, "setup_intent", "/v1/setup_intents", **filters)


REASON = Map({"cancellation_reason": Choice("abandoned", "duplicate", "requested_by_customer")})
ROUTES = (
    Route("POST", "/v1/setup_intents", create, Map({**CONFIRM, **CHANGES, **NEW})),
    Route("GET", "/v1/setup_intents", list_all, list_params(customer=Text(), payment_method=Text())),
    Route("GET", "/v1/setup_intents/{id}", retrieve, public=True),
    Route("POST", "/v1/setup_intents/{id}", update, Map(CHANGES)),
    Route("POST", "/v1/setup_intents/{id}/confirm", confirm, Map(CONFIRM), public=True),
    Route("POST", "/v1/setup_intents/{id}/cancel", cancel, REASON),
)
