"""Uploaded files on storage that understands S3, so that several web servers share them (docs/media.md).

Imported only once MEDIA_S3_BUCKET is set. Addresses of public files are put together here, without a request.
"""

import logging
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.utils.encoding import filepath_to_uri
from django.utils.translation import gettext as _
from storages.backends.s3 import S3Storage

from artisans.core.errors import ServiceUnavailable

if TYPE_CHECKING:
    from django.core.files.base import File

logger = logging.getLogger(__name__)

CONNECT_SECONDS, READ_SECONDS = 2, 5
LIFETIME = 24 * 3600  # seconds for which browsers keep a file; its name is never used again for another one


class MediaUnavailable(ServiceUnavailable):
    """The storage of uploaded files does not respond, or refuses."""


class S3Media(S3Storage):
    """`base_url`: where browsers load public files from; "" signs addresses instead. `path_style`: the bucket is part
    of the path, not of the host. A request that fails is not repeated: people wait for it."""

    def __init__(self, *, base_url: str, path_style: bool, **options: Any) -> None:
        self.base_url = base_url
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1},
            signature_version="s3v4",
            s3={"addressing_style": "path" if path_style else "virtual"},
            # other services than Amazon's refuse the newer checksums
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        super().__init__(
            client_config=config,
            transfer_config=TransferConfig(use_threads=False),
            file_overwrite=False,
            **options,
        )

    def url(self, name: str, *args: Any, **options: Any) -> str:
        if self.base_url:
            return f"{self.base_url}{filepath_to_uri(name)}"
        return str(super().url(name, *args, **options))

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        kind, _encoding = mimetypes.guess_type(
            name, strict=False
        )  # WebP is in the other list before Python 3.13
        parameters = {"CacheControl": f"max-age={LIFETIME}"}
        return parameters | ({"ContentType": kind} if kind else {})

    def _save(self, name: str, content: Any) -> str:
        with answers_in_time("save"):
            return str(super()._save(name, content))

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        with answers_in_time("open"):
            return super()._open(name, mode)  # type: ignore[no-any-return]  # the package has no types

    def exists(self, name: str) -> bool:
        with answers_in_time("exists"):
            return bool(super().exists(name))

    def delete(self, name: str) -> None:
        with answers_in_time("delete"):
            super().delete(name)


@contextmanager
def answers_in_time(operation: str) -> Iterator[None]:
    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        logger.warning("media_unavailable", extra={"operation": operation, "error": type(error).__name__})
        raise MediaUnavailable(
            _("The storage of pictures does not respond. Nothing was saved; try again in a moment.")
        ) from error
