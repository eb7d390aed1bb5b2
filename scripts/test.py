"""Run all tests on both databases and count them; arguments go to pytest."""

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from scripts.services import Missing, chromium, postgres

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "var/test"
SPECIAL = "pg or crash or conformance or browser or browser_sqlite"
OURS = (
    "artisans",
    "orders",
    "payments",
    "carts",
    "tests",
)  # the sandbox's tests know no database and run once


@dataclass
class Run:
    """One call of pytest."""

    name: str
    marks: str
    needs: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    not_run: str = ""


SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses=4", "--dist=worksteal")
BY_MODULE = ("-n", "2", "--dist=loadfile")  # a module shares its shop, and mostly waits for processes

RUNS = (
    Run("SQLite", f"not ({SPECIAL})", options=(*SIDE_BY_SIDE, *OURS)),
    Run("PostgreSQL", f"not ({SPECIAL})", frozenset({"postgres"}), (*SIDE_BY_SIDE, *OURS)),
    Run("races and crashes", "(pg or crash) and not (browser or alone)", frozenset({"postgres"}), BY_MODULE),
    Run("outages", "alone", frozenset({"postgres"}), ("tests/live",)),
    Run("API conformance", "conformance", frozenset({"postgres"}), ("tests/live",)),
    Run("sandbox", f"not ({SPECIAL})", options=("sandbox",)),
    Run(
        "browser",
        "browser and not browser_sqlite",
        frozenset({"postgres", "chromium"}),
        ("tests/live",),
    ),
    Run("sandbox in browser", "browser", frozenset({"chromium"}), ("sandbox",)),
    Run("browser on SQLite", "browser_sqlite", frozenset({"chromium"})),
)


def main() -> int:
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    REPORTS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        services, missing = start_services(stack)
        for run in RUNS:
            run.not_run = "; ".join(missing[need] for need in sorted(run.needs & missing.keys()))
            if not run.not_run:
                execute(run, services)
    return report(RUNS, is_ci=bool(os.environ.get("CI")))


def start_services(stack: ExitStack) -> tuple[dict[str, str], dict[str, str]]:
    """Addresses of what the tests need, and sentences about what this machine does not have."""
    services, missing = {}, {}
    for name, start in {"postgres": lambda: stack.enter_context(postgres()), "chromium": chromium}.items():
        try:
            services[name] = start()
        except Missing as problem:
            missing[name] = str(problem)
    return services, missing


def execute(run: Run, services: dict[str, str]) -> None:
    print(f"\n=== {run.name} ===", flush=True)
    started = time.monotonic()
    xml = REPORTS / f"{run.name.replace(' ', '-')}.xml"
    xml.unlink(missing_ok=True)
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        run.marks,
        f"--junitxml={xml}",
        *run.options,
        *sys.argv[1:],
    ]
    code = call(argv, environment(run, services))
    run.counts = count(xml)
    if code not in {0, 5} and not run.counts["failed"]:  # 5: nothing selected; others: pytest itself broke
        run.counts["failed"] = 1
    run.seconds = time.monotonic() - started


def environment(run: Run, services: dict[str, str]) -> dict[str, str]:
    """Ours without the shop's own variables, which must not change what the tests see."""
    ours = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    env = {name: value for name, value in os.environ.items() if name not in ours}
    if "postgres" in run.needs:
        env["DATABASE_URL"] = services["postgres"]
    else:
        env |= {"DATABASE_URL": "sqlite://:memory:", "TEST_DATABASE": f"{REPORTS}/test.sqlite3"}
    if "chromium" in run.needs:
        # Playwright runs an event loop, beside which Django refuses its ORM unless told otherwise.
        env |= {"CHROMIUM": services["chromium"], "DJANGO_ALLOW_ASYNC_UNSAFE": "1"}
    return env


def call(argv: list[str], env: dict[str, str]) -> int:
    with subprocess.Popen(argv, env=env) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # lets pytest stop what its fixtures started
            process.wait(20)
            raise


def count(xml: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    if xml.exists():
        for case in ET.parse(xml).iter("testcase"):  # noqa: S314  # our own file
            outcomes = {child.tag for child in case}
            failed, skipped = outcomes & {"failure", "error"}, "skipped" in outcomes
            counts["failed" if failed else "skipped" if skipped else "passed"] += 1
    return counts


def report(runs: tuple[Run, ...], *, is_ci: bool) -> int:
    """Print the table and the totals; in CI whatever could not run counts as failed."""
    total: Counter[str] = Counter()
    print(f"\n{'run':20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for run in runs:
        if run.not_run:
            total["failed"] += is_ci
            print(f"{run.name:20}  NOT RUN: {run.not_run}")
        else:
            total += run.counts
            columns = f"{run.counts['passed']:8}{run.counts['failed']:8}{run.counts['skipped']:9}"
            print(f"{run.name:20}{columns}{run.seconds:9.0f}")
    if is_ci and total["skipped"]:
        print("In CI a skipped test is a failure.")
    if not sum(total.values()):
        print("No tests were found, which is a failure.")
    summary = f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped"
    (REPORTS / "summary.txt").write_text(f"{summary}\n")
    print(summary)
    return int(total["failed"] > 0 or not total["passed"] or (is_ci and total["skipped"] > 0))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
