"""Stripe's configuration."""

from dataclasses import dataclass

from payments.providers.config import ProviderConfig, base_url, comma_separated, currency_codes, variable

API_BASE = "https://api.stripe.com"
SCRIPT_ORIGINS = ("https://js.stripe.com",)
SCRIPT = "https://js.stripe.com/v3/"


@dataclass(frozen=True)
class StripeConfig(ProviderConfig):
    """`webhook_secrets`: several during a rotation. `account_id`: such as acct_1ABC, to tell customers of several
    accounts apart; it cannot be derived from the key, which changes when it is rolled. `settlement_currencies`: those
    that the account holds, the default first; others are converted to the default. `api_base`: "" for Stripe itself.
    Times are in seconds."""

    secret_key: str = variable("STRIPE_SECRET_KEY", secret=True)
    publishable_key: str = variable("STRIPE_PUBLISHABLE_KEY")
    webhook_secrets: tuple[str, ...] = variable(
        "STRIPE_WEBHOOK_SECRET", comma_separated, default=(), secret=True
    )
    api_base: str = variable("STRIPE_API_BASE", base_url)
    js_url: str = variable("STRIPE_JS_URL", default=SCRIPT)
    account_id: str = variable("STRIPE_ACCOUNT")
    settlement_currencies: tuple[str, ...] = variable(
        "STRIPE_SETTLEMENT_CURRENCIES", currency_codes, default=()
    )
    connect_timeout: float = 3
    read_timeout: float = 10
    tolerance: int = 300

    @property
    def is_live(self) -> bool:
        return self.secret_key.startswith(("sk_live_", "rk_live_"))

    @property
    def can_verify_webhooks(self) -> bool:
        return bool(self.webhook_secrets)

    @property
    def account(self) -> str:
        return f"{'live' if self.is_live else 'test'} {self.account_id}".strip()

    @property
    def is_test(self) -> bool:
        return self.secret_key.startswith(("sk_test_", "rk_test_"))
