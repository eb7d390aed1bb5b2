"""Read the figures of a shop with many payments, and count its days: `python -m bench --figures [payments]`."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from bench.servers import ROOT, database_and_queue, shop_env

DAYS = 400  # of trade
STEPS = 10  # in which the payments are written, each with a line of progress
# Of tables that are filled; those that belong to constraints stay.
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid::regclass::text = ANY(%s)
AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
FILL = Path(__file__).with_suffix(".sql")


def run(payments: int, print_line: Callable[[str], None]) -> int:
    """Measure and print; returns how many limits are not met."""
    print_line("Starting PostgreSQL, Redis and a shop …")
    with database_and_queue("shop") as (database, queue, _folder):
        url = database.url.removesuffix("postgres") + "shop"
        env = shop_env(url, queue) | {"LOG_LEVEL": "ERROR"}
        seed = [sys.executable, "-m", "bench.seed", "10", "1"]
        subprocess.run(seed, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
        fill(url, payments, print_line)
        done = subprocess.run([sys.executable, "-m", "bench.figure_reads"], cwd=ROOT, env=env, check=False)
    return done.returncode


def fill(database: str, payments: int, print_line: Callable[[str], None]) -> None:
    """Write the payments with the facts that figures count; foreign keys and triggers are not checked, and indexes are
    built afterwards."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        began = time.monotonic()
        tables = re.findall(r"INSERT INTO (\w+)", FILL.read_text())
        indexes = connection.execute(INDEXES, [tables]).fetchall()
        for name, _definition in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        for step in range(STEPS):
            first, last = 1 + payments * step // STEPS, payments * (step + 1) // STEPS
            text = FILL.read_text().format(first=first, last=last, payments=payments, days=DAYS)
            for statement in re.split(r";\n", text):
                connection.execute(statement.encode())
            print_line(f"{last:,} of {payments:,} payments, {time.monotonic() - began:.0f} s")
        for _name, definition in indexes:
            connection.execute(definition.encode())
        connection.execute("VACUUM ANALYZE")
        print_line(f"{len(indexes)} indexes and statistics, {time.monotonic() - began:.0f} s")
