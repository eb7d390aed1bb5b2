"""The published test cards and their results. https://docs.stripe.com/testing

Two cards exist only here: Stripe publishes no card whose payments stay in processing.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sandbox.http_messages import Json
from sandbox.stripe_api.errors import ApiError

AuthenticationRule = Literal["never", "always", "unless_set_up", "on_session"]


@dataclass(frozen=True)
class Decline:
    code: str
    reason: str | None  # decline_code
    message: str
    network_code: str | None = None  # of ISO 8583
    advice: str | None = None


DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", DECLINED, "05")
FUNDS = Decline(
    "card_declined", "insufficient_funds", "Your card has insufficient funds.", "51", "try_again_later"
)
LOST = Decline("card_declined", "lost_card", DECLINED, "41", "do_not_try_again")
STOLEN = Decline("card_declined", "stolen_card", DECLINED, "43", "do_not_try_again")
FRAUD = Decline("card_declined", "fraudulent", DECLINED)
EXPIRED = Decline("expired_card", None, "Your card has expired.", "54", "confirm_card_data")
CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.", "N7", "confirm_card_data")
ERROR = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)
UNAUTHENTICATED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
LIVE_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
)

LINE, POSTAL_CODE = "address_line1_check", "address_postal_code_check"


@dataclass(frozen=True)
class Card:
    name: str  # the token is pm_card_<name>
    number: str
    label: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    attachable: bool = True  # declined cards cannot be attached to a customer
    authenticate: AuthenticationRule = "never"
    processing: Literal["", "succeeds", "fails"] = ""  # outcome after processing
    refund: Literal["succeed", "pending", "fail"] = "succeed"
    dispute: str = ""
    fraud_warning: str = ""
    available: bool = False  # funds skip the pending balance
    is_risky: bool = False  # elevated risk: the payment succeeds and is reviewed
    failed_checks: tuple[str, ...] = ()  # the payment succeeds all the same
    unchecked: bool = False  # the bank checks no address


def declining_card(name: str, number: str, label: str, decline: Decline) -> Card:
    return Card(name, number, label, decline=decline, attachable=False)


CARDS = (
    Card("visa", "4242424242424242", "Succeeds"),
    Card("visa_debit", "4000056655665556", "Succeeds (debit)", funding="debit"),
    Card("mastercard", "5555555555554444", "Succeeds (Mastercard)", "mastercard"),
    Card("mastercard_debit", "5200828282828210", "Succeeds (Mastercard debit)", "mastercard", "debit"),
    Card("mastercard_prepaid", "5105105105105100", "Succeeds (Mastercard prepaid)", "mastercard", "prepaid"),
    Card("amex", "378282246310005", "Succeeds (American Express)", "amex"),
    Card("discover", "6011111111111117", "Succeeds (Discover)", "discover"),
    Card("diners", "3056930009020004", "Succeeds (Diners Club)", "diners"),
    Card("jcb", "3566002020360505", "Succeeds (JCB)", "jcb", country="JP"),
    Card("unionpay", "6200000000000005", "Succeeds (UnionPay)", "unionpay", country="CN"),
    declining_card("visa_chargeDeclined", "4000000000000002", "Declined", GENERIC),
    declining_card("visa_chargeDeclinedInsufficientFunds", "4000000000009995", "Insufficient funds", FUNDS),
    declining_card("visa_chargeDeclinedLostCard", "4000000000009987", "Lost card", LOST),
    declining_card("visa_chargeDeclinedStolenCard", "4000000000009979", "Stolen card", STOLEN),
    declining_card("chargeDeclinedExpiredCard", "4000000000000069", "Expired card", EXPIRED),
    declining_card("chargeDeclinedIncorrectCvc", "4000000000000127", "Wrong security code", CVC),
    declining_card("chargeDeclinedProcessingError", "4000000000000119", "Processing error", ERROR),
    declining_card(
        "visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", "Tried too often", VELOCITY
    ),
    declining_card("radarBlock", "4100000000000019", "Blocked as fraud", FRAUD),
    Card("riskLevelElevated", "4000000000009235", "Succeeds, with elevated risk", is_risky=True),
    Card("cvcCheckFail", "4000000000000101", "Succeeds, security code wrong", failed_checks=("cvc_check",)),
    Card("avsFail", "4000000000000010", "Succeeds, address wrong", failed_checks=(LINE, POSTAL_CODE)),
    Card("avsLineFail", "4000000000000028", "Succeeds, street wrong", failed_checks=(LINE,)),
    Card("avsZipFail", "4000000000000036", "Succeeds, postal code wrong", failed_checks=(POSTAL_CODE,)),
    Card("avsUnchecked", "4000000000000044", "Succeeds, address not checked", unchecked=True),
    Card("chargeCustomerFail", "4000000000000341", "Can be saved, then declined", decline=GENERIC),
    Card("authenticationRequired", "4000002760003184", "Always asks for 3-D Secure", authenticate="always"),
    Card(
        "authenticationRequiredOnSetup",
        "4000002500003155",
        "3-D Secure until saved",
        authenticate="unless_set_up",
    ),
    Card(
        "authenticationRequiredSetupForOffSession",
        "4000003800000446",
        "3-D Secure with the buyer only",
        authenticate="on_session",
    ),
    Card(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        "3-D Secure, then insufficient funds",
        authenticate="on_session",
        decline=FUNDS,
    ),
    Card("threeDSecure2Required", "4000000000003220", "3-D Secure 2 required", authenticate="always"),
    Card(
        "threeDSecureRequiredChargeDeclined",
        "4000008400001629",
        "3-D Secure, then declined",
        authenticate="always",
        decline=GENERIC,
    ),
    Card("createDispute", "4000000000000259", "Disputed later as fraud", dispute="fraudulent"),
    Card(
        "createDisputeProductNotReceived",
        "4000000000002685",
        "Disputed later as not received",
        dispute="product_not_received",
    ),
    Card(
        "createIssuerFraudRecord",
        "4000000000005423",
        "Early fraud warning later",
        fraud_warning="misc",
    ),
    Card("createDisputeInquiry", "4000000000001976", "Inquiry later", dispute="inquiry"),
    Card("pendingRefund", "4000000000007726", "Refunds are pending first", refund="pending"),
    Card("refundFail", "4000000000005126", "Refunds fail later", refund="fail"),
    Card("bypassPending", "4000000000000077", "Funds available at once", available=True),
    Card(
        "sandboxProcessing",
        "4000000000260010",
        "Processing, then succeeds (sandbox only)",
        processing="succeeds",
    ),
    Card(
        "sandboxProcessingFails",
        "4000000000260028",
        "Processing, then fails (sandbox only)",
        processing="fails",
    ),
)
BY_NAME = {card.name: card for card in CARDS}
ALIASES = {  # older published names of the same cards
    "chargeDeclined": "visa_chargeDeclined",
    "chargeDeclinedInsufficientFunds": "visa_chargeDeclinedInsufficientFunds",
    "chargeDeclinedFraudulent": "radarBlock",
    "threeDSecureRequired": "threeDSecure2Required",
    "us": "visa",
}
BY_NUMBER = {card.number: card for card in CARDS}
LIVE = Card("live", "", "Not a test card", decline=LIVE_CARD, attachable=False)
CVC_LENGTHS = {"amex": 4}


def card_by_token(token: str) -> Card | None:
    """Return the card of `pm_card_…` or `tok_…`."""
    name = token.removeprefix("pm_card_").removeprefix("tok_")
    return BY_NAME.get(ALIASES.get(name, name))


def card_by_number(number: str, month: int, year: int, cvc: str | None) -> Card:
    """Return the card that a buyer typed. The number is not stored. Raises the card errors of Stripe.js."""
    digits = number.replace(" ", "").replace("-", "")
    if not digits.isdecimal() or not luhn(digits):
        raise wrong_card("incorrect_number", "Your card number is incorrect.", "number")
    today = datetime.now(UTC)
    if not 1 <= month <= 12:  # noqa: PLR2004 (months)
        raise wrong_card("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    if (year, month) < (today.year, today.month) or year > today.year + 50:
        raise wrong_card("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    card = BY_NUMBER.get(digits, LIVE)
    if cvc is not None and (not cvc.isdecimal() or len(cvc) != CVC_LENGTHS.get(card.brand, 3)):
        raise wrong_card("invalid_cvc", "Your card's security code is invalid.", "cvc")
    return card


def luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004


def wrong_card(code: str, message: str, param: str) -> ApiError:
    return ApiError(402, "card_error", message, code=code, param=param)


def bank_decision(
    card: Card, *, off_session: bool, set_up: bool, authenticated: bool
) -> Decline | Literal["ok", "authenticate"]:
    """Return the issuer's decision: approved ("ok"), a decline, or 3-D Secure required ("authenticate")."""
    needs_authentication = {
        "never": False,
        "always": True,
        "unless_set_up": not (off_session and set_up),
        "on_session": not off_session,
    }[card.authenticate]
    if needs_authentication and not authenticated:
        return UNAUTHENTICATED if off_session else "authenticate"
    return card.decline or "ok"


def card_fields(card: Card, month: int, year: int) -> Json:
    """Return the public fields of a card, without its number."""
    digest = hashlib.sha256(f"fingerprint {card.name}".encode()).hexdigest()
    return {
        "brand": card.brand,
        "country": card.country,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": digest[:16],
        "funding": card.funding,
        "last4": card.number[-4:] or "0000",
    }
