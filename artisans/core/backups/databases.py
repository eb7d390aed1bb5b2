"""Dumps of the database with PostgreSQL's own programs, or by SQLite itself."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

INSTALLED = Path("/usr/lib/postgresql")  # of Debian and Ubuntu
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# Of a server that was copied with everything in it, the time of its start differs.
IDENTITY = "SELECT current_database() || ' ' || extract(epoch FROM pg_postmaster_start_time())::text"
PROGRESS_SECONDS = 5
PG_RESTORE = ("--no-owner", "--no-privileges", "--no-comments", "--exit-on-error")


class BackupError(Exception):
    """A backup cannot be made or restored. Nothing was changed, except by a restore over several connections."""


def dump_name() -> str:
    return "database.dump" if connection.vendor == "postgresql" else "database.sqlite3"


def database_dump(target: Path, *, report: Callable[[str], object] = lambda line: None) -> None:
    """Write the database, as it is at one moment, to a new file. `report` gets its size from time to time.

    Errors: BackupError.
    """

    def report_size() -> None:
        size = target.stat().st_size if target.exists() else 0
        report(f"… {size:,} bytes")

    if connection.vendor == "postgresql":
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
        run_program("pg_dump", *options, while_running=report_size)
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(target)])


def database_restore(source: Path, *, jobs: int = 1) -> None:
    """Replace everything in the database by a dump, in one transaction. `jobs`: connections of PostgreSQL; more than
    one need an empty database, and a restore that fails leaves some tables behind. Errors: BackupError."""
    if connection.vendor != "postgresql":
        connection.close()
        with sqlite3.connect(source) as dump, sqlite3.connect(connection.settings_dict["NAME"]) as database:
            dump.backup(database)
    elif jobs > 1:
        connection.close()
        name = connection_settings()["NAME"]
        run_program("pg_restore", *PG_RESTORE, f"--dbname={name}", f"--jobs={jobs}", str(source))
    else:
        clearing = "" if is_empty() else clearing_statements()
        connection.close()
        restore_in_one_transaction(source, after=clearing)


def clearing_statements() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        [schema] = cursor.fetchone()
    return f"DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema};"


def is_empty() -> bool:
    return not connection.introspection.table_names()


def other_clients() -> int:
    """How many other connections to the database there are; 0 on SQLite, which cannot tell."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        return int(cursor.fetchone()[0])


def check_same_database() -> None:
    """Errors: BackupError if BACKUP_DATABASE_URL leads to another database than DATABASE_URL."""
    if connection.vendor != "postgresql" or not settings.BACKUP_DATABASE:
        return
    with connection.cursor() as cursor:
        cursor.execute(IDENTITY)
        [here] = cursor.fetchone()
    there = run_program("psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--command={IDENTITY}").strip()
    if here != there:
        raise BackupError(
            "BACKUP_DATABASE_URL leads to another database than DATABASE_URL. Set both to the one to restore into."
        )


# ---- PostgreSQL's programs -----------------------------------------------------------------------------------


def connection_settings() -> dict[str, Any]:
    """Those of the server itself: a pooler would mix sessions."""
    return settings.BACKUP_DATABASE or connection.settings_dict


def run_program(name: str, *arguments: str, while_running: Callable[[], object] = lambda: None) -> str:
    """Returns its output. `while_running` is called every few seconds. Errors: BackupError with what it says."""
    with subprocess.Popen(  # noqa: S603  # PostgreSQL's own program
        [find_program(name), *arguments],
        env=program_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        while True:
            try:
                output, errors = program.communicate(timeout=PROGRESS_SECONDS)
                break
            except subprocess.TimeoutExpired:
                while_running()
            except BaseException:
                program.kill()
                raise
    if program.returncode:
        raise BackupError(f"{name}: {errors.strip()[-1000:]}")
    return output


def restore_in_one_transaction(source: Path, *, after: str) -> None:
    """Read a dump `after` these statements. Errors: BackupError; nothing was changed.

    psql gets COMMIT only when pg_restore has written the whole dump: it rolls back if its input ends before.
    """
    reader = [find_program("pg_restore"), *PG_RESTORE, "--file=-", str(source)]
    writer = [find_program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    is_complete = False
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        with (
            subprocess.Popen(  # noqa: S603  # PostgreSQL's own program
                writer,
                env=program_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                bufsize=0,
            ) as psql,
            suppress(BrokenPipeError),  # psql has ended with an error
        ):
            statements = cast("IO[bytes]", psql.stdin)
            statements.write(f"BEGIN; {after}\n".encode())
            read = subprocess.run(reader, stdout=statements, stderr=errors, check=False)  # noqa: S603  # PostgreSQL's own program
            if not read.returncode:
                statements.write(b"COMMIT;\n")
                is_complete = True
        if psql.returncode or not is_complete:
            errors.seek(0)
            raise BackupError(f"Nothing was changed. {errors.read().strip()[-1000:]}")


def program_environment() -> dict[str, str]:
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
    return os.environ | {key: value for key, value in environment.items() if value} | secrets


def ssl_options(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.get("OPTIONS", {}).items() if name.startswith("ssl")}


def find_program(name: str) -> str:
    """The one on the path, or the newest that is installed. Errors: BackupError."""
    versions = sorted(INSTALLED.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3].partition(".")[0]))
    found = shutil.which(name) or next(map(str, reversed(versions)), "")
    if not found:
        raise BackupError(f"{name} is missing. On Debian and Ubuntu: apt install postgresql-client.")
    return found
