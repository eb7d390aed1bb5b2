"""Count the days of figures in the database of DATABASE_URL, and measure their pages and the API.

Started by bench/figures.py: `python -m bench.figure_reads`. It prints a line for each, and exits with 1 if a limit is
not met.
"""

import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from math import inf

from bench.ledger_reads import number_of, plan_of
from bench.lists import cpu_seconds, own_backend  # sets Django up
from bench.report import verdict

# Models can be imported after setup only.
from django.db import connection  # isort: skip
from django.test import Client  # isort: skip
from django.test.utils import CaptureQueriesContext  # isort: skip

from artisans.accounts.models import AuthToken, User  # isort: skip
from artisans.core.changes import changes_note  # isort: skip
from artisans.core.models import ChangeMark  # isort: skip
from artisans.figures.admin import page_address  # isort: skip
from artisans.figures.counting import Pair, day_count, marks_drain, uncounted_pairs  # isort: skip
from artisans.figures.days import DAY, today  # isort: skip
from artisans.figures.families import FAMILIES  # isort: skip
from artisans.figures.models import CountedDay  # isort: skip
from artisans.figures.pages import PAGES  # isort: skip

ROUNDS = 3
QUERIES = 8  # of a page, with the session, the user and what each page of the admin reads
PERIODS = {"30": 150, "year": 300}  # CPU in ms
API_LIMIT = 300
DAY_LIMIT = 300  # CPU in ms for a day of all families
MARKED_DAYS = 30
MANY = 10_000  # rows of a table that no plan may read as a whole


def main() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")  # compiling would be most of what is measured
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s", [MANY])
        facts = {name for (name,) in cursor.fetchall()}
    backend = own_backend()
    misses = build(facts, backend) + drain(backend)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    for title, client, address, limit in reads():
        misses += measure(title, client, address, limit, facts, backend)
    print(f"{misses} over the limits" if misses else "All within the limits")
    return misses


def build(facts: set[str], backend: int) -> int:
    """Count all days; then one of each family, with its plans."""
    days, began, before = 0, time.monotonic(), spent(backend)
    for pair in uncounted_pairs():
        days += day_count(pair)
        if days % 1000 == 0:
            print(f"{days:,} days of families, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{days:,} days of families counted, CPU {(spent(backend) - before):.0f} s")
    misses = 0
    for name in FAMILIES:
        pair = Pair(name, today() - 3 * DAY)
        before = spent(backend)
        day_count(pair)
        cpu = (spent(backend) - before) * 1000
        with CaptureQueriesContext(connection) as captured:
            day_count(pair)
        misses += report(f"a day of {name}", cpu, number_of(captured), DAY_LIMIT, scanned(captured, facts))
    return misses


def drain(backend: int) -> int:
    """What it takes to count again days of which facts have changed."""
    CountedDay.objects.update(milliseconds=0)  # none of them rests
    for n in range(MARKED_DAYS):
        changes_note(*((name, today() - (n + 2) * DAY) for name in FAMILIES))
    before = spent(backend)
    days = marks_drain()
    cpu = (spent(backend) - before) * 1000
    is_kept = cpu / days <= DAY_LIMIT and not ChangeMark.objects.exists()
    print(f"drain of {days} days of families: {cpu / 1000:.1f} s of CPU  {verdict(is_kept=is_kept)}")
    return not is_kept


def reads() -> Iterator[tuple[str, Client, str, int]]:
    """Titles, clients, addresses and limits."""
    staff = User.objects.create(email="figures@example.test", password="!", role="staff", is_superuser=True)
    browser = Client(HTTP_HOST="127.0.0.1")
    browser.force_login(staff)
    for name in PAGES:
        for period, limit in PERIODS.items():
            yield f"{name}, {period}", browser, f"{page_address(name)}?period={period}", limit
    token = AuthToken.objects.create(user=staff, granted=" ".join(staff.scopes))[1]
    program = Client(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {token}")
    for title, query in (
        ("30 days by day", "group_by=day"),
        ("a year by month", f"group_by=month&from={today() - 365 * DAY}"),
        ("a year by method", f"group_by=method&from={today() - 365 * DAY}&compare=previous"),
    ):
        yield f"API, {title}", program, f"/payments/metrics?{query}", API_LIMIT


def measure(title: str, client: Client, address: str, limit: int, facts: set[str], backend: int) -> int:
    best = inf
    for _ in range(ROUNDS):
        before = spent(backend)
        answer = client.get(address)
        best = min(best, (spent(backend) - before) * 1000)
    if answer.status_code != HTTPStatus.OK:
        raise RuntimeError(f"{address}: {answer.status_code} {answer.content[:500]!r}")
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return report(title, best, number_of(captured), limit, scanned(captured, facts), most=QUERIES)


def report(title: str, cpu: float, statements: int, limit: int, tables: list[str], most: float = inf) -> bool:
    """Print a line, and return whether a limit is not met."""
    is_kept = cpu <= limit and statements <= most and not tables
    line = f"{title:36}{cpu:7.1f} ms, limit {limit}{statements:5} statements  {verdict(is_kept=is_kept)}"
    print(line + f"  reads all of {', '.join(tables)}" * bool(tables), flush=True)
    return not is_kept


def spent(backend: int) -> float:
    """CPU seconds of this thread and of its backend, which other work on the machine does not change."""
    return time.thread_time() + cpu_seconds(backend)


def scanned(captured: CaptureQueriesContext, facts: set[str]) -> list[str]:
    """The tables with many rows that its statements read as a whole."""
    nodes = (
        node
        for query in captured.captured_queries
        if query["sql"].startswith(("SELECT", "(SELECT"))
        for node in plan_of(query["sql"])
    )
    return sorted({node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & facts)


if __name__ == "__main__":
    sys.exit(min(1, main()))
