"""Offline payments: no provider is called; the bank feed may report incoming transfers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from artisans.core.money import MAX_MINOR
from payments.providers.config import ProviderConfig, comma_separated, variable
from payments.providers.contract import ProviderEvent
from payments.providers.facts import Convert, KeyRules, Limits, MethodFacts, ProviderFacts
from payments.providers.manual.feed import feed_event


@dataclass(frozen=True)
class ManualConfig(ProviderConfig):
    webhook_secrets: tuple[str, ...] = variable(
        "MANUAL_WEBHOOK_SECRET", comma_separated, default=(), secret=True
    )


def limits(config: ManualConfig, method: str, currency: str, convert: Convert) -> Limits:
    return Limits(1, MAX_MINOR)


def parse_webhook(config: ManualConfig, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
    return feed_event(body, headers, config.webhook_secrets)


FACTS = ProviderFacts(
    name="manual",
    label="Offline",
    config=ManualConfig,
    build=lambda config: None,
    methods=(MethodFacts("bank_transfer"), MethodFacts("check"), MethodFacts("cash_on_delivery")),
    limits=limits,
    keys=KeyRules(longest=255, lifetime=timedelta()),
    page=None,
    parse_webhook=parse_webhook,
)
