"""Measure reads: a payment, a page of payments and the quote of a cart, each against a plain view of the framework."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.client import CHECKOUT, Client, Journey, items_of
from bench.measure import Case, Counter, Load, Pair, run_both
from bench.report import bar, verdict
from bench.servers import Site, shop_and_baseline

LINES, ORDERS, BUYERS, CLIENTS = 5, 40, 8, 8
PAGE = 25
SECONDS, ROUNDS = 2.5, 3
STATEMENTS = 5


@dataclass(frozen=True)
class Examples:
    """What a buyer reads: one of their payments, and a cart that is not ordered yet."""

    payment: str
    cart: str


PATHS: dict[str, Callable[[Examples], str]] = {
    "one payment": lambda examples: f"/payments/{examples.payment}",
    f"{PAGE} payments": lambda examples: f"/payments/?limit={PAGE}",
    f"quote of {LINES} lines": lambda examples: f"/carts/{examples.cart}/checkout/summary",
}
# Relative to the baseline, whose payment has five fields; the shop's includes payment instructions and the due date.
LIMITS = dict(zip(PATHS, (2.0, 3.0, 2.0), strict=True))


def run(print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met."""
    print_line("Starting PostgreSQL, Redis, the shop and the baseline …")
    with shop_and_baseline() as sites:
        shop, baseline = (replace(site, tokens=site.tokens[:BUYERS]) for site in sites)
        print_line(f"Ordering {ORDERS} times for each of {BUYERS} buyers …")
        examples = {
            site.port: {token: fill(site, token) for token in site.tokens} for site in (shop, baseline)
        }
        counts = statements(shop, examples[shop.port])
        cases = [Case(journey(name, examples), LINES, CLIENTS) for name in PATHS]
        loads = {case: Pair(Load(), Load()) for case in cases}
        for number in range(ROUNDS + 1):
            print_line("Warming up …" if number == 0 else f"Round {number} of {ROUNDS} …")
            for case in cases:
                now = run_both(shop, baseline, case, seconds=SECONDS if number else SECONDS / 4)
                if number:
                    loads[case] = Pair(loads[case].shop + now.shop, loads[case].baseline + now.baseline)
    return report(counts, loads)


def fill(site: Site, token: str) -> Examples:
    """Place orders with payments, and fill a cart."""
    client = Client(site.port)
    client.become(token)
    for _ in range(ORDERS):
        order = CHECKOUT | {"order_items": items_of(random.sample(site.products, LINES))}
        answer = client.call("POST", "/orders/", order)
    cart = client.call("POST", "/carts/", {})["id"]
    for item in items_of(random.sample(site.products, LINES)):
        client.call("POST", f"/carts/{cart}/items", item)
    client.connection.close()
    return Examples(answer["payment"]["id"], cart)


def journey(name: str, examples: dict[int, dict[str, Examples]]) -> Journey:
    def read(client: Client, _products: object) -> None:
        mine = examples[client.connection.port][client.headers["Authorization"].removeprefix("Bearer ")]
        client.read(PATHS[name](mine))

    return Journey(name, read, baseline="drf", limit=LIMITS[name])


def statements(shop: Site, examples: dict[str, Examples]) -> dict[str, int]:
    """The number of statements of each read; a page must use as many with one row as with all."""
    counter, token = Counter(shop), shop.tokens[0]
    counter.client.become(token)
    found = {name: counter.count("GET", path(examples[token])) for name, path in PATHS.items()}
    return {"a page with one payment": counter.count("GET", "/payments/?limit=1")} | found


def report(counts: dict[str, int], loads: dict[Case, Pair]) -> int:
    print("\nSQL statements of one request, limit", STATEMENTS)
    one, page = counts["a page with one payment"], counts[f"{PAGE} payments"]
    misses = int(one != page)
    for name, count in counts.items():
        is_kept = count <= STATEMENTS
        misses += not is_kept
        print(f"  {name:25}{count:4}  {verdict(is_kept=is_kept)}")
    print(f"  {'same for every page':25}{'':4}  {verdict(is_kept=one == page)}")
    print(f"\nCPU of web server and PostgreSQL per request, {CLIENTS} clients, in ms")
    most = max(load.cpu_per_order for pair in loads.values() for load in pair)
    for case, pair in loads.items():
        is_kept = pair.ratio <= case.journey.limit
        misses += not is_kept
        text = f"{pair.ratio:.2f} × baseline  limit {case.journey.limit}  {verdict(is_kept=is_kept)}"
        print(f"  {case.journey.name:25}{bar(pair.shop, most)}  {text}")
        print(f"  {'  baseline ' + case.journey.baseline:25}{bar(pair.baseline, most)}")
        print(f"  {'  requests per second':25}{pair.shop.rate:8.0f} shop {pair.baseline.rate:8.0f} baseline")
    return misses
