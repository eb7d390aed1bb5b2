"""Load with its CPU time, and the number of SQL statements of single requests."""

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import psycopg

from bench.client import CHECKOUT, Client, Journey, items_of
from bench.servers import Site

TICKS = os.sysconf("SC_CLK_TCK")


# ---- load ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """The results of one load; all times in seconds. `cpu`: of web server and database. `placing`: per order."""

    orders: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    placing: list[float] = field(default_factory=list)

    def __add__(self, other: "Load") -> "Load":
        return Load(
            self.orders + other.orders,
            self.seconds + other.seconds,
            self.cpu + other.cpu,
            self.placing + other.placing,
        )

    @property
    def rate(self) -> float:
        return self.orders / self.seconds

    @property
    def cpu_per_order(self) -> float:
        return self.cpu / self.orders

    def percentile(self, percent: int) -> float:
        return sorted(self.placing)[(len(self.placing) - 1) * percent // 100]


class Pair(NamedTuple):
    shop: Load
    baseline: Load

    @property
    def ratio(self) -> float:
        """The shop's CPU time relative to the baseline's."""
        return self.shop.cpu_per_order / self.baseline.cpu_per_order


class Case(NamedTuple):
    journey: Journey
    lines: int
    clients: int


def run_both(shop: Site, baseline: Site, case: Case, *, seconds: float) -> Pair:
    """The shop and the baseline alternately, so that other work on the machine affects both."""
    journey, lines, clients = case
    return Pair(
        run_load(shop, journey, prefix="", lines=lines, clients=clients, seconds=seconds),
        run_load(
            baseline, journey, prefix=journey.baseline_prefix, lines=lines, clients=clients, seconds=seconds
        ),
    )


def run_load(site: Site, journey: Journey, *, prefix: str, lines: int, clients: int, seconds: float) -> Load:
    """Every client places orders until the time is over. Errors: the first one of any client."""
    placing, problems = list[float](), list[Exception]()
    start = threading.Barrier(clients + 1)
    end = [0.0]

    def buy(mine: Sequence[str]) -> None:
        client, tokens = journey.client(site.port, prefix), cycle(mine)
        start.wait()
        try:
            while time.perf_counter() < end[0] and not problems:
                client.become(next(tokens))
                journey.order(client, random.sample(site.products, lines))
                placing.append(client.placed_in)
        except Exception as problem:  # raised by the waiting thread
            problems.append(problem)
        finally:
            client.connection.close()

    threads = [
        threading.Thread(target=buy, args=(site.tokens[n::clients],), daemon=True) for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    cpu, began = cpu_seconds(site.pids), time.perf_counter()
    end[0] = began + seconds
    start.wait()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return Load(len(placing), time.perf_counter() - began, cpu_seconds(site.pids) - cpu, placing)


def cpu_seconds(roots: Sequence[int]) -> float:
    """User and system time of these processes and their descendants, including those that ended."""
    return sum(map(cpu_of, family(roots)))


def family(roots: Sequence[int]) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (stat := stat_of(int(folder.name))):
            children.setdefault(int(stat[1]), []).append(int(folder.name))
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def cpu_of(pid: int) -> float:
    return sum(map(int, stat_of(pid)[11:15])) / TICKS


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; empty if the process has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


# ---- statements ----------------------------------------------------------------------------------------------

# Not counted: transaction control, the driver's own queries (such as connection checks), and the checks
# of deferred foreign keys, which PostgreSQL makes at commit.
COUNT = r"""
SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND toplevel
  AND query !~* '^\s*(begin|commit|rollback|savepoint|release|set |show |select \$1$|create extension)'
  AND query NOT LIKE '%%FOR KEY SHARE OF x%%' AND query NOT LIKE '%%pg_stat_statements%%'
"""


class Counter:
    def __init__(self, site: Site) -> None:
        self.database = psycopg.connect(site.database, autocommit=True)
        self.client = Client(site.port)
        self.site = site

    def calls(self) -> int:
        row = self.database.execute(COUNT).fetchone()
        return int(row[0]) if row else 0

    def count(self, method: str, path: str, body: object = None) -> int:
        before = self.calls()
        self.client.call(method, path, body)
        return self.calls() - before

    def cart(self, products: Sequence[str]) -> str:
        """The path of a buyer's cart that contains exactly these products."""
        self.client.become(random.choice(self.site.tokens))  # noqa: S311
        path = f"/carts/{self.client.call('POST', '/carts/', {})['id']}"
        if products:
            self.client.call("POST", f"{path}/items", items_of(products))
        return path


def statements(counter: Counter, lines: int) -> dict[str, int]:
    """The number of statements of each step for an order with this many lines."""
    products = random.sample(counter.site.products, lines)
    items = items_of(products)
    cash = CHECKOUT | {"payment_method": "cash_on_delivery"}
    cart = counter.cart(products[1:])
    found = {
        "add one product": counter.count("POST", f"{cart}/items", items[0]),
        "read the cart": counter.count("GET", cart),
        "place, by bank transfer": counter.count("POST", f"{cart}/checkout", CHECKOUT),
    }
    cart = counter.cart([])
    found["add a list"] = counter.count("POST", f"{cart}/items", items)
    found["place, cash on delivery"] = counter.count("POST", f"{cart}/checkout", cash)
    found["order in one call"] = counter.count("POST", "/orders/", CHECKOUT | {"order_items": items})
    return found
