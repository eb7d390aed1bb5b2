"""Sending requests to the configured providers; the only place that does.

Never inside a transaction. A provider that does not answer, or answers slowly several times in a row, gets no requests
for half a minute, so that nobody waits for it. It may occupy only some of the threads, so that the shop stays open.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache as once
from threading import BoundedSemaphore
from typing import TypeVar

from django.conf import settings
from django.core.cache import cache
from django.core.signals import setting_changed
from django.db import connection
from django.utils.translation import gettext as _

from artisans.core.cache import count_all
from payments.bookkeeping.provider_requests import requests_recorded
from payments.methods import SPECS, PaymentMethod
from payments.providers import registry
from payments.providers.contract import (
    CannotVerify,
    Capability,
    PaymentProvider,
    ProviderEvent,
    Refused,
    Unknown,
)
from payments.providers.facts import ProviderFacts

T = TypeVar("T")

NOT_CONFIGURED = "not_configured"
OUTAGES_UNTIL_DOWN = 2
SLOW_SECONDS = 7.0
SLOW_UNTIL_DOWN = 3
DOWN_SECONDS = 30
OUTAGES_COUNT_SECONDS = 300  # longer than DOWN_SECONDS, so that one more outage marks it down again at once
REFUSED_SECONDS = 1800  # longer than the pause between two checks of our access
QUEUE_SECONDS = 0.3  # for a free place in a short rush, not for a slow provider to hurry


class NetworkInTransaction(RuntimeError):
    """A request inside a transaction: a slow answer would hold every lock of it."""


@once
def configured() -> dict[str, PaymentProvider]:
    """By name, those that have their keys."""
    configs = ((facts, registry.readable_config(facts)) for facts in registry.PROVIDERS)
    built = ((facts.name, facts.build(config)) for facts, config in configs if config is not None)
    return {name: provider for name, provider in built if provider is not None}


setting_changed.connect(lambda **_: configured.cache_clear(), weak=False)


def provider(name: str) -> PaymentProvider | None:
    return configured().get(name)


def can(name: str, capability: Capability) -> bool:
    found = provider(name)
    return found is not None and capability in found.capabilities


def is_configured(facts: ProviderFacts) -> bool:
    """Offline payments need no keys."""
    return facts.page is None or provider(facts.name) is not None


def offered_methods() -> list[PaymentMethod]:
    """What this shop takes: every method that a configured provider takes."""
    return [method for method in SPECS if any(is_configured(facts) for facts in registry.route_of(method))]


def execute(name: str, operation: Callable[[PaymentProvider], T]) -> T:
    """`execute(name, lambda provider: provider.read(object_id))`.

    Errors: Refused, Unknown; Unknown at once while the provider is marked down; NetworkInTransaction.
    """
    forbid_transaction()
    found = provider(name)
    if found is None:
        raise Unknown(NOT_CONFIGURED, _("%(name)s is not configured.") % {"name": name}, is_outage=True)
    if is_down(name):
        raise Unknown("marked_down", retry_after=DOWN_SECONDS, is_outage=True)
    with requests_recorded(name), call_slot(name):
        started = time.monotonic()
        try:
            answer = operation(found)
        except Unknown as unknown:
            if unknown.is_outage:
                note_outage(name)
            raise
        except Refused:
            note_answer(name, seconds=time.monotonic() - started)
            raise
    note_answer(name, seconds=time.monotonic() - started)
    return answer


@once
def call_slots_at(name: str) -> BoundedSemaphore:
    return BoundedSemaphore(settings.PROVIDER_CALLS_AT_ONCE)


setting_changed.connect(lambda **_: call_slots_at.cache_clear(), weak=False)


@contextmanager
def call_slot(name: str) -> Iterator[None]:
    """Limits concurrent calls of this process to a provider. Errors: Unknown when all slots are taken."""
    slots = call_slots_at(name)
    if not slots.acquire(timeout=QUEUE_SECONDS):
        raise Unknown("crowded", _("Too many calls of this process are waiting for the provider."))
    try:
        yield
    finally:
        slots.release()


def webhook_read(facts: ProviderFacts, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
    """A verified event. Errors: BadSignature, CannotVerify (also without this provider's keys or secrets).

    Not subject to the circuit breaker: a provider whose API is down still sends events, and an event does not show
    that its API is back.
    """
    forbid_transaction()
    if facts.parse_webhook is not None:
        return facts.parse_webhook(registry.config_of(facts), body, headers)
    found = provider(facts.name)
    if found is None or Capability.WEBHOOK not in found.capabilities:
        raise CannotVerify(NOT_CONFIGURED, _("%(name)s is not configured.") % {"name": facts.name})
    with requests_recorded(facts.name):  # for the provider's certificate
        return found.parse_webhook(body, headers)


def forbid_transaction() -> None:
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise NetworkInTransaction(_("Commit before calling the provider."))


def state_key(name: str, state: str) -> str:
    """Of the cache: "down" and "refused" are flags, "outages" and "slow" count."""
    return f"provider:{name}:{state}"


def is_down(name: str) -> bool:
    return cache.get(state_key(name, "down")) is not None


def note_outage(name: str) -> None:
    count_failure(name, "outages", limit=OUTAGES_UNTIL_DOWN)


def note_answer(name: str, *, seconds: float) -> None:
    """An answer ends an outage. Several slow ones in a row mark the provider down too: waiting for each of them would
    occupy the workers."""
    if seconds < SLOW_SECONDS:
        cache.delete_many([state_key(name, "outages"), state_key(name, "slow")])
        return
    cache.delete(state_key(name, "outages"))
    count_failure(name, "slow", limit=SLOW_UNTIL_DOWN)


def count_failure(name: str, kind: str, *, limit: int) -> None:
    if count_all({state_key(name, kind): OUTAGES_COUNT_SECONDS})[0] >= limit:
        cache.set(state_key(name, "down"), 1, DOWN_SECONDS)


def are_credentials_refused(name: str) -> bool:
    """Whether the provider refused our credentials for payments a short time ago."""
    return cache.get(state_key(name, "refused")) is not None


def is_unavailable(name: str) -> bool:
    """Whether no new payment can be made: the provider does not respond, or refuses our credentials."""
    return len(cache.get_many([state_key(name, "down"), state_key(name, "refused")])) > 0


def note_credentials(name: str, *, are_refused: bool) -> None:
    key = state_key(name, "refused")
    if are_refused:
        cache.set(key, 1, REFUSED_SECONDS)
    else:
        cache.delete(key)
