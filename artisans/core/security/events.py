"""Security events: one log line each, from the logger `artisans.security`."""

import logging
from collections.abc import Mapping

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from artisans.core.security.client_ip import client_address

logger = logging.getLogger("artisans.security")


def security_event(
    name: str, facts: Mapping[str, object], request: HttpRequest | None = None, *, level: int = logging.INFO
) -> None:
    """Log an event, with the client's address if there is a request. `facts`: ids and hashes, no personal data."""
    address = {"address": client_address(request)} if request is not None else {}
    logger.log(level, name, extra={**address, **facts})


def account_hash(email: str) -> str:
    """Keyed hash of the address that someone signed in with, so that attempts can be counted per account."""
    return salted_hmac("core.account", email.strip().lower(), algorithm="sha256").hexdigest()[:16]
