"""Run all tests on both databases, several runs in parallel, and count them; arguments go to pytest."""

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from scripts import pythons
from scripts.services import ProgramMissing, chromium, postgres_server

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "var/test"
TEMPLATE = "migrated"  # the databases from which test databases are copied
SQLITE_TEMPLATE = REPORTS / f"{TEMPLATE}.sqlite3"
SPECIAL = "pg or crash or conformance or browser or browser_sqlite or alone_sqlite"
OURS = (
    "artisans",
    "orders",
    "payments",
    "carts",
    "tests",
)  # the sandbox's tests use no database and run once
LIVE = ("tests/live", "tests/storm")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
WORKERS = min(4, CORES)
SIDE_BY_SIDE = ("-n", str(WORKERS), "--dist=worksteal")
BY_MODULE = ("-n", "2", "--dist=loadfile")  # tests of a module share a shop and mostly wait for processes
WAITING = WORKERS  # runs that mostly wait, at a time, beside those that compute
PROGRESS_SECONDS = 20  # between progress lines when there is no terminal


@dataclass
class Run:
    """One call of pytest. `limit`: minutes after which it has failed; `cores`: how many it keeps busy, 0 when it mostly
    waits for processes, browsers and timers."""

    name: str
    marks: str
    needs: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()
    limit: float = 10
    cores: int = 0
    python: tuple[str, ...] = (sys.executable,)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0
    not_run: str = ""
    note: str = ""

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")


POSTGRES, BROWSER = frozenset({"postgres"}), frozenset({"postgres", "chromium"})
# In starting order: the longest first, and last the one whose processes end together.
RUNS = (
    Run("SQLite", f"not ({SPECIAL})", options=(*SIDE_BY_SIDE, *OURS), limit=40, cores=WORKERS),
    Run("browser", "browser and not browser_sqlite", BROWSER, (*BY_MODULE, "tests/live"), limit=30),
    Run(
        "races and crashes",
        "(pg or crash) and not (browser or alone)",
        POSTGRES,
        (*BY_MODULE, *LIVE),
        limit=30,
    ),
    Run("outages", "alone", POSTGRES, (*BY_MODULE, "tests/live"), limit=25),
    Run("outages on SQLite", "alone_sqlite", options=("tests/live",)),
    Run("API conformance", "conformance", POSTGRES, (*BY_MODULE, "tests/live")),
    Run("browser on SQLite", "browser_sqlite", frozenset({"chromium"}), ("tests/live",)),
    Run("sandbox in browser", "browser", frozenset({"chromium"}), ("sandbox",)),
    Run("sandbox", f"not ({SPECIAL})", options=("sandbox",), cores=1),
)
LAST = Run(
    "PostgreSQL",
    f"not ({SPECIAL})",
    POSTGRES,
    (*SIDE_BY_SIDE, "--only-with-database", *OURS),
    limit=40,
    cores=WORKERS,
)
# On the other Pythons of this machine: a purchase, every email, money, refunds and both providers; 90 seconds in total.
SMOKE = (
    *("tests/test_purchase_flow.py", "tests/test_mails.py", "artisans/core/tests/test_money.py"),
    *("payments/tests/test_refunds.py", "payments/tests/test_stripe_payments.py"),
    *("payments/tests/test_paypal_flow.py", "payments/tests/test_paypal_webhooks.py"),
)


def on_other_pythons(*options: str, limit: float = 5, cores: int = 1) -> list[Run]:
    """One run for each version; it first installs the pinned packages if they are missing."""
    return [
        Run(f"Python {version}", f"not ({SPECIAL})", frozenset(), options, limit, cores, pythons.on(version))
        for version in pythons.others()
    ]


def main() -> int:
    os.chdir(ROOT)
    for ending in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # even if a shell made this process ignore SIGINT
        signal.signal(ending, signal.default_int_handler)
    started = time.monotonic()
    with ExitStack() as stack:
        services, missing = start_services(stack)
        runs = (*RUNS, *on_other_pythons(*SMOKE), LAST)
        for run in runs:
            run.not_run = "; ".join(missing[need] for need in sorted(run.needs & missing.keys()))
        execute([run for run in runs if not run.not_run], services)
    return report(runs, is_ci=bool(os.environ.get("CI")), seconds=time.monotonic() - started)


