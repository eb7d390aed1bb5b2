"""What the shop knows of a provider before it sends a request: each provider's package exports one `FACTS`.

Plain data and functions of the provider's configuration; no framework, no network.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from artisans.core.money import Money
from payments.providers.config import ProviderConfig
from payments.providers.contract import PaymentProvider, ProviderEvent

KEY_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
SHORTENED_KEY = 32


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """A payment method as one provider supports it. `countries`: of the buyer, ISO 3166-1 alpha-2; empty:
    all."""

    method: str
    countries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """The amounts that a provider accepts, in minor units (ISO 4217): from `least` to `most`, multiples of `step`.

    `most_by_brand`: of cards that take less, by their brand.
    """

    least: int
    most: int
    step: int = 1
    most_by_brand: Mapping[str, int] = field(default_factory=dict, hash=False)


# An amount in another currency at the shop's latest exchange rates; None if they have no rate for it.
Convert = Callable[[Money, str], Money | None]


def without_rates(amount: Money, currency: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class KeyRules:
    """The idempotency keys that a provider accepts, and how long it stores them.

    After `lifetime` (or `lifetimes` of the operation) a repeated request could take effect twice.
    """

    longest: int
    lifetime: timedelta
    alphabet: frozenset[str] = KEY_ALPHABET
    lifetimes: Mapping[str, timedelta] = field(default_factory=dict)

    def shape(self, key: str) -> str:
        """The key itself if it is accepted, otherwise the first 32 hexadecimal digits of its SHA-256. The
        same key always has the same shape."""
        fits = len(key) <= self.longest and self.alphabet.issuperset(key)
        return key if fits else sha256(key.encode()).hexdigest()[:SHORTENED_KEY]

    def lifetime_of(self, operation: str) -> timedelta:
        return self.lifetimes.get(operation, self.lifetime)


class PageKind(StrEnum):
    ELEMENT = "element"  # the provider's script shows its fields on our page
    REDIRECT = "redirect"  # the buyer is redirected to the provider and returns


@dataclass(frozen=True, slots=True)
class Page:
    """How the buyer pays. `template`: our page for paying, `save_template`: our page for saving a method; "":
    none."""

    kind: PageKind
    template: str = ""
    save_template: str = ""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a provider's system checks need to know about the shop. `is_production`: these are deployment
    checks."""

    is_production: bool
    debug: bool
    allow_test_cards: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """An error in the settings of a provider, or a warning; `code` is its id among Django's system checks.

    A new one takes the next free number, and is added to BAD of payments/tests/test_checks.py.
    """

    text: str
    hint: str
    code: str


def no_findings(config: Any, context: CheckContext) -> Iterable[Finding]:
    return ()


def nothing(config: Any) -> Mapping[str, Any]:
    return {}


def no_test_token(config: Any, number: str) -> str:
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class ProviderFacts:
    """A provider. The functions receive its `config`, read from the environment.

    `build`: the provider, or None if its keys are not set. `limits(config, method, currency, convert)`: None if
    the provider does not take the currency. `page`: None for offline payments, whose `parse_webhook` reads
    notifications. `csp`: origins by Content-Security-Policy directive. `public`: values that browsers may
    see. `test_token(config, number)`: the token of a published test card, "" for other numbers and outside
    test mode. `charges_saved_on_create`: a saved method is charged when the payment is created, not when it
    is confirmed. `reports_late`: how long a payment may be missing from the provider's lists,
    `moves_late`: from the movements of its balance.
    """

    name: str
    label: str
    config: type[ProviderConfig]
    build: Callable[[Any], PaymentProvider | None]
    methods: tuple[MethodFacts, ...]
    limits: Callable[[Any, str, str, Convert], Limits | None]
    keys: KeyRules
    page: Page | None
    csp: Callable[[Any], Mapping[str, tuple[str, ...]]] = nothing
    public: Callable[[Any], Mapping[str, str]] = nothing
    checks: Callable[[Any, CheckContext], Iterable[Finding]] = no_findings
    test_token: Callable[[Any, str], str] = no_test_token
    parse_webhook: Callable[[Any, bytes, Mapping[str, str]], ProviderEvent] | None = None
    charges_saved_on_create: bool = False
    reports_late: timedelta = timedelta()
    moves_late: timedelta = timedelta(days=1)

    @property
    def template(self) -> str:
        """Our page on which the buyer pays; "" if there is none."""
        return self.page.template if self.page else ""

    def method(self, name: str) -> MethodFacts | None:
        return next((method for method in self.methods if method.method == name), None)


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def origins(url: str, real: tuple[str, ...]) -> tuple[str, ...]:
    """The provider's own origins, or that of the base URL that replaces them."""
    return (origin(url),) if url else real


def is_foreign_url(url: str, hosts: Iterable[str]) -> bool:
    """Whether a base URL is set and is not an HTTPS URL of one of these hosts."""
    parts = urlsplit(url)
    return bool(url) and (parts.scheme != "https" or (parts.hostname or "") not in hosts)
