"""Amounts: strings in the API, minor units (integers) inside. https://developer.paypal.com/api/rest/reference/currency-codes/"""

from sandbox.http_messages import Json
from sandbox.paypal_api.errors import refused

WHOLE = {"HUF", "JPY", "TWD"}  # PayPal takes no decimals
CURRENCIES = WHOLE | {
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD", "PHP",
    "PLN", "SEK", "SGD", "THB", "USD",
}  # fmt: skip
DECIMALS = 2
LARGEST = 10**17
FEE_HUNDREDTHS_OF_PERCENT, FEE_FIXED = 349, 49


def minor(amount: Json, field: str, *, zero: bool = False) -> int:
    """Return `{"currency_code", "value"}` in minor units. Raises PayPal's errors for invalid amounts."""
    currency, value = amount["currency_code"], amount["value"]
    if currency not in CURRENCIES:
        raise refused("INVALID_CURRENCY_CODE", f"{field}/currency_code")
    whole, _, part = value.partition(".")
    if part and currency in WHOLE:
        raise refused("DECIMALS_NOT_SUPPORTED", f"{field}/value")
    if len(part) > DECIMALS:
        raise refused("DECIMAL_PRECISION", f"{field}/value")
    units = int(whole + ("" if currency in WHOLE else part.ljust(DECIMALS, "0")))
    if units < 0 or (units == 0 and not zero):
        raise refused("CANNOT_BE_NEGATIVE" if zero else "CANNOT_BE_ZERO_OR_NEGATIVE", f"{field}/value")
    if units >= LARGEST:
        raise refused("MAX_VALUE_EXCEEDED", f"{field}/value")
    return units


def units_of(amount: Json) -> int:
    """Return a valid amount in minor units."""
    return minor(amount, "", zero=True)


def decimals_of(currency: str) -> int:
    return 0 if currency in WHOLE else DECIMALS


def money(units: int, currency: str) -> Json:
    return {"currency_code": currency, "value": text(units, currency)}


def text(units: int, currency: str) -> str:
    if currency in WHOLE:
        return str(units)
    sign, units = "-" if units < 0 else "", abs(units)
    return f"{sign}{units // 100}.{units % 100:02}"


def format_amount(units: int, currency: str) -> str:
    return f"{text(units, currency)} {currency}"


def fee(units: int, currency: str) -> int:
    """3.49% rounded half up, plus 49 minor units, but at most the amount."""
    fixed = 0 if currency in WHOLE else FEE_FIXED
    return min(units, (units * FEE_HUNDREDTHS_OF_PERCENT + 5000) // 10_000 + fixed)
