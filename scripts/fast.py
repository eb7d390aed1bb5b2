"""Up to a minute of tests for the inner loop: failed tests first, then those near changed files, then as many as fit.

    make test-fast                          SQLite, two processes, 50 seconds with starting them
    make test-fast ARGS="-k refund -x"      with arguments of pytest

It is also a pytest plugin that orders the tests and stops when the time is over. A migrated database is kept in
var/test until a migration changes; it takes a minute to make. Tests with real commits are left to `make test`.
"""

import hashlib
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "var/test"
SECONDS = 50  # from the start of pytest; tests then under way are finished
AT_LEAST = 10  # seconds of tests, when starting takes long on a busy machine


def main() -> int:
    os.chdir(ROOT)
    REPORTS.mkdir(parents=True, exist_ok=True)
    marks = "not (pg or crash or conformance or browser or browser_sqlite or storm)"
    options = ["-q", "-m", marks, "-n", "2", "--dist=load", "-p", "scripts.fast"]
    env = os.environ | {
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "DATABASE_URL": "sqlite://:memory:",
        "TEST_DATABASE": str(REPORTS / "fast.sqlite3"),
        "CHANGED_FOLDERS": " ".join(changed_folders()),
    }
    env["TEST_TEMPLATE"] = str(migrated_database(env))
    env["TESTS_END"] = str(time.monotonic() + SECONDS)  # the clock is the same in all processes
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *sys.argv[1:]], env=env, check=False
    ).returncode


def migrated_database(env: dict[str, str]) -> Path:
    """The file for the current migrations, of which each process gets a copy; files for others are removed."""
    migrations = sorted(
        path for path in ROOT.glob("*/**/migrations/*.py") if ".venv" not in path.relative_to(ROOT).parts
    )
    files = [ROOT / "requirements.lock", *migrations]
    digest = hashlib.sha256(b"".join(bytes(file) + file.read_bytes() for file in files)).hexdigest()[:12]
    for old in REPORTS.glob("fast-*"):
        if digest not in old.name:
            old.unlink()
    file = REPORTS / f"fast-{digest}.sqlite3"
    unfinished = REPORTS / f"fast-{digest}-{os.getpid()}.unfinished"
    if not file.exists():
        settings = {
            "DATABASE_URL": f"sqlite:///{unfinished}",
            "DJANGO_SETTINGS_MODULE": "artisans.settings_test",
        }
        argv = [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"]
        subprocess.run(argv, env=env | settings, check=True)
        unfinished.rename(file)
    return file


# ---- the plugin --------------------------------------------------------------------------------------------

END = pytest.StashKey[float]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    failed, changed = set(config.cache.get("cache/lastfailed", {})), os.environ["CHANGED_FOLDERS"].split()
    committing = [item for item in items if commits(item)]
    config.hook.pytest_deselected(items=committing)
    items[:] = sorted(
        (item for item in items if not commits(item)),
        key=lambda item: (item.nodeid not in failed, folder_of(item.path.relative_to(ROOT)) not in changed),
    )


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[END] = float(os.environ["TESTS_END"])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Only in the processes that run tests."""
    session.config.stash[END] = max(session.config.stash[END], time.monotonic() + AT_LEAST)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    if is_over(item.session):
        item.session.shouldstop = "The time is over; make test runs the rest."


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if is_over(session):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED if session.testsfailed else pytest.ExitCode.OK


def is_over(session: pytest.Session) -> bool:
    return time.monotonic() > session.config.stash[END]


def commits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    names = {*getattr(item, "fixturenames", ())}
    return bool((marker and marker.kwargs.get("transaction")) or names & {"transactional_db", "live_server"})


def changed_folders() -> set[str]:
    """The apps with files that are new or differ from the main branch."""
    asked = "git diff --name-only --merge-base main", "git ls-files --others --exclude-standard"
    output = [
        subprocess.run(shlex.split(each), capture_output=True, text=True, check=False).stdout
        for each in asked
    ]
    return {folder_of(Path(line)) for line in "".join(output).splitlines()}


def folder_of(path: Path) -> str:
    """The folder of an app's code and tests: `orders`, `artisans/catalog`."""
    return "/".join(path.parts[: 2 if path.parts[0] == "artisans" else 1])


if __name__ == "__main__":
    sys.exit(main())
