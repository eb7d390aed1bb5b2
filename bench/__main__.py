"""Measure ordering, reads and webhooks against a minimal baseline: `python -m bench`, or with `--quick`."""

import argparse
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg

from bench import against_oscar, cost, history, reads
from bench.client import JOURNEYS
from bench.figures import run as run_figures
from bench.grown import run as run_grown
from bench.ledger import run as run_ledger
from bench.measure import Case, Counter, Load, Pair, run_both, statements
from bench.memory import run as run_memory
from bench.on_sqlite import run as run_on_sqlite
from bench.report import report
from bench.servers import PRODUCTS, ROOT, Site, database_and_queue, shop_and_baseline, shop_env
from bench.webhooks import run as run_webhooks

LINES = (1, 5, 20)
USUAL = 5  # lines of the orders to which the CPU limits apply
CLIENTS = (1, 8)
GROWN = 200_000  # orders
MEMORY_ORDERS = 20_000  # orders
POSTINGS = 2_000_000
PAYMENTS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How long to measure (seconds per load), and how often everything is repeated."""

    seconds: float
    rounds: int
    other_lines: bool  # also orders of 1 and 20 lines, once
    deliveries: int  # webhook deliveries
    longest: int  # seconds after which each of the three parts is aborted


FULL = Plan(seconds=3.5, rounds=3, other_lines=True, deliveries=10_000, longest=480)
QUICK = Plan(seconds=2, rounds=1, other_lines=False, deliveries=1000, longest=150)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes, less exact")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--orders", action="store_true", help="only ordering")
    parts.add_argument(
        "--against-oscar",
        action="store_true",
        help="only ordering, compared with django-oscar, which is installed into var/bench-oscar",
    )
    parts.add_argument("--reads", action="store_true", help="only reading payments and quotes")
    parts.add_argument(
        "--webhooks",
        type=int,
        nargs="?",
        const=0,
        metavar="DELIVERIES",
        help=f"only webhooks, by default {FULL.deliveries} deliveries",
    )
    parts.add_argument(
        "--grown",
        type=int,
        nargs="?",
        const=GROWN,
        metavar="ORDERS",
        help=f"only the admin's lists and placing in a shop with many orders, by default {GROWN}",
    )
    parts.add_argument(
        "--ledger",
        type=int,
        nargs="?",
        const=POSTINGS,
        metavar="POSTINGS",
        help=f"only reading a ledger with many postings, by default {POSTINGS}, against a tenth of them",
    )
    parts.add_argument(
        "--figures",
        type=int,
        nargs="?",
        const=PAYMENTS,
        metavar="PAYMENTS",
        help=f"only the figures of a shop with many payments, by default {PAYMENTS}",
    )
    parts.add_argument("--sqlite", action="store_true", help="only ordering in one call, with SQLite")
    parts.add_argument(
        "--memory",
        type=int,
        nargs="?",
        const=MEMORY_ORDERS,
        metavar="ORDERS",
        help=f"only the memory of the processes while orders are placed, by default {MEMORY_ORDERS}",
    )
    parts.add_argument(
        "--cost", action="store_true", help="only what one order costs in all, by payment method"
    )
    parts.add_argument("--pages", action="store_true", help="only the pages that a shopper sees")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGALRM, give_up)
    started = time.monotonic()
    misses = run(chosen)
    history.save()
    verdict = f"Limits not met: {misses}." if misses else "All limits are met."
    print_line(f"\n{verdict} {time.monotonic() - started:.0f} seconds.")
    return int(misses > 0)


def run(chosen: argparse.Namespace) -> int:
    """Measure the chosen parts; returns how many limits are not met."""
    sizes = (
        (run_memory, chosen.memory),
        (run_grown, chosen.grown),
        (run_ledger, chosen.ledger),
        (run_figures, chosen.figures),
    )
    for part, size in sizes:
        if size is not None:
            return part(size, print_line)
    if chosen.sqlite or chosen.cost:
        return (run_on_sqlite if chosen.sqlite else cost.run)(print_line)
    if chosen.pages:
        return run_pages()
    plan, misses = QUICK if chosen.quick else FULL, 0
    only_orders, only_webhooks = chosen.orders or chosen.against_oscar, chosen.webhooks is not None
    if not (chosen.reads or only_webhooks):
        signal.alarm(plan.longest * (5 if chosen.against_oscar else 1))  # oscar is slow to start and to load
        misses += run_orders(plan, with_oscar=chosen.against_oscar)
    if not (only_orders or only_webhooks):
        signal.alarm(plan.longest)
        misses += reads.run(print_line)
    if not (only_orders or chosen.reads):
        signal.alarm(plan.longest)
        misses += run_webhooks(chosen.webhooks or plan.deliveries, print_line)
    return misses


def run_pages() -> int:
    """Measure in a process with the shop's settings; returns whether a limit is not met."""
    with database_and_queue("shop") as (database, queue, _):
        env = shop_env(database.url.removesuffix("postgres") + "shop", queue) | {"LOG_LEVEL": "WARNING"}
        seed, pages = ([sys.executable, "-m", f"bench.{name}"] for name in ("seed", "pages"))
        subprocess.run([*seed, str(PRODUCTS), "1"], cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
        return subprocess.run(pages, cwd=ROOT, env=env, check=False).returncode


def run_orders(plan: Plan, *, with_oscar: bool = False) -> int:
    """Measure and print; returns how many limits are not met."""
    print_line(f"Starting PostgreSQL, Redis, the shop, the baseline{' and django-oscar' * with_oscar} …")
    with (
        shop_and_baseline() as (shop, baseline),
        against_oscar.oscar() if with_oscar else nullcontext() as oscar,
    ):
        print_line("Warming up …")
        for case in every_case(plan):
            run_both(shop, baseline, case, seconds=plan.seconds / 4)
        counter = Counter(shop)
        counts = {lines: statements(counter, lines) for lines in LINES}
        loads, of_oscar = measure(shop, baseline, oscar, plan)
    misses = report(counts, loads, usual=USUAL)
    return misses + against_oscar.report(loads, of_oscar) if with_oscar else misses


def give_up(*_: object) -> None:
    raise TimeoutError("Aborted: the machine is too slow or too busy.")


def print_line(text: str) -> None:
    print(text, flush=True)


def every_case(plan: Plan) -> list[Case]:
    """The usual number of lines for each number of clients, other numbers for many clients."""
    usual = [Case(journey, USUAL, clients) for journey in JOURNEYS for clients in CLIENTS]
    others = [Case(journey, lines, max(CLIENTS)) for journey in JOURNEYS for lines in LINES if lines != USUAL]
    return usual + others if plan.other_lines else usual


def measure(
    shop: Site, baseline: Site, oscar: Site | None, plan: Plan
) -> tuple[dict[Case, Pair], dict[Case, Load]]:
    """Cases with the usual number of lines in every round, the others in the last one; oscar after each usual case with
    many clients."""
    loads: dict[Case, Pair] = {}
    of_oscar: dict[Case, Load] = {}
    for number in range(1, plan.rounds + 1):
        spread_orders(shop)
        refresh_statistics(shop, baseline)
        for case in every_case(plan):
            if case.lines != USUAL and number != plan.rounds:
                continue
            print_line(
                f"Round {number} of {plan.rounds}: {case.journey.name}, {case.lines} lines, {case.clients} clients …"
            )
            now = run_both(shop, baseline, case, seconds=plan.seconds)
            before = loads.get(case, Pair(Load(), Load()))
            loads[case] = Pair(before.shop + now.shop, before.baseline + now.baseline)
            if oscar and case.lines == USUAL and case.clients == max(CLIENTS):
                load = against_oscar.run_oscar(oscar, case, seconds=plan.seconds * 2)  # it places few orders
                of_oscar[case] = of_oscar.get(case, Load()) + load
    return loads, of_oscar


def spread_orders(shop: Site) -> None:
    """Date back what was placed in the last hour, over a month, so that the shop's last hour is not all it ever had."""
    with psycopg.connect(shop.database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # without triggers
        connection.execute(
            "UPDATE orders_order SET created_at = created_at - random() * interval '30 days'"
            " WHERE created_at > now() - interval '1 hour'"
        )


def refresh_statistics(*sites: Site) -> None:
    """The tables grow faster here than autovacuum analyzes them."""
    for site in sites:
        with psycopg.connect(site.database, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except TimeoutError as problem:
        sys.exit(str(problem))
