"""HTTP clients that buy: one persistent connection each, and the sequences of requests from product to order."""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

CHECKOUT = {
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "12 Pier Road",
        "city": "Astoria",
        "region": "OR",
        "postal_code": "97103",
        "country": "US",
    },
    "payment_method": "bank_transfer",
}


class Refused(Exception):
    """The response was not successful."""


class Client:
    """`prefix` is prepended to every path; `placed_in`: seconds that the last timed request took."""

    def __init__(self, port: int, prefix: str = "") -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self.prefix = prefix
        self.headers: dict[str, str] = {}
        self.placed_in = 0.0

    def become(self, token: str) -> None:
        """Act as another buyer from another network, as reported by the proxy in front of a real shop."""
        network = f"10.{random.randrange(256)}.{random.randrange(256)}.1"  # noqa: S311  # spread, not secrecy
        self.headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": network}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body)
        headers = self.headers | ({"Content-Type": "application/json"} if sent else {})
        self.connection.request(method, self.prefix + path, sent, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if not 200 <= answer.status < 300:  # noqa: PLR2004
            raise Refused(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)

    def place(self, path: str, body: Any) -> None:
        self.timed("POST", path, body)

    def read(self, path: str) -> None:
        self.timed("GET", path)

    def timed(self, method: str, path: str, body: Any = None) -> None:
        started = time.perf_counter()
        self.call(method, path, body)
        self.placed_in = time.perf_counter() - started


def items_of(products: Sequence[str]) -> list[dict[str, Any]]:
    return [{"product_id": product, "quantity": 1} for product in products]


def one_by_one(client: Client, products: Sequence[str]) -> None:
    cart = client.call("POST", "/carts/", {})["id"]
    for item in items_of(products):
        client.call("POST", f"/carts/{cart}/items", item)
    client.place(f"/carts/{cart}/checkout", CHECKOUT)


def three_requests(client: Client, products: Sequence[str]) -> None:
    cart = client.call("POST", "/carts/", {})["id"]
    client.call("POST", f"/carts/{cart}/items", items_of(products))
    client.place(f"/carts/{cart}/checkout", CHECKOUT)


def one_call(client: Client, products: Sequence[str]) -> None:
    client.place("/orders/", CHECKOUT | {"order_items": items_of(products)})


@dataclass(frozen=True)
class Journey:
    """A way to order, the baseline it is compared with, and the limit of its CPU time relative to it. `times_oscar`:
    the least orders per second relative to django-oscar."""

    name: str
    order: Callable[[Client, Sequence[str]], None]
    baseline: str
    limit: float
    baseline_prefix: str = ""
    times_oscar: float = 0
    client: type[Client] = Client


JOURNEYS = (
    Journey("one by one", one_by_one, baseline="journey", limit=0.9, times_oscar=7.5),
    Journey(
        "three requests",
        three_requests,
        baseline="lean-bulk",
        limit=1.3,
        baseline_prefix="/lean",
        times_oscar=13,
    ),
    Journey("one call", one_call, baseline="drf", limit=1.3, times_oscar=20),
)
