"""Metrics of figures for /metrics."""

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import Metric

from artisans.core.metrics import Backlog, backlog, gauge
from artisans.figures.counting import marks
from artisans.figures.days import DAY, Period, today
from artisans.figures.evaluate import figures_of
from artisans.figures.registry import METRICS

LATE_AFTER = timedelta(minutes=5)


def marks_backlog() -> Backlog:
    return backlog(marks(), due="at")


def dispute_metrics() -> Iterator[Metric]:
    """Of the last 30 days, not of the month: on its first days, one dispute would be a large share."""
    [ratio] = figures_of(METRICS["network_ratio"], Period(today() - 29 * DAY, today()))
    yield gauge(
        "alley_card_disputes_last_30_days",
        "Disputes and early fraud warnings of card payments within the last 30 days.",
        [],
        {(): ratio.numerator},
    )
    yield gauge(
        "alley_card_captures_last_30_days",
        "Captures of card payments within the last 30 days.",
        [],
        {(): ratio.denominator or 0},
    )
