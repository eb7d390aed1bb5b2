"""Waiting for other transactions in races on PostgreSQL."""

from django.db import connection

from tests.live.runner import wait_for


def wait_until_blocked_by_us() -> None:
    """Until another transaction waits for a lock of this one."""
    wait_for(is_blocking, detail="no other transaction waits for this one")


def is_blocking() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])
