"""The shop on several hosts under load, while each part of it is killed or hangs: `make hosts`, about seven minutes.

Needs Linux and root, for network namespaces, and Debian's packages caddy, pgbouncer, redis and postgresql.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from bench.servers import ROOT
from scripts.hosts.buyers import Buyers, Purchase
from scripts.hosts.failures import FAILURES
from scripts.hosts.network import build, end_processes, enter
from scripts.hosts.report import MARGIN, Event, draw, table
from scripts.hosts.shop import Shop, missing_programs

RATE = 4.0  # purchases per second
LONGEST = 600  # seconds
PICTURE = ROOT / "docs/hosts.svg"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.hosts", description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="purchases per second")
    parser.add_argument("--only", default="", help="only failures whose title contains this text")
    parser.add_argument("--picture", action="store_true", help=f"write {PICTURE.relative_to(ROOT)}")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    chosen = options()
    if not chosen.inside:
        if os.geteuid() != 0:
            print("Skipped: network namespaces need root.")
            return 1
        if missing := missing_programs():
            print(f"Skipped: on Debian, apt install {' '.join(missing)}")
            return 1
        return enter("scripts.hosts", "--inside", *sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST)
    with tempfile.TemporaryDirectory(prefix="alley-hosts-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # servers have users of their own
        try:
            return run(chosen, Path(folder))
        finally:
            end_processes()  # they write into the folder


def give_up(*_: object) -> None:
    raise TimeoutError("Aborted: the machine is too slow or too busy.")


def run(chosen: argparse.Namespace, folder: Path) -> int:
    began = time.monotonic()
    build()
    shop = Shop(folder)
    say("Starting ten hosts …")
    seeded = shop.start()
    say(f"Started after {time.monotonic() - began:.0f} s (load {os.getloadavg()[0]:.0f}).")
    buyers = Buyers(shop.address("proxy"), seeded["products"], seeded["tokens"], rate=chosen.rate)
    buyers.start()
    time.sleep(2 * MARGIN)
    events = []
    for failure in FAILURES:
        if chosen.only not in failure.title:
            continue
        say(f"{time.monotonic() - began:4.0f} s  {failure.title} …")
        failed = time.monotonic()
        more = failure.run(shop)
        events.append(Event(", ".join(filter(None, [failure.title, more])), failed, time.monotonic()))
        time.sleep(2 * MARGIN)
    buyers.stop()
    say("\n".join(["", *table(events, buyers.purchases), ""]))
    if chosen.picture:
        PICTURE.write_text(draw(events, buyers.purchases))
    code = check_books(shop, buyers.purchases)
    say(f"{time.monotonic() - began:.0f} seconds (load {os.getloadavg()[1]:.0f}).")
    return code


def check_books(shop: Shop, purchases: list[Purchase]) -> int:
    file = shop.folder / "purchases.json"
    file.write_text(json.dumps([asdict(purchase) for purchase in purchases]))
    env = shop.env | {"DATABASE_URL": shop.database_url(shop.database)}
    argv = [sys.executable, "-m", "scripts.hosts.books", str(file), shop.sandbox.url]
    return subprocess.run(argv, cwd=ROOT, env=env, check=False).returncode


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
    except TimeoutError as problem:
        sys.exit(str(problem))
