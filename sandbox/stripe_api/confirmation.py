"""Confirming a PaymentIntent: its state machine.

https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from sandbox.http_messages import Json
from sandbox.stripe_api import challenges, charges
from sandbox.stripe_api.account import Account
from sandbox.stripe_api.cards import GENERIC, Card, Decline, bank_decision
from sandbox.stripe_api.errors import INVALID, ApiError, refused
from sandbox.stripe_api.payment_methods import attach_to, card_of, check_reusable, create_from_data, resolve

UNEXPECTED = "payment_intent_unexpected_state"
OPEN = {"requires_payment_method", "requires_confirmation", "requires_action"}
NO_REDIRECT = (
    "This intent is configured to accept payment methods enabled in your Dashboard. Because some of "
    "these payment methods might redirect your customer off of your page, you must provide a `return_url`. If you "
    "don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)
FAILED_AUTHENTICATION = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)


def check_confirmable(account: Account, intent: Json, params: Json, *, public: bool) -> None:
    """Raises Stripe's errors for intents that cannot be confirmed."""
    if intent["customer"]:
        account.find("customer", intent["customer"], "customer")  # it may have been deleted since
    if intent["status"] == "succeeded":
        message = (
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously "
            "confirmed."
        )
        raise refused(message, UNEXPECTED, payment_intent=dict(intent))
    if intent["status"] not in OPEN:
        message = (
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action."
        )
        raise refused(message, UNEXPECTED, payment_intent=dict(intent))
    if not public:
        check_return_url(intent, params)


def check_return_url(intent: Json, params: Json) -> None:
    """With automatic payment methods that may redirect, return_url is required."""
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] == "always" and "return_url" not in params:
        raise refused(NO_REDIRECT)


def choose_method(account: Account, intent: Json, params: Json, *, public: bool) -> Json:
    """Return the payment method of this attempt. Raises if it is missing or not allowed."""
    if data := params.get("payment_method_data"):
        return create_from_data(account, data, public=public, param="payment_method_data[card]")
    wanted = params.get("payment_method") or intent["payment_method"]
    if wanted is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken."
        )
        raise refused(message, UNEXPECTED, payment_intent=dict(intent))
    method = resolve(account, wanted)
    check_owner(account, method, intent["customer"])
    return method


def check_owner(account: Account, method: Json, customer: str | None) -> None:
    check_reusable(account, method)
    if method["customer"] and customer is None:
        message = (
            "The payment method you provided is attached to a customer so for security purposes you must provide the "
            "customer in the request."
        )
        raise refused(message, param="payment_method")
    if method["customer"] and method["customer"] != customer:
        message = (
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
            "attached to the customer."
        )
        raise refused(message, "resource_missing", "payment_method")


def confirm(account: Account, intent: Json, params: Json, *, public: bool = False) -> Json:
    """Raises a card error if the card is declined; the intent then requires another payment method."""
    check_confirmable(account, intent, params, public=public)
    method = choose_method(account, intent, params, public=public)
    for name in ("setup_future_usage", "receipt_email", "shipping"):
        intent[name] = params.get(name, intent[name])
    intent |= {"payment_method": method["id"], "next_action": None, "last_payment_error": None}
    account.record("intent.confirmed", intent, payment_method=method["id"])
    off_session = params.get("off_session", "false") != "false" or params.get(
        "error_on_requires_action", False
    )
    set_up = account.internal(method["id"])["set_up"]
    decision = bank_decision(
        card_of(account, method), off_session=off_session, set_up=set_up, authenticated=False
    )
    if decision == "authenticate":
        return require_action(account, intent, params)
    return apply_decision(account, intent, method, decision)


def require_action(account: Account, intent: Json, params: Json) -> Json:
    intent["status"] = "requires_action"
    intent["next_action"] = challenges.begin(
        account, intent, return_url=params.get("return_url"), sdk=params.get("use_stripe_sdk", False)
    )
    account.save(intent)
    account.record("intent.requires_action", intent)
    account.emit("payment_intent.requires_action", intent)
    return intent


