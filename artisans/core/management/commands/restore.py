"""Restore a backup."""

from argparse import ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tarfile import TarError
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from artisans.core.backups.archive import (
    MEDIA,
    backup_verify,
    check_database,
    check_restorable,
    media_restore,
)
from artisans.core.backups.databases import BackupError, database_restore, dump_name
from artisans.core.heartbeats import restore_record
from artisans.core.invariants import INVARIANTS, check_and_store

MOST_VIOLATIONS = 20  # that are listed
NEXT = """
Restored as of {time:%Y-%m-%d %H:%M} UTC. Everyone has to sign in again. What happened since then is missing here, but
not at the payment providers. Before you start the shop:

    manage.py doctor
    manage.py reconcile --since {since:%Y-%m-%dT%H:%M}+00:00

docs/backup.md says what to do about each difference that it lists."""


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database, and the uploaded files (docs/backup.md). Stop the shop first. Exits "
        "with 1 if that failed."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "backup", type=Path, nargs="?", help="Its folder, such as …/alley-20261129T020000Z."
        )
        parser.add_argument(
            "--record",
            type=moment,
            metavar="TIME",
            help="Restore nothing, because another tool has restored the database as of this time, such as "
            "2026-11-29T13:59+00:00.",
        )
        parser.add_argument(
            "--replace", action="store_true", help="Delete everything that is in the database now."
        )
        parser.add_argument("--no-media", action="store_true", help="Leave the uploaded files as they are.")
        parser.add_argument(
            "--jobs",
            type=int,
            default=1,
            help="Connections that read the dump at once, into an empty database of PostgreSQL; default: 1.",
        )
        parser.add_argument(
            "--without-keys",
            action="store_true",
            help="Restore although ENCRYPTION_KEYS lacks a key of the backup. What it encrypted cannot be read.",
        )
        parser.add_argument(
            "--no-check",
            action="store_true",
            help="Do not run `manage.py check_invariants` at the end, which reads all orders.",
        )
        parser.add_argument(
            "--verify", action="store_true", help="Only compare the backup with its checksums."
        )

    def handle(
        self,
        *args: Any,
        backup: Path | None,
        record: datetime | None,
        replace: bool,
        no_media: bool,
        jobs: int,
        verify: bool,
        without_keys: bool,
        no_check: bool,
        **options: Any,
    ) -> None:
        if (backup is None) == (record is None):
            raise CommandError("Name the folder of a backup, or use --record.")
        time = record
        if backup is not None:
            try:
                self.stderr.write("Comparing the backup with its checksums …", str)
                manifest = backup_verify(backup)
                if verify:
                    self.stdout.write(f"{backup} is complete: {manifest.version}, {manifest.database}.")
                    return
                check_restorable(manifest, may_lack_keys=without_keys)
                check_database(is_replacing=replace, jobs=jobs)
                self.stderr.write("Restoring the database …", str)
                database_restore(backup / dump_name(), jobs=jobs)
            except (BackupError, OSError) as error:
                raise CommandError(str(error)) from None
            time = manifest.time
        time = (time or timezone.now()).astimezone(UTC)
        self.stderr.write("Bringing the tables up to date …", str)
        problems = list(problems_after(time))
        if backup and not no_media:
            self.stderr.write("Restoring the uploaded files …", str)
            problems += media_problems(backup)
        if not problems and not no_check:
            problems = list(self.violations())
        self.stdout.write(NEXT.format(time=time, since=time - timedelta(days=1)))
        if problems:
            raise CommandError("\n".join(problems))

    def violations(self) -> Iterator[str]:
        """What is not true of the restored rows, although it always is."""
        self.stderr.write(
            "Checking orders, stock, payments and the ledger (manage.py check_invariants) …", str
        )
        found = 0
        for found, violation in enumerate(check_and_store(INVARIANTS.values()), start=1):
            if found <= MOST_VIOLATIONS:
                yield f"{violation} {violation.remedy}"
        if found:
            violations = "1 violation" if found == 1 else f"{found} violations"
            yield (
                f"The database is restored, but {violations} of what is always true {'was' if found == 1 else 'were'} "
                "found in it. If that was so in the shop too, see docs/runbook.md#invariantviolated; otherwise restore "
                "an earlier backup."
            )


def problems_after(time: datetime) -> Iterator[str]:
    """End sessions, bring the tables up to date and record the restore. `time`: of the data that was restored."""
    connection.close()
    try:
        Session.objects.all().delete()  # some may have been ended since, after a stolen password
        call_command("migrate", interactive=False, verbosity=0)
        restore_record(time)
    except (CommandError, DatabaseError) as error:
        yield (
            f"The database is restored, but its tables were not brought up to date: {error}. Once that is solved: "
            f"manage.py restore --record {time.isoformat()}"
        )


def media_problems(backup: Path) -> Iterator[str]:
    try:
        media_restore(backup)
    except (OSError, TarError) as error:
        yield (
            f"The database is restored, but not all uploaded files: {error}. Once that is solved: "
            f"tar --extract --file={backup / MEDIA} --directory={settings.MEDIA_ROOT}"
        )


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time; use 2026-11-29T13:59+00:00.") from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found
