"""Card numbers are found however they are written, and other numbers are not taken for them."""

import uuid

import pytest

from artisans.core.numbers import new_number
from artisans.core.security.card_data import card_number_fields, has_card_number, holds_card_number
from artisans.core.security.redaction import scrub
from tests.machine import is_quick

CARDS = [
    "4242424242424242",
    "4222222222222",
    "4000000000000000006",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309020004",
    "3566002020360505",
    "6011111111111117",
    "6200000000000005",
    "6304000000000000",
    "2200000000000004",
]


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize(
    "separator",
    ["", " ", "-", ".", "\u00a0", "\u2011", " - ", "/", "_", ",", "\u200b", "\n", " " * 9, " \n - \n ", "+"],
)
def test_number_is_found_with_any_separators(number, separator):
    groups = [number[i : i + 4] for i in range(0, len(number), 4)]

    assert has_card_number(f"Please use {separator.join(groups)}, thank you.")
    assert has_card_number(separator.join(number))


@pytest.mark.parametrize(
    "text",
    [
        "４２４２４２４２４２４２４２４２",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "4242 4242 4242 4242 12/27 123",
        "12/27 4242 4242 4242 4242",
        "3782 822463 10005",
        "Visa4242424242424242exp1227",
        "card:4242-4242 4242.4242",
        "42 4242 4242 4242 42",
        "gift 4242424242424242@example.com",
        "+4242424242424242",
        "+4242 4242 4242 4242",
        "4242424242424242" + "x" * 500,
        "VI4242424242424242",
        "DE4242424242424242",
        "RR4242424242424242DE",
        "004242424242424242",
        "04242424242424242",
        "0042 4242 4242 4242 42",
        "+378282246310005",
        "00378282246310005",
        "1227 4242 4242 4242 4242",
        "IBAN DE89 3704 0044 0532 0130 00 4242 4242 4242 4242",
        '<a title="4242424242424242">',
        "%34%32%34%32" * 4,
        "&#52;&#50;" * 8,
        "%34242424242424242",
    ],
)
def test_number_is_found_in_other_text(text):
    assert has_card_number(text)
    assert "4242" not in scrub(text.replace("IBAN DE89 3704 0044 0532 0130 00", ""))
    assert "[card]" in scrub(text)


@pytest.mark.parametrize(
    "separator",
    [
        "%20",
        "%2520",
        "%C2%A0",
        "%2D",
        "&nbsp;",
        "&nbsp",
        "&amp;nbsp;",
        "&#160;",
        "&#xA0;",
        "&ndash;",
        "&thinsp;",
        r"\u00a0",
        r"\xa0",
        r"\n",
        r"\t",
        "<br>",
        "</td> <td>",
        "\xa0",
        "\u202f",
        "\u3000",
        "−",
        "・",
    ],
)
def test_number_is_found_and_masked_with_encoded_and_unicode_separators(separator):
    text = f"q={separator.join(['4242'] * 4)}&page=2"

    assert has_card_number(text)
    assert scrub(text) == "q=[card]&page=2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242424242424241",
        "0000 0000 0000 0000",
        "1234567812345670",
        "42424242424242424242",
        "+49 151 23456789",
        "+49 151 23456789 +49 151 23456780",
        "+4915123456789",
        "0049 4222 222222222",
        "+4222222222222",
        "(415) 555-2671",
        "DE89 3704 0044 0532 0130 00",
        "de89370400440532013000",
        "NO93 8601 1117 947",
        "GB29 NWBK 6016 1331 9268 19",
        "FR14 2004 1010 0505 0001 3M02 606",
        "BE68 5390 0754 7034",
        "1Z9999999999999999",
        "9400 1118 9922 3818 7700 26",
        "9205 5000 0000 0000 0000 00",
        "00340434161094042557",
        "JD014600003828375926",
        "JJD000390007882823426",
        "RR473124829DE",
        "SE556677889901",
        "NL123456789B01",
        "VAT DE422222222, 2222 Berlin",
        "VAT no. 422222222, 2222 Berlin",
        "SE555555555501, 4444",
        "550E8400-E29B-41D4-A716-446655440000",
        "DE89 3704 0044 0532 0130 00 is the account",
        "100%20of 42%20%2042",
        "550e8400-e29b-41d4-a716-446655440000",
        "42424242-4242-4242-4242-4242424242aa",
        "2026-11-28 22:38:00",
        "45.59, 120.00, 30.00",
        "Ring 2 times, floor 3, door 4, 10115 Berlin, 0301234567",
    ],
)
def test_other_numbers_are_no_cards(text):
    assert not has_card_number(text)


def test_our_own_numbers_are_no_cards():
    assert not any(has_card_number(new_number()) for _ in range(200))
    assert not any(has_card_number(str(uuid.uuid4())) for _ in range(2000))


@pytest.mark.parametrize(
    "field", ["tracking", "bank_reference", "account_iban", "password", "csrfmiddlewaretoken", "_seen"]
)
def test_fields_for_other_numbers_are_left_out(field):
    assert not has_card_number("4242424242424242", field=field)


def test_phone_of_13_digits_without_a_plus_is_no_card():
    assert not has_card_number("4222222222222", field="phone")
    assert has_card_number("378282246310005", field="phone")


