"""Measure exports: `python -m bench.exports [rows]` fills a shop with so many orders, and writes files of the lists of
orders and transactions; one process for each file, so that its memory is its own."""

import os
import resource
import subprocess
import sys
import time
from tempfile import TemporaryFile

from bench.grown import fill
from bench.servers import ROOT, database_and_queue, shop_env

ROWS, PRODUCTS = 100_000, 100
LISTS = ("orders.order", "payments.transaction")
FORMATS = ("csv", "xlsx")
MOST_GROWTH = 80  # MiB of the process while it writes a file
CHILD = "write"


def main(rows: int) -> int:
    """Print a line for each file; returns how many limits are not met."""
    with database_and_queue("shop") as (database, queue, _folder):
        url = database.url.removesuffix("postgres") + "shop"
        env = shop_env(url, queue) | {"LOG_LEVEL": "ERROR"}
        seed = [sys.executable, "-m", "bench.seed", str(PRODUCTS), "1"]
        subprocess.run(seed, cwd=ROOT, env=env, check=True, stdout=subprocess.DEVNULL)
        fill(url, rows, print)
        runs = [
            subprocess.run(
                [sys.executable, "-m", "bench.exports", CHILD, name, kind], cwd=ROOT, env=env, check=False
            )
            for name in LISTS
            for kind in FORMATS
        ]
    return sum(run.returncode for run in runs)


def write(name: str, file_format: str, filters: str = "") -> bool:
    """Write a file with all columns as an export does, print what it cost, and return whether memory grew too much. The
    rate is that of CPU time, which other work on the machine does not change."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
    import django  # noqa: PLC0415  # after the settings are named

    django.setup()
    from django.http import QueryDict  # noqa: PLC0415

    from artisans.accounts.models import User  # noqa: PLC0415
    from artisans.exports.admin_lists import admin_list  # noqa: PLC0415
    from artisans.exports.files import file_write  # noqa: PLC0415

    staff, _is_new = User.objects.get_or_create(
        email="bench@example.test", defaults={"role": "staff", "is_superuser": True}
    )
    found = admin_list(staff, name, QueryDict(filters))
    next(found.batches())  # what is imported and compiled once
    before, began = memory(), time.process_time()
    with TemporaryFile() as file:
        made = file_write(file, found=found, columns=found.columns, file_format=file_format)
    seconds, growth = time.process_time() - began, memory() - before
    is_over = growth > MOST_GROWTH
    rate = made.rows / seconds
    print(
        f"{'FAIL' if is_over else '    '} {name:22} {file_format:4} {made.rows:9,} rows {seconds:6.1f} s "
        f"{rate:7,.0f} rows/s, {made.size / 1024 / 1024:5.1f} MiB; memory {before:.0f} MiB and {growth:.0f} more",
        flush=True,
    )
    return is_over


def memory() -> float:
    """The most that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        sys.exit(write(*sys.argv[2:]))
    sys.exit(min(1, main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)))
