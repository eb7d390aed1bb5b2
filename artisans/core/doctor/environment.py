"""Checks of what is around this process: keys, disks, files of metrics, reverse proxy, cache, broker, certificate."""

import secrets
import shutil
import socket
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, State, state_if
from artisans.core.security.proxy import proxy_problem
from artisans.core.security.reencryption import unreadable_columns

GIB = 1024**3
# Of a disk that are free: both percent and bytes.
SPACE_WARNING, SPACE_PROBLEM = (10, 10 * GIB), (3, 2 * GIB)
CERTIFICATE_WARNING, CERTIFICATE_PROBLEM = 14, 3  # days
MOST_METRIC_FILES = 200
CONNECT_SECONDS = 5


def check_disk_space() -> Iterator[Result]:
    """Each disk once."""
    named: list[str | Path] = [
        settings.MEDIA_ROOT,
        settings.BACKUP_DIR,
        settings.VAR_DIR,
        tempfile.gettempdir(),
    ]
    folders = [Path(folder) for folder in named if folder]
    disks = {folder.stat().st_dev: folder for folder in reversed(folders) if folder.exists()}
    for folder in sorted(disks.values()):
        usage = shutil.disk_usage(folder)
        free = (usage.free * 100 // usage.total, usage.free)
        yield Result(
            _("Disk of %(folder)s") % {"folder": folder},
            state_if(problem=is_below(free, SPACE_PROBLEM), warning=is_below(free, SPACE_WARNING)),
            _("%(percent)s%% free (%(size)s GiB)") % {"percent": free[0], "size": free[1] // GIB},
            _("at least %(percent)s%% or %(size)s GiB")
            % {"percent": SPACE_WARNING[0], "size": SPACE_WARNING[1] // GIB},
            _("Delete what is not needed, such as old logs and backups, or extend the disk."),
            socket.gethostname(),
        )


def is_below(free: tuple[int, int], limit: tuple[int, int]) -> bool:
    return all(value < least for value, least in zip(free, limit, strict=True))


def check_metric_files() -> Iterator[Result]:
    """Of the web server that this process belongs to."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return
    count = len(list(Path(settings.PROMETHEUS_MULTIPROC_DIR).glob("*.db")))
    yield Result(
        _("Files of metrics"),
        state_if(warning=count > MOST_METRIC_FILES),
        str(count),
        _("at most %(count)s") % {"count": MOST_METRIC_FILES},
        _(
            "Web processes end often, and each leaves a file that every scrape reads. Search the log for the reason, "
            "then restart the web server, which removes the files."
        ),
    )


def check_proxy() -> Iterator[Result]:
    problem = proxy_problem()
    yield Result(
        _("Reverse proxy"),
        state_if(warning=problem),
        problem or _("no unknown proxy in the last hour"),
        "",
        _("Set it in the environment of the web server, unless the header comes from a visitor."),
    )


def check_cache() -> Iterator[Result]:
    """That a value is found again; the shop itself works without its cache, and reports no errors of it."""
    key, value = f"core.doctor:{secrets.token_hex(8)}", secrets.token_hex(8)
    cache.set(key, value, CONNECT_SECONDS)
    is_kept = cache.get(key) == value
    cache.delete(key)
    is_shared = "locmem" not in settings.CACHES["default"]["BACKEND"]
    value = _("each process has its own") if is_kept else _("does not respond")
    yield Result(
        _("Cache"),
        state_if(problem=not is_kept, warning=not is_shared and not settings.DEMO),
        _("shared, keeps values") if is_kept and is_shared else value,
        _("shared between all processes"),
        _("Start Redis, and set CACHE_URL=rediscache://host:6379/1. Otherwise rate limits are not enforced."),
    )


def check_broker() -> Iterator[Result]:
    parts = urlsplit(settings.CELERY_BROKER_URL)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # without a password
    with current_app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS)
        connection.default_channel  # noqa: B018  # with Redis only this connects
        yield Result(_("Message broker"), State.OK, _("%(url)s responds") % {"url": address})


def check_certificate() -> Iterator[Result]:
    """As a visitor sees it. Errors: OSError, also for a certificate that is not valid."""
    if not settings.HTTPS:
        return
    address = (settings.SITE_HOST, urlsplit(settings.SITE_URL).port or 443)
    context = ssl.create_default_context()
    with (
        socket.create_connection(address, CONNECT_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=settings.SITE_HOST) as secured,
    ):
        certificate = secured.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (ends - timezone.now()).days
    yield Result(
        _("TLS certificate of %(host)s") % {"host": settings.SITE_HOST},
        state_if(problem=days < CERTIFICATE_PROBLEM, warning=days < CERTIFICATE_WARNING),
        _("valid until %(time)s") % {"time": date_format(timezone.localtime(ends), "DATETIME_FORMAT")},
        _("at least %(days)s days more") % {"days": CERTIFICATE_WARNING},
        _(
            "The proxy should renew it automatically a month before: check its log, and that ports 80 and 443 reach it."
        ),
    )


def check_encryption_keys() -> Iterator[Result]:
    columns = list(unreadable_columns())
    yield Result(
        _("Encryption keys"),
        state_if(problem=columns),
        _("no key decrypts values of %(columns)s") % {"columns": ", ".join(columns)}
        if columns
        else _("decrypt the newest values"),
        "",
        _("Add the key that encrypted them at the end of ENCRYPTION_KEYS, then run `manage.py reencrypt`."),
    )
