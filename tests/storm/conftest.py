"""The real servers of tests/live, for storms."""

from tests.live.conftest import (
    broker,
    buyers,
    caller,
    clean_database,
    database,
    mail_server,
    postgres_only,
    production,
    sandbox,
    static_files,
    transactional_db,
)

__all__ = [
    "broker",
    "buyers",
    "caller",
    "clean_database",
    "database",
    "mail_server",
    "postgres_only",
    "production",
    "sandbox",
    "static_files",
    "transactional_db",
]
