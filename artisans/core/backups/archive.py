"""A backup as a folder: the dump of the database, the uploaded files, and a manifest with their checksums.

    alley-20261129T020000Z/
        manifest.json  database.dump (or database.sqlite3)  media.tar

It is written under a hidden name and renamed when it is complete: every folder with this name is a whole backup.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from artisans.core.backups.databases import (
    BackupError,
    check_same_database,
    database_dump,
    dump_name,
    is_empty,
    other_clients,
)
from artisans.core.security.encryption import CannotDecrypt, decrypt, encrypt_with_each_key

FORMAT = 1
MANIFEST, MEDIA = "manifest.json", "media.tar"
NAME = "alley-%Y%m%dT%H%M%SZ"
PROOF = "A backup of the shop"  # encrypted, it shows whether the keys of a backup are set


@dataclass(frozen=True)
class Manifest:
    """`at`: when the dump began. `files`: by name, size in bytes and SHA-256. `proofs`: a known text, encrypted with
    each of the keys."""

    at: str
    version: str
    database: str
    migrations: list[str]
    files: dict[str, tuple[int, str]]
    proofs: list[str]
    format: int = FORMAT

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)


def backup_make(folder: Path, *, keep: int, report: Callable[[str], object] = lambda line: None) -> Path:
    """Make a backup in this folder, then delete all but the newest ones. Returns its path. `report` gets each step.

    Errors: BackupError, OSError such as a full disk; then no backup was added and none deleted.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with only_one(folder):
        at = timezone.now()
        target = next_name(folder, at)
        partial = folder / f".{target.name}.partial"
        partial.mkdir(mode=0o700)
        try:
            report("Dumping the database …")
            database_dump(partial / dump_name(), report=report)
            report("Packing the uploaded files …")
            media_pack(partial / MEDIA)
            report("Writing the checksums …")
            write_manifest(partial, at)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for old in [*backups_in(folder)[: -max(keep, 1)], *folder.glob(".alley-*.partial")]:
            shutil.rmtree(old)
    return target


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Errors: BackupError while another process makes a backup there."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup to {folder} is in progress.") from None
        yield


def next_name(folder: Path, at: datetime) -> Path:
    """Named by the time; a second later than that of another backup of the same second."""
    while (target := folder / at.strftime(NAME)).exists():
        at += timedelta(seconds=1)
    return target


def backups_in(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(path.parent for path in folder.glob(f"alley-*/{MANIFEST}"))


def media_pack(target: Path) -> None:
    """Uploaded files, after the dump: whatever it names exists. Nothing for a storage that is not a folder."""
    if not isinstance(storages["default"], FileSystemStorage):
        return
    root = Path(settings.MEDIA_ROOT)
    if not root.is_dir() and has_uploads():
        raise BackupError(
            f"MEDIA_ROOT ({root}) does not exist, but the database names pictures in it. Set it as for the web server."
        )
    with LiveArchive.open(target, "w", dereference=True) as archive:
        archive.add(root, arcname=".")


def has_uploads() -> bool:
    return any(
        model._default_manager.exclude(**{field.name: ""}).exists()
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.FileField)
    )


class LiveArchive(tarfile.TarFile):
    """Leaves out files that are deleted meanwhile. `dereference`: with what links lead to, such as another disk."""

    def add(self, *args: Any, **kwargs: Any) -> None:
        with suppress(FileNotFoundError):
            super().add(*args, **kwargs)  # which calls this method for each file of a folder


def write_manifest(folder: Path, at: datetime) -> None:
    files = {path.name: (path.stat().st_size, digest_of(path)) for path in sorted(folder.iterdir())}
    version = ".".join(map(str, connection.get_database_version()))
    manifest = Manifest(
        at=at.isoformat(),
        version=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        database=f"{connection.vendor} {version}",
        migrations=sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations()),
        files=files,
        proofs=encrypt_with_each_key(PROOF),
    )
    path = folder / MANIFEST
    path.write_text(json.dumps(asdict(manifest), indent=1))
    for written in folder.iterdir():
        written.chmod(0o600)
        with written.open("rb") as file:
            os.fsync(file.fileno())


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- restoring -------------------------------------------------------------------------------------------------


