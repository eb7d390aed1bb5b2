"""Transactions on SQLite begin one after the other, and processes forked while a connection is open get their own."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import OperationalError, connections

from artisans.core.sqlite3.base import DatabaseWrapper

pytestmark = pytest.mark.django_db  # though not its database
OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 0}  # without the queue: "database is locked" at once


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[[], DatabaseWrapper]]:
    opened = []

    def connect() -> DatabaseWrapper:
        settings = connections["default"].settings_dict | {"NAME": str(tmp_path / "db"), "OPTIONS": OPTIONS}
        opened.append(DatabaseWrapper(settings, alias=f"sqlite-{len(opened)}"))
        opened[-1].inc_thread_sharing()
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def write(connection: DatabaseWrapper, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS line (text)")
        cursor.execute("INSERT INTO line VALUES (%s)", [text])


def read(connection: DatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        return [text for (text,) in cursor.execute("SELECT text FROM line")]


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_transaction_waits_for_the_one_before(connect, end):
    first, second = connect(), connect()
    write(first, "before")
    first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    write(first, "first")

    def write_second() -> None:
        second.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        write(second, "second")
        second.commit()

    other = threading.Thread(target=write_second)
    other.start()
    other.join(0.2)
    assert other.is_alive()
    getattr(first, end)()
    other.join(20)
    assert read(connect()) == ["before", *(["first"] if end == "commit" else []), "second"]


def test_transaction_that_never_ends_does_not_hold_the_others_forever(connect):
    first, second = connect(), connect()
    write(first, "before")
    second.queue_seconds = 0.1
    for _ in range(2):
        first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        with pytest.raises(OperationalError, match="database is locked"):
            second.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        first.commit()
        first.set_autocommit(True)
        second.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        write(second, "second")
        second.commit()
        second.set_autocommit(True)
    assert read(connect()) == ["before", "second", "second"]


def test_full_disk_ends_the_transaction_and_no_other_one(connect):
    first, second = connect(), connect()
    write(first, "before")
    with first.cursor() as cursor:
        [pages] = cursor.execute("PRAGMA page_count").fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages + 1}")
    first.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    with pytest.raises(OperationalError, match="database or disk is full"):
        write(first, "x" * 100_000)
    first.rollback()
    second.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    write(second, "after")
    second.commit()
    assert read(connect()) == ["before", "after"]


@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # of Python 3.12 and later, if there are threads
def test_forked_process_has_a_connection_of_its_own(connect, monkeypatch):
    mine = connect()
    write(mine, "before")
    monkeypatch.setattr("django.db.connections.all", lambda **_: [mine])
    mine.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    if (child := os.fork()) == 0:
        try:
            is_new = mine.connection is None and mine.queue is None and read(connect()) == ["before"]
            os._exit(0 if is_new else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    write(mine, "mine")
    mine.commit()
    assert read(connect()) == ["before", "mine"]
