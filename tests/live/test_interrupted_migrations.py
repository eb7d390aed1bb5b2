"""`migrate` is killed while it builds an index and while it changes rows, and waits for no lock for long; run again, it
ends as if nothing had happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.live.conftest import database_url
from tests.live.runner import Process, environment, wait_for

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "transactional_db")]
ROWS = 6


@pytest.fixture
def table() -> Iterator[None]:
    run("CREATE TABLE interrupted_row (id integer PRIMARY KEY, changed integer NOT NULL DEFAULT 0)")
    run(f"INSERT INTO interrupted_row SELECT generate_series(1, {ROWS})")
    yield
    run("DROP TABLE interrupted_row")
    run("DELETE FROM django_migrations WHERE app = 'interrupted'")


@pytest.fixture
def migrate(tmp_path) -> Iterator[Process]:
    env = environment() | {"DATABASE_URL": database_url()}
    env["DJANGO_SETTINGS_MODULE"] = "tests.live.interrupted.settings"
    command = "python manage.py migrate interrupted --skip-checks"
    process = Process(command, env, tmp_path / "migrate.log", lambda _: "")
    yield process
    process.kill()


def run(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def table_in_use(sql: str) -> Iterator[None]:
    """By a transaction of someone else that does not end."""
    with psycopg.connect(database_url().replace("postgres:", "postgresql:", 1)) as other:
        other.execute(sql)
        yield


def index_is_valid() -> list[Any]:
    return run("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('interrupted_index')")


def changed_rows() -> int:
    return int(run("SELECT count(*) FROM interrupted_row WHERE changed = 1")[0][0])


def end_its_session() -> None:
    """As if the server had crashed: otherwise it would finish the statement of a client that is gone."""
    run(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query ~ 'interrupted_index' AND pid <> pg_backend_pid()"
    )


def test_migrate_that_was_interrupted_finishes_when_it_is_run_again(table, migrate):
    with table_in_use("UPDATE interrupted_row SET changed = changed"):
        migrate.launch()
        wait_for(lambda: index_is_valid() == [(False,)], detail=migrate.output)
        migrate.kill()
        end_its_session()
    assert index_is_valid() == [(False,)]

    migrate.launch()
    wait_for(lambda: changed_rows() > 1, detail=migrate.output)
    migrate.kill()
    assert index_is_valid() == [(True,)]
    assert changed_rows() < ROWS

    with table_in_use("SELECT FROM interrupted_row"):
        migrate.launch()
        wait_for(lambda: "Trying again" in migrate.output, detail=migrate.output)
        assert run("SELECT sum(changed), count(*) FROM interrupted_row") == [(ROWS, ROWS)]
    assert migrate.wait_gone() == 0, migrate.output
    assert run("SELECT late FROM interrupted_row LIMIT 1") == [(None,)]
