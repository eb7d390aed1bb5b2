"""Back up the database and the uploaded files."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from artisans.core.backups.archive import backup_make
from artisans.core.backups.databases import BackupError
from artisans.core.heartbeats import BACKUP, heartbeat_record


class Command(BaseCommand):
    help = (
        "Back up the database and the uploaded files to a folder (docs/backup.md). The keys are not in it. Exits with "
        "1 if that failed; then no earlier backup was deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to", type=Path, help="Folder for the backups; default: BACKUP_DIR. A backup is a folder in it."
        )
        parser.add_argument(
            "--keep",
            type=int,
            help="How many backups to keep there; default: BACKUP_KEEP. Older ones are deleted.",
        )
        parser.add_argument(
            "--record-only",
            action="store_true",
            help="Only record that another tool has made a backup now, for doctor and /metrics.",
        )

    def handle(
        self, *args: Any, to: Path | None, keep: int | None, record_only: bool, **options: Any
    ) -> None:
        if not record_only:
            folder = to or (Path(settings.BACKUP_DIR) if settings.BACKUP_DIR else None)
            if folder is None:
                raise CommandError("Set BACKUP_DIR, or name a folder with --to.")
            try:
                made = backup_make(
                    folder,
                    keep=settings.BACKUP_KEEP if keep is None else keep,
                    report=lambda line: self.stderr.write(line, str),  # an error would be red
                )
            except (BackupError, OSError) as error:
                raise CommandError(str(error)) from None
            size = sum(path.stat().st_size for path in made.iterdir())
            self.stdout.write(f"{made}: {size:,} bytes")
        heartbeat_record(BACKUP)
