from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import QuerySet, Subquery
from django.utils.translation import gettext as _

from artisans.core.compiled import compiled
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.regions.models import ExchangeRate, RateSheet, ShopCurrency

# The shop's own currency, that of the home prices: a query of at most one row, which `orders` registers in `apps.py`,
# and what counts without a row.
BASE_CURRENCY: list[Callable[[], QuerySet[Any, str]]] = []
DEFAULT = "USD"


@compiled
def base_row() -> QuerySet[Any, tuple[str]]:
    return BASE_CURRENCY[-1]().values_list("currency")


def base_currency() -> str:
    row = base_row.first()
    return row[0] if row else DEFAULT


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


@compiled
def active_rows() -> QuerySet[ShopCurrency, tuple[str, str | None]]:
    """The codes, each with the shop's own currency."""
    active = ShopCurrency.objects.filter(is_active=True).order_by("position", "code")
    return active.values_list("code", Subquery(BASE_CURRENCY[-1]()))


def active_codes() -> list[str]:
    return [code for code, _base in active_rows()]


def offered_currencies(base: str = "") -> list[str]:
    """What the shop sells in, its own currency first. `base`: that currency, if the caller knows it."""
    rows = active_rows()
    base = base or (rows[0][1] or DEFAULT if rows else base_currency())
    return [base, *(code for code, _base in rows if code != base)]


def cash_limit_in(currency: str) -> Money | None:
    """The highest order total that can be paid in cash on delivery; None: not offered. Not of the shop's own
    currency, whose limit is in its rules."""
    row = ShopCurrency.objects.filter(code=currency, is_active=True).first()
    return row.cash_limit if row else None


def steps_of_currencies() -> dict[str, int]:
    """All amounts in a currency are multiples of its step, in minor units; of 1 if it has none here."""
    return dict(ShopCurrency.objects.order_by().values_list("code", "step_minor"))


def check_steps(amounts: Iterable[Money]) -> None:
    """Errors: InvalidInput for an amount that is not a multiple of its currency's step."""
    if not (entered := list(amounts)):
        return
    steps = steps_of_currencies()
    for amount in entered:
        step = steps.get(amount.currency, 1)
        if amount.minor % step:
            raise InvalidInput(
                _("%(amount)s: enter a multiple of %(step)s.")
                % {"amount": show(amount), "step": show(Money(step, amount.currency))}
            )


def is_offered(currency: str, *, base: str) -> bool:
    return currency == base or currency in active_codes()
