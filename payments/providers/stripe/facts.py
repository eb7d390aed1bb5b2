"""Stripe's facts: cards, on our page with the Payment Element or on Stripe's hosted page."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from payments.providers.facts import (
    CheckContext,
    Finding,
    KeyRules,
    MethodFacts,
    Page,
    PageKind,
    ProviderFacts,
    is_foreign_url,
    origin,
    origins,
)
from payments.providers.stripe.config import SCRIPT_ORIGINS, StripeConfig
from payments.providers.stripe.money import limits
from payments.providers.stripe.provider import StripeProvider
from payments.providers.stripe.test_cards import token_of_test_card

API_HOSTS = ("api.stripe.com",)
# https://docs.stripe.com/security/guide#content-security-policy, and the pages that buyers are redirected to
FRAMES = ("https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com")
CALLS = ("https://api.stripe.com",)
PAGES = ("https://checkout.stripe.com", "https://hooks.stripe.com")


def build(config: StripeConfig) -> StripeProvider | None:
    return StripeProvider(config) if config.secret_key else None


def csp(config: StripeConfig) -> Mapping[str, tuple[str, ...]]:
    other_script = "" if origin(config.js_url) in SCRIPT_ORIGINS else config.js_url
    return {
        "script-src": origins(other_script, SCRIPT_ORIGINS),
        "frame-src": origins(other_script, FRAMES),
        "connect-src": origins(config.api_base, CALLS),
        "form-action": origins(config.api_base, PAGES),
    }


def public(config: StripeConfig) -> Mapping[str, str]:
    return {"publishable_key": config.publishable_key, "script": config.js_url}


def test_token(config: StripeConfig, number: str) -> str:
    return token_of_test_card(number) if config.secret_key.startswith("sk_test_") else ""


def checks(config: StripeConfig, context: CheckContext) -> Iterator[Finding]:
    yield from deployment_checks(config) if context.is_production else everyday_checks(config, context)


def everyday_checks(config: StripeConfig, context: CheckContext) -> Iterator[Finding]:
    if config.is_live and context.debug:
        yield Finding("A live Stripe key is used with DEBUG on.", "Unset DEBUG.", "alley.E030")
    if config.is_live and config.api_base:
        yield Finding(
            "A live Stripe key would be sent to another address than Stripe's.",
            "Unset STRIPE_API_BASE, or use a test key.",
            "alley.E031",
        )
    if context.allow_test_cards and config.secret_key and not config.is_test:
        yield Finding(
            "Test card numbers are accepted with a live key.",
            "Unset ALLOW_TEST_CARDS, or use a key that begins with sk_test_.",
            "alley.E040",
        )


def deployment_checks(config: StripeConfig) -> Iterator[Finding]:
    script_hosts = {urlsplit(url).hostname or "" for url in SCRIPT_ORIGINS}
    for name, url, hosts in (
        ("STRIPE_API_BASE", config.api_base, API_HOSTS),
        ("STRIPE_JS_URL", config.js_url, script_hosts),
    ):
        if is_foreign_url(url, hosts):
            yield Finding(
                f"{name} does not lead to Stripe.",
                "Unset it; the sandbox is for development only.",
                "alley.E034",
            )
    if config.secret_key and not config.webhook_secrets:
        yield Finding(
            "Stripe has a key, but no webhook secret: its webhooks would be rejected.",
            "Set STRIPE_WEBHOOK_SECRET to the secret of the endpoint in Stripe's dashboard.",
            "alley.E035",
        )
    if config.secret_key and not config.publishable_key:
        yield Finding(
            "Stripe has a secret key, but no publishable key: the card form cannot open.",
            "Set STRIPE_PUBLISHABLE_KEY.",
            "alley.E037",
        )
    if config.is_test:
        yield Finding(
            "Stripe's key is a test key: cards are not charged.",
            "Set STRIPE_SECRET_KEY and STRIPE_PUBLISHABLE_KEY to the live keys, unless this is a test shop.",
            "alley.W030",
        )


FACTS = ProviderFacts(
    name="stripe",
    label="Stripe",
    config=StripeConfig,
    build=build,
    methods=(MethodFacts("credit_card"), MethodFacts("debit_card")),
    limits=limits,
    keys=KeyRules(longest=255, lifetime=timedelta(hours=23)),  # Stripe may remove a key after 24 hours
    page=Page(
        PageKind.ELEMENT,
        template="payments/providers/stripe/pay.html",
        save_template="payments/providers/stripe/save.html",
    ),
    csp=csp,
    public=public,
    checks=checks,
    test_token=test_token,
)
