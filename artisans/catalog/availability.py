"""What buyers read about whether and when they get a product, and the choices of one with variants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.catalog.models import Product

FEW = 3


def availability(product: Product, *, back_on: date | None = None) -> str:
    """`back_on`: when the workshop accepts orders again, if it is on holiday."""
    if back_on:
        return _("Back on %(day)s") % {"day": date_format(back_on)}
    units, days = product.available, product.lead_days
    if units == 0:
        return _("Sold out")
    if days:
        return ngettext(
            "Made to order, ships in %(days)s day", "Made to order, ships in %(days)s days", days
        ) % {"days": days}
    if units > FEW:
        return _("In stock")
    return ngettext("Only %(count)s left", "Only %(count)s left", units) % {"count": units}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of an option, and the variant to which it leads."""

    value: str
    variant: Product
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Option:
    name: str
    choices: list[Choice]


def options_of(product: Product, chosen: Product | None) -> list[Option]:
    """The options of a product with all values that its variants have."""
    found = []
    for place, name in enumerate(product.options):
        values = dict.fromkeys(variant.options[place] for variant in product.choices)
        found.append(Option(name, [choice(product.choices, place, value, chosen) for value in values]))
    return found


def choice(variants: Sequence[Product], place: int, value: str, chosen: Product | None) -> Choice:
    """It leads to the variant that differs least from the chosen one; rather to one that can be bought."""

    def order(variant: Product) -> tuple[int, bool]:
        pairs = zip(variant.options, chosen.options, strict=True) if chosen else ()
        return sum(one != other for one, other in pairs), variant.stock == 0

    nearest = min((variant for variant in variants if variant.options[place] == value), key=order)
    return Choice(value, nearest, is_chosen=chosen is not None and chosen.options[place] == value)
