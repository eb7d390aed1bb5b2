"""Measure what one order costs until it is paid and its emails are sent: CPU time, statements and WAL."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.client import CHECKOUT, Client, items_of
from bench.measure import Counter, cpu_seconds, family
from bench.servers import Site, database_and_queue, shop_env, site
from bench.webhooks import KEY, SECRET, sandbox, worker
from sandbox.tests.client import Control

LINES = 5
WARM_UP, ORDERS = 60, 200
PATIENCE = 300  # seconds for the worker
METHODS = ("credit_card", "cash_on_delivery", "bank_transfer")
WAITING = """
SELECT (SELECT count(*) FROM notifications_notification WHERE state = 'waiting')
 + (SELECT count(*) FROM payments_webhookevent WHERE state IN ('received', 'waiting'))
"""
WRITTEN = "SELECT wal_bytes, wal_records, wal_fpi FROM pg_stat_wal"
SIZE = "SELECT pg_database_size(current_database())"


@dataclass(frozen=True)
class Snapshot:
    """Totals since the start; `cpu` in seconds, by part. `full_pages`: copies of pages after a checkpoint."""

    cpu: dict[str, float]
    statements: int
    wal_bytes: int
    full_pages: int
    size: int


class Meter:
    def __init__(self, shop: Site, pids: dict[str, int]) -> None:
        self.shop, self.pids, self.counter = shop, pids, Counter(shop)

    def read(self) -> Snapshot:
        wal_bytes, _, full_pages = self.row(WRITTEN)
        cpu = {name: cpu_seconds([pid]) for name, pid in self.pids.items()}
        (size,) = self.row(SIZE)
        return Snapshot(cpu, self.counter.calls(), int(wal_bytes), int(full_pages), int(size))

    def row(self, statement: str) -> Any:
        return self.counter.database.execute(statement.encode()).fetchone()

    def wait_for_worker(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.row(WAITING)[0]:
            if time.monotonic() > deadline:
                raise TimeoutError("The worker did not finish.")
            time.sleep(0.2)


def run(print_line: Callable[[str], None]) -> int:
    print_line("Starting PostgreSQL, Redis, the sandbox, the shop and a worker …")
    with database_and_queue("shop") as (database, queue, folder), sandbox(folder) as (provider, _):
        env = shop_env(database.url.removesuffix("postgres") + "shop", queue) | {
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_PUBLISHABLE_KEY": "pk_test_bench",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_BASE": provider,
            "ALLOW_TEST_CARDS": "true",
            "EMAIL_URL": "dummymail://",
            "LOG_LEVEL": "WARNING",
        }
        with (
            site("artisans.wsgi", "bench.seed", env, database, folder) as shop,
            worker(env, folder) as celery,
        ):
            endpoint = f"http://127.0.0.1:{shop.port}/payments/webhooks/stripe"
            Control(provider).post("stripe/endpoint", url=endpoint, secret=SECRET)
            while len(list(family([celery]))) == 1:  # until it has started its processes
                time.sleep(1)
            web, postgres = shop.pids
            meter = Meter(shop, {"web": web, "worker": celery, "PostgreSQL": postgres})
            for method in METHODS:
                buy(shop, method, WARM_UP)
                meter.wait_for_worker()
                with psycopg.connect(shop.database, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")
                    connection.execute("CHECKPOINT")
                before = meter.read()
                buy(shop, method, ORDERS)
                meter.wait_for_worker()
                print_line(describe(method, before, meter.read()))
    return 0


def buy(shop: Site, method: str, count: int) -> None:
    client = Client(shop.port)
    for n in range(count):
        client.become(shop.tokens[n % len(shop.tokens)])
        first = n * LINES % (len(shop.products) - LINES)
        items = items_of(shop.products[first : first + LINES])
        placed = client.call("POST", "/orders/", CHECKOUT | {"payment_method": method, "order_items": items})
        if method == "credit_card":
            card = {"payment_intent_id": placed["payment"]["id"], "payment_method_id": "pm_card_visa"}
            client.call("POST", "/payments/confirm", card)
    client.connection.close()


def describe(method: str, before: Snapshot, after: Snapshot) -> str:
    cpu = {name: (after.cpu[name] - spent) * 1000 / ORDERS for name, spent in before.cpu.items()}
    parts = ", ".join(f"{name} {each:.1f} ms" for name, each in cpu.items())
    wal, pages, size = (
        (getattr(after, name) - getattr(before, name)) / ORDERS
        for name in ("wal_bytes", "full_pages", "size")
    )
    statements = (after.statements - before.statements) / ORDERS
    return (
        f"  {method:17} CPU {sum(cpu.values()):.1f} ms ({parts}); {statements:.0f} statements; "
        f"WAL {wal / 1024:.0f} KiB with {pages:.1f} full pages; database {size / 1024:.0f} KiB larger"
    )
