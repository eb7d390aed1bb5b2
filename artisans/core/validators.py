"""Validators of settings (lists and check digits), of texts and of email addresses."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, RegexValidator, validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from artisans.core.money import CURRENCIES
from artisans.core.numbers import compact, iban_is_right
from artisans.core.texts import UNPRINTABLE, is_visible

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
IBAN_LIKE = re.compile(r"[A-Z]{2}[0-9]{2}", re.ASCII)
ACCOUNT_NUMBER = re.compile(r"[0-9]{4,34}", re.ASCII)
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
BANK_CODE = re.compile(r"[0-9]{5,9}", re.ASCII)
# Names that the public DNS never answers (RFC 6761, 6762, 7686, 9476; ICANN). Example and test names are for demos.
PRIVATE_DOMAINS = frozenset({"alt", "internal", "invalid", "local", "localhost", "onion"})
ROUTING_NUMBER = 9  # digits, of which the last is a check digit
ROUTING_WEIGHTS = (3, 7, 1) * 3

# For signing in and looking something up: stored addresses may be older than the rules for new ones.
validate_stored_email = RegexValidator(
    r"\A[^@\s]+@[^@\s]+\Z", gettext_lazy("Enter an email address in the format name@example.com."), "invalid"
)


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

    Before the @: only letters, digits and symbols of ASCII, at most 64 characters (RFC 5321), without quotes.
    Django's pattern ignores case in all of Unicode, so that letters such as \u017f match.
    After it: a domain of the public DNS, no IP address, and not `localhost`.
    """
    allows_domain = EmailValidator.validate_domain_part

    def validate_domain_part(self: EmailValidator, domain_part: str) -> bool:
        return allows_domain(self, domain_part) and is_public_domain(domain_part)

    pattern = r'(?=[^"]{1,64}\Z)' + EmailValidator.user_regex.pattern
    EmailValidator.user_regex = re.compile(pattern, re.IGNORECASE | re.ASCII)
    EmailValidator.domain_allowlist = []
    EmailValidator.validate_domain_part = validate_domain_part  # type: ignore[method-assign]


def is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def is_public_domain(domain: str) -> bool:
    """Whether the DNS can hold the domain: ASCII, or an internationalized name that encodes to it."""
    try:
        name = domain.encode("idna").decode().lower()
    except UnicodeError:
        return False
    return not domain.startswith("[") and name.rpartition(".")[2] not in PRIVATE_DOMAINS
