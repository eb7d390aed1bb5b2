"""Amounts in PayPal's format. Its decimals differ from ISO 4217: HUF and TWD have two there and none at PayPal."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from artisans.core.money import MAX_MINOR, Money, exponent_of
from payments.providers.contract import Refused
from payments.providers.facts import Convert, Limits
from payments.providers.paypal.config import PayPalConfig

# https://developer.paypal.com/api/rest/reference/currency-codes/
TWO_DECIMALS = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD"
NO_DECIMALS = "HUF JPY TWD"
DECIMALS = dict.fromkeys(TWO_DECIMALS.split(" "), 2) | dict.fromkeys(NO_DECIMALS.split(" "), 0)
VALUE = re.compile(r"-?(?:[0-9]{1,18}(?:\.[0-9]{1,8})?|\.[0-9]{1,8})", re.ASCII)


# Only accounts of Brazil, mainland China and Malaysia take their own: PAYPAL_DOMESTIC_CURRENCIES.
DOMESTIC = frozenset(("BRL", "CNY", "MYR"))


def limits(config: PayPalConfig, method: str, currency: str, convert: Convert) -> Limits | None:
    """None for a currency that PayPal does not take for this account, on which PayPal's maximum depends too."""
    if currency not in DECIMALS or currency in DOMESTIC.difference(config.domestic_currencies):
        return None
    step: int = 10 ** (exponent_of(currency) - DECIMALS[currency])
    return Limits(step, MAX_MINOR, step)


def to_paypal(amount: Money) -> dict[str, str]:
    """PayPal's money object. Errors: Refused for a currency or decimals that PayPal does not support."""
    decimals = DECIMALS.get(amount.currency)
    if decimals is None:
        raise Refused("currency_not_supported", f"PayPal does not support {amount.currency}.")
    if amount.minor % 10 ** (exponent_of(amount.currency) - decimals):
        raise Refused("amount_not_expressible", f"PayPal supports only whole amounts in {amount.currency}.")
    return {"currency_code": amount.currency, "value": format(amount.as_decimal(), f".{decimals}f")}


def from_paypal(part: Mapping[str, Any]) -> Money:
    """Parse a money object exactly, including negative ones. Errors: KeyError, TypeError, ValueError."""
    value, currency = part["value"], part["currency_code"]
    if not VALUE.fullmatch(value):
        raise ValueError("Not a valid amount.")
    minor = Decimal(value).scaleb(exponent_of(currency))
    if minor != int(minor) or abs(minor) > MAX_MINOR:
        raise ValueError(f"{currency} has no such amount.")
    return Money(int(minor), currency)
