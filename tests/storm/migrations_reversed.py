"""A shop that the release before filled is migrated up, back down and up again, and its books are right each time.

It takes minutes, so that only `make storm` runs it: the file's name keeps it out of the suite.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.releases import ROOT, releases, unpack
from scripts.services import postgres

pytestmark = [pytest.mark.storm, pytest.mark.timeout(1800)]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.sqlite3'}"
        return
    with postgres() as url:
        yield url


def manage(folder: Path, database: str, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=folder,
        env=os.environ | {"DATABASE_URL": database, "DEMO": "true", "DEBUG": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def last_migrations(folder: Path) -> dict[str, str]:
    """By app."""
    found = {path.parent.parent.name: path.stem for path in sorted(folder.glob("**/migrations/0*.py"))}
    return {app: name for app, name in found.items() if app != "interrupted"}


def test_shop_of_the_release_before_is_migrated_up_and_down(database):
    before = unpack(releases()[-1])
    manage(before, database, "migrate")
    manage(before, database, "demo_data")

    manage(ROOT, database, "migrate")
    manage(ROOT, database, "check_invariants")
    for app in sorted(last_migrations(ROOT).keys() - last_migrations(before).keys()):
        manage(ROOT, database, "migrate", app, "zero")
    for app, name in last_migrations(before).items():
        manage(ROOT, database, "migrate", app, name)
    manage(before, database, "migrate")  # creates its triggers
    manage(before, database, "expire_orders")
    manage(ROOT, database, "migrate")
    manage(ROOT, database, "check_invariants")
