"""Address validation: each country's required fields, and text that can be printed on a label."""

import pytest

from orders.address_rules import address_errors
from orders.countries import COUNTRIES, rules_for
from orders.tests.factories import ADDRESS


def errors(**changes: str) -> dict[str, str]:
    return address_errors(ADDRESS | changes)


@pytest.mark.parametrize(
    ("country", "remedy"),
    [
        ("UK", "Use GB (United Kingdom)"),
        ("EL", "Use GR (Greece)"),
        ("gb", "Use GB (United Kingdom)"),
        (" GB", "Use GB (United Kingdom)"),
        ("GBR", "Use GB (United Kingdom)"),
        ("United Kingdom", "Use GB (United Kingdom)"),
        ("SU", "Use RU (Russia), AM (Armenia)"),
        ("AN", "CW (Curaçao)"),
        ("DD", "Use DE (Germany)"),
        ("EU", "such as GB or US"),
        ("ZZ", "such as GB or US"),
        ("QU", "such as GB or US"),
        ("UN", "such as GB or US"),
        ("X" * 60, "such as GB or US"),
        ("", "Choose a country"),
    ],
)
def test_unknown_country_is_refused_with_a_suggested_code(country, remedy):
    found = errors(country=country)

    assert list(found) == ["country"]
    assert remedy in found["country"]


def test_every_listed_country_is_known_and_has_rules():
    codes = [code for code, _ in COUNTRIES]

    assert "ZZ" not in codes
    assert {"GB", "US", "GR", "SG", "XK"} <= set(codes)
    assert all(rules_for(code).country == code for code in codes)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"postal_code": ""}, {"postal_code"}),
        ({"postal_code": "12"}, {"postal_code"}),
        ({"region": "", "city": " "}, {"region", "city"}),
        ({"country": "SG", "city": "", "region": "", "postal_code": "546080"}, set()),
        ({"country": "SG", "city": "Singapore", "region": "", "postal_code": "546080"}, set()),
        ({"country": "SG", "city": "", "region": "", "postal_code": ""}, {"postal_code"}),
        ({"country": "GI", "city": "", "region": "", "postal_code": ""}, set()),
        ({"country": "IE", "region": "", "postal_code": ""}, set()),
        ({"country": "HK", "city": "", "region": "", "postal_code": ""}, {"region"}),
        ({"country": "DE", "region": "", "postal_code": "1011"}, {"postal_code"}),
        ({"name": ""}, {"name"}),
        ({"line1": "\u200b\u2060"}, {"line1"}),
    ],
)
def test_each_country_requires_its_own_fields(changes, wrong):
    assert set(errors(**changes)) == wrong


@pytest.mark.parametrize("name", ["line1", "line2", "city", "region", "name"])
@pytest.mark.parametrize(
    "value", ["Ada\nEve", "Ada\rEve", "Ada\tEve", "Ada\x85Eve", "Ada\u2028Eve", "A\x07", "A\x9f"]
)
def test_field_with_a_line_break_is_refused(name, value):
    assert set(errors(**{name: value})) == {name}


@pytest.mark.parametrize(
    "value", ["\u200b", "\u200b \u200d\ufeff", "\u3164", "\u115f\u2800", "\u0301", "\u00ad"]
)
def test_invisible_name_is_refused(value):
    assert set(errors(name=value)) == {"name"}
    assert set(address_errors({"text": value})) == {"text"}


@pytest.mark.parametrize("value", ["علی\u200cرضا", "क्\u200dष", "O’Brien", "王小明", "Zoë", "👩\u200d🌾 Farm"])
def test_name_with_joiners_is_accepted(value):
    assert errors(name=value) == {}


@pytest.mark.parametrize("phone", ["call me", "555-CALL", "12345", "1" * 16, "+", "-" * 10])
def test_invalid_phone_number_is_refused(phone):
    assert set(errors(phone=phone)) == {"phone"}


def test_multiline_text_is_accepted():
    assert address_errors({"text": "Ada Lovelace\r\n\t12 Pier Road"}) == {}
    assert set(address_errors({"text": "Ada\x1b[2J"})) == {"text"}
