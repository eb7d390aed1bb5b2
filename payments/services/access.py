"""What our keys may do at the providers: tried by reading alone, by command and when a worker starts."""

from payments.providers.base import Access, Refused, Unknown
from payments.registry import ask, configured
from payments.services.alerts import alerts_follow


def providers_to_check() -> list[str]:
    return list(configured())


def access_of(name: str) -> list[Access]:
    """Each part that the shop needs; what is refused is put on the staff's list, what works again is taken off it."""
    try:
        found = ask(name, lambda provider: provider.check_access())
    except (Refused, Unknown) as error:
        found = [Access("everything", "", str(error))]
    alerts_follow(name, {access.part: problem_of(access) for access in found})
    return found


def problem_of(access: Access) -> str:
    return f"{access.error} (permission: {access.permission})" if access.error else ""
