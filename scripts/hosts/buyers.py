"""Buyers who purchase at a steady pace, by card and by cash on delivery, and repeat what failed as a client should."""

import json
import random
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from uuid import uuid4

from bench.client import CHECKOUT, items_of

PAUSE = 0.5  # seconds before a request is repeated
GIVE_UP = 120  # seconds after the first attempt
TIMEOUT = 40  # seconds for one response, more than the shop waits for its database
METHODS = ("credit_card", "cash_on_delivery")
GOOD, SERVER_ERROR = range(200, 300), 500


@dataclass(slots=True)
class Purchase:
    """What the buyer knows of it. Times are those of the monotonic clock; `ended` is 0 until it has succeeded."""

    method: str
    key: str
    started: float
    ended: float = 0.0
    order: str = ""
    payment: str = ""
    status: str = ""
    failures: int = 0


class Failed(Exception):
    """No response, or one that allows to repeat the request."""


class Buyers:
    """`rate`: purchases per second that all of them start, as long as none waits."""

    def __init__(
        self, address: str, products: list[str], tokens: list[str], *, rate: float, count: int = 8
    ) -> None:
        self.address, self.products, self.tokens = address, products, tokens
        self.interval = count / rate
        self.purchases: list[Purchase] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n, count), daemon=True) for n in range(count)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """Wait until all purchases have ended; a buyer who got an unexpected response has stopped before."""
        self.over.set()
        for thread in self.threads:
            thread.join(GIVE_UP + TIMEOUT)

    def run(self, number: int, count: int) -> None:
        tokens, n = self.tokens[number::count], 0
        due = time.monotonic() + self.interval * number / count
        try:
            while not self.over.wait(max(0.0, due - time.monotonic())):
                due = max(due + self.interval, time.monotonic())
                self.buy(tokens[n % len(tokens)], METHODS[n % len(METHODS)])
                n += 1
        except Exception as problem:  # its purchase has not ended, which is reported
            print(f"A buyer gave up: {problem}", flush=True)

    def buy(self, token: str, method: str) -> None:
        purchase = Purchase(method, str(uuid4()), time.monotonic())
        self.purchases.append(purchase)
        items = items_of(random.sample(self.products, 2))
        order = CHECKOUT | {"payment_method": method, "order_items": items}
        placed = self.repeat(purchase, token, "/orders/", order)
        purchase.order, payment = placed["order"]["id"], placed["payment"]
        purchase.payment, purchase.status = payment["id"], payment["status"]
        if method == "credit_card":
            card = {"payment_intent_id": payment["id"], "payment_method_id": "pm_card_visa"}
            confirmed = self.repeat(purchase, token, "/payments/confirm", card)
            purchase.status = (confirmed.get("payment") or confirmed)["status"]
        purchase.ended = time.monotonic()

    def repeat(self, purchase: Purchase, token: str, path: str, body: Any) -> Any:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"{purchase.key}{path}",
        }
        while True:
            try:
                return self.post(path, json.dumps(body), headers)
            except (OSError, HTTPException, Failed):
                purchase.failures += 1
                if time.monotonic() - purchase.started > GIVE_UP:
                    raise
                time.sleep(PAUSE)

    def post(self, path: str, body: str, headers: dict[str, str]) -> Any:
        connection = HTTPConnection(self.address, 80, timeout=TIMEOUT)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status in GOOD:
            return json.loads(text)
        if response.status >= SERVER_ERROR or b'"retryable": true' in text or b'"retryable":true' in text:
            raise Failed(f"{path}: {response.status}")
        raise ValueError(f"{path}: {response.status} {text[:500]!r}")
