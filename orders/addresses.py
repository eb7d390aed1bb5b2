"""An address as the API takes it: one string, or fields. Stored as JSON, shown as lines."""

from typing import Any, TypedDict


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


FIELDS = ("name", "line1", "line2", "city", "region", "postal_code", "country", "phone")


def address_lines(address: dict[str, Any]) -> list[str]:
    """The address as one writes it on a parcel."""
    if text := address.get("text"):
        return [part.strip() for part in text.splitlines() if part.strip()]
    town = " ".join(filter(None, [address.get("postal_code"), address.get("city")]))
    lines = [
        address.get("name"),
        address.get("line1"),
        address.get("line2"),
        ", ".join(filter(None, [town, address.get("region")])),
        address.get("country"),
    ]
    return [line for line in lines if line]


def masked(address: dict[str, Any]) -> list[str]:
    """What a link shows after 30 days: the country, nothing else."""
    return ["Address hidden; sign in to see it.", address.get("country", "")]
