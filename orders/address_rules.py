"""Validation of delivery addresses, shared by the API and the pages. Pure functions."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.texts import UNPRINTABLE, is_visible
from orders.countries import KNOWN, CountryRules, meant_by, rules_for

LENGTHS = {
    "name": 150,
    "line1": 150,
    "line2": 150,
    "city": 100,
    "region": 100,
    "postal_code": 20,
    "country": 60,
    "phone": 40,
}
TEXT_LENGTH = 600
LABELS = {"name": "Full name", "line1": gettext_lazy("Street and number")}
PHONE_DIGITS = range(6, 16)  # E.164 allows 15
DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2e3a\u2e3b\u30fc\ufe58\ufe63\uff0d")
PHONE_SIGNS = str.maketrans(
    {"\u00b7": ".", "\u2022": ".", "\u2219": ".", "\u22c5": ".", "\u2044": "/", "\u2215": "/"}
)


def address_errors(address: Mapping[str, Any]) -> dict[str, str]:
    """Error messages by field; empty for an address that can be delivered to.

    Shape: the fields of an address, or `text` alone, which only needs to be readable.
    """
    found: dict[str, str] = {}
    for name, message in errors_in(address):
        found.setdefault(name, message)
    return found


def address_normalize(address: Mapping[str, str]) -> dict[str, str]:
    """The address with postal code and phone number as they are stored: in canonical form, if they are valid."""
    found = dict(address)
    if code := plain(address.get("postal_code", "")):
        found["postal_code"] = rules_for(address.get("country", "")).canonical_postal_code(code) or code
    if phone := canonical_phone(address.get("phone", "")):
        found["phone"] = phone
    return found


def plain(text: str) -> str:
    """NFKC with ASCII digits and hyphens, one space between words, without invisible characters."""
    visible = (sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    signs = ("-" if sign in DASHES else str(unicodedata.digit(sign, sign)) for sign in visible)
    return " ".join("".join(signs).split())


def canonical_phone(text: str) -> str:
    return re.sub(r"^tel:\s*", "", plain(text), flags=re.IGNORECASE).translate(PHONE_SIGNS)


def errors_in(address: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "text" in address:
        yield from text_errors(address["text"])
        return
    for name, value in address.items():
        if UNPRINTABLE.search(value):
            yield name, _("Remove control characters and line breaks; they cannot be printed on a label.")
        elif value.strip() and not is_visible(value):
            yield name, _("Enter visible characters.")
    country = address.get("country", "")
    if message := country_error(country):
        yield "country", message
        return
    rules = rules_for(country)
    yield from find_missing_fields(address, rules)
    if (code := plain(address.get("postal_code", ""))) and rules.canonical_postal_code(code) is None:
        yield "postal_code", postal_code_error(rules)
    if (phone := canonical_phone(address.get("phone", ""))) and (message := phone_error(phone)):
        yield "phone", message


def text_errors(text: str) -> Iterator[tuple[str, str]]:
    if UNPRINTABLE.search(re.sub(r"[\t\r\n]", "", text)):
        yield "text", _("Remove control characters; they cannot be printed on a label.")
    elif not is_visible(text):
        yield "text", _("Enter visible characters.")


def country_error(country: str) -> str:
    if country in KNOWN:
        return ""
    if not country.strip():
        return _("Choose a country.")
    if meant := meant_by(country):
        names = ", ".join(f"{code} ({KNOWN[code]})" for code in meant)
        return _("“%(text)s” is not a country code. Use %(codes)s.") % {"text": country[:60], "codes": names}
    return _("Use a two-letter country code in capitals (ISO 3166-1), such as GB or US.")


def find_missing_fields(address: Mapping[str, Any], rules: CountryRules) -> Iterator[tuple[str, str]]:
    needed = LABELS | {
        name: getattr(rules, f"{name}_label")
        for name in ("city", "region", "postal_code")
        if getattr(rules, f"{name}_required")
    }
    for name, label in needed.items():
        if not address.get(name, "").strip():
            yield name, _("%(label)s is required.") % {"label": _(label)}


def postal_code_error(rules: CountryRules) -> str:
    values = {"label": _(rules.postal_code_label), "example": rules.postal_code_example}
    if rules.postal_code_example:
        return _("%(label)s is not valid for this country. Example: %(example)s.") % values
    return _("%(label)s is not valid for this country.") % values


def phone_error(phone: str) -> str:
    if re.search(r"[^\d\s()+./-]", phone):
        return _("Use only digits, spaces and + ( ) . / - in a phone number.")
    if sum(sign.isdigit() for sign in phone) not in PHONE_DIGITS:
        return _("Enter a phone number with 6 to 15 digits.")
    return ""
