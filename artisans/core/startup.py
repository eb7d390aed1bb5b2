"""What keeps the shop from working at all is said in one sentence at the start, not by an error on every page."""

import logging
import sys
from pathlib import Path

from celery.signals import worker_init
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from artisans.core.checks import refuse_to_start
from artisans.core.migration_history import unapplied_migrations

logger = logging.getLogger(__name__)

UNCOLLECTED = (
    "Styles and scripts are not collected, or not for this version: "  # not for translation
    "run `manage.py collectstatic --no-input`."
)
UNMIGRATED = (
    "The database is not up to date with this version: run `manage.py migrate`."  # not for translation
)


def exit_unless_usable(*, has_pages: bool) -> None:
    """For processes that Django's system checks do not stop. Errors: SystemExit with one sentence and its remedy.

    `has_pages`: whether the process serves pages, which need the collected static files.
    """
    try:
        refuse_to_start()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    if has_pages and lacks_static_files():
        sys.exit(UNCOLLECTED)
    if lacks_migrations():
        sys.exit(UNMIGRATED)


@worker_init.connect
def exit_unless_worker_is_usable(**_: object) -> None:
    exit_unless_usable(has_pages=False)


def lacks_static_files() -> bool:
    """Whether a name is missing in the manifest of collected files, which makes pages that use it fail."""
    collected: dict[str, str] | None = getattr(staticfiles_storage, "hashed_files", None)
    if collected is None or settings.DEBUG:  # a storage without manifest
        return False
    folders = [Path(folder) for folder in settings.STATICFILES_DIRS]
    names = {
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }
    return not names <= collected.keys()


def lacks_migrations() -> bool:
    """False while the database is unavailable: it may come back, and /health/ready says so until then."""
    try:
        return bool(unapplied_migrations(connection))
    except DatabaseError as error:
        logger.warning("database_unavailable", extra={"error": str(error)})
        return False
    finally:
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]  # its threads would not survive a fork
