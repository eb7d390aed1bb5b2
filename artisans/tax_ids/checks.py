"""System checks of the settings for VIES: a wrong answer costs the shop the tax of an order."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from artisans.core.errors import InvalidInput
from artisans.tax_ids.numbers import vat_id_read

HOST = "ec.europa.eu"


@register(Tags.security, deploy=True)
def check_vies(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    base = urlsplit(settings.VIES_API_BASE)
    if settings.VIES_API_BASE and (base.scheme, base.hostname) != ("https", HOST):
        found.append(
            Error(
                "VIES_API_BASE does not lead to VIES.",
                hint=f"Set it to https://{HOST}/taxation_customs/vies/rest-api, or unset it.",
                id="alley.E026",
            )
        )
    if settings.VIES_REQUESTER and not is_vat_id(settings.VIES_REQUESTER):
        found.append(
            Error(
                "VIES_REQUESTER is not a VAT ID of the European Union.",
                hint="Set it to the shop's own, without spaces, or unset it.",
                id="alley.E027",
            )
        )
    return found


def is_vat_id(text: str) -> bool:
    try:
        return vat_id_read(text) == text
    except InvalidInput:
        return False
