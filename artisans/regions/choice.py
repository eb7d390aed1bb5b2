"""Where a visitor wants deliveries, and which currency they see prices in. Never by network address."""

from collections.abc import Callable, Iterator
from typing import cast

from babel.core import UnknownLocaleError, parse_locale
from babel.numbers import get_territory_currencies
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation.trans_real import parse_accept_lang_header

from artisans.regions.currencies import offered_currencies

A_YEAR = 365 * 24 * 3600
# Whether the shop sells to a country, from its code; `orders` registers it in `apps.py`.
SERVES_COUNTRY: list[Callable[[str], bool]] = []


def chosen_country(request: HttpRequest) -> str:
    """The first that the shop sells to: of the account, the cookie; "" if none was chosen. Read once for a request."""
    if not hasattr(request, "_chosen_country"):
        wanted = (
            getattr(getattr(request, "user", None), "country", ""),
            request.COOKIES.get(settings.COUNTRY_COOKIE),
        )
        choice = next((code for code in wanted if code and SERVES_COUNTRY[-1](code)), "")
        request._chosen_country = choice  # type: ignore[attr-defined]  # ours; the next look-up costs no statement
    return cast("str", request._chosen_country)  # type: ignore[attr-defined]


def chosen_currency(request: HttpRequest) -> str:
    """The first that the shop sells in: of this address, the account, the cookie, the chosen country, the region of
    the browser's language; else the shop's own."""
    return currency_choice(request)[0]


def currency_choice(request: HttpRequest, *, base: str = "") -> tuple[str, list[str]]:
    """The chosen currency, and all to choose from; read once for a request. `base`: the shop's own, if it is known."""
    if not hasattr(request, "_currency_choice"):
        offered = offered_currencies(base)
        wanted = wanted_currencies(request) if len(offered) > 1 else iter(())
        choice = next((code for code in wanted if code in offered), offered[0])
        request._currency_choice = choice, offered  # type: ignore[attr-defined]
    return cast("tuple[str, list[str]]", request._currency_choice)  # type: ignore[attr-defined]


def wanted_currencies(request: HttpRequest) -> Iterator[str]:
    yield request.GET.get("currency", "")
    user = getattr(request, "user", None)
    yield getattr(user, "currency", "")
    yield request.COOKIES.get(settings.CURRENCY_COOKIE, "")
    yield from currencies_of_region(chosen_country(request))
    yield from currencies_of_languages(request.headers.get("Accept-Language", ""))


def currencies_of_languages(header: str) -> Iterator[str]:
    """Of the regions that a browser names, in its order: JPY for "ja-JP,en;q=0.5"."""
    for language, _quality in parse_accept_lang_header(header.lower()):
        try:
            region = parse_locale(language, sep="-")[1]
        except (ValueError, UnknownLocaleError):
            continue
        if region:
            yield from currencies_of_region(region)


def currencies_of_region(region: str) -> list[str]:
    return (
        ["EUR"] if region == "BG" else get_territory_currencies(region)
    )  # since 2026, which Babel 2.18 does not know


def keep_currency(response: HttpResponse, currency: str) -> None:
    keep_choice(response, settings.CURRENCY_COOKIE, currency)


def keep_country(response: HttpResponse, country: str) -> None:
    keep_choice(response, settings.COUNTRY_COOKIE, country)


def keep_choice(response: HttpResponse, cookie: str, value: str) -> None:
    response.set_cookie(cookie, value, max_age=A_YEAR, httponly=True, samesite="Lax", secure=settings.HTTPS)
