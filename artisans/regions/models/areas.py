"""Areas of zones, and which of them an address lies in."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

LONGEST_PREFIX = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order goes, with the names of addresses; what is not known is empty."""

    country: str
    region: str = ""
    postal_code: str = ""

    @property
    def countries(self) -> list[str]:
        """What areas that have the place may say; "" is everywhere else."""
        return ["", self.country]

    @property
    def postal_prefixes(self) -> list[str]:
        """All that areas that have the place may say: "", "9", "97", …"""
        code = normalize_postal_code(self.postal_code)[:LONGEST_PREFIX]
        return [code[:length] for length in range(len(code) + 1)]


class Area(models.Model):
    """A part of the world: a country, a region of it, or its postal codes with this prefix. All empty: everywhere else.

    `region` as in addresses: the code of a state if the country has codes. `postal_prefix` in capitals without spaces.
    """

    country = models.CharField(
        _("country"), max_length=2, blank=True, default="", help_text=_("Empty: all countries not listed.")
    )
    region = models.CharField(_("region"), max_length=60, blank=True, default="")
    postal_prefix = models.CharField(
        _("postal codes that start with"), max_length=LONGEST_PREFIX, blank=True, default=""
    )

    class Meta:
        abstract = True
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["country", "region", "postal_prefix"], name="%(class)s_once"),
            models.CheckConstraint(
                condition=~Q(country="") | Q(region="", postal_prefix=""),
                name="%(class)s_has_country",
            ),
            models.CheckConstraint(
                condition=Q(country="") | Q(country__regex=r"^[A-Z]{2}$"), name="%(class)s_country_iso"
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.country or "*", self.region, self.postal_prefix)))

    def contains(self, place: Place) -> bool:
        return (
            self.country in place.countries
            and self.region.casefold() in {"", place.region.strip().casefold()}
            and self.postal_prefix in place.postal_prefixes
        )

    @property
    def precision(self) -> tuple[int, bool, bool]:
        """The larger, the more exact: the longest prefix of postal codes, then the region, then the country."""
        return len(self.postal_prefix), bool(self.region), bool(self.country)


A = TypeVar("A", bound=Area)


def most_exact_area(areas: Iterable[A], place: Place) -> A | None:
    """The most specific of the areas that have the place; None if none has it."""
    return max(
        (area for area in areas if area.contains(place)), key=lambda area: area.precision, default=None
    )


def normalize_postal_code(text: str) -> str:
    """As postal prefixes are stored: "sw1a 2aa" → "SW1A2AA"."""
    return "".join(character for character in text.upper() if character.isalnum())
