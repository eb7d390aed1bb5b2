from datetime import date

from django.utils import timezone

from artisans.journeys.models import Journey


def recorded_since() -> date | None:
    """The first whole day, in the shop's time zone, of which the steps of all checkouts are known; None before it."""
    rows = Journey.objects.filter(is_backfilled=False, started_at__isnull=False)
    first = rows.order_by("started_at").values_list("started_at", flat=True).first()
    if first is None:
        return None
    day = timezone.localdate(first)
    return date.fromordinal(day.toordinal() + 1)
