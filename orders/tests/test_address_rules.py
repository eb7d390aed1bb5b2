"""Address validation: each country's required fields, and text that can be printed on a label."""

import pytest

from orders.address_rules import NOT_VALID, address_errors, address_normalize
from orders.countries import CHECKED_REGIONS, COUNTRIES, rules_for
from orders.phones import canonical_phone, phone_digits
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


@pytest.mark.parametrize(
    ("phone", "remedy"),
    [
        ("000000", "at least 6 digits"),
        ("00000012345", "at least 6 digits"),
        ("x5", "at least 6 digits"),
        ("503 555 0123 / 503 555 0124", "Enter one number"),
        ("------123456", "groups of digits"),
        ("123456-", "groups of digits"),
        ("12------3456", "groups of digits"),
        ("+1+2+3+4+5+6", "groups of digits"),
        ("++15035550123", "groups of digits"),
        ("503+5550123", "groups of digits"),
        ("(503 555 0123", "groups of digits"),
        ("()503 555 0123", "groups of digits"),
        ("+0151 2345678", "country code"),
        ("503 555 0123 x", "ext. before an extension"),
        ("503 555 0123 ext 1234567890", "ext. before an extension"),
        ("503 555 0123 or 503 555 0124", "ext. before an extension"),
    ],
)
def test_number_that_cannot_be_dialled_is_refused_with_the_remedy(phone, remedy):
    assert remedy in errors(phone=phone)["phone"]


@pytest.mark.parametrize("value", [".", "---", "_", "😀", "??"])
def test_name_street_and_city_need_a_letter_or_digit(value):
    assert {"name", "line1", "city"} == set(errors(name=value, line1=value, city=value))
    assert set(address_errors({"text": value})) == {"text"}


def test_invisible_characters_are_not_stored():
    hidden = "\ufeff\u202eAda\u200b \u2066Zoe\u0308\u2069\U000e0041\ufffe "

    assert address_normalize(ADDRESS | {"name": hidden})["name"] == "Ada Zoë"
    assert address_normalize(ADDRESS | {"name": "علی\u200cرضا"})["name"] == "علی\u200cرضا"


def test_multiline_text_is_accepted():
    assert address_errors({"text": "Ada Lovelace\r\n\t12 Pier Road"}) == {}
    assert set(address_errors({"text": "Ada\x1b[2J"})) == {"text"}


