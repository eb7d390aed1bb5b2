"""Currencies and the limits of amounts. https://docs.stripe.com/currencies"""

from sandbox.stripe_api.errors import INVALID, ApiError, bad_parameter

MAXIMUM = 999_999_999_999  # of cards; American Express takes 9 digits
MINIMUMS = {  # charge minimums, in minor units
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "cop": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "idr": 50, "ils": 50, "inr": 50, "jpy": 50, "krw": 50,
    "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "php": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50,
    "thb": 1000, "zar": 50,
}  # fmt: skip
WITHOUT_MINIMUM = {"bhd", "clp", "isk", "jod", "kwd", "omr", "tnd", "try", "twd", "vnd"}
NO_DECIMALS = {"clp", "jpy", "krw", "vnd"}
THREE_DECIMALS = {"bhd", "jod", "kwd", "omr", "tnd"}


def check_currency(code: str, param: str = "currency") -> str:
    """Return the currency in lower case."""
    if (known := code.lower()) in MINIMUMS or known in WITHOUT_MINIMUM:
        return known
    names = ", ".join(sorted({*MINIMUMS, *WITHOUT_MINIMUM}))
    raise bad_parameter(
        param, f"Invalid currency: {known}. Stripe currently supports these currencies: {names}"
    )


def check_amount(amount: int, currency: str, param: str = "amount") -> None:
    least = MINIMUMS.get(currency, 1)
    if amount < least:
        raise amount_error(
            f"Amount must be at least {format_amount(least, currency)}", "amount_too_small", param
        )
    if amount > MAXIMUM:
        raise amount_error(
            f"Amount must be no more than {format_amount(MAXIMUM, currency)}", "amount_too_large", param
        )
    if currency in THREE_DECIMALS and amount % 10:
        raise bad_parameter(
            param, f"Amounts in {currency} must end in 0: their last decimal is not supported."
        )


def amount_error(message: str, code: str, param: str) -> ApiError:
    return ApiError(400, INVALID, message, stored=False, code=code, param=param)


def places_of(currency: str) -> int:
    """Decimals of Stripe's unit of a currency."""
    return 0 if currency in NO_DECIMALS else 3 if currency in THREE_DECIMALS else 2


def format_amount(amount: int, currency: str) -> str:
    """Format for display: $10.00, €10.00, 1000 jpy, 1.500 kwd."""
    places = places_of(currency)
    text = f"{amount // 10**places}.{amount % 10**places:0{places}}" if places else str(amount)
    symbol = {"usd": "$", "eur": "€", "gbp": "£"}.get(currency)
    return f"{symbol}{text}" if symbol else f"{text} {currency}"


def fee_of(amount: int) -> int:
    """2.9% and 30 minor units, rounded half up."""
    return (amount * 29 + 500) // 1000 + 30
