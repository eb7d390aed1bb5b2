from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class CountedDay(models.Model):
    """A day whose cells were counted: of which definition, when, and how long it took.

    `version` changes with the definition of the family and with the shop's time zone.
    """

    id = models.BigAutoField(primary_key=True)
    family = models.CharField(max_length=20)
    day = models.DateField()
    version = models.CharField(max_length=80)
    counted_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        permissions = [("view_metrics", _("Can view figures"))]
        constraints = [models.UniqueConstraint(fields=["family", "day"], name="counted_day_once")]

    def __str__(self) -> str:
        return f"{self.family} {self.day}"


class Cell(models.Model):
    """Counts and sums of one day and one combination of dimensions. Written only by counting the whole day again.

    `dimensions`, `measures`, `times`: names of columns. Measures that end with `_minor` are in `currency`. Times are
    durations, how many in each bucket (durations.py).
    """

    dimensions: ClassVar[tuple[str, ...]] = ()
    measures: ClassVar[tuple[str, ...]] = ()
    times: ClassVar[tuple[str, ...]] = ()

    id = models.BigAutoField(primary_key=True)
    day = models.DateField(db_index=True)

    class Meta:
        abstract = True
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self._meta.model_name} {self.day}"


def text(length: int) -> "models.CharField[str, str]":
    return models.CharField(max_length=length, blank=True)


def count() -> "models.BigIntegerField[int, int]":
    return models.BigIntegerField(default=0)


def buckets() -> "models.JSONField[Any, Any]":
    return models.JSONField(default=dict, db_default={})


class PaymentCell(Cell):
    """Payments by the day on which they were started, with what became of them."""

    dimensions = ("provider", "method", "currency")
    measures = ("paid", "switched", "lost", "open", "started_minor")

    provider = text(32)
    method = text(20)
    currency = text(3)
    paid = count()
    switched = count()
    lost = count()
    open = count()
    started_minor = count()


class OrderCell(Cell):
    """Orders by the day on which they were placed."""

    dimensions = ("currency",)
    measures = ("paid", "closed", "open")

    currency = text(3)
    paid = count()
    closed = count()
    open = count()


class SettledCell(Cell):
    """What was completed on a day: payments, orders that were paid in full for the first time, captures, receipts."""

    dimensions = ("provider", "method", "currency")
    measures = (
        *("payments", "payments_minor", "refunded_payments", "orders", "orders_minor"),
        *("captures", "captures_minor", "receipts", "receipts_minor"),
    )
    times = ("processing_times", "order_times")

    provider = text(32)
    method = text(20)
    currency = text(3)
    payments = count()
    payments_minor = count()
    refunded_payments = count()
    orders = count()
    orders_minor = count()
    captures = count()
    captures_minor = count()
    receipts = count()
    receipts_minor = count()
    processing_times = buckets()
    order_times = buckets()


class RefundCell(Cell):
    """Refunds by the day on which they were completed."""

    dimensions = ("provider", "method", "currency")
    measures = ("refunds", "refunds_minor")
    times = ("refund_times",)

    provider = text(32)
    method = text(20)
    currency = text(3)
    refunds = count()
    refunds_minor = count()
    refund_times = buckets()


class DisputeCell(Cell):
    """Disputes by the day on which they were opened. Amounts in the currency of the dispute."""

    dimensions = ("provider", "method", "currency")
    measures = ("opened", "opened_minor", "won", "lost")

    provider = text(32)
    method = text(20)
    currency = text(3)
    opened = count()
    opened_minor = count()
    won = count()
    lost = count()


class JourneyCell(Cell):
    """Checkouts by the day on which they were started, with how many reached each step. Without those of staff."""

    dimensions = ("channel", "device", "currency")
    measures = ("started", "cart", "details", "delivery", "payment", "check_step", "placed")

    channel = text(7)
    device = text(7)
    currency = text(3)
    started = count()
    cart = count()
    details = count()
    delivery = count()
    payment = count()
    check_step = count()
    placed = count()


class ProblemCell(Cell):
    """Problems of checkouts by the day on which they occurred. Without those of staff."""

    dimensions = ("channel", "step", "kind", "code")
    measures = ("problems",)

    channel = text(7)
    step = text(8)
    kind = text(13)
    code = text(60)
    problems = count()
