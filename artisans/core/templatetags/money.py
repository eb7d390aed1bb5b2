import copy
from functools import cache

from babel import Locale
from babel.numbers import NumberPattern
from django import template
from django.utils.translation import get_language, to_locale

from artisans.core.money import Money, exponent_of

register = template.Library()


@register.filter
def money(value: Money | None) -> str:
    """Show an amount as people write it in the present language: $85.45. Nothing for None."""
    return show(value) if value is not None else ""


def show(value: Money) -> str:
    locale, pattern = format_of(get_language() or "en", exponent_of(value.currency))
    return str(pattern.apply(value.as_decimal(), locale, currency=value.currency, currency_digits=False))


@cache
def format_of(language: str, decimals: int) -> tuple[Locale, NumberPattern]:
    """How the language writes amounts. Decimals as in ISO 4217; Babel's own follow CLDR, which differs."""
    locale = Locale.parse(to_locale(language))
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (decimals, decimals)
    return locale, pattern
