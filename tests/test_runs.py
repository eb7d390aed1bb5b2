"""The runs of `make test`: they find every test, and one that takes too long is ended."""

import os
import re
import signal
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import test as runner
from scripts.test import ROOT, Run, Running
from tests.live.runner import HeadStart, wait_for

HANGS = """
import os, subprocess, time

def test_hangs():
    server = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open({pid!r} + ".new", "w") as file:
        file.write(str(server.pid))
    os.rename({pid!r} + ".new", {pid!r})
    time.sleep(600)
"""


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_run_over_its_time_limit_is_ended_with_its_servers_and_fails(monkeypatch, tmp_path, capsys):
    pid = tmp_path / "pid"
    (tmp_path / "test_hangs.py").write_text(HANGS.format(pid=str(pid)))
    monkeypatch.setattr(runner, "REPORTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["test.py"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run inherits it if this process ignores it
    run = Run("slow one", "not pg", options=(str(tmp_path), "-p", "no:cacheprovider"))
    running = Running(run, {})
    wait_for(pid.exists, detail=running.output)
    server = int(pid.read_text())
    assert (running.has_ended(), is_running(server)) == (False, True)

    run.limit = 0

    assert running.has_ended()
    running.conclude()
    wait_for(lambda: not is_running(server), detail="its server still runs")
    assert (run.counts["failed"], run.note) == (1, "ended after its limit of 0 minutes")
    assert re.search(r"^=== slow one, \d+:\d\d ===$", capsys.readouterr().out, re.MULTILINE)


def test_runs_that_wait_start_beside_those_that_share_the_cores(monkeypatch):
    monkeypatch.setattr(runner, "CORES", 2)
    monkeypatch.setattr(runner, "WAITING", 2)
    waits, both_cores, one_core = Run("waits", ""), Run("both", "", cores=2), Run("one", "", cores=1)
    for run, busy, fits in (
        (both_cores, [], True),
        (waits, [both_cores, waits], True),
        (waits, [both_cores, waits, waits], False),
        (one_core, [waits, waits, one_core], True),
        (one_core, [both_cores], False),
        (both_cores, [one_core], True),  # starting it takes longer than the other
        (one_core, [both_cores, one_core], False),
    ):
        assert runner.fits(run, [SimpleNamespace(run=each) for each in busy]) is fits, (run, busy)


def test_marked_tests_are_in_the_folders_of_their_runs():
    marked = re.compile(r"pytest\.mark\.(pg|crash|alone|alone_sqlite|conformance|browser|browser_sqlite)\b")
    folders = ("artisans", "orders", "payments", "carts", "sandbox", "tests")
    found = {
        file.relative_to(ROOT).parent
        for folder in folders
        for file in (ROOT / folder).glob("**/test_*.py")
        if file != Path(__file__) and marked.search(file.read_text())
    }
    assert found == {Path("tests/live"), Path("tests/storm"), Path("sandbox/tests")}


LIVE_TESTS = "\n".join(file.read_text() for file in (ROOT / "tests/live").glob("test_*.py"))
CRASHES = set(re.findall(r"\"([a-z_]+\.[a-z_.]+):([A-Za-z_.]+) (?:before|after)\"", LIVE_TESTS))


@pytest.mark.parametrize(("module", "name"), sorted(CRASHES))
def test_function_in_which_a_live_test_crashes_exists(module, name):
    assert callable(attrgetter(name)(import_module(module)))


def test_environment_of_a_run_is_without_the_shops_own_variables(monkeypatch):
    monkeypatch.setenv("MAX_OPEN_ORDERS", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = runner.environment(Run("one", ""), {})
    assert {"MAX_OPEN_ORDERS", "PYTHONDONTWRITEBYTECODE"} & env.keys() == set()
    assert env["PATH"] == os.environ["PATH"]


def test_head_start_lets_either_side_win():
    """The first is faster by half a second, which no fixed head start would have known."""
    start, won = HeadStart(0.01), []
    for _ in range(20):
        won.append(start.first < start.second + 0.5)
        start.won(by_first=won[-1])
    assert set(won) == {True, False}
