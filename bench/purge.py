"""Measure the purge: `python -m bench.purge [rows]`.

Fills two tables of PostgreSQL with rows of 500 days, kills the purge half way, and lets it finish; then a night without
work.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from scripts.services import postgres

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, "manage.py"]
TIMES = """
    FROM (SELECT n, now() - interval '500 days' * (ROWS - n) / ROWS AS at FROM generate_series(1, ROWS) n) given;
"""
FILL = f"""
INSERT INTO notifications_notification (
    id, created_at, updated_at, kind, recipient, context,
    dedupe_key, state, tries, next_try_at, sent_at, subject, last_error
)
SELECT gen_random_uuid(), at, at, 'order_paid', 'buyer' || n || '@shop.test',
    jsonb_build_object('order_number', 'N' || n, 'name', repeat('Sam ', 50)),
    'key:' || n, 'sent', 1, at, at, 'Paid', ''
    {TIMES}
INSERT INTO payments_webhookevent (
    id, created_at, updated_at, provider, event_id, kind, content, state, copies, tries, next_try_at, note
)
SELECT gen_random_uuid(), at, at, 'stripe', 'evt_' || n, 'x',
    jsonb_build_object('payload', repeat('x', 500)), 'done', 1, 1, at, ''
    {TIMES}
"""
RULES = ("emails", "email_content", "webhooks", "webhook_content")


def main(rows: int) -> None:
    purge = [*MANAGE, "purge", *(part for rule in RULES for part in ("--rule", rule))]
    with postgres() as url:
        env = os.environ | {"DATABASE_URL": url, "SECRET_KEY": "x" * 60, "LOG_LEVEL": "ERROR"}
        subprocess.run([*MANAGE, "migrate", "--verbosity=0"], cwd=ROOT, env=env, check=True)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL.replace("ROWS", str(rows)).encode())
            connection.execute("ANALYZE")
        print(f"{rows:,} emails and as many webhook events")
        kill(purge, env, after=rows // 10)
        for what in ("after it was killed", "without work"):
            started = time.monotonic()
            done = subprocess.run(purge, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
            print(f"{what}: {time.monotonic() - started:.1f} s\n{done.stdout}", end="", flush=True)


def kill(purge: list[str], env: dict[str, str], *, after: int) -> None:
    """Run the purge and kill it once it has removed so many rows of a rule."""
    with subprocess.Popen(purge, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():  # each ends in a carriage return
            if (found := re.search(r": ([\d,]+)", line)) and int(found[1].replace(",", "")) >= after:
                process.kill()
                print(f"killed at {line.strip()}")
                return


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
