"""Conversion to the currency of the account (setting `settlement`), as captures, refunds and transactions show it."""

from decimal import ROUND_HALF_UP, Decimal

from sandbox.http_messages import Json
from sandbox.paypal_api.account import Account
from sandbox.paypal_api.money import decimals_of, money


def converted(account: Account, units: int, currency: str) -> tuple[Json, Json] | None:
    """The amount in the account's currency and the exchange rate; None if it is not converted."""
    settlement = account.settings["settlement"]
    if not settlement or settlement["currency"] == currency:
        return None
    target, rate = settlement["currency"], Decimal(str(settlement["rate"]))
    exact = Decimal(units).scaleb(decimals_of(target) - decimals_of(currency)) * rate
    amount = money(int(exact.quantize(Decimal(1), ROUND_HALF_UP)), target)
    return amount, {"source_currency": currency, "target_currency": target, "value": str(rate)}


def receivable(account: Account, units: int, currency: str) -> Json:
    """Of a capture's `seller_receivable_breakdown`."""
    found = converted(account, units, currency)
    return {"receivable_amount": found[0], "exchange_rate": found[1]} if found else {}


def payable(account: Account, units: int, currency: str) -> Json:
    """Of a refund's `seller_payable_breakdown`."""
    if (found := converted(account, units, currency)) is None:
        return {}
    part = {"payable_amount": money(units, currency), "converted_amount": found[0], "exchange_rate": found[1]}
    return {"net_amount_breakdown": [part]}
