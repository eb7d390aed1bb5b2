"""Detects databases that this release cannot migrate, before anything in them is changed.

Migrations were rewritten for release 0.1.0 and are additive since. A database is refused if it is older than that
release, or if it has unknown migrations of ours while some of this code's are not applied (another line of
development). A newer database, as after a rollback, is accepted and left as it is.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

REFUSAL = (
    "This database was made by an earlier version of the shop "  # not for translation
    "that cannot be upgraded; nothing was changed."
)
REMEDY = (
    "If it is a demo, delete it with `make clean` and start again. "  # not for translation
    "Otherwise set DATABASE_URL to an empty database, or go back to the version that made this one."
)

NEWER = (
    "A newer version of the shop migrated this database: "  # not for translation
    "its tables and triggers were left as they are."
)
Name = tuple[str, str]  # app and migration


def unapplied_migrations(connection: BaseDatabaseWrapper) -> list[str]:
    """Such as "orders.0002_notes". Errors: those of the database."""
    if MigrationRecorder(connection).applied_migrations().keys() >= {*known_migrations()}:
        return []
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _is_backwards in plan]


def own_migrations(connection: BaseDatabaseWrapper) -> tuple[set[Name], set[Name]]:
    """Those of our apps that are applied but unknown to this code, and those that are known but not applied."""
    own = {config.label for config in apps.get_app_configs() if "site-packages" not in config.path}
    applied = {name for name in MigrationRecorder(connection).applied_migrations() if name[0] in own}
    known = {name for name in known_migrations() if name[0] in own}
    return applied - known, known - applied


def known_migrations() -> Iterator[Name]:
    """Those of all apps, by the names of their files: probes and checks ask often, and reading the files takes long."""
    for config in apps.get_app_configs():
        module, _is_set = MigrationLoader.migrations_module(config.label)
        if module and (package := find_spec(module)):
            for _finder, name, is_package in iter_modules(package.submodule_search_locations):
                if not is_package and name[0] not in "_~":  # as Django does
                    yield config.label, name


def cannot_be_migrated(connection: BaseDatabaseWrapper) -> bool:
    """Whether the applied migrations do not lead to this code. Errors: those of the database."""
    unknown, unapplied = own_migrations(connection)
    return bool(unknown & settings.REPLACED_MIGRATIONS) or bool(unknown and unapplied)


def is_newer(connection: BaseDatabaseWrapper) -> bool:
    """Whether a later release migrated the database. Errors: those of the database."""
    unknown, unapplied = own_migrations(connection)
    return bool(unknown) and not unapplied


def is_current(connection: BaseDatabaseWrapper) -> bool:
    """Whether all migrations of this release are applied, and no later ones. Errors: those of the database."""
    unknown, unapplied = own_migrations(connection)
    return not unknown and not unapplied


def check_history(app_configs: Any, databases: Iterable[str] | None, **kwargs: Any) -> list[CheckMessage]:
    """Run by `migrate` before it starts, and by `check --database default`."""
    try:
        refused = any(cannot_be_migrated(connections[alias]) for alias in databases or ())
    except DatabaseError:  # reported by whatever needs the database
        return []
    return [Error(REFUSAL, hint=REMEDY, id="alley.E020")] if refused else []
