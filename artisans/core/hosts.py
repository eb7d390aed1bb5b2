"""What must be shared by all hosts of a shop and is not. Hosts are known by their heartbeats."""

import logging
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from artisans.core.heartbeats import heartbeat_record
from artisans.core.models import Heartbeat

logger = logging.getLogger(__name__)

SEEN_WITHIN = timedelta(minutes=15)
RECORD_SECONDS = 60
SHARED_CACHES = ("RedisCache", "MemcacheCache", "DatabaseCache")
LOOPBACK = {None, "localhost", "127.0.0.1", "::1"}


class Recorded:
    """When this process records its host again."""

    at = 0.0


def hosts_report() -> str:
    """For /health/ready: "ok", or what is not shared."""
    record_web_host()
    return " ".join(host_problems()) or "ok"


def record_web_host() -> None:
    if time.monotonic() < Recorded.at:
        return
    Recorded.at = time.monotonic() + RECORD_SECONDS
    try:
        heartbeat_record(f"web@{socket.gethostname()}")
    except DatabaseError:  # such as a standby's, which is read-only
        logger.warning("heartbeat_failed", exc_info=True)


def hosts() -> dict[str, set[str]]:
    """Hosts that were active lately, and hashes of their keys. This one is always among them."""
    found: dict[str, set[str]] = {socket.gethostname(): set()}
    recent = Heartbeat.objects.filter(name__contains="@", at__gte=timezone.now() - SEEN_WITHIN)
    for name, keys in recent.values_list("name", "keys"):
        found.setdefault(name.partition("@")[2], set()).update({keys} - {""})
    return found


def host_problems() -> Iterator[str]:
    """Sentences; none with only one host."""
    found = hosts()
    if len(found) == 1:
        return
    for setting, value in per_host_settings():
        yield f"The shop runs on {len(found)} hosts, but {setting} ({value}) is not shared by them."
    if len(set.union(*found.values())) > 1:
        yield f"The {len(found)} hosts do not have the same SECRET_KEY and ENCRYPTION_KEYS."


def per_host_settings() -> Iterator[tuple[str, str]]:
    """Settings that name something on this host only, with what they name (never a password)."""
    cache = settings.CACHES["default"]
    kind = cache["BACKEND"].rpartition(".")[2]
    if not kind.endswith(SHARED_CACHES):
        yield "CACHE_URL", kind
    elif kind.endswith("RedisCache") and is_local(cache["LOCATION"]):
        yield "CACHE_URL", "localhost"
    scheme = urlsplit(settings.CELERY_BROKER_URL).scheme
    if scheme in {"filesystem", "memory"}:
        yield "CELERY_BROKER_URL", scheme
    elif is_local(settings.CELERY_BROKER_URL):
        yield "CELERY_BROKER_URL", "localhost"
    if connection.vendor == "sqlite":  # a PostgreSQL on localhost may be a pooler
        yield "DATABASE_URL", "sqlite"


def is_local(url: str | list[str]) -> bool:
    return urlsplit(url if isinstance(url, str) else url[0]).hostname in LOOPBACK
