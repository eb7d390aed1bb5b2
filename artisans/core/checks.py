"""System checks for unsafe settings (`alley.E…` are errors, `alley.W…` warnings).

Other checks.py and providers have ids of their own; `git grep "alley.E"` lists them, and a test keeps them unique. A
new id needs an entry in BAD of the tests of its module: the setting that causes it.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

KEY_LENGTH = 43  # length of secrets.token_urlsafe(32), which is 32 random bytes
KEY_CHARACTERS = 16  # a random key of this length has more distinct characters


@register(Tags.security)
def check_always(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(always())


@register(Tags.security, deploy=True)
def check_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(production())


def always() -> Iterator[CheckMessage]:
    if settings.DEMO and settings.SITE_HOST not in {"127.0.0.1", "localhost"}:
        yield Error(
            "The demo has public logins.",
            hint="Unset DEMO, or keep SITE_URL on localhost.",
            id="alley.E001",
        )
    if settings.DEMO and settings.HTTPS:
        yield Error("The demo must not run in production.", hint="Unset DEMO.", id="alley.E002")


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
    }
    for (check_id, text, hint), is_wrong in wrong.items():
        if is_wrong:
            yield Error(text, hint=hint, id=check_id)
    yield from encryption_keys(settings.ENCRYPTION_KEYS)
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
