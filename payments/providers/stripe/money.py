"""Amounts in the unit that Stripe counts in, which is not everywhere the one of ISO 4217.

https://docs.stripe.com/currencies#minor-units: ISK and UGX have no decimals but are sent with two that are always 00;
the ariary has two in ISO and none at Stripe; the last digit of three is always 0. HUF and TWD are odd in payouts only.
"""

from artisans.core.money import MAX_MINOR, Money, exponent_of
from payments.providers.contract import Refused
from payments.providers.facts import Limits

NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD JOD KWD OMR TND"
EXPONENTS = dict.fromkeys(NO_DECIMALS.split(" "), 0) | dict.fromkeys(THREE_DECIMALS.split(" "), 3)
LAST_IS_ZERO = 3  # decimals of the currencies whose last one Stripe does not take


# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in Stripe's units
MINIMUMS = {
    **dict.fromkeys(("AUD", "BRL", "CAD", "CHF", "EUR", "INR", "JPY", "NZD", "SGD", "USD"), 50),
    "AED": 200,
    "CZK": 1500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17500,
    "MXN": 1000,
    "MYR": 200,
    "NOK": 300,
    "PLN": 200,
    "RON": 200,
    "SEK": 300,
    "THB": 1000,
}
MOST_DIGITS = {"IDR": 12, "LBP": 12, "COP": 10, "HUF": 10, "JPY": 10, "INR": 9}  # 8 for all others


def limits(method: str, currency: str) -> Limits:
    """In currencies without a published minimum it depends on the currency that the account settles in."""
    exponent = exponent_at_stripe(currency)
    unit = 10 if exponent == LAST_IS_ZERO else 1
    step = max(1, rescaled(unit, exponent, exponent_of(currency))[0])
    least, _ = rescaled(MINIMUMS.get(currency, 0), exponent, exponent_of(currency))
    most, _ = rescaled(10 ** MOST_DIGITS.get(currency, 8) - 1, exponent, exponent_of(currency))
    return Limits(max(least, step), most, step)


def to_stripe(money: Money) -> int:
    """Errors: Refused for an amount that cannot be said to Stripe exactly."""
    amount, rest = rescaled(money.minor, exponent_of(money.currency), exponent_at_stripe(money.currency))
    if rest or (exponent_at_stripe(money.currency) == LAST_IS_ZERO and amount % 10):
        raise Refused("amount_not_exact", f"Stripe cannot charge exactly {money}.")
    return amount


def from_stripe(amount: object, currency: object) -> Money:
    """Errors: ValueError for what is no whole number of units, or no whole number of our own, or beyond all reason."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise ValueError("An amount is not an integer.")  # noqa: TRY004 (unreadable as any other bad value)
    if not isinstance(currency, str) or abs(amount) > MAX_MINOR:
        raise ValueError(f"No amount of money: {str(amount)[:40]} {currency!r}.")
    code = currency.upper()
    minor, rest = rescaled(amount, exponent_at_stripe(code), exponent_of(code))
    if rest:
        raise ValueError(f"{code} has no such fractions.")
    return Money(minor, code)


def exponent_at_stripe(currency: str) -> int:
    return EXPONENTS.get(currency, 2)


def rescaled(units: int, old: int, new: int) -> tuple[int, int]:
    """Units of 10^-old in units of 10^-new, and what is left over."""
    return divmod(units * int(10 ** max(new - old, 0)), int(10 ** max(old - new, 0)))
