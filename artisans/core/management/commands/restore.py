"""Restore a backup."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from artisans.core.backups.archive import (
    backup_restore,
    backup_verify,
    check_restorable,
)
from artisans.core.backups.databases import BackupError
from artisans.core.heartbeats import restore_record

NEXT = """
Restored as of {time:%Y-%m-%d %H:%M} UTC. Everybody has to sign in again. What happened since then is missing here, but
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
            help="Connections that read the dump at once (PostgreSQL); default: 1.",
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
        **options: Any,
    ) -> None:
        if (backup is None) == (record is None):
            raise CommandError("Name the folder of a backup, or use --record.")
        time = record
        if backup is not None:
            try:
                manifest = backup_verify(backup)
                if verify:
                    self.stdout.write(f"{backup} is complete: {manifest.version}, {manifest.database}.")
                    return
                check_restorable(manifest, is_replacing=replace)
                backup_restore(backup, manifest, jobs=jobs, with_media=not no_media)
            except BackupError as error:
                raise CommandError(str(error)) from None
            time = manifest.time
        self.finish(time or timezone.now())

    def finish(self, time: datetime) -> None:
        """`time`: of the data that was restored."""
        connection.close()
        call_command("migrate", interactive=False, verbosity=0)
        Session.objects.all().delete()  # some may have been ended since, after a stolen password
        restore_record(time)
        utc = time.astimezone(UTC)
        self.stdout.write(NEXT.format(time=utc, since=utc - timedelta(days=1)))


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time; use 2026-11-29T13:59+00:00.") from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found
