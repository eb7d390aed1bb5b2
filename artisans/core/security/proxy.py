"""Notices a reverse proxy that the settings do not know: then all visitors share one address, and its rate limits.

Anyone can send these headers, so that they are a hint to the operator and change nothing.
"""

import logging
import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

logger = logging.getLogger(__name__)

KEY = "core.proxy"
REMEMBERED = 3600  # seconds in the cache
PAUSE = 60  # seconds between two reports of a process


class Noticed:
    """Until when this process does not check again."""

    until = 0.0


noticed = Noticed()


def notice_proxy(request: HttpRequest) -> None:
    setting = unset_for(request)
    if not setting or time.monotonic() < noticed.until:
        return
    noticed.until = time.monotonic() + PAUSE
    if cache.add(KEY, setting, REMEMBERED):
        logger.warning("proxy_not_trusted", extra={"setting": setting})


def unset_for(request: HttpRequest) -> str:
    """The setting that is unset although the request has the header of a proxy."""
    if not settings.TRUSTED_PROXIES and "X-Forwarded-For" in request.headers:
        return "TRUSTED_PROXIES"
    if settings.HTTPS and not settings.SECURE_PROXY_SSL_HEADER and "X-Forwarded-Proto" in request.headers:
        return "TRUST_PROXY_HTTPS"
    return ""


def proxy_problem() -> str:
    """A sentence about what was noticed in the last hour, or ""."""
    setting = cache.get(KEY)
    return f"A proxy's header arrives, but {setting} is not set." if setting else ""  # not for translation