def start_services(stack: ExitStack) -> tuple[dict[str, str], dict[str, str]]:
    """URLs of the services that the tests need, and messages about those missing on this machine."""
    services, missing = {}, {}
    for name, start in {
        "postgres": lambda: stack.enter_context(postgres_for_tests()),
        "chromium": chromium,
    }.items():
        try:
            services[name] = start()
        except ProgramMissing as problem:
            missing[name] = str(problem)
    make_templates(services)
    return services, missing


@contextmanager
def postgres_for_tests() -> Iterator[str]:
    """No test ends this server, so it need not write to the disk at each commit; those that end one start their own."""
    with postgres_server("fsync=off", "full_page_writes=off") as server:
        yield server.url


def make_templates(services: dict[str, str]) -> None:
    """Migrate one database of each kind, from which the tests' databases are copied."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    SQLITE_TEMPLATE.unlink(missing_ok=True)
    urls = [f"sqlite:///{SQLITE_TEMPLATE}"]
    if url := services.get("postgres"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
        urls.append(f"{url.rpartition('/')[0]}/{TEMPLATE}")
    argv = [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"]
    env = own_environment() | {"DJANGO_SETTINGS_MODULE": "artisans.settings_test"}
    migrations = [subprocess.Popen(argv, cwd=ROOT, env=env | {"DATABASE_URL": url}) for url in urls]
    if sum(migration.wait() for migration in migrations):
        sys.exit("The test databases could not be migrated; see the output above.")


# ---- runs ------------------------------------------------------------------------------------------------------


def execute(runs: Sequence[Run], services: dict[str, str]) -> None:
    """Execute all runs, in parallel as far as there are cores; the output of each is printed when it ends."""
    waiting, progress = list(runs), Progress()
    busy: list[Running] = []
    try:
        while waiting or busy:
            for run in waiting.copy():
                if fits(run, busy):
                    waiting.remove(run)
                    busy.append(Running(run, services))
            for one in [one for one in busy if one.has_ended()]:
                busy.remove(one)
                progress.clear()
                one.conclude()
            progress.show(busy)
            time.sleep(0.2)
    finally:
        progress.clear()
        for one in busy:
            one.interrupt()
        for one in busy:
            one.end()


def fits(run: Run, busy: list["Running"]) -> bool:
    """A run that computes starts when a core is free. Beside them, so many run that mostly wait that none is idle."""
    if not run.cores:
        return sum(not one.run.cores for one in busy) < WAITING
    return sum(one.run.cores for one in busy) < CORES


class Running:
    """A run in progress: a process whose output goes into a file of `REPORTS`."""

    def __init__(self, run: Run, services: dict[str, str]) -> None:
        self.run, self.started = run, time.monotonic()
        self.log, self.xml = (REPORTS / f"{run.slug}.{kind}" for kind in ("log", "xml"))
        self.xml.unlink(missing_ok=True)
        colour = ["--color=yes"] if sys.stdout.isatty() else []
        argv = [*run.python, "-m", "pytest", "-q", *colour, "-m", run.marks, f"--junitxml={self.xml}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*argv, *run.options, *sys.argv[1:]],
                env=environment(run, services) | {"TEST_RUN": self.mark},
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches only this process, which ends all runs in order
            )

    @property
    def mark(self) -> str:
        """An environment variable of every process that this run starts."""
        return f"{os.getpid()}-{self.run.slug}"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def has_ended(self) -> bool:
        """Whether the run has ended; one beyond its limit is ended."""
        if self.process.poll() is None and self.seconds > self.run.limit * 60:
            self.interrupt()
            self.end()
            self.run.note = f"ended after its limit of {self.run.limit:g} minutes"
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Interrupt pytest, which then stops what its fixtures started."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End the run with all processes that it started, including servers in their own sessions."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        while marked := self.marked():  # processes found later were started in the meantime
            for pid in marked:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        self.process.kill()
        self.process.wait()

    def marked(self) -> list[int]:
        """The run's processes that are alive; Redis hides its environment, but ends with its parent process."""
        found, mark = [], f"TEST_RUN={self.mark}".encode()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
        return found

    def conclude(self) -> None:
        self.end()  # processes left by a crashed pytest
        self.run.counts, self.run.seconds = count(self.xml), self.seconds
        is_broken = self.process.returncode not in {0, 5}  # 5: nothing selected; others: pytest itself failed
        if self.run.note or (is_broken and not self.run.counts["failed"]):
            self.run.counts["failed"] += 1
        print(f"\n=== {self.run.name}, {clock(self.seconds)} ===\n{self.output.rstrip()}", flush=True)

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def state(self) -> str:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", self.output)
        outcomes = re.findall(r"^[.FEsxX]+(?=\s|$)", plain, re.MULTILINE)
        return f"{self.run.name}: {len(''.join(outcomes))}"


