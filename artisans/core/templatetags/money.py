import copy
import logging
from decimal import Decimal
from functools import cache, lru_cache

from babel import Locale
from babel.localedata import locale_identifiers
from django import template
from django.utils.formats import number_format
from django.utils.translation import get_language, to_locale

from artisans.core.money import Money, exponent_of, half_up

logger = logging.getLogger(__name__)
register = template.Library()


@register.filter
def money(value: Money | None) -> str:
    """Format an amount in the current language: $85.45. Empty for None."""
    return show(value) if value is not None else ""


def show(value: Money) -> str:
    """Never raises: falls back to digits and the currency code."""
    try:
        return written(value, get_language() or "en")
    except Exception:  # from Babel; a formatting failure must not break a page or email about money
        logger.exception("amount_not_formatted", extra={"amount": str(value)})
        return str(value)


def percent(ppm: int) -> str:
    """A rate in percent with two decimals, rounded half up, in the current language: "8.00"."""
    return number_format(Decimal(half_up(ppm, 100)).scaleb(-2), decimal_pos=2)


@lru_cache(maxsize=4096)  # the same prices are shown over and over
def written(value: Money, language: str) -> str:
    locale = locale_of(language)
    pattern = copy.copy(locale.currency_formats["standard"])
    decimals = exponent_of(value.currency)  # ISO 4217 decimals; Babel's follow the CLDR, which differs
    pattern.frac_prec = (decimals, decimals)
    return str(pattern.apply(value.as_decimal(), locale, currency=value.currency, currency_digits=False))


@cache
def locale_of(language: str) -> Locale:
    return Locale.negotiate([to_locale(language)], locale_identifiers()) or Locale("en")
