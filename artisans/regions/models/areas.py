"""Areas of zones, and which of them an address lies in."""

from collections.abc import Iterable
from typing import TypeVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Area(models.Model):
    """A part of the world: a country, a region of it, or its postal codes with this prefix. All empty: everywhere else.

    `region` as in addresses: the code of a state if the country has codes. `postal_prefix` in capitals without spaces.
    """

    country = models.CharField(
        _("country"), max_length=2, blank=True, default="", help_text=_("Empty: all countries not listed.")
    )
    region = models.CharField(_("region"), max_length=60, blank=True, default="")
    postal_prefix = models.CharField(_("postal codes that start with"), max_length=12, blank=True, default="")

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

    def contains(self, *, country: str, region: str, postal_code: str) -> bool:
        return (
            self.country in {"", country}
            and self.region.casefold() in {"", region.casefold()}
            and normalize_postal_code(postal_code).startswith(self.postal_prefix)
        )

    @property
    def precision(self) -> tuple[int, bool, bool]:
        """The larger, the more exact: the longest prefix of postal codes, then the region, then the country."""
        return len(self.postal_prefix), bool(self.region), bool(self.country)


A = TypeVar("A", bound=Area)


def most_exact_area(areas: Iterable[A], *, country: str, region: str = "", postal_code: str = "") -> A | None:
    """The most exact of the areas that the address lies in; None if it lies in none."""
    found = (area for area in areas if area.contains(country=country, region=region, postal_code=postal_code))
    return max(found, key=lambda area: area.precision, default=None)


def normalize_postal_code(text: str) -> str:
    """As postal prefixes are stored: "sw1a 2aa" → "SW1A2AA"."""
    return "".join(character for character in text.upper() if character.isalnum())
