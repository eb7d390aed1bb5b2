"""Metrics of orders for /metrics."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from artisans.core.known_since import FACTS
from artisans.core.metrics import count_recent, gauge
from orders.models import Order


def order_metrics() -> Iterator[Metric]:
    yield gauge(
        "alley_orders_last_hour",
        "Orders placed within the last hour, by their status now.",
        ["status", "payment_status"],
        count_recent(Order.objects.all(), "status", "payment_status"),
    )


FACTS["order_paid_at"] = ("orders", "0003_paid_at")  # of earlier orders, where it is certain
