"""The sandbox as PayPal, and a configuration that leads to it."""

from pathlib import Path
from typing import Any

from payments.providers.paypal.config import PayPalConfig
from sandbox.http_server import Server
from sandbox.tests.client import Control, LocalControl
from sandbox.tests.paypal_client import PayPalReceiver


def control_of(server: Server) -> Control:
    """Without objects, faults and endpoints; delayed jobs run on `run_jobs()`."""
    server.simulator.store.table("endpoint").clear()
    control = LocalControl(server)
    control.post("reset")
    control.post("settings", async_seconds=3600)
    return control


def sandbox_config(sandbox: Control, folder: Path, **changes: Any) -> PayPalConfig:
    """`folder` gets the certificate of the sandbox's authority."""
    ca_file = folder / "ca.pem"
    ca_file.write_text(sandbox.get("paypal/ca")["pem"])
    values = {
        "client_id": "shop",
        "client_secret": "secret-of-the-shop",
        "api_base": sandbox.url,
        "cert_hosts": (sandbox.url.removeprefix("http://"),),
        "ca_file": str(ca_file),
        "webhook_id": PayPalReceiver.webhook_id,
    }
    return PayPalConfig(**(values | changes))
