"""Notes that a fact has changed, in the transaction of the change, for figures that are counted again later.

Figures are never counted up: whoever counts reads all facts of the day again. So a mark only names the family of
figures and the day. It is a new row each time; one row per day would make transactions wait for each other.
"""

from datetime import date, datetime

from django.utils import timezone

from artisans.core.compiled import insert
from artisans.core.models import ChangeMark


def changes_note(*changes: tuple[str, datetime | date | None]) -> None:
    """`changes`: families of figures, each with a time or a day of the shop; None is passed over."""
    days = {(family, day_of(moment)) for family, moment in changes if moment is not None}
    insert([ChangeMark(family=family, day=day) for family, day in sorted(days)])


def day_of(moment: datetime | date) -> date:
    """In the shop's time zone, whichever one a page is shown in."""
    if isinstance(moment, datetime):
        return timezone.localdate(moment, timezone.get_default_timezone())
    return moment
