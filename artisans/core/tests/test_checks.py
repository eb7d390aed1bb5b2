"""System checks for unsafe settings: one test per id, and no check fails on good settings."""

import re

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from artisans.core import checks

KEY = "Zb3vQm9tLw2xRk7cHn5sYd8fGj4pUa6eTi1oVqXzWbM"
GOOD = {
    "DEMO": False,
    "SITE_URL": "https://shop.test",
    "SITE_HOST": "shop.test",
    "HTTPS": True,
    "ALLOWED_HOSTS": ["shop.test"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql"}},
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "CELERY_BROKER_URL": "redis://localhost:6379/0",
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}},
    "MEDIA_URL": "/media/",
    "EMAIL_HOST": "mail.test",
    "EMAIL_USE_TLS": True,
    "EMAIL_USE_SSL": False,
    "DEFAULT_FROM_EMAIL": "Shop <orders@shop.test>",
    "RATE_LIMIT_FACTOR": 1,
    "TRUSTED_PROXIES": 1,
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "SECRET_KEY": KEY,
    "MANUAL_PAYMENT_AUTO_APPROVE": False,
    "ENCRYPTION_KEYS": [KEY],
    "METRICS_TOKEN": KEY,
    "RETENTION_DAYS": settings.RETENTION_DAYS,
}
BAD = {
    "alley.E001": {"DEMO": True},
    "alley.E002": {"DEMO": True, "SITE_HOST": "localhost"},
    "alley.E003": {"SECRET_KEY": "abc"},
    "alley.E010": {"DEMO": True},
    "alley.E011": {"HTTPS": False},
    "alley.E012": {"DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3"}}},
    "alley.E013": {"ALLOWED_HOSTS": ["*", "shop.test"]},
    "alley.E014": {"EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend"},
    "alley.E015": {"CELERY_BROKER_URL": "filesystem://"},
    "alley.E016": {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}},
    "alley.E017": {"SITE_URL": "https://shop.test/alley"},
    "alley.E018": {"ENCRYPTION_KEYS": []},
    "alley.E019": {"ENCRYPTION_KEYS": ["change-me"]},
    "alley.E022": {"EMAIL_USE_TLS": False},
    "alley.E023": {"DEFAULT_FROM_EMAIL": "Artisans Alley <shop@localhost>"},
    "alley.E024": {"METRICS_TOKEN": "abc"},
    "alley.E025": {"MEDIA_URL": "http://s3.example.net/pictures/"},
    "alley.W002": {"RATE_LIMIT_FACTOR": 1_000_000},
    "alley.W003": {"SECURE_PROXY_SSL_HEADER": None},
    "alley.W060": {"RETENTION_DAYS": settings.RETENTION_DAYS | {"emails": 1}},
    "alley.W001": {"MANUAL_PAYMENT_AUTO_APPROVE": True},
}


@pytest.fixture
def found(settings, monkeypatch):
    def run(**changes: object) -> set[str]:
        values = GOOD | changes
        monkeypatch.setattr(checks, "settings", type("Settings", (), values))
        return {message.id for message in (*checks.always(), *checks.production())}

    return run


def test_good_settings_pass(found):
    assert found() == set()


@pytest.mark.parametrize("check_id", BAD)
def test_bad_setting_is_reported_with_its_id(found, check_id):
    assert check_id in found(**BAD[check_id])


@pytest.mark.parametrize("hosts", [[], ["other.test"]])
def test_host_of_the_shop_must_be_allowed(found, hosts):
    assert found(ALLOWED_HOSTS=hosts) == {"alley.E013"}


@pytest.mark.parametrize("second", ["x" * 60, "k" * 20 + "0123456789abcdefghij", KEY])
def test_weak_or_repeated_encryption_key_is_refused_at_any_place(found, second):
    assert found(ENCRYPTION_KEYS=[KEY, second]) == {"alley.E019"}


def test_every_id_has_a_test(settings):
    source = (settings.BASE_DIR / "artisans/core/checks.py").read_text()

    assert set(re.findall(r"alley\.[EW]\d+", source)) == set(BAD)


def test_web_server_does_not_start_with_a_demo_in_public(found, monkeypatch):
    found()
    checks.refuse_to_start()
    found(DEMO=True)
    with pytest.raises(ImproperlyConfigured, match="public logins"):
        checks.refuse_to_start()
