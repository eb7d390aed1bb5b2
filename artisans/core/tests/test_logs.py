"""Log lines: one JSON object each, with the request id and without secrets."""

import json
import logging
import time
from uuid import uuid4

import pytest

from artisans.core.logs import JsonFormatter
from artisans.core.requests import request_id
from artisans.core.security.redaction import scrub
from artisans.core.security.tokens import order_token


@pytest.mark.parametrize(
    "secret",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "378282246310005",
        "5555555555554444",
        "sk_live_abcDEF123",
        "rk_test_abcDEF123",
        "whsec_abcDEF123",
        "pi_3abc_secret_xyz",
        "Bearer aa_0123456789abcdef0123",
        "bearer abc.def.ghi",
        "aa_0123456789abcdef0123456789abcdef",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "card={}", '{{"number": "{}"}}', "paid with {}, thanks", "url?x={}&y=1"]
)
def test_secrets_are_masked_anywhere_in_a_message(secret, around):
    assert secret not in scrub(around.format(secret))


def test_order_link_is_masked():
    token = order_token(uuid4(), 1)

    for path in (f"/shop/orders/{token}/", f"http://shop.test/shop/orders/{token}/pay/?mailbox=x"):
        assert token not in scrub(path)
        assert "/shop/orders/" in scrub(path)


@pytest.mark.parametrize(
    "text",
    [
        "order 7KQ2M9XBG",
        "4242424242424241",
        "2026-11-23T10:00:00",
        "c1e48e07-a05e-4b91-96a8-75ce02247fb6",
        "12345",
    ],
)
def test_other_text_is_unchanged(text):
    assert scrub(text) == text


def line(message: str, *args: object, exc_info: object = None, **extra: object) -> dict[str, str]:
    record = logging.getLogger("x").makeRecord(
        "x", logging.WARNING, "f", 1, message, args, exc_info, extra=extra
    )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_line_breaks_and_colour_codes_are_escaped():
    assert line("a\r\nb\x1b[31m %s", "c\nd")["event"] == "a\r\nb\x1b[31m c\nd"


def test_long_values_are_truncated_and_extra_values_are_masked():
    result = line("x" * 100_000, card="4242424242424242", note="n" * 9999)

    assert len(result["event"]) == 2000
    assert result["card"] == "[card]"
    assert len(result["note"]) == 500


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "x_secret" * 20_000, "4 " * 50_000, "4" * 100_000, "sk_" * 30_000]
)
def test_hostile_text_is_masked_quickly(text):
    started = time.process_time()

    scrub(text)

    assert time.process_time() - started < 1


def test_errors_are_masked_and_have_the_request_id():
    mark = request_id.set("abc-123-def")
    try:
        raise ValueError("no such key sk_live_abcDEF123")
    except ValueError as error:
        result = line("failed", exc_info=(type(error), error, error.__traceback__))
    finally:
        request_id.reset(mark)

    assert result["request_id"] == "abc-123-def"
    assert "sk_live" not in result["error"]
    assert "ValueError" in result["error"]
