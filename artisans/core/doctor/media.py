"""The check of the storage of uploaded files: a bucket, or a folder of this host."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.core.errors import ServiceUnavailable


def check_media() -> Iterator[Result]:
    if settings.MEDIA_S3_BUCKET:
        yield from check_bucket()
        return
    folder = Path(settings.MEDIA_ROOT)
    if folder.is_dir():  # before the first upload, and on hosts of workers, there may be none
        is_writable = os.access(folder, os.W_OK | os.X_OK)
        yield Result(
            _("Folder of pictures"),
            state_if(problem=not is_writable),
            str(folder) if is_writable else _("%(folder)s is not writable") % {"folder": folder},
            "",
            _(
                "Give it to the user of the web server, and see whether its disk was mounted again as read-only. Until "
                "then, staff cannot add pictures."
            ),
        )


def check_bucket() -> Iterator[Result]:
    problem = ""
    try:
        default_storage.exists("doctor")
    except ServiceUnavailable as error:
        problem = str(error.__cause__)
    yield Result(
        _("Storage of pictures"),
        state_if(problem=problem),
        problem or _("responds"),
        "",
        _(
            "Compare the variables MEDIA_S3_… with the bucket, and let the key list, read, write and delete its files. "
            "Until then, staff cannot add pictures."
        ),
    )
