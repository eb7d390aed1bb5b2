"""Reads environment variables, for settings.py only. A value that cannot be used is named in one sentence.

Spaces around a value do not count, and an empty variable is an unset one.
"""

import os
import sys
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PERCENT = "In a password, write @ as %40, / as %2F, # as %23, ? as %3F and % as %25."  # not for translation


class SecretFiles(FileAwareMapping):
    """The environment; `NAME_FILE` is the path of a file with the value of NAME."""

    def __getitem__(self, key: str) -> str:
        try:
            value = str(super().__getitem__(key)).strip()
        except (OSError, UnicodeError) as error:
            raise ImproperlyConfigured(f"{key}_FILE: the file cannot be read ({error}).") from None
        if not value:
            raise KeyError(key)
        return value


class Env(environ.FileAwareEnv):
    ENVIRON = SecretFiles()


env = Env()


def exit_unless_configured() -> None:
    """With the sentence instead of a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artisans.settings")
    try:
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def flag(name: str, *, default: bool = False) -> bool:
    """A boolean; any value other than the accepted words prevents startup."""
    value = env.str(name, default="").lower()
    if value in {"true", "1", "yes", "on"}:
        return True
    if value in {"false", "0", "no", "off"}:
        return False
    if value:
        raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")
    return default


def number(name: str, *, default: int, least: int = 0) -> int:
    value = env.str(name, default=str(default))
    if not (value.isascii() and value.isdigit()) or int(value) < least:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number from {least} on.")
    return int(value)


def words(name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    """A list that is separated by commas."""
    return [part.strip() for part in env.list(name, default=list(default)) if part.strip()]


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(network) for network in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from None


def site_url(name: str, *, default: str) -> str:
    """Scheme, host and port of the shop, without a slash at the end."""
    value = str(env.str(name, default=default)).rstrip("/")
    parts = split(value)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or not value.isascii():
        raise ImproperlyConfigured(
            f"{name}={value!r} is not an address such as https://your.shop; a name with other letters begins with xn--."
        )
    return value


def url(name: str, parse: Callable[..., Any], *, default: str, example: str) -> Any:
    """What `parse` makes of the URL of a service. Its value is never shown: it can contain a password."""
    try:
        found = parse(name, default=default)
    except (ValueError, KeyError, ImproperlyConfigured):
        found = None
    if not found or split(env.str(name, default=default)) is None:
        raise ImproperlyConfigured(f"{name} is not a URL such as {example}. {PERCENT}")
    return found


def split(value: str) -> Any:
    """The parts of a URL; None if it is not one."""
    try:
        parts = urlsplit(value.replace("sqlite://:memory:", "sqlite://"))
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme and "://" in value else None


def database(name: str, *, default: str = "") -> Any:
    found = url(name, env.db_url, default=default, example="postgres://user:password@host:5432/name")
    if not found["ENGINE"].endswith((".sqlite3", "backends.postgresql")):
        raise ImproperlyConfigured(f"{name} has to lead to PostgreSQL, or to SQLite for trying out.")
    return found


def time_zone(name: str, *, default: str) -> str:
    value = str(env.str(name, default=default))
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        raise ImproperlyConfigured(f"{name}={value!r} is not a time zone such as Europe/Lisbon.") from None
    return value


def log_level(name: str, *, default: str) -> str:
    value = str(env.str(name, default=default)).upper()
    if value not in LEVELS:
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(LEVELS)}.")
    return value
