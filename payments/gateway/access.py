"""What our keys may do at the providers: tried by reading alone, by command and when a worker starts."""

from datetime import timedelta

from django.utils import timezone

from payments.bookkeeping.provider_alerts import alerts_follow
from payments.providers.contract import Access, Refused, Unknown
from payments.providers.registry import ask, configured
from payments.selectors import alerts_open

QUIET = timedelta(minutes=10)
EVERYTHING = "everything"  # when no part of it could be tried


def providers_to_check() -> list[str]:
    return list(configured())


def providers_alerted() -> list[str]:
    """Those with an alert that the daily work has not met for a while: only trying tells whether it is over."""
    quiet = alerts_open().filter(last_seen_at__lte=timezone.now() - QUIET)
    return list(quiet.order_by().values_list("provider", flat=True).distinct())


def access_of(name: str) -> list[Access]:
    """Each part that the shop needs; what is refused is put on the staff's list, what works again is taken off it."""
    try:
        found = ask(name, lambda provider: provider.check_access())
    except (Refused, Unknown) as error:
        found = [Access(EVERYTHING, "", str(error))]
    alerts_follow(name, {EVERYTHING: ""} | {access.part: problem_of(access) for access in found})
    return found


def problem_of(access: Access) -> str:
    return f"{access.error} (permission: {access.permission})" if access.error else ""