def backup_verify(folder: Path) -> Manifest:
    """Read the manifest and compare all files with it. Errors: BackupError."""
    manifest = read_manifest(folder)
    for name, (size, digest) in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or digest_of(path) != digest:
            raise BackupError(
                f"{path} is missing or damaged: it differs from its checksum. Use another copy."
            )
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Errors: BackupError, also for a file that `write_manifest` did not write."""
    try:
        values: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        if values["format"] != FORMAT:
            raise BackupError(
                "The backup was made by a newer version of the shop; restore it with that version."
            )
        manifest = Manifest(**values)
        _ = manifest.time, [(int(size), str(digest)) for size, digest in manifest.files.values()]
    except OSError as error:
        raise BackupError(f"{folder} is not a backup: {error}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BackupError(f"{folder / MANIFEST} is damaged. Use another copy.") from None
    if not any(name.startswith("database.") for name in manifest.files):
        raise BackupError(f"{folder / MANIFEST} is damaged: it names no database. Use another copy.")
    return manifest


def check_restorable(manifest: Manifest, *, may_lack_keys: bool) -> None:
    """Whether this version can read the backup. Errors: BackupError."""
    vendor = manifest.database.partition(" ")[0]
    if vendor != connection.vendor:
        raise BackupError(f"The backup is one of {vendor}, but DATABASE_URL leads to {connection.vendor}.")
    known = {".".join(key) for key in MigrationLoader(None, ignore_no_migrations=True).disk_migrations or ()}
    if set(manifest.migrations) - known:
        raise BackupError(
            f"The backup was made by version {manifest.version} of the shop, which is newer than this one "
            f"({settings.SPECTACULAR_SETTINGS['VERSION']}). Install that version first."
        )
    if not may_lack_keys and not all(map(can_decrypt, manifest.proofs)):
        raise BackupError(
            "ENCRYPTION_KEYS lacks a key of this backup, without which bank accounts, saved cards and second factors "
            "in it cannot be read. Add the keys that the shop had when the backup was made, after the present ones. "
            "If a key is lost, or `manage.py reencrypt` had succeeded before the backup, repeat the command with "
            "--without-keys."
        )


def can_decrypt(text: str) -> bool:
    try:
        decrypt(text)
    except CannotDecrypt:
        return False
    return True


def check_database(*, is_replacing: bool, jobs: int) -> None:
    """Whether the database can be replaced. Errors: BackupError."""
    if not is_empty() and jobs > 1:
        raise BackupError(
            "--jobs works only with an empty database. Set DATABASE_URL to a new one, or leave --jobs out."
        )
    if not is_empty() and not is_replacing:
        raise BackupError(
            "The database is not empty. Set DATABASE_URL to a new, empty one, or repeat the command with --replace, "
            "which deletes everything in it."
        )
    if others := other_clients():
        raise BackupError(
            f"The database has other connections ({others}). Stop the web servers, workers and beat, and close other "
            "clients."
        )
    check_same_database()


def media_restore(folder: Path) -> None:
    """Add the uploaded files, if the backup has any. Errors: OSError, tarfile.TarError.

    `extractall` checks names only since Python 3.11.4, and Debian 12 has an older one.
    """
    if not (folder / MEDIA).exists():
        return
    root = Path(settings.MEDIA_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / MEDIA) as archive:
        for member in archive:
            target = root / member.name
            if ".." in Path(member.name).parts or not target.is_relative_to(root):
                raise tarfile.ExtractError(f"{member.name} leads out of {root}")
            if member.isdir():
                target.mkdir(exist_ok=True)
            elif member.isfile() and (source := archive.extractfile(member)):
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                os.utime(target, (member.mtime, member.mtime))
