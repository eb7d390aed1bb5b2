"""Checks of artisans' money for `manage.py doctor`."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from artisans.core.doctor.registry import Result, state_if
from artisans.core.metrics import LARGEST_COUNT
from artisans.earnings.releases import earnings_late


def check_releases() -> Iterator[Result]:
    late = earnings_late().order_by()[:LARGEST_COUNT].count()
    yield Result(
        _("Earnings that should have been released"),
        state_if(problem=late),
        str(late),
        _("none, within three hours"),
        _("Search the workers’ log for earnings_release_failed, which names the order and the error."),
    )
