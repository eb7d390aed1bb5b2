"""Amounts in Stripe's units, which differ from ISO 4217 for some currencies.

https://docs.stripe.com/currencies#minor-units: ISK and UGX have no decimals but are sent with two zeros; MGA has two
decimals in ISO 4217 and none at Stripe; the last digit of three-decimal currencies is always 0. HUF and TWD are
special in payouts only.
"""

from artisans.core.money import MAX_MINOR, Money, exponent_of
from payments.providers.contract import Refused
from payments.providers.facts import Convert, Limits
from payments.providers.stripe.config import StripeConfig

NO_DECIMALS = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD JOD KWD OMR TND"
EXPONENTS = dict.fromkeys(NO_DECIMALS.split(" "), 0) | dict.fromkeys(THREE_DECIMALS.split(" "), 3)
LAST_IS_ZERO = 3  # decimals of currencies whose last decimal must be 0 at Stripe

# https://docs.stripe.com/currencies#presentment-currencies, as the error for any other currency names them
PRESENTMENT = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL "
    "HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
    "MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SVC SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS "
    "VND VUV WST XAF XCD XOF XPF YER ZAR ZMW "
)
TAKEN = frozenset(PRESENTMENT.split())

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts (as of 2026), in Stripe's units
MINIMUMS = {
    **dict.fromkeys(("ARS", "AUD", "BRL", "CAD", "CHF", "COP", "EUR", "IDR", "ILS", "INR", "JPY"), 50),
    **dict.fromkeys(("KRW", "NZD", "PHP", "RUB", "SGD", "USD", "ZAR"), 50),
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
# The same page: 12 digits for most cards and 9 for American Express, whatever the currency. The network of a card that
# is not saved is not known before the buyer enters it; Stripe declines one that takes less.
MAXIMUM = 10**12 - 1
MAXIMUM_BY_BRAND = {"amex": 10**9 - 1}


def limits(config: StripeConfig, method: str, currency: str, convert: Convert) -> Limits | None:
    """None for a currency that Stripe does not take. A minimum is Stripe's for the currency that the account settles
    in: a charge that Stripe converts must reach that of the default one, which the shop's rates tell roughly."""
    if currency not in TAKEN:
        return None
    exponent = exponent_at_stripe(currency)
    unit = 10 if exponent == LAST_IS_ZERO else 1
    step = max(1, rescaled(unit, exponent, exponent_of(currency))[0])

    def most(maximum: int) -> int:
        units, _ = rescaled(maximum, exponent, exponent_of(currency))
        return units - units % step

    least = minimum_in(currency)
    if config.settlement_currencies and currency not in config.settlement_currencies:
        home = config.settlement_currencies[0]
        converted = convert(Money(minimum_in(home), home), currency)
        least = with_margin(converted.minor, step) if converted else least
    of_brands = {brand: most(maximum) for brand, maximum in MAXIMUM_BY_BRAND.items()}
    return Limits(max(least, step), most(MAXIMUM), step, of_brands)


def minimum_in(currency: str) -> int:
    """Stripe's minimum for accounts that settle in this currency, in our units; 0 if none is published."""
    return rescaled(MINIMUMS.get(currency, 0), exponent_at_stripe(currency), exponent_of(currency))[0]


def with_margin(minor: int, step: int) -> int:
    """A tenth more, for rates that have changed since the shop's, up to the next multiple of the step."""
    return -(-minor * 11 // (10 * step)) * step


def to_stripe(money: Money) -> int:
    """Errors: Refused for an amount that cannot be expressed exactly."""
    amount, rest = rescaled(money.minor, exponent_of(money.currency), exponent_at_stripe(money.currency))
    if rest or (exponent_at_stripe(money.currency) == LAST_IS_ZERO and amount % 10):
        raise Refused("amount_not_exact", f"Stripe cannot charge exactly {money}.")
    return amount


def from_stripe(amount: object, currency: object) -> Money:
    """Errors: ValueError for an amount that is not a whole number of Stripe's or our units, or is out of range."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise ValueError("An amount is not an integer.")  # noqa: TRY004 (unreadable as any other bad value)
    if not isinstance(currency, str) or abs(amount) > MAX_MINOR:
        raise ValueError(f"Not a valid amount: {str(amount)[:40]} {currency!r}.")
    code = currency.upper()
    minor, rest = rescaled(amount, exponent_at_stripe(code), exponent_of(code))
    if rest:
        raise ValueError(f"{code} has no such fractions.")
    return Money(minor, code)


def exponent_at_stripe(currency: str) -> int:
    return EXPONENTS.get(currency, 2)


def rescaled(units: int, old: int, new: int) -> tuple[int, int]:
    """Convert units of 10^-old to units of 10^-new; returns the result and the remainder."""
    return divmod(units * int(10 ** max(new - old, 0)), int(10 ** max(old - new, 0)))
