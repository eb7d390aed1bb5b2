"""All unit tests on SQLite on each other Python of this machine in turn; arguments go to pytest."""

import os
import sys
import time

from scripts.test import LIVE, OURS, ROOT, SIDE_BY_SIDE, WORKERS, execute, on_other_pythons, report


def main() -> int:
    os.chdir(ROOT)
    started = time.monotonic()
    ignored = [f"--ignore={folder}" for folder in LIVE]  # browsers and servers are tested on one Python only
    runs = tuple(on_other_pythons(*SIDE_BY_SIDE, *ignored, *OURS, limit=30, cores=WORKERS))
    if not runs:
        print("This machine has no other suitable Python.")
        return 0
    execute(runs, {})
    return report(runs, is_ci=bool(os.environ.get("CI")), seconds=time.monotonic() - started)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
