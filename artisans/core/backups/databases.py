"""Dumps of the database with PostgreSQL's own programs, or by SQLite itself."""

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

INSTALLED = Path("/usr/lib/postgresql")  # of Debian and Ubuntu
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class BackupError(Exception):
    """A backup cannot be made or restored; nothing was changed unless the text says so."""


def dump_name() -> str:
    return "database.dump" if connection.vendor == "postgresql" else "database.sqlite3"


def database_dump(target: Path) -> None:
    """Write the database, as it is at one moment, to a new file. Errors: BackupError."""
    if connection.vendor == "postgresql":
        run_program("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(target)])


def database_restore(source: Path, *, jobs: int = 1) -> None:
    """Read a dump into the empty database. `jobs`: connections of PostgreSQL; with more than one, a restore that fails
    leaves some tables behind. Errors: BackupError."""
    connection.close()
    if connection.vendor == "postgresql":
        how = ["--single-transaction"] if jobs == 1 else [f"--jobs={jobs}"]
        name = connection_settings()["NAME"]
        options = ["--no-owner", "--no-privileges", "--no-comments", "--exit-on-error", f"--dbname={name}"]
        run_program("pg_restore", *options, *how, str(source))
        return
    with sqlite3.connect(source) as dump, sqlite3.connect(connection.settings_dict["NAME"]) as database:
        dump.backup(database)


def is_empty() -> bool:
    return not connection.introspection.table_names()


def other_clients() -> int:
    """How many other connections to the database there are; 0 on SQLite, which cannot tell."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        return int(cursor.fetchone()[0])


def database_clear() -> None:
    """Delete everything in the database."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema())")
            [schema] = cursor.fetchone()
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")
            cursor.execute(f"CREATE SCHEMA {schema}")
        return
    with (
        sqlite3.connect(":memory:") as nothing,
        sqlite3.connect(connection.settings_dict["NAME"]) as database,
    ):
        nothing.backup(database)


# ---- PostgreSQL's programs -----------------------------------------------------------------------------------


def connection_settings() -> dict[str, Any]:
    """Those of the server itself: a pooler would mix sessions."""
    return settings.BACKUP_DATABASE or connection.settings_dict


def run_program(name: str, *arguments: str) -> None:
    """Errors: BackupError with what the program says."""
    chosen = connection_settings()
    environment = {
        "PGHOST": chosen["HOST"],
        "PGPORT": str(chosen["PORT"] or ""),
        "PGUSER": chosen["USER"],
        "PGDATABASE": chosen["NAME"],
        "PGOPTIONS": "-c statement_timeout=0 -c lock_timeout=60s",
    }
    known = {key: chosen[key] for key in ("HOST", "PORT", "USER", "PASSWORD", "NAME")}
    secrets = DatabaseClient.settings_to_cmd_args_env(known | {"OPTIONS": ssl_options(chosen)}, [])[1] or {}
    done = subprocess.run(  # noqa: S603  # PostgreSQL's own program
        [find_program(name), *arguments],
        env=os.environ | {key: value for key, value in environment.items() if value} | secrets,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{name}: {done.stderr.strip()[-1000:]}")


def ssl_options(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.get("OPTIONS", {}).items() if name.startswith("ssl")}


def find_program(name: str) -> str:
    """The one on the path, or the newest that is installed. Errors: BackupError."""
    versions = sorted(INSTALLED.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    found = shutil.which(name) or next(map(str, reversed(versions)), "")
    if not found:
        raise BackupError(f"{name} is missing. On Debian and Ubuntu: apt install postgresql-client.")
    return found
