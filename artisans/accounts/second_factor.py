"""allauth's TOTP, passkeys and recovery codes, with encrypted secrets, one relying party and single-use codes."""

import logging
import time

from allauth.account.models import EmailAddress
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.db import transaction

from artisans.accounts.models import User
from artisans.core.security import encryption
from artisans.core.security.events import security_event
from artisans.core.security.rate_limits import count

LAST_TOTP_STEP = "used_up_to"  # in the data of a TOTP row: the last time step whose code was used


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The shop's own host; a passkey works only on the host where it was created."""
        return {"id": settings.SITE_HOST, "name": self._get_site_name()}

    def _get_site_name(self) -> str:
        return "Artisans Alley"


def has_second_factor(user: User) -> bool:
    return user.has_second_factor


def may_add_second_factor(user: User) -> bool:
    """Only with a verified address, so that nobody can lock its owner out. Staff count as verified."""
    is_confirmed = EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists()
    return bool(user.is_staff or is_confirmed)


def code_use(user: User, code: str) -> Authenticator | None:
    """The authenticator that a code belongs to, or None. Each code works once, also under concurrency.

    Errors: RateLimited after too many attempts for one account.
    """
    count("second_factor_account", str(user.pk))
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user=user)
        for row in rows.exclude(type=Authenticator.Type.WEBAUTHN).order_by("pk"):
            is_totp = row.type == Authenticator.Type.TOTP
            if totp_use(row, code) if is_totp else row.wrap().validate_code(code):
                return row
    security_event("second_factor_failed", {"user": str(user.pk)}, level=logging.WARNING)
    return None


def codes_spend(row: Authenticator) -> None:
    """Mark the code that activated a new authenticator, and earlier ones, as used."""
    row.data[LAST_TOTP_STEP] = int(time.time()) // mfa_settings.TOTP_PERIOD
    row.save(update_fields=["data"])


def totp_use(row: Authenticator, code: str) -> bool:
    secret = encryption.decrypt(row.data["secret"])
    for period in yield_hotp_counters_from_time():
        expected = format_hotp_value(hotp_value(secret, period))
        if period > row.data.get(LAST_TOTP_STEP, 0) and compare_user_code(actual=code, expected=expected):
            row.data[LAST_TOTP_STEP] = period
            row.save(update_fields=["data"])
            return True
    return False
