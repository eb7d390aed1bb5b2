"""System checks for unsafe provider settings."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from payments.web.csp import STRIPE_SCRIPT

SHORTEST_SECRET = 16
STRIPE_HOSTS = {"api.stripe.com"}
PAYPAL_HOSTS = {"api-m.paypal.com", "api-m.sandbox.paypal.com"}
MODES = {"sandbox", "live"}


@register(Tags.security)
def check_providers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(always())


@register(Tags.security, deploy=True)
def check_providers_in_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(production())


def always() -> Iterator[CheckMessage]:
    live = settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
    if live and settings.DEBUG:
        yield Error("A live Stripe key with DEBUG on.", hint="Unset DEBUG.", id="alley.E030")
    if live and settings.STRIPE_API_BASE:
        yield Error(
            "A live Stripe key would be sent to another address than Stripe's.",
            hint="Unset STRIPE_API_BASE, or use a test key.",
            id="alley.E031",
        )
    is_test_key = settings.STRIPE_SECRET_KEY.startswith(("sk_test_", "rk_test_"))
    if settings.ALLOW_TEST_CARDS and settings.STRIPE_SECRET_KEY and not is_test_key:
        yield Error(
            "Test card numbers are accepted beside a live key.",
            hint="Unset ALLOW_TEST_CARDS, or use a key that begins with sk_test_.",
            id="alley.E040",
        )
    if settings.PAYPAL_MODE not in MODES:
        yield Error(
            f"PAYPAL_MODE is {settings.PAYPAL_MODE!r}.", hint="Set it to sandbox or live.", id="alley.E032"
        )
    for name, secrets in webhook_secrets().items():
        if any(len(secret) < SHORTEST_SECRET for secret in secrets):
            yield Error(
                f"{name} is too short to keep anybody out.",
                hint=f"Use at least {SHORTEST_SECRET} random characters.",
                id="alley.E033",
            )


def production() -> Iterator[CheckMessage]:
    wrong_bases = [
        name
        for name, url, hosts in (
            ("STRIPE_API_BASE", settings.STRIPE_API_BASE, STRIPE_HOSTS),
            ("PAYPAL_API_BASE", settings.PAYPAL_API_BASE, PAYPAL_HOSTS),
            ("STRIPE_JS_URL", settings.STRIPE_JS_URL, {urlsplit(url).hostname for url in STRIPE_SCRIPT}),
        )
        if url and (urlsplit(url).scheme != "https" or urlsplit(url).hostname not in hosts)
    ]
    if wrong_bases:
        yield Error(
            f"{', '.join(wrong_bases)} leads to somebody else than the provider.",
            hint="Unset it; the sandbox is for development only.",
            id="alley.E034",
        )
    if settings.PAYPAL_CA_FILE:
        yield Error(
            "Messages of PayPal would be trusted by a root that is not public.",
            hint="Unset PAYPAL_CA_FILE; the sandbox is for development only.",
            id="alley.E039",
        )
    if settings.STRIPE_SECRET_KEY and not settings.STRIPE_WEBHOOK_SECRETS:
        yield Error(
            "Stripe has a key, but no webhook secret: its messages would be refused.",
            hint="Set STRIPE_WEBHOOK_SECRET to the secret of the endpoint in Stripe's dashboard.",
            id="alley.E035",
        )
    if settings.PAYPAL_CLIENT_ID and not settings.PAYPAL_WEBHOOK_ID:
        yield Error(
            "PayPal has a client, but no webhook id: its messages would be refused.",
            hint="Set PAYPAL_WEBHOOK_ID to the id of the webhook in PayPal's dashboard.",
            id="alley.E036",
        )
    if settings.STRIPE_SECRET_KEY and not settings.STRIPE_PUBLISHABLE_KEY:
        yield Error(
            "Stripe has a secret key, but no publishable one: the card form cannot open.",
            hint="Set STRIPE_PUBLISHABLE_KEY.",
            id="alley.E037",
        )
    used = [secret for secrets in webhook_secrets().values() for secret in secrets]
    if len(used) != len(set(used)) or settings.SECRET_KEY in used:
        yield Error(
            "The same secret stands for two things.",
            hint="Give every provider's webhook a secret of its own.",
            id="alley.E038",
        )


def webhook_secrets() -> dict[str, list[str]]:
    return {
        "STRIPE_WEBHOOK_SECRET": settings.STRIPE_WEBHOOK_SECRETS,
        "MANUAL_WEBHOOK_SECRET": settings.MANUAL_WEBHOOK_SECRETS,
    }
