"""PayPal's configuration."""

from dataclasses import dataclass

from payments.providers.config import (
    ProviderConfig,
    base_url,
    boolean,
    comma_separated,
    currency_codes,
    variable,
)

API_BASES = {"live": "https://api-m.paypal.com", "sandbox": "https://api-m.sandbox.paypal.com"}
CERT_HOSTS = {
    "live": ("api.paypal.com", "api-m.paypal.com"),
    "sandbox": ("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
}


@dataclass(frozen=True)
class PayPalConfig(ProviderConfig):
    """`mode` is "live" or "sandbox". `payee`: our merchant id or email address at PayPal, to compare payments with.

    `webhook_id`: without it no webhook can be verified. `verify_by_call`: let PayPal verify signatures instead of
    verifying them here. `cert_hosts`: hosts (`host` or `host:port`) from which certificates are loaded; plain HTTP is
    allowed for loopback hosts only. `ca_file`: PEM bundle of root certificates to trust for them instead of the
    public ones (used with the sandbox). `domestic_currencies`: which of those that PayPal takes only for accounts of
    their country ours may take.
    """

    client_id: str = variable("PAYPAL_CLIENT_ID")
    client_secret: str = variable("PAYPAL_CLIENT_SECRET", secret=True)
    mode: str = variable("PAYPAL_MODE", default="sandbox")
    webhook_id: str = variable("PAYPAL_WEBHOOK_ID")
    api_base: str = variable("PAYPAL_API_BASE", base_url)
    cert_hosts: tuple[str, ...] = variable("PAYPAL_CERT_HOSTS", comma_separated, default=())
    payee: str = variable("PAYPAL_PAYEE")
    verify_by_call: bool = variable("PAYPAL_VERIFY_BY_CALL", boolean, default=False)
    ca_file: str = variable("PAYPAL_CA_FILE")
    domestic_currencies: tuple[str, ...] = variable("PAYPAL_DOMESTIC_CURRENCIES", currency_codes, default=())

    @property
    def is_live(self) -> bool:
        return self.mode == "live"

    @property
    def can_verify_webhooks(self) -> bool:
        return bool(self.webhook_id)

    @property
    def account(self) -> str:
        return f"{self.mode} {self.payee}".strip()

    @property
    def base(self) -> str:
        return self.api_base or API_BASES[self.mode]

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.cert_hosts or CERT_HOSTS[self.mode]
