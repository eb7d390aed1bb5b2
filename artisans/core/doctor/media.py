"""The check of the storage of uploaded files, if that is another server."""

from collections.abc import Iterator

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.core.errors import ServiceUnavailable


def check_media() -> Iterator[Result]:
    if not settings.MEDIA_S3_BUCKET:
        return
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