def apply_decision(account: Account, intent: Json, method: Json, decision: Decline | str) -> Json:
    """Capture, start processing, or decline (raises the card error)."""
    if isinstance(decision, Decline):
        raise decline(account, intent, method, decision)
    card = card_of(account, method)
    if card.processing:
        return process(account, intent, method, card)
    return succeed(account, intent, method, charges.create_charge(account, intent, method, "succeeded"))


def process(account: Account, intent: Json, method: Json, card: Card) -> Json:
    charge = charges.create_charge(account, intent, method, "pending")
    intent["latest_charge"] = charge["id"]
    account.emit("charge.pending", charge)
    intent |= {"status": "processing", "processing": {"type": "card", "card": {}}, "next_action": None}
    account.save(intent)
    account.record("intent.processing", intent)
    account.emit("payment_intent.processing", intent)
    account.simulator.schedule("stripe.process", intent=intent["id"], outcome=card.processing)
    return intent


def finish_processing(account: Account, intent_id: str, outcome: str) -> None:
    intent = account.find("payment_intent", intent_id)
    method = account.find("payment_method", intent["payment_method"])
    charge = account.find("charge", intent["latest_charge"])
    intent["processing"] = None
    if outcome == "succeeds":
        charge |= {"status": "succeeded", "captured": True, "paid": True, "amount_captured": charge["amount"]}
        charge["outcome"] = charges.outcome(None, card_of(account, method))
        succeed(account, intent, method, account.save(charge))
    else:
        charge |= {
            "status": "failed",
            "paid": False,
            "outcome": charges.outcome(GENERIC, card_of(account, method)),
        }
        charge |= {"failure_code": GENERIC.code, "failure_message": GENERIC.message}
        decline(account, intent, method, GENERIC, charge=account.save(charge))


def succeed(account: Account, intent: Json, method: Json, charge: Json) -> Json:
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": charge["id"],
        "next_action": None,
        "last_payment_error": None,
    }
    account.save(intent)
    account.set_internal(method["id"], used=True)
    if intent["setup_future_usage"] and intent["customer"]:
        account.set_internal(method["id"], set_up=intent["setup_future_usage"] == "off_session")
        attach_to(account, method, intent["customer"])
    charges.on_captured(account, charge, card_of(account, method))
    account.emit("payment_intent.succeeded", intent)
    return intent


def decline(
    account: Account, intent: Json, method: Json, cause: Decline, charge: Json | None = None
) -> ApiError:
    """Record the failed attempt; the intent requires another payment method. Returns the card error to raise."""
    charge = charge or charges.create_charge(account, intent, method, "failed", cause)
    error: Json = {
        "charge": charge["id"],
        "code": cause.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{cause.code.replace('_', '-')}",
        "message": cause.message,
        "payment_method": dict(method),
        "type": "card_error",
    }
    if cause.reason:
        error["decline_code"] = cause.reason
    account.record("charge.failed", charge, code=cause.code, decline_code=cause.reason)
    account.emit("charge.failed", charge)
    fail(account, intent, error, charge["id"])
    details = {name: value for name, value in error.items() if name not in {"type", "message"}}
    return ApiError(402, "card_error", cause.message, payment_intent=dict(intent), **details)


def fail(account: Account, intent: Json, error: Json, charge_id: str | None) -> None:
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_payment_error": error,
        "latest_charge": charge_id or intent["latest_charge"],
    }
    account.save(intent)
    account.emit("payment_intent.payment_failed", intent)


def finish_authentication(account: Account, intent: Json, *, passed: bool) -> None:
    """Continue the payment after 3-D Secure."""
    method = account.find("payment_method", intent["payment_method"])
    if passed:
        decision = bank_decision(
            card_of(account, method), off_session=False, set_up=False, authenticated=True
        )
        account.set_internal(intent["id"], authenticated=method["id"])
        try:
            apply_decision(account, intent, method, decision)
        except ApiError:
            return  # declined, as the intent says
        finally:
            account.set_internal(intent["id"], authenticated="")  # each attempt is authenticated anew
        return
    code = "payment_intent_authentication_failure"
    error = {"code": code, "message": FAILED_AUTHENTICATION, "payment_method": dict(method), "type": INVALID}
    error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    account.record("intent.authentication_failed", intent)
    fail(account, intent, error, None)
