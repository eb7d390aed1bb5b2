"""Amounts in PayPal's format, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import MAX_MINOR, Money, exponent_of
from payments.providers.contract import Refused
from payments.providers.facts import Limits, without_rates
from payments.providers.paypal.config import PayPalConfig
from payments.providers.paypal.money import DECIMALS, from_paypal, limits, to_paypal


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (Money(9999, "USD"), "99.99"),
        (Money(5, "EUR"), "0.05"),
        (Money(0, "USD"), "0.00"),
        (Money(500, "JPY"), "500"),
        (Money(123400, "HUF"), "1234"),
        (Money(100, "TWD"), "1"),
        (Money(10**15, "USD"), "10000000000000.00"),
    ],
)
def test_amounts_are_written_with_paypals_decimals(money, value):
    assert to_paypal(money) == {"currency_code": money.currency, "value": value}
    assert from_paypal(to_paypal(money)) == money


@pytest.mark.parametrize("money", [Money(123450, "HUF"), Money(1, "TWD"), Money(199, "HUF")])
def test_fraction_unsupported_by_paypal_is_refused(money):
    with pytest.raises(Refused) as refused:
        to_paypal(money)
    assert refused.value.code == "amount_not_expressible"


@pytest.mark.parametrize("currency", ["KWD", "ISK", "KRW", "INR", "XXX"])
def test_currency_unsupported_by_paypal_is_refused(currency):
    with pytest.raises(Refused) as refused:
        to_paypal(Money(1000, currency))
    assert refused.value.code == "currency_not_supported"


@given(st.integers(0, MAX_MINOR // 100), st.sampled_from(sorted(DECIMALS)))
def test_written_amount_is_read_back_exactly(minor, currency):
    step = 10 ** (exponent_of(currency) - DECIMALS[currency])
    money = Money(minor * step, currency)

    assert from_paypal(to_paypal(money)) == money


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("10", "USD", 1000),
        ("10.5", "USD", 1050),
        (".5", "USD", 50),
        ("-10.00", "USD", -1000),
        ("10.00", "JPY", 10),
        ("1.500", "USD", 150),
    ],
)
def test_other_paypal_formats_are_read(value, currency, minor):
    assert from_paypal({"value": value, "currency_code": currency}) == Money(minor, currency)


@pytest.mark.parametrize(
    "part",
    [
        {"value": "10.005", "currency_code": "USD"},
        {"value": "0.5", "currency_code": "JPY"},
        {"value": 10.0, "currency_code": "USD"},
        {"value": "1e3", "currency_code": "USD"},
        {"value": "1,000.00", "currency_code": "USD"},
        {"value": "١٠", "currency_code": "USD"},
        {"value": "", "currency_code": "USD"},
        {"value": "NaN", "currency_code": "USD"},
        {"value": "1", "currency_code": "usd"},
        {"value": "1"},
        {},
        None,
        "1.00",
    ],
)
def test_invalid_amount_is_refused(part):
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_paypal(part)


@pytest.mark.parametrize(
    ("currency", "found"),
    [
        ("USD", Limits(1, MAX_MINOR, 1)),
        ("JPY", Limits(1, MAX_MINOR, 1)),
        ("HUF", Limits(100, MAX_MINOR, 100)),
        ("TWD", Limits(100, MAX_MINOR, 100)),
        ("KWD", None),
        ("BRL", None),
        ("CNY", None),
        ("MYR", Limits(1, MAX_MINOR, 1)),
    ],
)
def test_limits_are_whole_units_and_leave_out_currencies_of_other_countries(currency, found):
    config = PayPalConfig(domestic_currencies=("MYR",))

    assert limits(config, "paypal", currency, without_rates) == found
