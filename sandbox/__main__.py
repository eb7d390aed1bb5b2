"""`python -m sandbox --port 12111 --state var/sandbox --webhook-url http://… --webhook-secret whsec_…`"""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.http_server import Server
from sandbox.paypal_api.api import PayPalApi
from sandbox.simulator import Simulator
from sandbox.stripe_api.api import StripeApi
from sandbox.vies_api.api import ViesApi


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=12111, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--state", type=Path, help="folder that keeps the data across restarts")
    parser.add_argument(
        "--webhook-url", action="append", default=[], help="where to send Stripe events; may be repeated"
    )
    parser.add_argument("--webhook-secret", action="append", default=[], help="one for each --webhook-url")
    parser.add_argument(
        "--paypal-webhook-url",
        action="append",
        default=[],
        help="where to send PayPal events; may be repeated",
    )
    parser.add_argument(
        "--paypal-webhook-id", action="append", default=[], help="one for each --paypal-webhook-url"
    )
    parser.add_argument("--verbose", action="store_true", help="log each request")
    chosen = parser.parse_args()
    if len(chosen.webhook_url) != len(chosen.webhook_secret):
        parser.error("Each --webhook-url needs its --webhook-secret.")
    if len(chosen.paypal_webhook_url) != len(chosen.paypal_webhook_id):
        parser.error("Each --paypal-webhook-url needs its --paypal-webhook-id.")
    return chosen


def build(
    server: Server,
    state: Path | None,
    webhooks: list[tuple[str, str]],
    paypal_webhooks: list[tuple[str, str]] | None = None,
) -> Simulator:
    """Return a simulator with every provider, not started. Webhooks: (URL, secret) pairs, for PayPal (URL, webhook ID).

    Stripe comes last: the path prefixes of the others are more specific.
    """
    simulator = Simulator(server.base_url, state)
    paypal, stripe = PayPalApi(simulator), StripeApi(simulator)
    simulator.providers += [ViesApi(simulator), paypal, stripe]
    for url, secret in webhooks:
        stripe.add_endpoint(url, secret)
    for url, webhook_id in paypal_webhooks or []:
        paypal.add_endpoint(url, webhook_id)
    return simulator


def live_key() -> str:
    """The environment variable that is set to a live key of a provider, or ""."""
    key, mode = setting("STRIPE_SECRET_KEY"), setting("PAYPAL_MODE")
    if key.startswith(("sk_live_", "rk_live_")):
        return "STRIPE_SECRET_KEY"
    return "PAYPAL_MODE" if mode == "live" else ""


def setting(name: str) -> str:
    """A setting of a shop that runs with the same environment, which may be in a file."""
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text().strip() if path else os.environ.get(name, "")


def main() -> None:
    chosen = arguments()
    if variable := live_key():
        sys.exit(f"The sandbox simulates payments and does not start beside live keys: {variable} is one.")
    logging.basicConfig(level=logging.DEBUG if chosen.verbose else logging.INFO, format="%(message)s")
    try:
        server = Server(chosen.port)
    except OSError as taken:
        sys.exit(f"Cannot listen on port {chosen.port}: {taken.strerror}.")
    simulator = build(
        server,
        chosen.state,
        list(zip(chosen.webhook_url, chosen.webhook_secret, strict=True)),
        list(zip(chosen.paypal_webhook_url, chosen.paypal_webhook_id, strict=True)),
    )
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: threading.Thread(target=server.shutdown).start())
    simulator.start()
    sys.stdout.write(f"Stripe and PayPal sandbox on {server.base_url} (no real money).\n")
    sys.stdout.flush()
    try:
        server.serve(simulator)
    finally:
        server.server_close()
        simulator.close()


if __name__ == "__main__":
    main()
