"""PayPal's facts: the buyer approves the payment at PayPal and returns."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from payments.providers.facts import (
    CheckContext,
    Finding,
    KeyRules,
    MethodFacts,
    Page,
    PageKind,
    ProviderFacts,
    is_foreign_url,
    origins,
)
from payments.providers.paypal.config import API_BASES, PayPalConfig
from payments.providers.paypal.money import limits
from payments.providers.paypal.provider import PayPalProvider

API_HOSTS = tuple(url.removeprefix("https://") for url in API_BASES.values())
PAGES = ("https://www.paypal.com", "https://www.sandbox.paypal.com")


def build(config: PayPalConfig) -> PayPalProvider | None:
    return PayPalProvider(config) if config.client_id else None


def csp(config: PayPalConfig) -> Mapping[str, tuple[str, ...]]:
    return {"form-action": origins(config.api_base, PAGES)}


def checks(config: PayPalConfig, context: CheckContext) -> Iterator[Finding]:
    if context.is_production:
        yield from deployment_checks(config)
    elif config.mode not in API_BASES:
        yield Finding(f"PAYPAL_MODE is {config.mode!r}.", "Set it to sandbox or live.", "alley.E032")


def deployment_checks(config: PayPalConfig) -> Iterator[Finding]:
    if is_foreign_url(config.api_base, API_HOSTS):
        yield Finding(
            "PAYPAL_API_BASE does not lead to PayPal.",
            "Unset it; the sandbox is for development only.",
            "alley.E034",
        )
    if config.client_id and not config.webhook_id:
        yield Finding(
            "PayPal has a client id, but no webhook id: its webhooks would be rejected.",
            "Set PAYPAL_WEBHOOK_ID to the id of the webhook in PayPal's dashboard.",
            "alley.E036",
        )
    if config.ca_file:
        yield Finding(
            "PayPal's webhooks would be trusted by a root certificate that is not public.",
            "Unset PAYPAL_CA_FILE; the sandbox is for development only.",
            "alley.E039",
        )
    if config.client_id and config.mode == "sandbox":
        yield Finding(
            "PayPal is in sandbox mode: no money moves.",
            "Set PAYPAL_MODE=live and the live credentials, unless this is a test shop.",
            "alley.W031",
        )


FACTS = ProviderFacts(
    name="paypal",
    label="PayPal",
    config=PayPalConfig,
    build=build,
    methods=(MethodFacts("paypal"),),
    limits=limits,
    # PayPal stores keys of orders for 6 hours, of the vault for 3
    keys=KeyRules(
        longest=100,  # of 108: the adapter appends to the key when it repeats an order without its address
        lifetime=timedelta(hours=5),
        lifetimes={"save": timedelta(hours=2, minutes=30)},
    ),
    page=Page(PageKind.REDIRECT),
    csp=csp,
    checks=checks,
    charges_saved_on_create=True,
    reports_late=timedelta(hours=4),  # PayPal's reports show a transaction within three hours
    moves_late=timedelta(hours=4),
)
