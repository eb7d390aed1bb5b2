from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

REFUND_AGES = (7, 14, 30, 60, 90, 180)  # days from a completed payment to a refund


class LossCause(models.TextChoices):
    """Why a payment was lost."""

    REJECTED = "rejected", _("Rejected by staff")
    DECLINED = "declined", _("Declined")
    MISMATCH = "mismatch", _("Amounts differ from the provider’s")
    THREE_D_SECURE = "three_d_secure", _("Abandoned during 3-D Secure")
    PROVIDER_SILENT = "provider_silent", _("No response from the provider")
    EXPIRED = "expired", _("Not paid in time")
    CANCELLED = "cancelled", _("Cancelled")


class CountedDay(models.Model):
    """A day whose cells were counted: of which definition, when, and how long it took.

    `differs_at`: when the last nightly check found that they are not what the facts say; until the next one.
    `version` changes with the definition of the family, with the shop's time zone, and when the shop goes live.
    """

    id = models.BigAutoField(primary_key=True)
    family = models.CharField(max_length=20)
    day = models.DateField()
    version = models.CharField(max_length=80)
    counted_at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    differs_at = models.DateTimeField(null=True, blank=True)

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


def added_text(length: int) -> "models.CharField[str, str]":
    """A column that the release before does not know, as with `added_count`."""
    return models.CharField(max_length=length, blank=True, default="", db_default="")


def added_count() -> "models.BigIntegerField[int, int]":
    return models.BigIntegerField(default=0, db_default=0)


class PaymentCell(Cell):
    """Payments by the day on which they were started, with what became of them. `cause`: a LossCause of those that were
    lost. `recovered`, `unrecovered`: those with a declined attempt that were paid or lost."""

    dimensions = ("provider", "method", "currency", "cause")
    measures = ("paid", "switched", "lost", "open", "started_minor", "recovered", "unrecovered")

    provider = text(32)
    method = text(20)
    currency = text(3)
    paid = count()
    switched = count()
    lost = count()
    open = count()
    started_minor = count()
    cause = added_text(20)
    recovered = added_count()
    unrecovered = added_count()


class AttemptCell(Cell):
    """Attempts at providers by the day on which they were decided; `cards` and what follows it are of cards, by the day
    on which they were tried.

    `first_succeeded`, `first_declined`: payments by their first attempt that was decided. `asked`: with 3-D Secure;
    `challenges` of them were left (`abandoned`) or had an end; `authenticated` of those that are `finished`.
    `decision_times`: from the start of an offline payment until money arrived or staff rejected it.
    """

    dimensions = ("provider", "method", "currency", "decline_group", "decline_code")
    measures = (
        *("succeeded", "declined", "first_succeeded", "first_declined"),
        *("cards", "asked", "challenges", "abandoned", "finished", "authenticated"),
    )
    times = ("decision_times",)

    provider = text(32)
    method = text(20)
    currency = text(3)
    decline_group = text(20)
    decline_code = text(80)
    succeeded = count()
    declined = count()
    first_succeeded = count()
    first_declined = count()
    cards = count()
    asked = count()
    challenges = count()
    abandoned = count()
    finished = count()
    authenticated = count()
    decision_times = buckets()


class RequestCell(Cell):
    """Requests to providers by the day on which they were sent. Times are not divided by hour, outcome or code."""

    dimensions = ("provider", "operation", "hour", "outcome", "error_code")
    measures = ("requests",)
    times = ("durations",)

    provider = text(32)
    operation = text(80)
    hour = text(2)
    outcome = text(8)
    error_code = text(80)
    requests = count()
    durations = buckets()


class MessageCell(Cell):
    """Webhook events by the day on which they were received. Times are not divided by hour.

    `failed`: given up, or waiting for staff. `deliveries`: with copies. `early`: sent after they were received, by the
    provider's clock.
    """

    dimensions = ("provider", "hour")
    measures = ("events", "failed", "deliveries", "copies", "early")
    times = ("delays", "lags")

    provider = text(32)
    hour = text(2)
    events = count()
    failed = count()
    deliveries = count()
    copies = count()
    early = count()
    delays = buckets()
    lags = buckets()


class RefusalCell(Cell):
    """Requests to the webhook addresses that were refused, by the day on which they were received."""

    dimensions = ("provider", "hour", "reason")
    measures = ("refused",)

    provider = text(32)
    hour = text(2)
    reason = text(40)
    refused = count()


class OrderCell(Cell):
    """Orders by the day on which they were placed."""

    dimensions = ("currency",)
    measures = ("paid", "closed", "open")

    currency = text(3)
    paid = count()
    closed = count()
    open = count()


class SettledCell(Cell):
    """What was completed on a day: payments, orders that were paid in full for the first time, captures, receipts.
    `refunded_7_minor`: of these payments, within 7 days."""

    dimensions = ("provider", "method", "currency")
    measures = (
        *("payments", "payments_minor", "refunded_payments", "orders", "orders_minor"),
        *("captures", "captures_minor", "receipts", "receipts_minor"),
        *(f"refunded_{age}_minor" for age in REFUND_AGES),
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
    refunded_7_minor = added_count()
    refunded_14_minor = added_count()
    refunded_30_minor = added_count()
    refunded_60_minor = added_count()
    refunded_90_minor = added_count()
    refunded_180_minor = added_count()
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
    """Disputes by the day on which they were opened. Amounts in the currency of the dispute. `warnings`: early fraud
    warnings by the day on which the bank gave them, in the currency of the payment."""

    dimensions = ("provider", "method", "currency")
    measures = ("opened", "opened_minor", "won", "lost", "warnings")

    provider = text(32)
    method = text(20)
    currency = text(3)
    opened = count()
    opened_minor = count()
    won = count()
    lost = count()
    warnings = added_count()


class JourneyCell(Cell):
    """Checkouts by the day on which they were started, with how many reached each step. Without those of staff.
    `abandoned`: not placed, and nothing has happened for an hour; `abandoned_minor` was in the carts of
    `abandoned_valued` of them. `recovered`: placed after they had been abandoned."""

    dimensions = ("channel", "device", "currency")
    measures = (
        *("started", "cart", "details", "delivery", "payment", "check_step", "placed"),
        *("abandoned", "abandoned_valued", "abandoned_minor", "recovered"),
    )

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
    abandoned = added_count()
    abandoned_valued = added_count()
    abandoned_minor = added_count()
    recovered = added_count()


class ProblemCell(Cell):
    """Problems of checkouts by the day on which they occurred. Without those of staff."""

    dimensions = ("channel", "step", "kind", "code")
    measures = ("problems",)

    channel = text(7)
    step = text(8)
    kind = text(13)
    code = text(60)
    problems = count()
