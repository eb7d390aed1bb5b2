"""Read a ledger with many postings, against one with a tenth of them, and count the statements that booking adds."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench.report import verdict
from bench.servers import ROOT, database_and_queue, shop_env

FEWER = 10  # times fewer postings in the smaller ledger
PER_ORDER, PER_MONTH = 8, 4000  # postings of an order, and orders
LIMIT = 1.5  # times the CPU in the smaller ledger
# PostgreSQL expects too few rows of the months that are still open, and sorts them on disk.
LIMITS = {"trial balance of today": 2, "trial balance of ten days ago": 2}
ROUNDS = 3
STATEMENT_LIMITS = {"placing": 1, "settling": 6}  # that booking adds
FILL, MONTHS = ROOT / "bench/ledger.sql", ROOT / "bench/ledger_months.sql"
Reads = dict[str, dict[str, Any]]


def run(postings: int, print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met."""
    print_line("Starting PostgreSQL, Redis and two shops …")
    sizes = {"small": postings // FEWER, "large": postings}
    with database_and_queue(*sizes) as (database, queue, _folder):
        urls = {name: database.url.removesuffix("postgres") + name for name in sizes}
        envs = {name: shop_env(url, queue) | {"LOG_LEVEL": "WARNING"} for name, url in urls.items()}
        for name, size in sizes.items():
            seed = [sys.executable, "-m", "bench.seed", "10", "1"]
            subprocess.run(seed, cwd=ROOT, env=envs[name], check=True, stdout=subprocess.DEVNULL)
            execute(urls[name], FILL, size, print_line)
        without_months = measure(envs, rounds=1)
        for name, size in sizes.items():
            execute(urls[name], MONTHS, size, print_line)
        misses = report(measure(envs, rounds=ROUNDS), print_line)
        print_line("Without a closed month, which has no limit:")
        report(without_months, print_line, is_judged=False)
        return misses + report_bookings(child(envs["small"], "bookings"), print_line)


def execute(database: str, script: Path, postings: int, print_line: Callable[[str], None]) -> None:
    """Run its statements; constraints are checked, foreign keys and triggers are not."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        for title, statements in steps(script, postings):
            began = time.monotonic()
            for statement in statements:
                connection.execute(statement.encode())
            print_line(f"{postings:,} postings: {title}, {time.monotonic() - began:.0f} s")


def steps(script: Path, postings: int) -> Iterator[tuple[str, list[str]]]:
    """Titles and statements."""
    text = script.read_text().format(orders=postings // PER_ORDER, per_month=PER_MONTH)
    for part in re.split(r"^-- ", text, flags=re.MULTILINE)[1:]:
        title, statements = part.split("\n", 1)
        yield title, [statement for statement in statements.split(";\n") if statement.strip()]


def measure(envs: dict[str, dict[str, str]], *, rounds: int) -> dict[str, Reads]:
    """By ledger and read, the least CPU of the rounds. The ledgers take turns, so that other work affects both."""
    found: dict[str, Reads] = {}
    for _round in range(rounds):
        for name, env in envs.items():
            reads = child(env, "reads")
            for title, row in found.get(name, {}).items():
                reads[title]["cpu"] = min(row["cpu"], reads[title]["cpu"])
            found[name] = reads
    return found


def child(env: dict[str, str], what: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "bench.ledger_reads", what]
    done = subprocess.run(argv, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def report(found: dict[str, Reads], print_line: Callable[[str], None], *, is_judged: bool = True) -> int:
    misses = 0
    print_line(f"{'':36}{'small':>9}{'large':>12}    ratio  statements")
    for title, small in found["small"].items():
        large = found["large"][title]
        ratio = large["cpu"] / small["cpu"]
        limit = LIMITS.get(title, LIMIT)
        is_kept = ratio <= limit and small["statements"] == large["statements"] and not large["scanned"]
        line = f"{title:36}{small['cpu']:6.1f} ms{large['cpu']:9.1f} ms{ratio:9.2f}{large['statements']:12}"
        if is_judged:
            misses += not is_kept
            line += f"  limit {limit} {verdict(is_kept=is_kept)}"
        print_line(line)
        print_line(f"{'':4}{'; '.join(large['indexes']) or 'no index'}")
        if large["scanned"]:
            print_line(f"{'':4}reads all of {', '.join(large['scanned'])}")
    return misses


def report_bookings(found: dict[str, dict[str, int]], print_line: Callable[[str], None]) -> int:
    misses = 0
    print_line(f"{'SQL statements':36}{'with':>9}{'without bookings':>20}")
    for title, counts in found.items():
        limit = STATEMENT_LIMITS[title.split()[0].rstrip(",")]
        added = counts["with"] - counts["without"]
        is_kept = added <= limit
        misses += not is_kept
        print_line(
            f"{title:36}{counts['with']:9}{counts['without']:20}  {added} more, at most {limit}"
            f"  {verdict(is_kept=is_kept)}"
        )
    return misses
