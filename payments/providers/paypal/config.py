"""How PayPal is reached and recognised; plain data that the settings fill."""

from dataclasses import dataclass, field

API_BASES = {"live": "https://api-m.paypal.com", "sandbox": "https://api-m.sandbox.paypal.com"}
CERT_HOSTS = {
    "live": ("api.paypal.com", "api-m.paypal.com"),
    "sandbox": ("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
}


@dataclass(frozen=True, slots=True)
class PayPalConfig:
    """`mode` is "live" or "sandbox".

    `payee`: our merchant id or mail address at PayPal, when payments are to be compared with it. `webhook_id`: without
    it no webhook can be verified. `verify_by_call`: let PayPal check signatures instead of checking them here.
    `cert_hosts`: hosts (`host`, or `host:port`) that certificates may come from; plain http is taken from a loopback
    host only. `ca_file`: PEM bundle of the roots to trust for them instead of the public ones (the sandbox program's).
    """

    client_id: str
    client_secret: str = field(repr=False)
    mode: str = "sandbox"
    webhook_id: str = ""
    api_base: str = ""
    cert_hosts: tuple[str, ...] = ()
    payee: str = ""
    verify_by_call: bool = False
    ca_file: str = ""

    @property
    def is_live(self) -> bool:
        return self.mode == "live"

    @property
    def base(self) -> str:
        return self.api_base or API_BASES[self.mode]

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.cert_hosts or CERT_HOSTS[self.mode]