@pytest.mark.parametrize(
    ("country", "code", "stored"),
    [
        ("IN", "110 001", "110001"),
        ("IN", "IN-110001", "110001"),
        ("PT", "1000205", "1000-205"),
        ("PT", "P-1000 205", "1000-205"),
        ("PL", "00950", "00-950"),
        ("PL", "PL-00-950", "00-950"),
        ("DE", "D-10115", "10115"),
        ("DE", "DE 10115", "10115"),
        ("DE", "DEU10115", "10115"),
        ("DE", "１０１１５", "10115"),
        ("DE", "\u200e10115\u200b", "10115"),
        ("AT", "A-1010", "1010"),
        ("CH", "CH-8001", "8001"),
        ("FR", "F-75001", "75001"),
        ("FR", "75 001", "75001"),
        ("SE", "S-114 55", "11455"),
        ("FI", "FIN-00100", "00100"),
        ("LU", "L-1111", "1111"),
        ("LV", "1073", "LV-1073"),
        ("LV", "lv 1073", "LV-1073"),
        ("CA", "K1A-0B1", "K1A 0B1"),
        ("CA", "k1a0b1", "K1A 0B1"),
        ("CA", "Ｋ１Ａ　０Ｂ１", "K1A 0B1"),
        ("GB", "sw1a1aa", "SW1A 1AA"),
        ("GB", "GB-SW1A 1AA", "SW1A 1AA"),
        ("GB", "M2 5BQ", "M2 5BQ"),
        ("GB", "GB1 2AB", None),
        ("JP", "1540023", "154-0023"),
        ("JP", "〒154\u20130023", "154-0023"),
        ("JP", "154\u22120023", "154-0023"),
        ("BR", "40301\u2010110", "40301-110"),
        ("NL", "1234ab", "1234 AB"),
        ("NL", "NL-1234 AB", "1234 AB"),
        ("IE", "a65f4e2", "A65 F4E2"),
        ("US", "97103\u20111234", "97103-1234"),
        ("US", "971031234", "97103-1234"),
        ("US", "97103", "97103"),
        ("HK", " none ", "none"),
        ("MX", "C.P. 06000", "06000"),
        ("MX", "Código Postal 06000", "06000"),
        ("MX", "CDMX 06000", "06000"),
        ("US", "OR 97201", "97201"),
        ("US", "Oregon 97201-1234", "97201-1234"),
        ("US", "USA OR 97201", "97201"),
        ("US", "ZIP: 97201", "97201"),
        ("AU", "NSW 2000", "2000"),
        ("AU", "Victoria 3000", "3000"),
        ("CA", "ON K1A 0B1", "K1A 0B1"),
        ("BR", "CEP 40301-110", "40301-110"),
        ("BR", "SP 01310100", "01310-100"),
        ("SG", "S(546080)", "546080"),
        ("SG", "Singapore 546080", "546080"),
        ("IN", "PIN 110001", "110001"),
        ("IE", "Eircode A65 F4E2", "A65 F4E2"),
        ("CZ", "PSČ 110 00", "110 00"),
        ("GR", "Τ.Κ. 105 57", "105 57"),
        ("US", "NSW 97201", None),
        ("US", "OR 9720", None),
        ("FR", "25075001", None),
        ("US", "AR" * 6 + "97201", None),
        ("DE", "1011", None),
        ("DE", "FR-10115", None),
        ("DE", "---", None),
        ("US", "9710", None),
        ("GB", "SW1A 1AA EXTRA", None),
    ],
)
def test_postal_codes_are_compared_by_letters_and_digits(country, code, stored):
    address = ADDRESS | {"country": country, "postal_code": code}

    assert ("postal_code" in address_errors(address)) == (stored is None)
    if stored is not None:
        assert address_normalize(address)["postal_code"] == stored


def test_what_is_written_around_a_postal_code_is_left_out_and_regions_are_stored_by_code(subtests):
    """Each case: country, city, region as sent, postal code as sent; stored region and code, or the field refused."""
    for country, city, region, code, stored in [
        ("GB", "London", "", "SW1A 1AA, UK", ("", "SW1A 1AA")),
        ("GB", "London", "England", "London SW1A 1AA, England, United Kingdom", ("England", "SW1A 1AA")),
        ("GB", "London", "", "SW1A 1AA Leeds", "postal_code"),
        ("GB", "London", "", "SW1A 1AA FR", "postal_code"),
        ("ES", "Madrid", "Madrid", "28001 Madrid", ("Madrid", "28001")),
        ("ES", "Móstoles", "M", "E-28930 MOSTOLES (Madrid), España", ("M", "28930")),
        ("ES", "Palma de Mallorca", "Illes Balears", "07001 Palma", ("Illes Balears", "07001")),
        ("CA", "Vancouver", "British Columbia", "British Columbia V6B 1A1", ("BC", "V6B 1A1")),
        ("CA", "Montréal", "québec", "Montreal (Quebec) H3Z 2Y7 Canada", ("QC", "H3Z 2Y7")),
        ("CH", "Zürich", "", "8001 Zurich, Schweiz", ("", "8001")),
        ("IT", "Milano", "Lombardia", "20121 Milano (MI), Italia", ("Lombardia", "20121")),
        ("NL", "Amsterdam", "", "1012 AB Amsterdam, Holland", ("", "1012 AB")),
        ("US", "Portland", "Oregon", "Portland, OR 97201, U.S.A.", ("OR", "97201")),
        ("US", "Portland", "or", "97201-1234 Oregon", ("OR", "97201-1234")),
        ("US", "Portland", "US-OR", "97201 Portland Portland", "postal_code"),
        ("US", "Washington", "Washington, D.C.", "Washington DC 20500", ("DC", "20500")),
        ("US", "Portland", "Oregon (OR)", "97201", ("OR", "97201")),
        ("US", "Portland", "Orgeon", "97201", "region"),
        ("US", "Portland", "BC", "97201", "region"),
        ("AU", "Perth", "Western Australia", "WA 6000 Australia", ("WA", "6000")),
        ("BR", "São Paulo", "Sao Paulo", "01310-100 São Paulo/SP - Brasil", ("SP", "01310-100")),
        ("JP", "", "Tōkyō-to", "〒100-0001 東京都", ("Tōkyō-to", "100-0001")),
        ("AO", "Luanda", "", "12345 of a country without postal codes", "postal_code"),
    ]:
        address = ADDRESS | {"country": country, "city": city, "region": region, "postal_code": code}
        with subtests.test(country=country, code=code, region=region):
            if isinstance(stored, str):
                assert list(address_errors(address)) == [stored]
            else:
                found = address_normalize(address)
                assert (address_errors(address), found["region"], found["postal_code"]) == ({}, *stored)


