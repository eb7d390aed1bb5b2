"""Alerts for staff about parts of a provider's API that fail: raised by a failing call, resolved by the next
success."""

import logging
from collections.abc import Mapping

from django.db.models import F, QuerySet
from django.utils import timezone

from artisans.core.compiled import compiled
from artisans.core.security.redaction import scrub
from payments.models import ProviderAlert

logger = logging.getLogger(__name__)


def alert_raise(*, provider: str, part: str, detail: str) -> None:
    """Open an alert for staff, or count the failure on the one that is open."""
    detail = scrub(detail)[:300]
    open_ones = ProviderAlert.objects.filter(provider=provider, part=part, resolved_at=None)
    if not open_ones.update(count=F("count") + 1, last_seen_at=timezone.now(), detail=detail):
        alert = ProviderAlert(provider=provider, part=part, detail=detail)
        ProviderAlert.objects.bulk_create([alert], ignore_conflicts=True)
    logger.error("provider_alert", extra={"provider": provider, "part": part, "why": detail})


def alert_resolve(*, provider: str, part: str) -> None:
    open_ones = ProviderAlert.objects.filter(provider=provider, part=part, resolved_at=None)
    if open_ones.update(resolved_at=timezone.now()):
        logger.warning("provider_alert_resolved", extra={"provider": provider, "part": part})


def alerts_sync(provider: str, parts: Mapping[str, str]) -> None:
    """`parts`: maps the name of each part to its error, or to "" if it succeeded."""
    is_open = {part for (part,) in open_parts(provider)}
    for part, error in parts.items():
        if error:
            alert_raise(provider=provider, part=part, detail=error)
        elif part in is_open:
            alert_resolve(provider=provider, part=part)


@compiled
def open_parts(provider: str) -> QuerySet[ProviderAlert, tuple[str]]:
    return ProviderAlert.objects.filter(provider=provider, resolved_at=None).order_by().values_list("part")
