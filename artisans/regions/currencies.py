from collections.abc import Callable

from artisans.regions.models import RateSheet, ShopCurrency

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


def active_currencies() -> list[ShopCurrency]:
    return list(ShopCurrency.objects.filter(is_active=True))
