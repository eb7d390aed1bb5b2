"""The choices of a product with variants."""

from collections.abc import Sequence
from dataclasses import dataclass

from artisans.catalog.models import Product


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
