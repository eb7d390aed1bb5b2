"""Measure the memory of the web and worker processes while orders are placed and their emails sent."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench import history
from bench.client import JOURNEYS
from bench.measure import family, run_load
from bench.report import verdict
from bench.servers import Site, database_and_queue, shop_env, site
from bench.webhooks import worker

LINES, CLIENTS, SECONDS = 5, 8, 5.0
STEP = 5000  # orders between two measurements
LIMIT = 110  # MiB of a process after the first step
GROWTH = 1.05  # the last measurement relative to the one after the first step
ORDERS = "SELECT count(*) FROM orders_order"
UNSENT = "SELECT count(*) FROM notifications_notification WHERE state = 'waiting'"


def run(orders: int, print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met."""
    print_line("Starting PostgreSQL, Redis, the shop and a worker …")
    with database_and_queue("shop") as (database, queue, folder):
        env = shop_env(database.url.removesuffix("postgres") + "shop", queue)
        env |= {"EMAIL_URL": "dummymail://", "LOG_LEVEL": "WARNING"}
        with (
            site("artisans.wsgi", "bench.seed", env, database, folder) as shop,
            worker(env, folder) as celery,
            psycopg.connect(shop.database, autocommit=True) as connection,
        ):
            while len(list(family([celery]))) == 1:  # until it has started its processes
                time.sleep(1)
            sizes = []
            for wanted in range(0, orders + 1, STEP):
                place(shop, connection, wanted)
                sizes.append({"web": largest(shop.pids[0]), "worker": largest(celery)})
                shown = ", ".join(f"{name} {size:.0f} MiB" for name, size in sizes[-1].items())
                print_line(f"{wanted:7,} orders: {shown}")
    return report(sizes, print_line)


def place(shop: Site, connection: psycopg.Connection[Any], orders: int) -> None:
    """Place orders until there are so many, and wait until their emails are sent."""
    while number(connection, ORDERS) < orders:
        run_load(shop, JOURNEYS[-1], prefix="", lines=LINES, clients=CLIENTS, seconds=SECONDS)
    while number(connection, UNSENT):
        time.sleep(1)


def number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def largest(root: int) -> float:
    """MiB of the largest process below this one; memory that processes share is divided among them (PSS)."""
    return max(pss(pid) for pid in family([root]) if pid != root)


def pss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0


def report(sizes: list[dict[str, float]], print_line: Callable[[str], None]) -> int:
    """`sizes`: after every step, the first before any order."""
    misses = 0
    for name in sizes[0]:
        first, last = sizes[min(1, len(sizes) - 1)][name], sizes[-1][name]
        history.note(f"{name}_memory", first)
        is_small, is_flat = first <= LIMIT, last <= first * GROWTH
        misses += (not is_small) + (not is_flat)
        print_line(
            f"  {name:8}{first:5.0f} MiB after {STEP:,} orders, limit {LIMIT}  {verdict(is_kept=is_small)}"
            f"; last {last:.0f} MiB, limit {first * GROWTH:.0f}  {verdict(is_kept=is_flat)}"
        )
    return misses
