"""The check of figures, which reads what the nightly comparison with the facts recorded."""

from collections.abc import Iterator

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.figures.models import CountedDay

SHOWN = 3


def check_figures() -> Iterator[Result]:
    rows = CountedDay.objects.filter(differs_at__isnull=False).order_by("-day", "family")
    days = [f"{row.family} {date_format(row.day, 'Y-m-d')}" for row in rows[: SHOWN + 1]]
    if len(days) > SHOWN:
        days[SHOWN:] = ["…"]
    yield Result(
        _("Figures"),
        state_if(problem=days),
        _("differ from the facts: %(days)s") % {"days": ", ".join(days)} if days else _("no differences"),
        remedy=_(
            "Search the log for `figures_differ`. After you have found the cause, run `manage.py figures build`, then "
            "`manage.py figures check`."
        ),
    )
