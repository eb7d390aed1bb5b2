"""Hostile JSON is refused quickly, before a view reads it."""

from contextlib import suppress
from decimal import Decimal
from io import BytesIO

import pytest
from rest_framework.exceptions import ParseError

from artisans.core.api.parsers import MAX_BODY, StrictJSONParser, TooLarge
from artisans.core.strict_json import MAX_DEPTH
from tests.machine import is_quick


def parse(body: str | bytes):
    return StrictJSONParser().parse(BytesIO(body.encode() if isinstance(body, str) else body))


def test_numbers_are_read_exactly():
    got = parse('{"amount": 99.99, "tax_rate": 0.10, "quantity": 2}')

    assert got == {"amount": Decimal("99.99"), "tax_rate": Decimal("0.10"), "quantity": 2}
    assert isinstance(got["amount"], Decimal)


HOSTILE = {
    "key twice": '{"quantity":1,"quantity":99}',
    "key twice, spelled differently": '{"quantity":1,"quantit\\u0079":99}',
    "key twice, deep": '{"a":[{"b":1,"b":2}]}',
    "NaN": '{"amount": NaN}',
    "Infinity": '{"amount": -Infinity}',
    "number of 5000 digits": '{"amount": ' + "9" * 5000 + "}",
    "too deep": "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    "very deep": "[" * 30_000,
    "half": '{"a": 1',
    "two": '{"a": 1}{"a": 2}',
    "single quotes": "{'a': 1}",
    "comment": '{"a": 1} // x',
    "trailing comma": '{"a": 1,}',
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "half of a surrogate pair": '{"a": "\\ud800"}',
    "half of a surrogate pair as a key": '{"\\uDFFF": 1}',
    "control character": '{"a": "\x01"}',
    "empty": " ",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_invalid_or_unusual_json_is_refused(body):
    with pytest.raises(ParseError):
        parse(body)


def test_body_over_the_size_limit_is_refused():
    with pytest.raises(TooLarge):
        parse(b'"' + b"a" * MAX_BODY + b'"')
    assert parse(b'"' + b"a" * (MAX_BODY - 2) + b'"')


@pytest.mark.parametrize(
    "body",
    [
        '"' + '\\"' * 32_000,
        '"' + "\\" * 65_000,
        "[" * 65_000,
        '{"' + '":{"' * 15_000,
        '"' * 65_000,
        "{" + ",".join(f'"{i}":1' for i in range(5000)) + "}",
        '{"amount": 1e' + "9" * 60_000 + "}",
    ],
)
def test_hostile_body_is_refused_quickly(body):
    def read() -> None:
        with suppress(ParseError):
            parse(body)

    assert is_quick(read, loops=20)


def test_surrogate_pairs_and_brackets_in_strings_are_accepted():
    assert parse('{"a": "\\ud83e\\uded6 [[[[[[[[[[[[[[[[ \\" {{{{"}') == {"a": '🫖 [[[[[[[[[[[[[[[[ " {{{{'}
