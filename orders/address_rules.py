"""Validation of delivery addresses, shared by the API and the pages. Pure functions."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.texts import UNPRINTABLE, is_visible, plain_characters, readable
from orders.countries import KNOWN, CountryRules, meant_by, rules_for
from orders.phones import canonical_phone, phone_error

LENGTHS = {
    "name": 150,
    "line1": 150,
    "line2": 150,
    "city": 100,
    "region": 100,
    "postal_code": 100,
    "country": 60,
    "phone": 40,
}
POSTAL_CODE_LENGTH = 20  # as it is stored, without a city or country that was written with it
TEXT_LENGTH = 600
LABELS = {"name": "Full name", "line1": gettext_lazy("Street and number")}
NOT_VALID = {  # by label; only the states and provinces of some countries are checked
    "ZIP code": gettext_lazy("The ZIP code is not valid for this country."),
    "Eircode": gettext_lazy("The Eircode is not valid for this country."),
    "PIN code": gettext_lazy("The PIN code is not valid for this country."),
    "Postal code": gettext_lazy("The postal code is not valid for this country."),
    "State": gettext_lazy("The state is not valid for this country."),
    "Province": gettext_lazy("The province is not valid for this country."),
}


def address_errors(address: Mapping[str, Any]) -> dict[str, str]:
    """Error messages by field; empty for an address that can be delivered to.

    Shape: the fields of an address, or `text` alone, which only needs to be readable.
    """
    found: dict[str, str] = {}
    for name, message in errors_in(address):
        found.setdefault(name, message)
    return found


def address_normalize(address: Mapping[str, str]) -> dict[str, str]:
    """The address as it is stored: postal code, region and phone number in canonical form, if they are valid."""
    found = {name: readable(value).strip() for name, value in address.items()}
    rules = rules_for(address.get("country", ""))
    if code := plain_characters(address.get("postal_code", "")):
        found["postal_code"] = postal_code_in(address, rules) or code
    if region := found.get("region"):
        found["region"] = rules.canonical_region(region) or region
    if phone := canonical_phone(address.get("phone", "")):
        found["phone"] = phone
    return found


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
    yield from region_errors(address.get("region", ""), rules)
    yield from postal_code_errors(address, rules)
    if (phone := canonical_phone(address.get("phone", ""))) and (message := phone_error(phone)):
        yield "phone", message


def text_errors(text: str) -> Iterator[tuple[str, str]]:
    if UNPRINTABLE.search(re.sub(r"[\t\r\n]", "", text)):
        yield "text", _("Remove control characters; they cannot be printed on a label.")
    elif not is_visible(text):
        yield "text", _("Enter visible characters.")
    elif not has_words(text):
        yield "text", _("Enter an address, with letters or digits.")


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit: a dot or a dash is no name and no street."""
    return any(map(str.isalnum, text))


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
        if not has_words(address.get(name, "")):
            yield name, _("%(label)s is required.") % {"label": _(label)}


def region_errors(region: str, rules: CountryRules) -> Iterator[tuple[str, str]]:
    if has_words(region) and rules.canonical_region(region) is None:
        code, name = rules.areas[0]
        example = _("Example: %(name)s or %(code)s.") % {"name": name, "code": code}
        yield "region", f"{NOT_VALID[rules.region_label]} {example}"


def postal_code_errors(address: Mapping[str, str], rules: CountryRules) -> Iterator[tuple[str, str]]:
    if not plain_characters(address.get("postal_code", "")):
        return
    found = postal_code_in(address, rules)
    if found is None:
        yield "postal_code", postal_code_error(rules, address["postal_code"])
    elif len(found) > POSTAL_CODE_LENGTH:
        yield (
            "postal_code",
            _("%(label)s: use at most %(limit)s characters.")
            % {
                "label": _(rules.postal_code_label),
                "limit": POSTAL_CODE_LENGTH,
            },
        )


def postal_code_in(address: Mapping[str, str], rules: CountryRules) -> str | None:
    """The postal code of an address in canonical form; None if it is not valid."""
    code = plain_characters(address.get("postal_code", ""))
    return rules.canonical_postal_code(code, city=address.get("city", ""), region=address.get("region", ""))


def postal_code_error(rules: CountryRules, code: str) -> str:
    if "CEDEX" in code.upper():
        return _("Write CEDEX after the town, such as Paris CEDEX 08.")
    text = str(NOT_VALID[rules.postal_code_label])
    if rules.postal_code_example:
        text += " " + _("Example: %(example)s.") % {"example": rules.postal_code_example}
    return text
