"""Phone numbers as people write them, with an optional extension. Pure functions.

Which numbers exist in a country changes all the time, so only the form is checked: a carrier has to be able to dial it.
"""

import re

from django.utils.translation import gettext as _

from artisans.core.texts import plain_characters

FEWEST_DIGITS, MOST_DIGITS = 6, 15  # E.164 allows 15; zeros at the start are prefixes and do not count
LABEL = re.compile(r"(?:tel|phone|mobile|cell)\b[.:]{0,2} ?", re.IGNORECASE)
SIGNS = str.maketrans(
    {"\u00b7": ".", "\u2022": ".", "\u2219": ".", "\u22c5": ".", "\u2044": "/", "\u2215": "/"}
)
EXTENSION = re.compile(
    r"""[ ,;(]{0,3}
    (?:(?:extension|ext|extn|x|anexo|durchwahl|dw|int|interno|poste|ramal|доб|内線)[ .:=\#]{0,3}|\#\ ?)
    ([0-9]{1,9})\)?$""",
    re.IGNORECASE | re.VERBOSE,
)
COUNTRY_CODE = re.compile(r"\+ ?|\(\+ ?([0-9]{1,3})\)")
NUMBER = re.compile(
    r"""\+?(?:[0-9]|\([0-9](?:[ ./-]?[0-9])*\))
    (?:[ ./-]{0,3}(?:[0-9]|\([0-9](?:[ ./-]?[0-9])*\)))*""",
    re.VERBOSE,
)


def canonical_phone(text: str) -> str:
    """The number in plain characters, as it is stored: "+1 503 555 0123" or "+1 503 555 0123 ext. 5"."""
    number, extension = split_extension(LABEL.sub("", plain_characters(text).translate(SIGNS), count=1))
    number = COUNTRY_CODE.sub(lambda found: f"+{found[1] or ''}", number, count=1)
    return f"{number} ext. {extension}" if extension else number


def split_extension(phone: str) -> tuple[str, str]:
    """The number and the digits of its extension, "" without one; `;ext=5` (RFC 3966), x5 and #5 are extensions too."""
    found = EXTENSION.search(phone)
    return (phone[: found.start()], found[1]) if found else (phone, "")


def phone_digits(text: str) -> str:
    """Digits only and without the extension, so that two spellings of a number compare equal."""
    return "".join(filter(str.isdigit, split_extension(text)[0]))


def phone_error(phone: str) -> str:
    """Why a number in canonical form cannot be dialled; empty if it can."""
    number, _extension = split_extension(phone)
    if re.search(r"[^0-9 ()+./-]", number):
        return _(
            "Use only digits, spaces and + ( ) . / - in a phone number, with ext. before an extension: "
            "020 7946 0018 ext. 5."
        )
    digits = phone_digits(number).lstrip("0")
    if len(digits) < FEWEST_DIGITS:
        return _("This phone number is too short. Enter at least 6 digits, not counting zeros at the start.")
    if len(digits) > MOST_DIGITS:
        return _("This phone number is too long. Enter one number with at most 15 digits.")
    if number.startswith("+0"):
        return _("After +, enter the country code, for example +44 20 7946 0018.")
    if not NUMBER.fullmatch(number):
        return _("Enter one phone number in groups of digits, such as +44 20 7946 0018 or (503) 555-0123.")
    return ""
