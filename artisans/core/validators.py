"""Validators of settings (lists and check digits), of texts and of email addresses."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext as _

from artisans.core.money import CURRENCIES
from artisans.core.numbers import compact, iban_is_right
from artisans.core.texts import UNPRINTABLE, is_visible

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
IBAN_LIKE = re.compile(r"[A-Z]{2}[0-9]{2}", re.ASCII)
ACCOUNT_NUMBER = re.compile(r"[0-9]{4,34}", re.ASCII)
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
BANK_CODE = re.compile(r"[0-9]{5,9}", re.ASCII)
ROUTING_NUMBER = 9  # digits, of which the last is a check digit
ROUTING_WEIGHTS = (3, 7, 1) * 3


def validate_currency(code: str) -> None:
    if code not in CURRENCIES:
        raise ValidationError(
            _("Enter the three letters of a currency in use (ISO 4217), such as USD or EUR.")
        )


def validate_account_number(text: str) -> None:
    """An IBAN with valid check digits, or the digits of an account number where there are no IBANs (as in the US)."""
    number = compact(text)
    if ACCOUNT_NUMBER.fullmatch(number):
        return
    if not IBAN_LIKE.match(number):
        raise ValidationError(
            _("Enter an IBAN such as DE89 3704 0044 0532 0130 00, or an account number of digits only.")
        )
    if not IBAN.fullmatch(number) or not iban_is_right(number):
        raise ValidationError(_("This IBAN is not valid: its check digits do not match."))


def validate_bank_code(text: str) -> None:
    """A BIC, a US routing number with a valid check digit, or another country's bank or sort code."""
    code = compact(text)
    if BIC.fullmatch(code):
        return
    if not BANK_CODE.fullmatch(code):
        raise ValidationError(
            _("Enter a BIC such as COBADEFFXXX, or a routing number or sort code in digits.")
        )
    if len(code) == ROUTING_NUMBER and not routing_number_is_right(code):
        raise ValidationError(_("This routing number is not valid: its check digit does not match."))


def routing_number_is_right(digits: str) -> bool:
    return sum(int(digit) * weight for digit, weight in zip(digits, ROUTING_WEIGHTS, strict=True)) % 10 == 0


def validate_line(text: str) -> None:
    """Visible text on one line."""
    if UNPRINTABLE.search(text):
        raise ValidationError(_("Remove control characters and line breaks."), "control_character")
    if text.strip() and not is_visible(text):
        raise ValidationError(_("Enter visible characters."), "invisible")


def restrict_email_addresses() -> None:
    """Make Django's validator, which all forms, models and serializers use, refuse what cannot be delivered to.

    Its pattern ignores case in all of Unicode, so that letters such as \u017f match; mail needs ASCII
    before the @, at most 64 characters (RFC 5321).
    """
    allows_domain = EmailValidator.validate_domain_part

    def validate_domain_part(self: EmailValidator, domain_part: str) -> bool:
        return allows_domain(self, domain_part) and is_idn(domain_part)

    pattern = r"(?=.{1,64}\Z)" + EmailValidator.user_regex.pattern
    EmailValidator.user_regex = re.compile(pattern, re.IGNORECASE | re.ASCII)
    EmailValidator.validate_domain_part = validate_domain_part  # type: ignore[method-assign]


def is_idn(domain: str) -> bool:
    """Whether the DNS can hold the domain: ASCII, or an internationalized name that encodes to it."""
    if domain.startswith("["):
        return domain.isascii()
    try:
        return bool(domain.encode("idna"))
    except UnicodeError:
        return False
