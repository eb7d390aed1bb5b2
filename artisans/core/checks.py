"""Settings that a shop must not run with (`alley.E…` stop it, `alley.W…` warn)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def check_always(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(always())


@register(Tags.security, deploy=True)
def check_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(production())


def always() -> Iterator[CheckMessage]:
    if settings.DEMO and settings.SITE_HOST not in {"127.0.0.1", "localhost"}:
        yield Error(
            "The demo has logins that everybody knows.",
            hint="Unset DEMO, or keep SITE_URL on 127.0.0.1.",
            id="alley.E001",
        )
    if settings.DEMO and settings.HTTPS:
        yield Error("The demo is not a shop.", hint="Unset DEMO in production.", id="alley.E002")


def production() -> Iterator[CheckMessage]:
    if settings.DEMO:
        yield Error("DEMO is on.", hint="Unset DEMO in production.", id="alley.E010")
    if not settings.HTTPS:
        yield Error("SITE_URL is not https.", hint="Set SITE_URL=https://your.shop.", id="alley.E011")
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Error("The shop runs on SQLite.", hint="Set DATABASE_URL=postgres://…", id="alley.E012")
    if "*" in settings.ALLOWED_HOSTS or settings.SITE_HOST not in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS must name the host of SITE_URL, and no wildcard.",
            hint="Set ALLOWED_HOSTS to the host names of the shop, separated by commas.",
            id="alley.E013",
        )
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        yield Error("Mails go nowhere.", hint="Set EMAIL_URL=smtp+tls://user:password@host:587", id="alley.E014")
    if settings.CELERY_BROKER_URL.startswith(("filesystem", "memory")):
        yield Error(
            "The task queue works on one machine only.",
            hint="Set CELERY_BROKER_URL=redis://… or amqp://…",
            id="alley.E015",
        )
    if "locmem" in settings.CACHES["default"]["BACKEND"]:
        yield Error(
            "Each process has a cache of its own, so limits do not hold.",
            hint="Set CACHE_URL=rediscache://host:6379/1",
            id="alley.E016",
        )
    if settings.MANUAL_PAYMENT_AUTO_APPROVE:
        yield Warning(
            "Transfer and check orders are shipped before their money is here.",
            hint="Unset MANUAL_PAYMENT_AUTO_APPROVE unless you mean it.",
            id="alley.W001",
        )
    if urlsplit(settings.SITE_URL).path:
        yield Error("SITE_URL has a path.", hint="Give scheme and host only.", id="alley.E017")
