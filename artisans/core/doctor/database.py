"""Checks of the database: version, time zone, clock, migrations, triggers and indexes."""

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.append_only import missing_triggers, needed_triggers
from artisans.core.doctor.registry import Result, State, state_if
from artisans.core.migration_history import cannot_be_migrated, is_newer, unapplied_migrations

CLOCK_WARNING, CLOCK_PROBLEM = timedelta(seconds=5), timedelta(seconds=60)
CONNECTIONS_WARNING, CONNECTIONS_PROBLEM = 80, 95  # percent
MOST_NAMED = 5


def check_database() -> Iterator[Result]:
    """Django refuses versions that it does not support, when it connects."""
    version = ".".join(map(str, connection.get_database_version()))
    oldest = ".".join(map(str, connection.features.minimum_database_version or ()))
    yield Result(
        _("Database"),
        State.OK,
        f"{connection.display_name} {version}",
        _("%(version)s or newer") % {"version": oldest},
    )
    yield check_time_zone()


def check_time_zone() -> Result:
    """Days and months are counted by the database in the shop's time zone, so it has to know it."""
    name = settings.TIME_ZONE
    is_known = (
        connection.vendor != "postgresql"
        or read_value("SELECT count(*) FROM pg_timezone_names WHERE name = %s", name) > 0
    )
    return Result(
        _("Time zone"),
        state_if(problem=not is_known),
        name if is_known else _("%(name)s is unknown to the database") % {"name": name},
        "",
        _("Set TIME_ZONE to a name that PostgreSQL knows, such as Europe/Berlin."),
    )


def check_connections() -> Iterator[Result]:
    """Of the whole server. Idle ones count: each process keeps some."""
    if connection.vendor != "postgresql":
        return
    used = read_value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    most = read_value("SELECT setting::int FROM pg_settings WHERE name = 'max_connections'")
    percent = used * 100 // most
    yield Result(
        _("Database connections"),
        state_if(
            problem=percent >= CONNECTIONS_PROBLEM,
            warning=percent >= CONNECTIONS_WARNING,
        ),
        _("%(used)s of %(most)s in use") % {"used": used, "most": most},
        _("less than %(percent)s%%") % {"percent": CONNECTIONS_WARNING},
        _(
            "Raise max_connections of PostgreSQL, put PgBouncer in front of it, or start fewer processes and threads."
        ),
    )


def check_migrations() -> Iterator[Result]:
    remedy = _("Run `manage.py migrate`.")
    unapplied = unapplied_migrations(connection)
    value = _("not applied: %(names)s") % {"names": shorten(unapplied)} if unapplied else _("all applied")
    if cannot_be_migrated(connection):
        value = _("they belong to another version of the shop")
        remedy = _("Run the version that made this database, or restore a backup of this version.")
    yield Result(_("Migrations"), state_if(problem=unapplied), value, "", remedy)


def check_triggers() -> Iterator[Result]:
    missing, needed = missing_triggers(connection), needed_triggers(connection)
    newer = is_newer(connection)
    value = _("%(count)s present") % {"count": len(needed)}
    if missing:
        value = _("missing or disabled: %(names)s") % {"names": shorten(sorted(missing))}
    remedy = _(
        "Financial records can be changed without them. Run `manage.py migrate`, which creates them again, and "
        "find out who removed them."
    )
    if newer:
        remedy = _(
            "A newer version of the shop migrated this database, and its triggers can have other names: run "
            "`manage.py doctor` of that version."
        )
    yield Result(
        _("Triggers that protect records"),
        state_if(problem=missing and not newer, warning=missing),
        value,
        "",
        remedy,
    )


INVALID_INDEXES = """
SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
AND indexrelid NOT IN (SELECT index_relid FROM pg_stat_progress_create_index)
ORDER BY 1
"""


def check_indexes() -> Iterator[Result]:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(INVALID_INDEXES)
        invalid = [name for (name,) in cursor.fetchall()]
    yield Result(
        _("Indexes"),
        state_if(warning=invalid),
        _("invalid: %(names)s") % {"names": shorten(invalid)} if invalid else _("all valid"),
        "",
        _(
            "A migration was interrupted. Run `manage.py migrate` again; for those that remain, run "
            "REINDEX INDEX CONCURRENTLY."
        ),
    )


def check_clock() -> Iterator[Result]:
    """SQLite has the clock of this host."""
    if connection.vendor != "postgresql":
        return
    before = timezone.now()
    theirs = read_value("SELECT clock_timestamp()")
    yield clock_result(
        _("Clock compared with the database"), theirs, before, precision=timezone.now() - before
    )


def clock_result(name: str, theirs: datetime, before: datetime, *, precision: timedelta) -> Result:
    """`before`: our time when the request was sent; `precision`: how long it took, within which both may differ."""
    ahead = before - theirs
    off = max(timedelta(), abs(ahead + precision / 2) - precision / 2)
    return Result(
        name,
        state_if(problem=off > CLOCK_PROBLEM, warning=off > CLOCK_WARNING),
        _("%(seconds)s seconds apart") % {"seconds": int(off.total_seconds())},
        _("at most %(seconds)s seconds") % {"seconds": CLOCK_WARNING.seconds},
        _(
            "Webhooks, codes of two-factor authentication and payment deadlines depend on the time. Synchronize the "
            "clocks of all hosts: install chrony, or run `timedatectl set-ntp true`."
        ),
        socket.gethostname(),
    )


def read_value(statement: str, *parameters: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]


def shorten(names: list[str]) -> str:
    more = ["…"] if len(names) > MOST_NAMED else []
    return ", ".join(names[:MOST_NAMED] + more)
