"""Fill a shop with orders, and measure placing in it against an empty shop, and every list and search of the admin."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from bench.client import JOURNEYS
from bench.measure import Load, Pair, run_load
from bench.report import verdict
from bench.servers import ROOT, Site, database_and_queue, shop_env, site

LINES, CLIENTS, SECONDS, ROUNDS = 5, 8, 3.5, 3
PLACING_LIMIT = 1.2  # times the CPU of placing in an empty shop
STEPS = Path(__file__).with_suffix(".sql")


def run(orders: int, print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met."""
    print_line("Starting PostgreSQL, Redis and two shops …")
    with database_and_queue("grown", "empty") as (database, queue, folder):
        grown_env, empty_env = (
            shop_env(database.url.removesuffix("postgres") + name, queue) for name in ("grown", "empty")
        )
        with (
            site("artisans.wsgi", "bench.seed", grown_env, database, folder) as grown,
            site("artisans.wsgi", "bench.seed", empty_env, database, folder) as empty,
        ):
            fill(grown.database, orders, print_line)
            misses = compare_placing(grown, empty, print_line)
            lists = subprocess.run(
                [sys.executable, "-m", "bench.lists"], cwd=ROOT, env=grown_env, check=False
            )
    return misses + lists.returncode


def fill(database: str, orders: int, print_line: Callable[[str], None]) -> None:
    """Write the orders with all that belongs to them; constraints are checked, foreign keys and triggers are not."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        for title, statements in steps(orders):
            began = time.monotonic()
            for statement in statements:
                connection.execute(statement.encode())
            print_line(f"{orders:,} orders: {title}, {time.monotonic() - began:.0f} s")


def steps(orders: int) -> Iterator[tuple[str, list[str]]]:
    """Titles and statements of grown.sql."""
    for part in re.split(r"^-- ", STEPS.read_text().format(orders=orders), flags=re.MULTILINE)[1:]:
        title, text = part.split("\n", 1)
        yield title, [statement for statement in text.split(";\n") if statement.strip()]


def compare_placing(grown: Site, empty: Site, print_line: Callable[[str], None]) -> int:
    misses = 0
    for journey in JOURNEYS:
        pair = Pair(Load(), Load())
        for number in range(ROUNDS + 1):
            seconds = SECONDS if number else SECONDS / 4
            now = Pair(
                *(
                    run_load(shop, journey, prefix="", lines=LINES, clients=CLIENTS, seconds=seconds)
                    for shop in (grown, empty)
                )
            )
            if number:
                pair = Pair(pair.shop + now.shop, pair.baseline + now.baseline)
        is_kept = pair.ratio <= PLACING_LIMIT
        misses += not is_kept
        costs = f"{pair.shop.cpu_per_order * 1000:5.1f} ms, empty shop {pair.baseline.cpu_per_order * 1000:5.1f} ms"
        print_line(
            f"{journey.name:16} {costs}, {pair.ratio:.2f} ×, limit {PLACING_LIMIT} {verdict(is_kept=is_kept)}"
        )
    return misses
