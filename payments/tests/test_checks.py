"""System checks for unsafe provider settings: one test per id, and no check fails on good settings."""

import re

import pytest
from django.core.checks import CheckMessage, Tags, run_checks
from django.test import override_settings

from artisans.regions.models import ShopCurrency
from payments import checks

GOOD = {
    "DEBUG": False,
    "SECRET_KEY": "k" * 50,
    "STRIPE_SECRET_KEY": "sk_live_sample",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_sample",
    "STRIPE_WEBHOOK_SECRET": ["whsec_sample_0123456789"],
    "STRIPE_API_BASE": "",
    "STRIPE_JS_URL": "https://js.stripe.com/v3/",
    "PAYPAL_CLIENT_ID": "client",
    "PAYPAL_MODE": "live",
    "PAYPAL_WEBHOOK_ID": "WH-1",
    "PAYPAL_API_BASE": "",
    "PAYPAL_CA_FILE": "",
    "MANUAL_WEBHOOK_SECRET": ["bank_feed_0123456789"],
    "ALLOW_TEST_CARDS": False,
}
BAD = {
    "alley.E030": {"DEBUG": True},
    "alley.E031": {"STRIPE_API_BASE": "https://api.stripe.com"},
    "alley.E032": {"PAYPAL_MODE": "production"},
    "alley.E033": {"MANUAL_WEBHOOK_SECRET": ["short"]},
    "alley.E034": {"STRIPE_JS_URL": "http://127.0.0.1:12111/v3/"},
    "alley.E035": {"STRIPE_WEBHOOK_SECRET": []},
    "alley.E036": {"PAYPAL_WEBHOOK_ID": ""},
    "alley.E037": {"STRIPE_PUBLISHABLE_KEY": ""},
    "alley.E038": {"MANUAL_WEBHOOK_SECRET": ["whsec_sample_0123456789"]},
    "alley.E039": {"PAYPAL_CA_FILE": "var/sandbox/paypal/ca.pem"},
    "alley.E040": {"ALLOW_TEST_CARDS": True},
    "alley.E041": {"PAYMENT_ROUTES": "credit_card=paypal"},
    "alley.E042": {"PAYPAL_VERIFY_BY_CALL": "maybe"},
    "alley.W030": {"STRIPE_SECRET_KEY": "sk_test_x"},
    "alley.W031": {"PAYPAL_MODE": "sandbox"},
}


@pytest.fixture
def found():
    def run(**changes: object) -> set[str]:
        with override_settings(**GOOD | changes):
            return {message.id for message in (*checks.always(), *checks.production())}

    return run


def test_good_settings_pass(found):
    assert found() == set()


@pytest.mark.parametrize("check_id", BAD)
def test_bad_setting_is_reported_with_its_id(found, check_id):
    assert found(**BAD[check_id]) == {check_id}


@pytest.mark.parametrize(
    "base", ["http://api.stripe.com", "https://api.stripe.com.evil.test", "http://127.0.0.1:12111"]
)
def test_only_known_provider_hosts_are_accepted(found, base):
    assert "alley.E034" in found(STRIPE_SECRET_KEY="sk_test_x", STRIPE_API_BASE=base)
    assert "alley.E034" in found(PAYPAL_API_BASE=base)


def test_every_id_has_a_test(settings):
    sources = [
        settings.BASE_DIR / "payments/checks.py",
        *(settings.BASE_DIR / "payments/providers").rglob("*.py"),
    ]
    ids = {found for path in sources for found in re.findall(r"alley\.[EW]\d+", path.read_text())}

    assert ids == {*BAD, "alley.E043"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "step", "needed"),
    [
        ("KWD", 1, "Stripe takes only multiples of 0.010 KWD"),
        ("KWD", 10, ""),
        ("HUF", 1, "PayPal takes only multiples of 1.00 HUF"),
        ("HUF", 100, ""),
        ("USD", 1, ""),
    ],
)
def test_amounts_of_each_currency_can_be_charged_by_each_provider(code, step, needed):
    ShopCurrency.objects.update_or_create(code=code, defaults={"step_minor": step, "price_step_minor": step})
    with override_settings(**GOOD):
        found = call_checks()
        ShopCurrency.objects.filter(code=code).update(is_active=False)
        assert call_checks() == []

    assert [(row.id, row.msg.partition(",")[0]) for row in found] == [("alley.E043", needed)] * bool(needed)


def call_checks() -> list[CheckMessage]:
    return [row for row in run_checks(tags=[Tags.database], databases=["default"]) if row.id == "alley.E043"]
