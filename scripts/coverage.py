"""Run the tests on SQLite and report their line and branch coverage; takes half as long again as the tests alone."""

import os
import sys
from dataclasses import replace

from scripts.test import ROOT, RUNS, execute

REPORT = ("--cov", "--cov-report=term:skip-covered", "--cov-report=html:var/coverage-html")


def main() -> int:
    os.chdir(ROOT)
    sqlite = RUNS[0]
    run = replace(sqlite, options=(*sqlite.options, *REPORT))
    execute([run], {})
    print(f"Coverage report: {ROOT}/var/coverage-html/index.html")
    return int(run.counts["failed"] > 0 or not run.counts["passed"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