@pytest.mark.parametrize("text", ["1 1-", "%25%2", "&amp;amp;", "<a <", "DE42", "\u00e94", "0", "00 1", "4 "])
def test_time_grows_with_the_length_of_a_text_only(text):
    """Anyone may send a form of 256 KiB; its groups were copied once per group before. Half of it shows that, too."""
    assert is_quick(lambda: has_card_number(text * (128_000 // len(text))), loops=70)


SPLIT = {
    "halves": {"line1": "4242 4242", "line2": "4242 4242"},
    "after other text": {"line1": "Card: 4242 4242", "line2": "4242 4242 12/27 please"},
    "within a group": {"name": "4242 42", "line1": "42 4242 4242"},
    "uneven": {"name": "424242", "line1": "4242424242"},
    "four fields": {"name": "4242", "line1": "4242", "line2": "4242", "city": "4242"},
    "with the last digits alone": {"line1": "4242 4242 4242", "line2": "4242"},
    "American Express": {"line1": "3782 822463", "line2": "10005 "},
    "other digits": {"line1": "４２４２\u200b４２４２", "line2": "٤٢٤٢-٤٢٤٢"},
    "with an empty field between": {"line1": "4242 4242", "line2": " - ", "city": "4242 4242"},
    "with the country between": {"name": "4242 4242", "country": "US", "line1": "4242 4242"},
    "with a postal code": {"city": "4242 4242 4242", "region": "", "postal_code": "4242"},
    "with a phone number": {"line1": "4242 4242", "phone": "4242 4242"},
    "with dots within": {"line1": "4242.4242", "line2": "4242.4242"},
    "with a dot before the end": {"line1": "42424242.4242", "line2": "4242"},
    "with a dot in the second": {"line1": "4242 4242", "line2": "4242.4242"},
    "with a comma in the first": {"name": "4242,4242", "line1": "4242 4242"},
    "other fields": {"note": "x 42424242", "gift_message": "42424242"},
    "with a note that is a number": {"phone": "4242 4242 4242", "note": "4242"},
    "a phone number that lacks one digit": {"phone": "424242424242424", "note": "2 exp 12/30"},
}
NOT_SPLIT = {
    "a usual address": {
        "name": "Ada Lovelace",
        "line1": "Hauptstraße 42",
        "line2": "4242",
        "city": "Köln",
        "postal_code": "50667",
        "phone": "02211234567",
    },
    "street, postal code and phone": {"line1": "Kai 5020", "postal_code": "5667", "phone": "0221 1234 5678"},
    "postal code and phone in fours": {"postal_code": "4242", "phone": "4242 4242 4242"},
    "postal code and phone": {"line1": "Pier 12", "postal_code": "42424", "phone": "24242424242"},
    "apartment and phone in fours": {"line2": "Apt 4242", "phone": "4242 4242 4242"},
    "a box": {"line1": "PO Box 424242", "line2": "4242424242"},
    "phone first": {"phone": "42424242424", "line1": "24242"},
    "phone and a code in a note": {"phone": "4242 4242 4242", "note": "4242 opens the gate"},
    "phone and a longer code": {"phone": "42424242424", "note": "24242"},
    "long phone and a note": {"phone": "424242424242424", "note": "24 steps up"},
    "text between": {"line1": "4242 4242", "city": "Astoria", "postal_code": "4242 4242"},
    "a locker": {"line1": "4242424242", "line2": "Packstation 424242"},
    "settings": {"hours": "42", "minutes": "4242", "days": "42", "grams": "4242", "limit": "4242"},
    "dates": {"since": "2026-11-28", "until": "2026-11-29"},
    "other numbers": {"account_iban": "42424242", "bank_reference": "42424242", "note": "thanks"},
    "prices": {"first": "42.00", "second": "42.00", "third": "42,00", "fourth": "42.00"},
    "prices in whole units": {f"9e1c{row}-JPY": "4200" for row in range(4)},
    "amounts of a refund": {f"line_{row}": "4242" for row in range(4)},
    "figures that staff saw": {"order_seen": "paid 4242 4242 4242 4242 0", "amount": "4242"},
    "UUIDs": {"cart": "550e8400-e29b-41d4-a716-424242424242", "number": "4242"},
    "one digit each": {f"quantity{place}": digit for place, digit in enumerate("4242424242424242")},
}


def test_number_over_adjacent_fields_is_found(subtests):
    for label, fields in SPLIT.items():
        with subtests.test(label):
            assert holds_card_number({"order": {"address": fields}})
            assert len(card_number_fields((name, [text]) for name, text in fields.items())) > 1
    for label, fields in NOT_SPLIT.items():
        with subtests.test(label):
            assert not holds_card_number({"order": {"address": fields}})
            assert card_number_fields((name, [text]) for name, text in fields.items()) == []
    assert not holds_card_number([{"line1": "4242 4242"}, {"line1": "4242 4242"}])  # two objects
    assert not card_number_fields([("permissions", ["4242"] * 4)])  # keys of chosen rows
    assert holds_card_number({"lines": ["4242 4242", "4242 4242"]})


def test_long_fields_are_searched_in_time_that_grows_with_their_length_only():
    fields = [(f"f{place}", ["4 " * 60 + "-" * 80 + "42"]) for place in range(600)]
    assert is_quick(lambda: card_number_fields(fields), loops=70)


def test_security_code_with_its_name_is_found(subtests):
    codes = [
        "cvc 123",
        "Ada CVV: 123 exp 12/28",
        "cvv2=1234",
        "CVC code is 123",
        "cvc%20123",
        "cvv123",
        "cvc_123",
    ]
    codes += ["Security code 123", "security code: 123!", "card security code 1234", "security\u00a0code 123"]
    others = [
        "security code 1234 at the gate",
        "code 123",
        "Security Code Ltd, 123 Main St",
        "CVC Plaza 123",
        "cvc",
    ]
    others += ["cvc 12", "cvc 12345", "Ring 123", "xcvc 123", "security code 12345"]
    for text in codes:
        with subtests.test(text):
            assert has_card_number(text)
    for text in others:
        with subtests.test(text):
            assert not has_card_number(text)
