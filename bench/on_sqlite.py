"""Order in one call with SQLite, the default database, against the baseline with SQLite."""

from collections.abc import Callable

from bench.client import JOURNEYS
from bench.measure import Load, Pair, run_load
from bench.report import verdict
from bench.servers import plain_env, shop_env, site
from scripts.services import redis, temporary_folder

LINES, CLIENTS, SECONDS, ROUNDS = 5, 8, 5, 4
ONE_CALL = JOURNEYS[-1]
LEAST_RATE = 0.5  # of the baseline's orders per second
LONGEST = 2.0  # seconds, of 99% of the orders


def run(print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met.

    Errors: bench.client.Refused if the database is locked.
    """
    total = Pair(Load(), Load())
    with redis() as queue, temporary_folder("sqlite") as folder:
        urls = [f"sqlite:///{folder / name}.sqlite3" for name in ("shop", "baseline")]
        with (
            site("artisans.wsgi", "bench.seed", shop_env(urls[0], queue), None, folder) as shop,
            site("bench.baseline.wsgi", "bench.baseline.seed", plain_env(urls[1]), None, folder) as baseline,
        ):
            for number in range(ROUNDS + 1):
                now = Pair(
                    *(
                        run_load(one, ONE_CALL, prefix="", lines=LINES, clients=CLIENTS, seconds=SECONDS)
                        for one in (shop, baseline)
                    )
                )
                if number:  # the first one warms up
                    total = Pair(total.shop + now.shop, total.baseline + now.baseline)
    rate, p99 = total.shop.rate / total.baseline.rate, total.shop.percentile(99)
    for name, load in zip(total._fields, total, strict=True):
        print_line(
            f"{name:10} {load.rate:6.1f} orders per second, p99 {load.percentile(99) * 1000:.0f} ms, "
            f"{load.cpu_per_order * 1000:.1f} ms of CPU per order"
        )
    for title, is_kept in (
        (f"{rate:.2f} × the baseline's orders per second, at least {LEAST_RATE}", rate >= LEAST_RATE),
        (f"p99 {p99:.2f} s, at most {LONGEST:.0f} s", p99 <= LONGEST),
    ):
        print_line(f"{title}  {verdict(is_kept=is_kept)}")
    return (rate < LEAST_RATE) + (p99 > LONGEST)
