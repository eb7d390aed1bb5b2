"""What looking costs: a payment, a page of payments, the quote of a cart, each beside a bare view of the framework."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.client import CHECKOUT, Client, Journey, items_of
from bench.measure import Case, Counter, Load, Pair, run_both
from bench.report import bar, verdict
from bench.servers import Site, shop_and_floor

LINES, ORDERS, BUYERS, CLIENTS = 5, 40, 8, 8
PAGE = 25
SECONDS, ROUNDS = 2.5, 3
STATEMENTS = 5


@dataclass(frozen=True)
class Things:
    """What a buyer looks at: one of his payments, and a cart that is not ordered yet."""

    payment: str
    cart: str


PATHS: dict[str, Callable[[Things], str]] = {
    "one payment": lambda things: f"/payments/{things.payment}",
    f"{PAGE} payments": lambda things: f"/payments/?limit={PAGE}",
    f"quote of {LINES} lines": lambda things: f"/carts/{things.cart}/checkout/summary",
}
# Times the CPU of the floor, whose payment has five fields; the shop's tells where the money goes and until when.
LIMITS = dict(zip(PATHS, (2.0, 3.0, 2.0), strict=True))


def run(print_line: Callable[[str], None]) -> int:
    """Measure and print; how many limits are missed."""
    print_line("Starting PostgreSQL, Redis, the shop and the floor …")
    with shop_and_floor() as sites:
        shop, floor = (replace(site, tokens=site.tokens[:BUYERS]) for site in sites)
        print_line(f"Ordering {ORDERS} times for each of {BUYERS} buyers …")
        things = {site.port: {token: fill(site, token) for token in site.tokens} for site in (shop, floor)}
        counts = statements(shop, things[shop.port])
        cases = [Case(journey(name, things), LINES, CLIENTS) for name in PATHS]
        loads = {case: Pair(Load(), Load()) for case in cases}
        for number in range(ROUNDS + 1):
            print_line("Warming up …" if number == 0 else f"Round {number} of {ROUNDS} …")
            for case in cases:
                now = run_both(shop, floor, case, seconds=SECONDS if number else SECONDS / 4)
                if number:
                    loads[case] = Pair(loads[case].shop + now.shop, loads[case].floor + now.floor)
    return report(counts, loads)


def fill(site: Site, token: str) -> Things:
    """Orders with their payments, and a cart."""
    client = Client(site.port)
    client.become(token)
    for _ in range(ORDERS):
        order = CHECKOUT | {"order_items": items_of(random.sample(site.products, LINES))}
        answer = client.call("POST", "/orders/", order)
    cart = client.call("POST", "/carts/", {})["id"]
    for item in items_of(random.sample(site.products, LINES)):
        client.call("POST", f"/carts/{cart}/items", item)
    client.connection.close()
    return Things(answer["payment"]["id"], cart)


def journey(name: str, things: dict[int, dict[str, Things]]) -> Journey:
    def read(client: Client, _products: object) -> None:
        mine = things[client.connection.port][client.headers["Authorization"].removeprefix("Bearer ")]
        client.read(PATHS[name](mine))

    return Journey(name, read, floor="drf", limit=LIMITS[name])


def statements(shop: Site, things: dict[str, Things]) -> dict[str, int]:
    """How many statements a look sends; for the page, with one row and with all of them: it must not matter."""
    counter, token = Counter(shop), shop.tokens[0]
    counter.client.become(token)
    found = {name: counter.count("GET", path(things[token])) for name, path in PATHS.items()}
    return {"a page with one payment": counter.count("GET", "/payments/?limit=1")} | found


def report(counts: dict[str, int], loads: dict[Case, Pair]) -> int:
    print("\nSQL statements of one request, limit", STATEMENTS)
    one, page = counts["a page with one payment"], counts[f"{PAGE} payments"]
    misses = int(one != page)
    for name, count in counts.items():
        is_kept = count <= STATEMENTS
        misses += not is_kept
        print(f"  {name:25}{count:4}  {verdict(is_kept=is_kept)}")
    print(f"  {'as many for each page':25}{'':4}  {verdict(is_kept=one == page)}")
    print(f"\nCPU of web server and PostgreSQL per request, {CLIENTS} clients, in ms")
    most = max(load.cpu_per_order for pair in loads.values() for load in pair)
    for case, pair in loads.items():
        is_kept = pair.ratio <= case.journey.limit
        misses += not is_kept
        text = f"{pair.ratio:.2f} × the floor  limit {case.journey.limit}  {verdict(is_kept=is_kept)}"
        print(f"  {case.journey.name:25}{bar(pair.shop, most)}  {text}")
        print(f"  {'  floor ' + case.journey.floor:25}{bar(pair.floor, most)}")
        print(f"  {'  requests per second':25}{pair.shop.rate:8.0f} shop {pair.floor.rate:8.0f} floor")
    return misses
