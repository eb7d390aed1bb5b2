"""Exports: small ones at once, large ones by the worker."""

import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from tempfile import TemporaryFile
from time import monotonic
from typing import IO
from uuid import UUID

from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import Http404, QueryDict
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.file_columns import FileColumn
from artisans.core.queue import enqueue_after_commit
from artisans.core.retention import RULES
from artisans.exports.files import MadeFile, file_write
from artisans.exports.lists import ExportList, find_list
from artisans.exports.mails import ready_mail
from artisans.exports.models import IS_RUNNING, Export, ExportChunk
from artisans.notifications.services import notifications_enqueue

TASK = "exports.make"
AT_ONCE = 20_000  # rows that are sent while a browser waits
MOST_RUNNING = 3  # files that one person waits for
CHUNK = 1024 * 1024  # bytes of a file in a row
LEASE = timedelta(minutes=5)  # after which a worker that wrote nothing counts as lost
ALIVE_SECONDS = 10
MAX_TRIES = 3


class TooManyExports(Exception):
    """The person waits for as many files as one may."""


class ClaimLost(Exception):
    """Another worker makes the file."""


# ---- at once ---------------------------------------------------------------------------------------------------


def export_send(
    *, owner: User, found: ExportList, columns: Sequence[FileColumn], file_format: str, query: str
) -> tuple[Export, IO[bytes]]:
    """The whole file, open at its start, before anything is sent: an error on the way sends no part of one."""
    file = TemporaryFile()  # noqa: SIM115  # the response closes it
    made = file_write(file, found=found, columns=columns, file_format=file_format)
    with transaction.atomic():
        export = Export.objects.create(
            owner=owner,
            list_name=found.name,
            query=query,
            chosen=[column.name for column in columns],
            file_format=file_format,
            finished_at=timezone.now(),
            **made._asdict(),
        )
        export_audit(export)
    return export, file


def export_audit(export: Export) -> None:
    audit_record(
        actor=export.owner,
        action=Action.LIST_EXPORT,
        target=export,
        data={
            "list": export.list_name,
            "filters": export.query,
            "columns": export.chosen,
            "format": export.file_format,
            "rows": export.rows,
            "sha256": export.sha256,
        },
    )


# ---- by the worker ---------------------------------------------------------------------------------------------


@transaction.atomic
def export_request(
    *, owner: User, found: ExportList, columns: Sequence[FileColumn], file_format: str, query: str
) -> Export:
    """Have the worker make the file; asked for twice, it is made once. Errors: TooManyExports."""
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # so that two requests do not pass the limit
    asked = {
        "list_name": found.name,
        "query": query,
        "chosen": [column.name for column in columns],
        "file_format": file_format,
    }
    running = list(Export.objects.filter(IS_RUNNING, owner=owner))
    for export in running:
        if all(getattr(export, name) == value for name, value in asked.items()):
            return export
    if len(running) >= MOST_RUNNING:
        raise TooManyExports
    export = Export.objects.create(owner=owner, is_stored=True, **asked)
    enqueue_after_commit(TASK, export.pk)
    return export


def exports_due() -> list[UUID]:
    """Those that no worker is making."""
    is_free = Q(alive_at__isnull=True) | Q(alive_at__lt=timezone.now() - LEASE)
    return list(
        Export.objects.filter(IS_RUNNING & is_free).order_by("created_at").values_list("pk", flat=True)
    )


def export_make(export_id: UUID) -> None:
    """Make the file and store it whole; a run that was interrupted is repeated from the start."""
    export = export_claim(export_id)
    if export is None:
        return
    try:
        found = find_list(export.list_name, export.owner, QueryDict(export.query))
        with TemporaryFile() as file:
            made = file_write(
                file,
                found=found,
                columns=found.chosen(export.chosen),
                file_format=export.file_format,
                progress=KeepAlive(export),
            )
            export_store(export, made, file)
    except (PermissionDenied, Http404):
        export_fail(export.pk)
    except ClaimLost:
        return
    except Exception:
        Export.objects.filter(IS_RUNNING, pk=export.pk, tries=export.tries).update(alive_at=None)
        raise


@transaction.atomic
def export_claim(export_id: UUID) -> Export | None:
    """None if it is finished, or another worker makes it."""
    export = (
        Export.objects.select_related("owner").select_for_update(of=("self",), no_key=True).get(pk=export_id)
    )
    now = timezone.now()
    if not export.is_running or (export.alive_at and export.alive_at > now - LEASE):
        return None
    if export.tries >= MAX_TRIES:
        export.failed_at = now
        export.save(update_fields=["failed_at", "updated_at"])
        return None
    export.tries, export.alive_at = export.tries + 1, now
    export.save(update_fields=["tries", "alive_at", "updated_at"])
    return export


class KeepAlive:
    """Records the progress now and then. Errors: ClaimLost."""

    def __init__(self, export: Export) -> None:
        self.rows = Export.objects.filter(IS_RUNNING, pk=export.pk, tries=export.tries)
        self.next = 0.0

    def __call__(self, rows: int) -> None:
        if monotonic() < self.next:
            return
        self.next = monotonic() + ALIVE_SECONDS
        if not self.rows.update(alive_at=timezone.now(), rows=rows):
            raise ClaimLost


@transaction.atomic
def export_store(claimed: Export, made: MadeFile, file: IO[bytes]) -> None:
    """Errors: ClaimLost."""
    export = Export.objects.select_for_update(no_key=True).get(pk=claimed.pk)
    if not export.is_running or export.tries != claimed.tries:
        raise ClaimLost
    for position, content in enumerate(iter(partial(file.read, CHUNK), b"")):
        ExportChunk.objects.create(export=export, position=position, content=zlib.compress(content))
    export.rows, export.size, export.sha256, export.as_of = made
    export.finished_at = timezone.now()
    export.save(update_fields=["rows", "size", "sha256", "as_of", "finished_at", "updated_at"])
    export_audit(export)
    if is_address_confirmed(export.owner):
        notifications_enqueue(ready_mail(export, kept_until(export)))


def is_address_confirmed(user: User) -> bool:
    """Staff count as confirmed; the page of the file tells everyone that it is ready."""
    return user.is_staff or EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists()


def export_fail(export_id: UUID) -> None:
    Export.objects.filter(IS_RUNNING, pk=export_id).update(failed_at=timezone.now())


# ---- the stored file -------------------------------------------------------------------------------------------


def kept_for() -> timedelta:
    return RULES["exports"].kept


def kept_until(export: Export) -> datetime:
    return export.created_at + kept_for()


def stored_file(export: Export) -> Iterator[bytes]:
    """A short query for each part, so that a slow reader holds nothing."""
    keys = list(export.chunks.order_by("position").values_list("pk", flat=True))
    for key in keys:
        yield zlib.decompress(ExportChunk.objects.values_list("content", flat=True).get(pk=key))
