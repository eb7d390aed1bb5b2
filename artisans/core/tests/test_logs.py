"""Log lines: one JSON object each, with the request id and without secrets."""

import json
import logging
from uuid import uuid4

import pytest

from artisans.accounts.setting_changes import SettingChange, setting_change
from artisans.accounts.tests.factories import PASSWORD
from artisans.core.logs import JsonFormatter
from artisans.core.requests import request_id
from artisans.core.security.redaction import scrub
from artisans.core.security.tokens import order_token
from tests.machine import is_quick


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
        "whsec_abcdef",
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
    assert is_quick(lambda: scrub(text), loops=50)


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


def test_extra_value_never_replaces_the_name_of_the_event():
    result = line("webhook_dead", event="evt_1", level="x", amount=12, card=4242424242424242)

    assert [result[name] for name in ("event", "event_", "level", "level_", "amount", "card")] == [
        *("webhook_dead", "evt_1", "WARNING", "x", 12, "[card]")
    ]


def test_lines_of_django_and_gunicorn_quote_no_request():
    for name, message, event, level in (
        ("django.request", "Internal Server Error: /reset/key/3-secret/", "request_failed", "ERROR"),
        (
            "django.security.DisallowedHost",
            "Invalid HTTP_HOST header: 'x'.",
            "Invalid HTTP_HOST header: 'x'.",
            "WARNING",
        ),
        (
            "django.security.csrf",
            "Forbidden (CSRF cookie not set.): /key/3-x/",
            "Forbidden (CSRF cookie not set.)",
            "WARNING",
        ),
        (
            "gunicorn.error",
            "Invalid request from ip=::1: Invalid HTTP Header: 'Cookie session=1'",
            "Invalid request from ip=::1: Invalid HTTP Header",
            "WARNING",
        ),
        (
            "gunicorn.error",
            "Error handling request GET /reset/key/3-secret/",
            "Error handling request",
            "WARNING",
        ),
    ):
        record = logging.LogRecord(
            name, getattr(logging, level), "f", 1, message, (), (ValueError, ValueError("x"), None)
        )
        result = json.loads(JsonFormatter().format(record))
        assert (result["event"], result["level"]) == (event, level)
        assert ("error" in result) == (not name.startswith("django.security"))


def logged(caplog, name: str) -> list[dict[str, object]]:
    found = [record for record in caplog.records if record.name == f"artisans.{name}"]
    return [json.loads(JsonFormatter().format(record)) for record in found]


def test_each_request_is_one_line_with_its_route_and_kind_of_principal(
    api, browser, shopper, staff, bowl, caplog, settings
):
    settings.TRUSTED_PROXIES = 1
    caplog.set_level(logging.INFO)
    here, there, link = "127.0.0.1", "203.0.113.5", order_token(uuid4(), 1)
    guest, holder = {"HTTP_X_CART_TOKEN": "x", "HTTP_X_FORWARDED_FOR": there}, {"HTTP_X_ORDER_TOKEN": "x"}
    calls = (
        (api(), f"/products/{bowl.pk}?q=mia@private.test", {}, "/products/<pk>", 400, here, "anonymous"),
        (api(shopper), "/orders/", {}, "/orders", 200, here, "user"),
        (api(), "/orders/", {}, "/orders", 401, here, "anonymous"),
        (api(), "/orders/", holder, "/orders", 200, here, "order_link"),
        (api(), "/carts/", guest, "/carts", 405, there, "guest"),
        (browser(staff), "/", {}, "/", 200, here, "staff"),
        (browser(), f"/shop/orders/{link}/", {}, "/shop/orders/<str:token>", 410, here, "order_link"),
        (browser(), "/reset/mia@private.test/", {}, "/reset/[address]/", 404, here, "anonymous"),
    )
    for client, path, headers, *expected in calls:
        caplog.clear()
        client.get(path, **headers)
        [row] = logged(caplog, "requests")
        assert [row[name] for name in ("route", "status", "address", "principal")] == expected
        assert (request_id.get(), "private.test" in str(row)) == ("", False)
        is_refused = row["status"] == 401
        assert [event["event"] for event in logged(caplog, "security")] == ["access_refused"] * is_refused
    caplog.clear()
    browser().get("/health/live")
    assert not caplog.records, "probes ask every few seconds"


def test_sign_ins_failures_and_changes_are_security_events(
    api, browser, admin_user, shopper, caplog, django_capture_on_commit_callbacks
):
    caplog.set_level(logging.INFO)
    with django_capture_on_commit_callbacks(execute=True):
        for password in ("wrong", PASSWORD):
            api().post("/auth/token", {"email": shopper.email, "password": password})
            browser().post("/shop/account/login/", {"login": shopper.email, "password": password})
        change = SettingChange.of(shopper, new={"role": "artisan"})
        setting_change(change, actor=admin_user)

    lines = logged(caplog, "security")
    assert [row["event"] for row in lines] == [
        *("sign_in_failed", "sign_in_failed", "sign_in", "token.issue", "setting.change")
    ]
    assert lines[0]["account"] == lines[1]["account"]
    assert (lines[2]["user"], lines[2]["address"]) == (str(shopper.pk), "127.0.0.1")
    assert (lines[4]["actor"], lines[4]["target"], lines[4]["fields"]) == (
        *(str(admin_user.pk), str(shopper.pk)),
        "role",
    )
    assert shopper.email not in str(lines)
