"""Portraits of artisans: uploads checked and made anew like pictures of products, while the person waits."""

import secrets
from functools import partial
from threading import BoundedSemaphore
from typing import Any

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.artisan_states import artisan_lock, check_not_closed
from artisans.catalog.models import Artisan
from artisans.catalog.pictures import (
    PORTRAITS,
    EncoderStopped,
    PictureRefused,
    check_size,
    copy_made,
    files_delete,
    upload_check,
)
from artisans.core.errors import ServiceUnavailable
from artisans.core.models import save_columns

WIDEST = 640  # twice the space that pages have for it
SECONDS = 20  # for a copy; the person waits
BUSY_SECONDS = 5  # until an earlier upload is ready
encoding = BoundedSemaphore(1)  # large pictures need much memory


def portrait_set(*, artisan: Artisan, file: "File[Any]", actor: User) -> Artisan:
    """Show a copy of the upload on the artisan's pages: upright, in sRGB and without metadata. The former file is
    deleted. Call it outside of transactions.

    Errors: PictureRefused with the reason; ServiceUnavailable, WorkshopClosed. Locks: artisan.
    """
    check_size(file.size)
    content = file.read()
    upload_check(content)
    name = portrait_store(portrait_copy(content))
    try:
        return portrait_write(artisan, name, actor)
    except Exception:
        files_delete([name])
        raise


def portrait_remove(*, artisan: Artisan, actor: User) -> Artisan:
    """With its file. Errors: WorkshopClosed. Locks: artisan."""
    return portrait_write(artisan, "", actor)


def portrait_copy(content: bytes) -> bytes:
    """A JPEG, at most WIDEST. Errors: PictureRefused, ServiceUnavailable."""
    if not encoding.acquire(timeout=BUSY_SECONDS):
        raise ServiceUnavailable(
            _("Another portrait is being prepared. Nothing was saved; try again in a moment.")
        )
    try:
        copy, refusal = copy_made(content, widest=WIDEST, seconds=SECONDS)
    except EncoderStopped as stopped:
        raise ServiceUnavailable(
            _("The portrait could not be prepared. Nothing was saved; try again in a moment.")
        ) from stopped
    finally:
        encoding.release()
    if refusal:
        raise PictureRefused(str(refusal.label))
    return copy


def portrait_store(copy: bytes) -> str:
    """Its name. Errors: MediaUnavailable; ServiceUnavailable if the disk is full or gone."""
    try:
        return default_storage.save(f"{PORTRAITS}/{secrets.token_hex(16)}-{WIDEST}.jpg", ContentFile(copy))
    except OSError as error:
        raise ServiceUnavailable(
            _("The portrait cannot be stored at the moment. Nothing was saved; try again later.")
        ) from error


@transaction.atomic
def portrait_write(artisan: Artisan, name: str, actor: User) -> Artisan:
    """Errors: WorkshopClosed. Locks: artisan."""
    artisan = artisan_lock(artisan.pk)
    check_not_closed(artisan)
    former = str(artisan.portrait)
    if former == name:
        return artisan
    artisan.portrait = name
    save_columns(artisan, ["portrait"])
    action = Action.PORTRAIT_CHANGE if name else Action.PORTRAIT_REMOVE
    audit_record(actor=actor, action=action, target=artisan)
    if former:
        transaction.on_commit(partial(files_delete, [former]))
    return artisan
