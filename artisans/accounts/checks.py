"""System checks for unsafe sign-in settings."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security, deploy=True)
def check_sign_in(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return list(find_setting_errors())


def find_setting_errors() -> Iterator[CheckMessage]:
    if not settings.STAFF_NEED_SECOND_FACTOR:
        yield Error("Staff can sign in with a password alone.", hint="Unset DEMO.", id="alley.E050")
    if getattr(settings, "MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN", False):
        yield Error(
            "Passkeys would be accepted from any origin.",
            hint="Unset MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN.",
            id="alley.E051",
        )
    if is_ip_address(settings.SITE_HOST):
        yield Error(
            "Passkeys cannot be used with an IP address.",
            hint="Set SITE_URL to a host name, such as https://your.shop.",
            id="alley.E052",
        )
    if not (
        settings.SESSION_COOKIE_SECURE and settings.SESSION_COOKIE_HTTPONLY and settings.CSRF_COOKIE_SECURE
    ):
        yield Error(
            "Session cookies could be read in transit or by scripts.",
            hint="Set SITE_URL to an https URL and keep SESSION_COOKIE_HTTPONLY.",
            id="alley.E053",
        )


def is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return not host
    return True
