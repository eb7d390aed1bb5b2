from collections.abc import Iterable

from django.utils.translation import gettext as _

from artisans.core.errors import Forbidden, InvalidInput


class CannotView(Forbidden):
    """The user may not view figures."""

    def __init__(self) -> None:
        super().__init__(_("You need the permission to view figures."))


class MetricUnknown(InvalidInput):
    """A metric with this name does not exist."""

    code = "metric_unknown"
    remedy = "`GET /payments/metrics/definitions` lists all names."

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(_("Unknown metrics: %(names)s.") % {"names": ", ".join(names)[:200]})


class GroupNotPossible(InvalidInput):
    """One of the metrics cannot be grouped or filtered by this dimension."""

    code = "group_not_possible"
    remedy = "Send only metrics whose `dimensions` in `GET /payments/metrics/definitions` name it."

    def __init__(self, metric: str, dimension: str) -> None:
        text = _("%(metric)s cannot be grouped or filtered by %(dimension)s.")
        super().__init__(text % {"metric": metric, "dimension": dimension})


class PeriodTooLong(InvalidInput):
    """The period is longer than five years, or than eight days if grouped by hour."""

    code = "period_too_long"
    remedy = "Ask for several shorter periods."

    def __init__(self, *, is_by_hour: bool = False) -> None:
        super().__init__(
            _("By hour, a period has at most eight days.")
            if is_by_hour
            else _("A period has at most five years.")
        )
