from collections.abc import Callable

from django.db.models import Subquery

from artisans.regions.models import ExchangeRate, RateSheet, ShopCurrency

# Says the shop's own currency, that of the home prices; `orders` registers its selector in `apps.py`.
BASE_CURRENCY: list[Callable[[], str]] = []


def base_currency() -> str:
    return BASE_CURRENCY[-1]()


def rates_of_sheet(sheet: RateSheet) -> dict[str, int]:
    """By currency, in parts of 10**10; the base is worth one."""
    return dict(sheet.rates.values_list("currency", "rate_e10"))


def latest_sheet(base: str = "") -> RateSheet | None:
    """Of the latest day; of several, the one entered last. `base`: only of this base currency."""
    sheets = RateSheet.objects.filter(base=base) if base else RateSheet.objects.all()
    return sheets.order_by("-valid_on", "-id").first()


def latest_rates(*currencies: str) -> dict[str, int]:
    """The rates of the latest sheet for these currencies, as far as it has them; in one statement."""
    last = RateSheet.objects.order_by("-valid_on", "-id").values("pk")[:1]
    rates = ExchangeRate.objects.filter(sheet=Subquery(last), currency__in=currencies).order_by()
    return dict(rates.values_list("currency", "rate_e10"))


def active_currencies() -> list[ShopCurrency]:
    return list(ShopCurrency.objects.filter(is_active=True))
