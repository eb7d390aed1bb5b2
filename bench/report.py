"""The results as tables, with the limits and whether they are met."""

from collections.abc import Mapping

from bench import history
from bench.client import JOURNEYS
from bench.measure import Case, Load, Pair

SQL_LIMITS = {
    "add one product": 6,  # the first also begins the record of the checkout
    "add a list": 6,
    "read the cart": 3,
    "place, by bank transfer": 14,
    "place, cash on delivery": 17,  # also confirms the order and emails the artisans
    "order in one call": 13,
}
MANY = 8  # clients of the runs whose CPU is compared
BAR = 32


def report(counts: Mapping[int, Mapping[str, int]], loads: Mapping[Case, Pair], *, usual: int) -> int:
    """Print everything and return how many limits are not met. The CPU limits apply to orders of `usual` lines."""
    misses = show_statements(counts) + show_cost(loads, usual)
    show_speed(loads, usual)
    return misses


def show_statements(counts: Mapping[int, Mapping[str, int]]) -> int:
    print(f"\n{'SQL statements of one request':32}", *(f"{lines:>3} lines" for lines in counts), "  limit")
    misses = 0
    for step, limit in SQL_LIMITS.items():
        row = [found[step] for found in counts.values()]
        is_kept = max(row) <= limit and row[-1] <= row[0]  # flat in lines
        misses += not is_kept
        print(f"  {step:30}", *(f"{count:9}" for count in row), f"{limit:7}  {verdict(is_kept=is_kept)}")
    return misses


def show_cost(loads: Mapping[Case, Pair], usual: int) -> int:
    print(f"\nCPU of web server and PostgreSQL per order, {MANY} clients, in ms")
    cases = [case for case in loads if case.clients == MANY]
    most = max(load.cpu_per_order for case in cases for load in loads[case])
    misses = 0
    for case in sorted(cases, key=lambda case: (JOURNEYS.index(case.journey), case.lines)):
        pair, limit = loads[case], case.journey.limit
        judged = ""
        if case.lines == usual:
            history.note(case.journey.name.replace(" ", "_"), pair.ratio)
            misses += pair.ratio > limit
            judged = f"limit {limit}  {verdict(is_kept=pair.ratio <= limit)}"
        title = f"{case.journey.name}, {case.lines} line{'s' * (case.lines > 1)}"
        print(f"  {title:25}{bar(pair.shop, most)}  {pair.ratio:.2f} × baseline  {judged}".rstrip())
        print(f"  {'  baseline ' + case.journey.baseline:25}{bar(pair.baseline, most)}")
    return misses


def bar(load: Load, most: float) -> str:
    filled = "▇" * max(1, round(load.cpu_per_order / most * BAR))
    return f"{filled:{BAR}}{load.cpu_per_order * 1000:8.1f}"


def show_speed(loads: Mapping[Case, Pair], usual: int) -> None:
    print(
        f"\n{f'Speed with {usual} lines':27}            orders per second    the placing request, p50 / p95 in ms"
    )
    print(f"{'':27}clients       shop     baseline            shop              baseline")
    for (journey, lines, clients), (shop, baseline) in loads.items():
        if lines == usual:
            rates = f"{shop.rate:11.1f}{baseline.rate:10.1f}"
            print(
                f"  {journey.name:25}{clients:7}{rates}   {percentiles(shop):>15}    {percentiles(baseline):>15}"
            )


def percentiles(load: Load) -> str:
    return f"{load.percentile(50) * 1000:.0f} / {load.percentile(95) * 1000:.0f}"


def verdict(*, is_kept: bool) -> str:
    return "PASS" if is_kept else "FAIL"
