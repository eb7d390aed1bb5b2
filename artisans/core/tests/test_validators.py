"""Validators of settings; every refusal says what to enter instead."""

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from artisans.core.validators import validate_account_number, validate_bank_code, validate_currency


@pytest.mark.parametrize(
    "number",
    [
        "DE89 3704 0044 0532 0130 00",
        "gb82west12345698765432",
        "NO93 8601 1117 947",
        "000123456789",
        "12-345-6789",
    ],
)
def test_account_number_is_an_iban_with_right_check_digits_or_digits(number):
    validate_account_number(number)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("abc", "Enter an IBAN such as"),
        ("ABC12345", "Enter an IBAN such as"),
        ("123", "account number of digits only"),
        ("DE89 3704 0044 0532 0130 01", "check digits do not match"),
        ("DE98 3704 0044 0532 0130 00", "check digits do not match"),
        ("DE89", "check digits do not match"),
        ("DE89 3704 0044 0532 0130", "check digits do not match"),
        ("١٢٣٤٥٦٧٨", "account number of digits only"),
    ],
)
def test_invalid_account_number_is_refused_with_a_remedy(number, remedy):
    with pytest.raises(ValidationError, match=remedy):
        validate_account_number(number)


@pytest.mark.parametrize("code", ["COBADEFFXXX", "cobadeff", "021000021", "20-00-00", "12345"])
def test_bank_code_is_a_bic_a_routing_number_or_a_sort_code(code):
    validate_bank_code(code)


@pytest.mark.parametrize(
    ("code", "remedy"), [("021000022", "check digit"), ("COBA", "Enter a BIC"), ("1234", "Enter a BIC")]
)
def test_invalid_bank_code_is_refused_with_a_remedy(code, remedy):
    with pytest.raises(ValidationError, match=remedy):
        validate_bank_code(code)


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "DEM", "usd", "US", ""])
def test_currency_that_is_not_in_use_is_refused(code):
    with pytest.raises(ValidationError, match="such as USD or EUR"):
        validate_currency(code)


@pytest.mark.parametrize(
    "domain",
    [
        "localhost",
        "LOCALHOST",
        "shop",
        "[127.0.0.1]",
        "[::1]",
        "[IPv6:::1]",
        "127.0.0.1",
        "10.0.0.10",
        "printer.local",
        "a.localhost",
        "a.invalid",
        "a.Internal",
        "a.onion",
        "a。local",
        "a..test",
        "-a.test",
        "a.test.",
        "a.1",
    ],
)
def test_email_domain_that_is_not_in_the_public_dns_is_refused(domain):
    with pytest.raises(ValidationError):
        validate_email(f"ada@{domain}")


def test_quoted_name_of_a_mailbox_is_refused():
    with pytest.raises(ValidationError):
        validate_email('"ada lovelace"@example.com')


@pytest.mark.parametrize(
    "email", ["o'brien+shop@example.com", "a@b.test", "a@locals.example", "a@xn--bcher-kva.example"]
)
def test_unusual_email_address_is_accepted(email):
    validate_email(email)
