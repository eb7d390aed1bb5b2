"""Kept connections to PostgreSQL: sessions that the server has ended, and processes forked while one is open."""

import os
import socket
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import DataError, NotSupportedError, OperationalError, connection

from artisans.catalog.models import Category
from artisans.core.postgresql import base
from artisans.core.postgresql.base import answers as base_answers

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def session() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def begin_request() -> None:
    connection.health_check_enabled, connection.health_check_done = True, False


def show(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_sessions_have_timeouts_but_not_those_of_a_pooler(monkeypatch, caplog):
    """A pooler announces a process of its own instead of the server's."""
    timeouts = {"statement_timeout": 30, "lock_timeout": 15}
    monkeypatch.setitem(connection.settings_dict, "TIMEOUTS", timeouts)
    monkeypatch.delitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", raising=False)
    try:
        connection.close()
        assert {name: show(name) for name in timeouts} == {"statement_timeout": "30s", "lock_timeout": "15s"}
        assert show("jit") == "off"
        assert (connection.connection.prepare_threshold, caplog.messages) == (5, [])

        monkeypatch.setattr(base, "backend_pid", lambda _: 0)
        connection.close()
        assert {name: show(name) for name in timeouts} == dict.fromkeys(timeouts, "0")
        assert connection.connection.prepare_threshold is None
        assert connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
        assert caplog.messages == ["database_pooled"]
    finally:
        connection.close()


def test_indexes_count_as_fast_unless_somebody_chose_otherwise(monkeypatch):
    chosen = {"options": "-c random_page_cost=2"}
    try:
        connection.close()
        assert show("random_page_cost") == "1.1"
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", connection.settings_dict["OPTIONS"] | chosen)
        connection.close()
        assert show("random_page_cost") == "2"
    finally:
        monkeypatch.undo()
        connection.close()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_times_are_read_as_they_were_written(zone):
    times = [
        datetime(2026, 12, 1, 16, 4, 19, 993000, UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, 0, 0, 0, 1, UTC),
    ]
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET TIME ZONE '{zone}'")
            cursor.execute("SELECT unnest(%s::timestamptz[])", [times])
            found = [row[0] for row in cursor.fetchall()]
            assert found == times
            assert zone != "UTC" or {time.tzinfo for time in found} == {UTC}
            cursor.execute("SELECT now()::timestamptz, NULL::timestamptz")
            assert cursor.fetchone()[1] is None
            cursor.execute("SELECT 'infinity'::timestamptz")
            with pytest.raises(DataError):
                cursor.fetchall()
    finally:
        connection.close()


def test_session_ended_between_two_requests_is_replaced():
    before = session()
    begin_request()
    assert session() == before
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [before])
    begin_request()
    assert session() != before


def test_migration_that_changes_a_column_fails_one_request_and_none_after_it():
    def read() -> list[tuple[str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM catalog_category WHERE slug = %s", ["bowls"])
            return cursor.fetchall()

    def change(size: int) -> None:
        with psycopg.connect(
            **connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
        ) as other:
            other.execute(f"ALTER TABLE catalog_category ALTER COLUMN name TYPE varchar({size})")

    size = Category._meta.get_field("name").max_length
    for _ in range(8):  # from the sixth time on, the statement is prepared
        assert read() == []
    change(size + 1)
    try:
        with pytest.raises(NotSupportedError, match="cached plan"):
            read()
        connection.close_if_unusable_or_obsolete()  # at the end of the request
        assert read() == []
    finally:
        change(size)
        connection.close()


def test_slow_answer_is_awaited_while_the_server_answers_new_clients(monkeypatch):
    asked: list[bool] = []

    def answers(pgconn: Any) -> bool:
        asked.append(base_answers(pgconn))
        return asked[-1]

    monkeypatch.setattr(base, "ASK_SECONDS", 0.1)
    monkeypatch.setitem(connection.settings_dict, "TIMEOUTS", {"statement_timeout": 60})
    connection.close()
    try:
        with connection.cursor() as cursor:
            with monkeypatch.context() as patch:
                patch.setattr(base, "answers", answers)
                cursor.execute("SELECT pg_sleep(0.5), repeat('x', 1000000)")
                assert len(cursor.fetchone()[1]) == 1_000_000
            monkeypatch.setattr(base, "answers", lambda pgconn: False)
            with pytest.raises(OperationalError, match="does not answer"):
                cursor.execute("SELECT pg_sleep(2)")
    finally:
        connection.close()
    assert asked
    assert all(asked)


def test_server_whose_connections_only_the_kernel_takes_hangs(monkeypatch):
    monkeypatch.setattr(base, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        port = hanging.getsockname()[1]
        assert not base_answers(SimpleNamespace(host=b"127.0.0.1", port=str(port).encode()))
    assert not base_answers(SimpleNamespace(host=b"127.0.0.1", port=str(port).encode()))
    assert not base_answers(SimpleNamespace(host=b"/nowhere", port=b"5432"))


def test_server_that_hangs_costs_a_bounded_wait(monkeypatch):
    try:
        with monkeypatch.context() as patch:
            patch.setitem(connection.settings_dict, "TIMEOUTS", {"statement_timeout": 1})
            patch.setattr(base, "MARGIN", 0)
            connection.close()
            hanging = session()
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # as if the server did not come to it
            with pytest.raises(OperationalError, match="does not answer"):
                cursor.execute("SELECT pg_sleep(60)")
        assert not connection.is_usable()
        connection.close_if_unusable_or_obsolete()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [hanging])
    finally:
        connection.close()


@pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"
)  # of Python 3.12 and later, if there are threads
def test_forked_process_has_a_session_of_its_own():
    mine = session()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writer, str(session()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(reader, 20))
    assert theirs != mine
    assert session() == mine
