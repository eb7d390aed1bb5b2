"""The check of the nightly purge, which reads what its last run recorded. Its task is checked with the others."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.core.models import Purge
from artisans.core.retention import RULES

DAY = timedelta(days=1)
LIMIT = 3 * DAY  # a night that was missed is made up for by the next ones


def check_retention() -> Iterator[Result]:
    rows = Purge.objects.filter(name__in=RULES)
    late = [(row.overdue_since, row.name) for row in rows if row.overdue_since]
    since, name = min(late, default=(timezone.now(), ""))
    value = _("none left")
    if not Purge.objects.exists():
        value = _("never purged")
    elif name:
        time = date_format(timezone.localtime(since), "DATETIME_FORMAT")
        value = _("%(name)s: rows overdue since %(time)s") % {"name": name, "time": time}
    yield Result(
        _("Rows kept too long"),
        state_if(warning=since < timezone.now() - LIMIT),
        value,
        _("%(days)s days") % {"days": LIMIT // DAY},
        _("Run `manage.py purge`, which has no time limit; if it reports a rule, read the log."),
    )
