"""Metrics of VAT IDs for /metrics."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from artisans.core.metrics import LARGEST_COUNT, Backlog, backlog, gauge
from artisans.tax_ids.selectors import checks_due, tax_ids_to_decide


def checks_backlog() -> Backlog:
    return backlog(checks_due(), due="next_try_at")


def tax_id_metrics() -> Iterator[Metric]:
    yield gauge(
        "alley_tax_ids_to_decide",
        "VAT IDs on which staff have to decide, because VIES gave no answer.",
        [],
        {(): tax_ids_to_decide().order_by()[:LARGEST_COUNT].count()},
    )