class Progress:
    """The progress of the runs: one line that is updated, or occasional lines without a terminal."""

    def __init__(self) -> None:
        self.started = self.shown = time.monotonic()

    def show(self, busy: list[Running]) -> None:
        now, is_terminal = time.monotonic(), sys.stdout.isatty()
        if not busy or now - self.shown < (1 if is_terminal else PROGRESS_SECONDS):
            return
        self.shown = now
        line = f"{clock(now - self.started)}  tests done: {', '.join(one.state for one in busy)}"
        print(f"\r\x1b[K{line}" if is_terminal else line, end="" if is_terminal else "\n", flush=True)

    def clear(self) -> None:
        if sys.stdout.isatty():
            print("\r\x1b[K", end="", flush=True)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def environment(run: Run, services: dict[str, str]) -> dict[str, str]:
    """With the run's own databases, so that others can run in parallel."""
    env = own_environment()
    if "postgres" in run.needs:
        env |= {"DATABASE_URL": services["postgres"], "TEST_TEMPLATE": TEMPLATE}
        env["TEST_DATABASE"] = f"test_{run.slug.replace('-', '_')}"
    else:
        env |= {"DATABASE_URL": "sqlite://:memory:", "TEST_TEMPLATE": str(SQLITE_TEMPLATE)}
        env["TEST_DATABASE"] = f"{REPORTS}/{run.slug}.sqlite3"
    if "chromium" in run.needs:
        # Playwright runs an event loop, in which Django refuses to use its ORM without this.
        env |= {"CHROMIUM": services["chromium"], "DJANGO_ALLOW_ASYNC_UNSAFE": "1"}
    return env


def own_environment() -> dict[str, str]:
    """Without the shop's own variables, which must not affect the tests.

    Byte code is kept in var/: otherwise each of the many processes would compile all modules again.
    """
    others = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    others.append("PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in os.environ.items() if name not in others}
    return env | {"PYTHONPYCACHEPREFIX": str(ROOT / "var/pycache")}


# ---- report ----------------------------------------------------------------------------------------------------


def count(xml: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    if xml.exists():
        for case in ET.parse(xml).iter("testcase"):  # noqa: S314  # our own file
            outcomes = {child.tag for child in case}
            failed, skipped = outcomes & {"failure", "error"}, "skipped" in outcomes
            counts["failed" if failed else "skipped" if skipped else "passed"] += 1
    return counts


def report(runs: tuple[Run, ...], *, is_ci: bool, seconds: float) -> int:
    """Print the table and the totals; in CI, runs that could not be executed count as failed."""
    total: Counter[str] = Counter()
    print(f"\n{'run':20}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for run in runs:
        if run.not_run:
            total["failed"] += is_ci
            print(f"{run.name:20}  NOT RUN: {run.not_run}")
        else:
            total += run.counts
            columns = f"{run.counts['passed']:8}{run.counts['failed']:8}{run.counts['skipped']:9}"
            print(f"{run.name:20}{columns}{run.seconds:9.0f}  {run.note}".rstrip())
    if is_ci and total["skipped"]:
        print("In CI a skipped test is a failure.")
    if not sum(total.values()):
        print("No tests were found, which is a failure.")
    summary = f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped"
    (REPORTS / "summary.txt").write_text(f"{summary}\n")
    print(f"{summary}, in {clock(seconds)}")
    return int(total["failed"] > 0 or not total["passed"] or (is_ci and total["skipped"] > 0))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Stopped.")
