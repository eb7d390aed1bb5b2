"""After the load: the books are right, and what was confirmed to buyers is true. Run with the shop's settings:
`python -m scripts.hosts.books purchases.json http://the-provider`.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "artisans.settings"
django.setup()

from orders.models import Order  # noqa: E402
from payments.models import Capture, Payment  # noqa: E402
from sandbox.tests.client import Control  # noqa: E402
from scripts.hosts.buyers import Purchase  # noqa: E402
from tests.invariants import check_invariants  # noqa: E402
from tests.live.cards import still_open  # noqa: E402
from tests.provider_journal import check_provider_journal  # noqa: E402

PATIENCE = 120  # seconds for workers to finish
SETTLES = {"PROCESSING": {"COMPLETED"}}  # every card here is good; others stay what buyers read


class Wrong(Exception):
    """What was confirmed to buyers is not true."""


def main(purchases: Sequence[Purchase], provider: str) -> None:
    """Print what was checked. Errors: Wrong, TimeoutError, AssertionError."""
    seconds = wait_for_workers()
    ended = [purchase for purchase in purchases if purchase.ended]
    check_confirmations(ended)
    check_invariants()
    check_provider_journal(Control(provider))
    repeated = sum(purchase.failures > 0 for purchase in ended)
    print(f"{len(ended)} purchases succeeded, {repeated} of them with repeated requests.")
    print("Each has its order and its payment as confirmed to the buyer, and nobody has an order twice.")
    print(f"{Capture.objects.count()} charges at the provider, each of them booked once.")
    print(f"The invariants of the books hold. Workers had finished after {seconds:.0f} s.")
    if len(ended) < len(purchases):
        raise Wrong(f"{len(purchases) - len(ended)} purchases did not succeed.")


def wait_for_workers() -> float:
    started = time.monotonic()
    while left := still_open():
        if time.monotonic() - started > PATIENCE:
            raise TimeoutError(f"This stays open: {left}")
        time.sleep(1)
    return time.monotonic() - started


def check_confirmations(purchases: Sequence[Purchase]) -> None:
    confirmed = {purchase.order for purchase in purchases}
    stored = {str(pk) for pk in Order.objects.values_list("pk", flat=True)}
    if confirmed != stored:
        raise Wrong(f"Lost: {confirmed - stored}. Not known to a buyer: {stored - confirmed}.")
    statuses = {str(pk): status for pk, status in Payment.objects.values_list("pk", "status")}
    for purchase in purchases:
        if statuses[purchase.payment] not in SETTLES.get(purchase.status, {purchase.status}):
            raise Wrong(f"{purchase}: the payment is {statuses[purchase.payment]}.")


if __name__ == "__main__":
    main([Purchase(**row) for row in json.loads(Path(sys.argv[1]).read_text())], sys.argv[2])
