"""The payment providers of this shop. To add one, create its package and add its name to PROVIDERS
(docs/providers.md).

This module knows them without sending requests; `payments.gateway.connection` sends requests.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from artisans.core.test_mode import SOURCES
from payments.methods import PaymentMethod
from payments.providers import manual, paypal, stripe
from payments.providers.facts import Convert, Limits, ProviderFacts, without_rates

logger = logging.getLogger(__name__)

ACCOUNT_LENGTH = 120
PROVIDERS: tuple[ProviderFacts, ...] = (stripe.FACTS, paypal.FACTS, manual.FACTS)


def find_facts(name: str) -> ProviderFacts | None:
    return next((facts for facts in PROVIDERS if facts.name == name), None)


def label_of(name: str) -> str:
    """The provider's name for people; the stored name if it is no longer registered."""
    facts = find_facts(name)
    return facts.label if facts else name


def remote_providers() -> list[ProviderFacts]:
    return [facts for facts in PROVIDERS if facts.page is not None]


def provider_choices() -> list[tuple[str, str]]:
    return [(facts.name, facts.label) for facts in PROVIDERS]


def shape_key(name: str, key: str) -> str:
    """An idempotency key in the form that the provider accepts."""
    facts = find_facts(name)
    return facts.keys.shape(key) if facts else key


def key_lifetime(name: str, operation: str) -> timedelta:
    """How long the provider is certain to store a key; zero for a provider that is not registered."""
    facts = find_facts(name)
    return facts.keys.lifetime_of(operation) if facts else timedelta()


def reports_late(name: str) -> timedelta:
    """How long a payment may be missing from the provider's lists."""
    facts = find_facts(name)
    return facts.reports_late if facts else timedelta()


def moves_late(name: str) -> timedelta:
    facts = find_facts(name)
    return facts.moves_late if facts else timedelta()


def charges_saved_on_create(name: str) -> bool:
    facts = find_facts(name)
    return facts is not None and facts.charges_saved_on_create


# ---- configuration ---------------------------------------------------------------------------------------------------


@cache
def config_of(facts: ProviderFacts) -> Any:
    """Read from the environment, or in tests from a Django setting of the same name. Errors:
    ImproperlyConfigured."""
    try:
        return facts.config.from_env(read_variable)
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None


@cache
def readable_config(facts: ProviderFacts) -> Any:
    """None if a variable is invalid: this provider is then disabled (alley.E042), and the others stay
    available."""
    try:
        return config_of(facts)
    except ImproperlyConfigured as error:
        logger.exception("provider_misconfigured", extra={"provider": facts.name, "why": str(error)})
        return None


def has_keys(facts: ProviderFacts) -> bool:
    """Whether it takes payments in this shop; offline payments need no keys."""
    config = readable_config(facts)
    return config is not None and (facts.page is None or facts.build(config) is not None)


def read_variable(name: str) -> Any:
    value = getattr(settings, name, None)
    return settings.READ_VARIABLE(name) if value is None else value


def forget_configs(**kwargs: Any) -> None:
    for function in (config_of, readable_config, is_test_shop):
        function.cache_clear()


setting_changed.connect(forget_configs, weak=False)


def account_of(name: str) -> str:
    """The mode and account that ids of this provider belong to now; see ProviderConfig.account."""
    facts = find_facts(name)
    config = readable_config(facts) if facts else None
    return str(config.account)[:ACCOUNT_LENGTH] if config else ""


def has_live_keys(facts: ProviderFacts) -> bool:
    return account_of(facts.name).partition(" ")[0] == "live"


@cache
def is_test_shop() -> bool:
    """Whether all money is test money, offline payments included: no provider has live keys, and one has test keys or
    this is a demo."""
    modes = {has_live_keys(facts) for facts in remote_providers() if has_keys(facts)}
    return True not in modes and (False in modes or settings.DEMO)


SOURCES.append(is_test_shop)


def is_test_money(name: str) -> bool:
    """Whether money that moves at this provider now is test money."""
    facts = find_facts(name)
    has_test_keys = facts is not None and facts.page is not None and not has_live_keys(facts)
    return is_test_shop() or has_test_keys


def accounts_like(name: str) -> tuple[str, ...]:
    """The accounts of rows that are valid now: also those stored before the account, or anything, was known."""
    account = account_of(name)
    return tuple(dict.fromkeys(("", account.partition(" ")[0], account)))


def public_values(name: str) -> Mapping[str, str]:
    """The provider's values that browsers may see."""
    facts = find_facts(name)
    return facts.public(config_of(facts)) if facts else {}


# ---- routes ----------------------------------------------------------------------------------------------------------


def limits_of(
    facts: ProviderFacts, method: str, currency: str, convert: Convert = without_rates
) -> Limits | None:
    """The amounts of this currency that the provider takes; None if it takes none, or is misconfigured."""
    config = readable_config(facts)
    return None if config is None else facts.limits(config, method, currency, convert)


def step_of(name: str, method: str, currency: str) -> int:
    """What amounts at this provider are multiples of, in minor units."""
    facts = find_facts(name)
    limits = limits_of(facts, method, currency) if facts else None
    return limits.step if limits else 1


def takes(name: str, method: str) -> bool:
    facts = find_facts(name)
    return facts is not None and facts.method(method) is not None


def route_of(method: str) -> list[ProviderFacts]:
    """The providers that may take a new payment of this method, in order: from PAYMENT_ROUTES, otherwise all."""
    takers = {facts.name: facts for facts in PROVIDERS if facts.method(method)}
    route = dict(read_routes()).get(method)
    return list(takers.values()) if route is None else [takers[name] for name in route if name in takers]


def read_routes() -> Iterator[tuple[str, list[str]]]:
    """Parse PAYMENT_ROUTES, such as "credit_card=stripe,square;amazon_pay=stripe"."""
    for part in settings.PAYMENT_ROUTES.split(";"):
        if part.strip():
            method, _, names = part.partition("=")
            yield method.strip(), [name.strip() for name in names.split(",") if name.strip()]


def find_route_errors() -> Iterator[str]:
    """A sentence for each part of PAYMENT_ROUTES that is invalid."""
    seen: set[str] = set()
    for method, names in read_routes():
        if method not in PaymentMethod.values:
            yield f"PAYMENT_ROUTES: {method!r} is not a payment method."
            continue
        if method in seen:
            yield f"PAYMENT_ROUTES names {method} twice."
        if not names:
            yield f"PAYMENT_ROUTES names no provider for {method}."
        seen.add(method)
        for name in names:
            if find_facts(name) is None:
                yield f"PAYMENT_ROUTES: {name!r} is not a registered provider."
            elif not takes(name, method):
                yield f"PAYMENT_ROUTES: {name} does not take {method}."