def test_invalid_codes_and_regions_are_named_with_an_example():
    def error(field, **changes):
        return address_errors(ADDRESS | changes)[field]

    assert error("postal_code", country="IE", region="", postal_code="1") == (
        "The Eircode is not valid for this country. Example: A65 F4E2."
    )
    assert error("postal_code", country="FR", region="", postal_code="75001 CEDEX") == (
        "Write CEDEX after the town, such as Paris CEDEX 08."
    )
    assert error("region", country="CA", region="Oregon", postal_code="K1A 0B1") == (
        "The province is not valid for this country. Example: Alberta or AB."
    )
    assert error("region", country="TW", region="", postal_code="104") == "City or county is required."
    rules = [rules_for(code) for code, _ in COUNTRIES]
    checked = {rule.region_label for rule in rules if rule.country in CHECKED_REGIONS}
    assert {rule.postal_code_label for rule in rules} | checked == set(NOT_VALID)


def test_every_example_is_its_own_canonical_form():
    for code, _ in COUNTRIES:
        rules = rules_for(code)
        for example in rules.postal_code_examples:
            assert rules.canonical_postal_code(example) == example, (code, example)
            assert (rules.canonical_postal_code(f"{code}-{example}") or "").endswith(example), (code, example)


@pytest.mark.parametrize(
    ("phone", "stored"),
    [
        ("＋１ ５０３ ５５５ ０１２３", "+1 503 555 0123"),
        ("+1\u00a0503\u2011555\u20130123", "+1 503-555-0123"),
        ("\u202a+1 503 555 0123\u202c", "+1 503 555 0123"),
        ("tel:+15035550123", "+15035550123"),
        ("503\u00b7555\u00b70123", "503.555.0123"),
        ("(503) 555\u22120123", "(503) 555-0123"),
        ("٠٥٠١٢٣٤٥٦٧", "0501234567"),
        ("Tel.: 030 123456", "030 123456"),
        ("(+49) 151 2345678", "+49 151 2345678"),
        ("+ 49 (0)151/23-45-67", "+49 (0)151/23-45-67"),
        ("+1 503 555 0123 x12", "+1 503 555 0123 ext. 12"),
        ("(503) 555-0123 #12", "(503) 555-0123 ext. 12"),
        ("503 555 0123, Extension: 12", "503 555 0123 ext. 12"),
        ("503 555 0123 (ext 12)", "503 555 0123 ext. 12"),
        ("tel:+1-503-555-0123;ext=12", "+1-503-555-0123 ext. 12"),
        ("５０３５５５０１２３ｘ１２", "5035550123 ext. 12"),
        ("503 555 0123 ext. 12", "503 555 0123 ext. 12"),
    ],
)
def test_phone_numbers_are_stored_in_plain_characters(phone, stored):
    assert errors(phone=phone) == {}
    assert address_normalize(ADDRESS | {"phone": phone})["phone"] == stored
    assert canonical_phone(stored) == stored


def test_spellings_of_a_phone_number_have_the_same_digits():
    assert {phone_digits(text) for text in ("(503) 555-0123", "5035550123 ext. 12", "503.555.0123")} == {
        "5035550123"
    }
