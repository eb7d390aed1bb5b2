"""Amounts in Stripe's units, in both directions, without rounding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import EXPONENTS, Money
from payments.providers.contract import Refused
from payments.providers.facts import without_rates
from payments.providers.stripe.config import StripeConfig
from payments.providers.stripe.money import from_stripe, limits, to_stripe

# https://docs.stripe.com/currencies: zero-decimal currencies, special cases, three-decimal currencies.
PUBLISHED_ZERO = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(9999, "USD"), 9999),
        (Money(500, "JPY"), 500),
        (Money(5, "ISK"), 500),
        (Money(5, "UGX"), 500),
        (Money(1045, "HUF"), 1045),
        (Money(80045, "TWD"), 80045),
        (Money(5120, "KWD"), 5120),
        (Money(1200, "MGA"), 12),
        (Money(0, "USD"), 0),
    ],
)
def test_amount_is_converted_to_stripes_unit_and_back(money, amount):
    assert to_stripe(money) == amount
    assert from_stripe(amount, money.currency.lower()) == money


@pytest.mark.parametrize("money", [Money(5121, "KWD"), Money(1, "JOD"), Money(1250, "MGA")])
def test_amount_that_stripe_cannot_charge_exactly_is_refused(money):
    with pytest.raises(Refused, match="amount_not_exact"):
        to_stripe(money)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [(550, "isk"), (1, "ugx"), (10.5, "usd"), (True, "usd"), ("10", "usd"), (None, "usd")],
)
def test_invalid_amount_is_unreadable(amount, currency):
    with pytest.raises(ValueError, match="fractions|integer"):
        from_stripe(amount, currency)


@pytest.mark.parametrize("currency", PUBLISHED_ZERO.split())
def test_zero_decimal_currencies_are_sent_in_whole_units(currency):
    assert from_stripe(7, currency.lower()).as_decimal() == 7


@given(st.integers(0, 10**12), st.sampled_from(["USD", "HUF", "TWD", "MGA", *EXPONENTS]))
def test_converted_amount_reads_back_the_same(minor, currency):
    money = Money(minor, currency)
    try:
        amount = to_stripe(money)
    except Refused:
        return
    assert from_stripe(amount, currency.lower()) == money


@pytest.mark.parametrize(
    ("currency", "least", "most", "step"),
    [
        ("USD", 50, 999_999_999_999, 1),
        ("JPY", 50, 999_999_999_999, 1),
        ("HUF", 17_500, 999_999_999_999, 1),
        ("TWD", 1, 999_999_999_999, 1),
        ("COP", 50, 999_999_999_999, 1),
        ("IDR", 50, 999_999_999_999, 1),
        ("ISK", 1, 9_999_999_999, 1),
        ("UGX", 1, 9_999_999_999, 1),
        ("KWD", 10, 999_999_999_990, 10),
        ("MGA", 100, 99_999_999_999_900, 100),
    ],
)
def test_limits_are_those_of_the_documentation_in_our_units(currency, least, most, step):
    found = limits(StripeConfig(), "credit_card", currency, without_rates)

    assert (found.least, found.most, found.step) == (least, most, step)
    assert to_stripe(Money(most, currency)) <= 999_999_999_999
    assert to_stripe(Money(found.most_by_brand["amex"], currency)) in range(999_999_900, 1_000_000_000)


def test_currency_that_stripe_does_not_take_has_no_limits():
    assert limits(StripeConfig(), "credit_card", "SYP", without_rates) is None


@pytest.mark.parametrize(
    ("settled", "currency", "converted", "least"),
    [
        ("USD,EUR", "EUR", 46, 50),  # settled as it is: Stripe's own minimum for it
        ("USD,EUR", "JPY", 75, 83),  # 0.50 USD is 75 JPY, and a tenth more 82.5
        ("USD", "KWD", 153, 170),  # in steps of 0.010
        ("GBP", "USD", 38, 42),  # 0.30 GBP
        ("ISK", "USD", 0, 50),  # nothing is published for ISK
        ("USD", "HUF", None, 17_500),  # no rate: the minimum of the currency itself
    ],
)
def test_converted_charge_reaches_the_minimum_of_the_default_settlement_currency(
    settled, currency, converted, least
):
    config = StripeConfig.from_env({"STRIPE_SETTLEMENT_CURRENCIES": settled}.get)
    asked = []

    def convert(amount: Money, to: str) -> Money | None:
        asked.append((amount.currency, to))
        return None if converted is None else Money(converted, to)

    assert limits(config, "credit_card", currency, convert).least == least
    assert asked == [] if currency in settled else [(settled[:3], currency)]


def test_settlement_currency_that_is_none_is_a_bad_setting():
    with pytest.raises(ValueError, match="'EURO' is not the code of a currency"):
        StripeConfig.from_env({"STRIPE_SETTLEMENT_CURRENCIES": "USD,euro"}.get)
