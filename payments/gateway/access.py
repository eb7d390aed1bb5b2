"""Checks what our credentials may do at the providers, with read-only requests; run by command and when a
worker starts."""

from datetime import datetime, timedelta

from django.utils import timezone

from payments.bookkeeping.provider_alerts import alerts_sync
from payments.gateway.calls import TAKES_PAYMENTS
from payments.gateway.connection import configured, execute, note_credentials
from payments.providers.contract import Access, Refused, Unknown
from payments.selectors import alerts_open

QUIET = timedelta(minutes=10)
EVERYTHING = "everything"  # when no part could be checked


def providers_to_check() -> list[str]:
    return list(configured())


def providers_alerted() -> list[str]:
    """Providers with an open alert that regular traffic has not touched for a while, so that only a check can
    resolve it."""
    quiet = alerts_open().filter(last_seen_at__lte=timezone.now() - QUIET)
    return list(quiet.order_by().values_list("provider", flat=True).distinct())


def check_provider_access(name: str) -> list[Access]:
    """Check each part of the API that the shop needs; raise or resolve alerts accordingly."""
    found = find_access(name)
    problems = {access.part: find_access_problem(access) for access in found}
    alerts_sync(name, {EVERYTHING: ""} | problems)
    if not any(problems.values()):  # also what only payments would resolve, which are not offered
        alerts_sync(name, dict.fromkeys(TAKES_PAYMENTS, ""))
        note_credentials(name, are_refused=False)
    return found


def find_access(name: str) -> list[Access]:
    """The same, without changing anything."""
    try:
        return execute(name, lambda provider: provider.check_access())
    except (Refused, Unknown) as error:
        return [Access(EVERYTHING, "", str(error))]


def provider_time(name: str) -> datetime | None:
    """The time by the provider's clock; None if it does not tell. Errors: Refused, Unknown."""
    return execute(name, lambda provider: provider.server_time())


def find_access_problem(access: Access) -> str:
    return f"{access.error} (permission: {access.permission})" if access.error else ""
