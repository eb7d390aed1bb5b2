"""VAT IDs as text: a prefix of two letters and a number. Greece's prefix is EL, Northern Ireland's XI."""

from django.utils.translation import gettext as _
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from artisans.core.errors import InvalidInput

LONGEST = 20
ONE_STOP_SHOP = ("EU", "IM")  # stdnum knows these as well; they are not of buyers
COUNTRIES = {"EL": "GR", "XI": "GB"}  # ISO 3166-1 of prefixes that differ from it


def vat_id_read(text: str) -> str:
    """The VAT ID without spaces and punctuation. Errors: InvalidInput if its format or check digit is wrong."""
    try:
        value = vat.validate(text)
    except ValidationError:
        value = ""
    if not value or value.startswith(ONE_STOP_SHOP):
        raise InvalidInput(
            _(
                "This is not a VAT ID of the European Union. Check its digits; it begins with the letters of the "
                "country, such as DE136695976."
            )
        )
    return f"EL{value[2:]}" if value.startswith("GR") else value


def country_of(value: str) -> str:
    """ISO 3166-1 alpha-2, of a VAT ID as `vat_id_read` returns it."""
    return COUNTRIES.get(value[:2], value[:2])
