"""System checks for unsafe settings (`alley.E…` are errors, `alley.W…` warnings).

Other checks.py and providers have ids of their own; `git grep "alley.E"` lists them, and a test keeps them unique. A
new id needs an entry in BAD of the tests of its module: the setting that causes it.
"""

from collections.abc import Iterator
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

KEY_LENGTH = 43  # length of secrets.token_urlsafe(32), which is 32 random bytes
LOCAL = {"127.0.0.1", "localhost"}
LARGEST_FACTOR = 10
SHORTEST_KEY = 32
KEY_CHARACTERS = 16  # a random key of this length has more distinct characters


@register(Tags.security)
def check_always(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(always())


@register(Tags.security, deploy=True)
def check_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(production())


def always() -> Iterator[CheckMessage]:
    if settings.DEMO and settings.SITE_HOST not in LOCAL:
        yield Error(
            "The demo has public logins.",
            hint="Unset DEMO, or keep SITE_URL on localhost.",
            id="alley.E001",
        )
    if settings.DEMO and settings.HTTPS:
        yield Error("The demo must not run in production.", hint="Unset DEMO.", id="alley.E002")
    if len(settings.SECRET_KEY) < SHORTEST_KEY:
        yield Error(
            "SECRET_KEY is so short that sessions and order links can be forged.",
            hint="Set it to 50 or more random characters.",
            id="alley.E003",
        )


def retention() -> Iterator[CheckMessage]:
    from artisans.core.retention import RULES  # noqa: PLC0415  # wsgi.py imports this module before the models

    for rule in RULES.values():
        if settings.RETENTION_DAYS.get(rule.name, 0) < rule.minimum_days:
            yield checks.Warning(
                f"The rows of the retention rule {rule.name} are kept for {rule.minimum_days} days, the minimum.",
                hint="Raise its variable KEEP_…_DAYS (.env.example).",
                id="alley.W060",
            )


def refuse_to_start() -> None:
    """For entry points without Django's system checks. Errors: ImproperlyConfigured."""
    for message in always():
        raise ImproperlyConfigured(f"{message.msg} {message.hint}")


def production() -> Iterator[CheckMessage]:
    wrong = {
        ("alley.E010", "DEMO is on.", "Unset DEMO."): settings.DEMO,
        ("alley.E011", "SITE_URL does not use https.", "Set SITE_URL=https://your.shop."): not settings.HTTPS,
        (
            "alley.E012",
            "The shop runs on SQLite.",
            "Set DATABASE_URL=postgres://user:password@host:5432/name.",
        ): settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"),
        (
            "alley.E013",
            "ALLOWED_HOSTS must contain the host of SITE_URL and no wildcards.",
            "Set ALLOWED_HOSTS to the host names of the shop, separated by commas.",
        ): "*" in settings.ALLOWED_HOSTS or settings.SITE_HOST not in settings.ALLOWED_HOSTS,
        (
            "alley.E014",
            "Emails are not sent.",
            "Set EMAIL_URL=smtp+tls://user:password@host:587.",
        ): not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"),
        (
            "alley.E015",
            "The task queue is limited to one machine.",
            "Set CELERY_BROKER_URL=redis://… or amqp://….",
        ): settings.CELERY_BROKER_URL.startswith(("filesystem", "memory")),
        (
            "alley.E016",
            "Each process has its own cache, so rate limits are not shared.",
            "Set CACHE_URL=rediscache://host:6379/1.",
        ): "locmem" in settings.CACHES["default"]["BACKEND"],
        (
            "alley.E017",
            "SITE_URL has a path.",
            "Set it to scheme and host only.",
        ): bool(urlsplit(settings.SITE_URL).path),
        (
            "alley.E022",
            "Emails, with links to orders and to new passwords, are sent unencrypted.",
            "Set EMAIL_URL=smtp+tls://… or smtp+ssl://….",
        ): settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
        and settings.EMAIL_HOST not in LOCAL
        and not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL),
        (
            "alley.E023",
            "Emails have no sender that can be answered.",
            "Set DEFAULT_FROM_EMAIL=Your shop <orders@your.shop>.",
        ): "." not in parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2],
        (
            "alley.E024",
            "METRICS_TOKEN is so short that it can be guessed.",
            f"Set it to {KEY_LENGTH} or more random characters.",
        ): settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < KEY_LENGTH,
        (
            "alley.E025",
            "Pictures are sent and loaded unencrypted.",
            "Set MEDIA_S3_ENDPOINT=https://….",
        ): settings.MEDIA_URL.startswith("http:"),
    }
    for (check_id, text, hint), is_wrong in wrong.items():
        if is_wrong:
            yield Error(text, hint=hint, id=check_id)
    yield from encryption_keys(settings.ENCRYPTION_KEYS)
    if settings.RATE_LIMIT_FACTOR > LARGEST_FACTOR:
        yield checks.Warning(
            f"Rate limits are {settings.RATE_LIMIT_FACTOR} times as high as intended.",
            hint="Unset RATE_LIMIT_FACTOR, which is for load tests.",
            id="alley.W002",
        )
    if settings.HTTPS and not (settings.TRUSTED_PROXIES and settings.SECURE_PROXY_SSL_HEADER):
        yield checks.Warning(
            "The web server has no TLS of its own, but the proxy in front of it is not trusted: all visitors share its "
            "address, or are redirected for ever.",
            hint="Set TRUSTED_PROXIES=1 and TRUST_PROXY_HTTPS=true, and let only the proxy reach the web server.",
            id="alley.W003",
        )
    yield from retention()
    if settings.MANUAL_PAYMENT_AUTO_APPROVE:
        yield checks.Warning(
            "Bank transfer and check orders are shipped before they are paid.",
            hint="Unset MANUAL_PAYMENT_AUTO_APPROVE unless this is intended.",
            id="alley.W001",
        )


def encryption_keys(keys: list[str]) -> Iterator[CheckMessage]:
    make_one = 'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
    if not keys:
        yield Error(
            "ENCRYPTION_KEYS is not set.", hint=f"Set it to the output of: {make_one}", id="alley.E018"
        )
    for place, key in enumerate(keys, start=1):
        is_weak = len(key) < KEY_LENGTH or len(set(key)) < KEY_CHARACTERS or key in keys[: place - 1]
        if is_weak:  # the message never contains the key
            yield Error(
                f"Key {place} of ENCRYPTION_KEYS is too short, not random, or a duplicate.",
                hint=f"Generate a new one ({make_one}), put it first and run `manage.py reencrypt`.",
                id="alley.E019",
            )
