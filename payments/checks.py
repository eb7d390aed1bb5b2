"""System checks for unsafe settings of payment providers, and for the routes to them.

A new id needs an entry in BAD of payments/tests/test_checks.py: the setting that causes it.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connection

from artisans.core.money import Money
from artisans.regions.models import ShopCurrency
from payments.providers import registry
from payments.providers.facts import CheckContext, ProviderFacts

SHORTEST_SECRET = 16


@register(Tags.security)
def check_providers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(always())


@register(Tags.security, deploy=True)
def check_providers_in_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(production())


@register(Tags.database)
def check_steps(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Only where the database is asked: `migrate`, `check --database default`. A new one has no tables yet."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    has_currencies = ShopCurrency._meta.db_table in connection.introspection.table_names()
    return list(find_step_errors()) if has_currencies else []


def find_step_errors() -> Iterator[CheckMessage]:
    """Amounts of a currency that a configured provider could not charge or refund exactly."""
    for currency in ShopCurrency.objects.filter(is_active=True):
        for facts in filter(registry.has_keys, registry.PROVIDERS):
            found = {registry.limits_of(facts, row.method, currency.code) for row in facts.methods}
            steps = {limits.step for limits in found if limits and currency.step_minor % limits.step}
            if steps:
                needed = Money(max(steps), currency.code)
                yield Error(
                    f"{facts.label} takes only multiples of {needed}, and the shop's amounts in {currency.code} "
                    f"are multiples of {Money(currency.step_minor, currency.code)}.",
                    hint="Make the currency's smallest step a multiple of it, or stop offering the currency.",
                    id="alley.E043",
                )


def always() -> Iterator[CheckMessage]:
    for facts in registry.PROVIDERS:
        yield from find_errors(facts, is_production=False)
    for name, secrets in webhook_secrets().items():
        if any(len(secret) < SHORTEST_SECRET for secret in secrets):
            yield Error(
                f"{name} is too short to be secure.",
                hint=f"Use at least {SHORTEST_SECRET} random characters.",
                id="alley.E033",
            )
    for sentence in registry.find_route_errors():
        yield Error(
            sentence,
            hint='Write "method=provider,provider;method=provider", or unset it.',
            id="alley.E041",
        )


def production() -> Iterator[CheckMessage]:
    for facts in registry.PROVIDERS:
        yield from find_errors(facts, is_production=True)
    used = [secret for secrets in webhook_secrets().values() for secret in secrets]
    if len(used) != len(set(used)) or settings.SECRET_KEY in used:
        yield Error(
            "Two webhooks have the same secret.",
            hint="Use a separate secret for each provider's webhook.",
            id="alley.E038",
        )


def find_errors(facts: ProviderFacts, *, is_production: bool) -> Iterator[CheckMessage]:
    """Never raises; an invalid variable is a finding too."""
    context = CheckContext(is_production, debug=settings.DEBUG, allow_test_cards=settings.ALLOW_TEST_CARDS)
    try:
        config = registry.config_of(facts)
    except ImproperlyConfigured as error:
        yield Error(str(error), hint="See .env.example.", id="alley.E042")
        return
    for finding in facts.checks(config, context):
        kind = checks.Warning if finding.code.startswith("alley.W") else Error
        yield kind(finding.text, hint=finding.hint, id=finding.code)


def webhook_secrets() -> dict[str, tuple[str, ...]]:
    """By environment variable, of the providers that sign their webhooks with a shared secret."""
    return {
        variable: getattr(registry.config_of(facts), field)
        for facts in registry.PROVIDERS
        for field, variable in facts.config.variables().items()
        if field == "webhook_secrets"
    }
