"""The check of what is always true, which reads what the nightly check found. Its task is checked with the others."""

from collections.abc import Iterator

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.core.doctor.database import shorten
from artisans.core.doctor.registry import Result, state_if
from artisans.core.invariants import INVARIANTS
from artisans.core.models import InvariantResult


def check_invariants() -> Iterator[Result]:
    rows = list(InvariantResult.objects.filter(name__in=INVARIANTS).order_by("name"))
    violated = [row.name for row in rows if row.violations]
    count = sum(row.violations for row in rows)
    value = _("never checked")
    if rows:
        value = _("all hold, checked %(time)s")
        if violated:
            value = ngettext(
                "%(count)s violation, checked %(time)s: %(names)s",
                "%(count)s violations, checked %(time)s: %(names)s",
                count,
            )
        time = date_format(timezone.localtime(max(row.at for row in rows)), "DATETIME_FORMAT")
        value = value % {"count": count, "time": time, "names": shorten(violated)}
    yield Result(
        _("What is always true of orders, stock and money"),
        state_if(problem=violated),
        value,
        _("checked every night"),
        _(
            "Run `manage.py check_invariants`: it has a sentence for each row, and what to do (docs/invariants.md)."
        ),
    )
