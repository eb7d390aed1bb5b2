"""Every test card behaves as published."""

from pathlib import Path

import pytest

from sandbox.stripe_api.cards import CARDS, luhn
from sandbox.tests.client import BACK, SDK

INTENT = {"amount": 2000, "currency": "eur", "allowed_payment_method_types": ["card"], "confirm": True}
DECLINES = {
    "chargeDeclined": ("card_declined", "generic_decline"),
    "visa_chargeDeclined": ("card_declined", "generic_decline"),
    "chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "radarBlock": ("card_declined", "fraudulent"),
    "chargeDeclinedExpiredCard": ("expired_card", None),
    "chargeDeclinedIncorrectCvc": ("incorrect_cvc", None),
    "chargeDeclinedProcessingError": ("processing_error", None),
    "chargeCustomerFail": ("card_declined", "generic_decline"),
}
FINE = [
    "visa",
    "visa_debit",
    "mastercard",
    "mastercard_debit",
    "mastercard_prepaid",
    "amex",
    "discover",
    "jcb",
]
AUTHENTICATED = [card.name for card in CARDS if card.authenticate != "never"]


@pytest.mark.parametrize("name", DECLINES)
def test_declined(stripe_api, name):
    with pytest.raises(SDK.CardError) as declined:
        stripe_api.v1.payment_intents.create({**INTENT, "payment_method": f"pm_card_{name}"})

    error = declined.value.error
    assert (error.code, error.decline_code if "decline_code" in error else None) == DECLINES[name]


@pytest.mark.parametrize("name", FINE)
def test_accepted(stripe_api, name):
    intent = stripe_api.v1.payment_intents.create(
        {**INTENT, "payment_method": f"pm_card_{name}", "expand": ["payment_method", "latest_charge"]}
    )

    assert intent.status == "succeeded"
    assert intent.payment_method.card.brand == name.partition("_")[0]
    assert intent.latest_charge.payment_method_details.card.last4 == intent.payment_method.card.last4
    assert intent.payment_method.id.startswith("pm_")


@pytest.mark.parametrize(
    ("name", "outcome", "failed"),
    [
        ("visa", ("authorized", "normal", 12, None), []),
        ("riskLevelElevated", ("manual_review", "elevated", 68, "elevated_risk_level"), []),
        ("cvcCheckFail", ("authorized", "normal", 12, None), ["cvc_check"]),
    ],
)
def test_outcome_and_checks(stripe_api, name, outcome, failed):
    intent = stripe_api.v1.payment_intents.create(
        {**INTENT, "payment_method": f"pm_card_{name}", "expand": ["latest_charge"]}
    )

    charge = intent.latest_charge
    told = charge.outcome
    assert (intent.status, told.type, told.risk_level, told.risk_score, told.reason) == (
        "succeeded",
        *outcome,
    )
    checks = charge.payment_method_details.card.checks
    assert [check for check, result in checks.to_dict().items() if result == "fail"] == failed


@pytest.mark.parametrize("name", AUTHENTICATED)
def test_three_d_secure_is_required(stripe_api, name):
    intent = stripe_api.v1.payment_intents.create(
        {**INTENT, "payment_method": f"pm_card_{name}", "return_url": BACK}
    )

    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")


def test_without_the_buyer_authentication_is_a_decline(stripe_api):
    with pytest.raises(SDK.CardError) as declined:
        stripe_api.v1.payment_intents.create(
            {**INTENT, "payment_method": "pm_card_authenticationRequired", "off_session": True}
        )

    assert declined.value.code == "authentication_required"
    assert declined.value.error.decline_code == "authentication_required"


def test_numbers_are_valid_and_unique():
    numbers = [card.number for card in CARDS]
    assert all(luhn(number) for number in numbers)
    assert len(set(numbers)) == len(numbers) == len({card.name for card in CARDS})


def card(number, **more):
    typed = {"number": number, "exp_month": "12", "exp_year": "34", "cvc": "123"} | more
    return {"type": "card"} | {f"card[{name}]": value for name, value in typed.items()}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (card("4242424242424241"), "incorrect_number"),
        (card("4242424242424242", exp_month="13"), "invalid_expiry_month"),
        (card("4242424242424242", exp_year="20"), "invalid_expiry_year"),
        (card("4242424242424242", cvc="12"), "invalid_cvc"),
        (card("378282246310005", cvc="123"), "invalid_cvc"),
    ],
)
def test_typing_errors_are_reported(sandbox, typed, code):
    status, answer = sandbox.browser("POST", "/v1/payment_methods", **typed)

    assert (status, answer["error"]["code"]) == (402, code)


def test_a_number_outside_the_published_list_is_never_charged(stripe_api, sandbox):
    status, method = sandbox.browser("POST", "/v1/payment_methods", **card("4012888888881881"))
    assert (status, method["card"]["last4"]) == (200, "0000")

    with pytest.raises(SDK.CardError) as declined:
        stripe_api.v1.payment_intents.create({**INTENT, "payment_method": method["id"]})

    assert declined.value.error.decline_code == "test_mode_live_card"


def test_a_server_sends_no_card_numbers(stripe_api):
    with pytest.raises(SDK.CardError, match="generally unsafe"):  # 402, as at Stripe
        stripe_api.v1.payment_methods.create(
            {
                "type": "card",
                "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"},
            }
        )

    by_token = stripe_api.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    assert by_token.card.last4 == "4242"


def test_a_typed_card_pays(stripe_api, sandbox):
    intent = stripe_api.v1.payment_intents.create({"amount": 2000, "currency": "eur"})
    typed = {f"payment_method_data[{name.replace('[', '][', 1)}" if "[" in name else f"payment_method_data[{name}]": v
             for name, v in card("5555555555554444").items()}  # fmt: skip

    status, answer = sandbox.browser(
        "POST", f"/v1/payment_intents/{intent.id}/confirm", client_secret=intent.client_secret, **typed
    )

    assert (status, answer["status"]) == (200, "succeeded")
    [row] = sandbox.journal("charge.captured")
    assert row["actor"] == "browser"


def test_every_card_has_its_row_in_the_readme():
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    assert [card.name for card in CARDS if f"| `{card.name}` |" not in readme] == []
