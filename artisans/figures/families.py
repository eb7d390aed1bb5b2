"""How the cells of one day follow from the facts. Each function reads all facts of a day; nothing is added up.

The same rows may be read by several functions of a family: their measures meet in the cells of equal dimensions.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from artisans.figures.days import Span
from artisans.figures.durations import Buckets, bucket_of_time
from artisans.figures.models import (
    Cell,
    DisputeCell,
    JourneyCell,
    OrderCell,
    PaymentCell,
    ProblemCell,
    RefundCell,
    SettledCell,
)
from artisans.journeys.models import COLUMNS, Journey, JourneyProblem
from orders.models import Order
from orders.statuses import ORDERS_CLOSED
from payments.methods import MANUAL
from payments.models import Capture, Dispute, Payment, PaymentRefund, Receipt, RefundOrigin
from payments.statuses import DisputeStatus, PaymentStatus, RefundStatus

Rows = Iterable[Mapping[str, Any]]
KEYS = ("provider", "method", "currency")


@dataclass(frozen=True)
class Family:
    """Figures that are counted together.

    `version`: raise it when a definition changes, and all days are counted again. `rows`: the measures of a day by
    dimension, in any number of parts. `first`: the facts and the column with the oldest time. `retention`: the rule
    that removes its facts; days before are never counted again.
    """

    name: str
    version: int
    model: type[Cell]
    rows: tuple[Callable[[Span], Rows], ...]
    facts: QuerySet[Any]
    clock: str
    retention: str = ""

    def __str__(self) -> str:
        return self.name

    def first(self) -> datetime | None:
        known = self.facts.filter(**{f"{self.clock}__isnull": False}).order_by(self.clock)
        return known.values_list(self.clock, flat=True).first()


def count_if(condition: Q) -> Count:
    return Count("pk", filter=condition)


def grouped(rows: QuerySet[Any], *keys: str, **measures: Any) -> Rows:
    """By provider, method and currency, unless other keys are given."""
    found: Rows = rows.order_by().values(*(keys or KEYS)).annotate(**measures)
    return found


def timed(rows: QuerySet[Any], begin: str, end: str, *, name: str) -> Rows:
    """The time from `begin` to `end`, which are columns, as the measure `name`."""
    found: dict[tuple[str, ...], Buckets] = defaultdict(Counter)
    for *key, began, ended in rows.order_by().values_list(*KEYS, begin, end):
        found[tuple(key)][bucket_of_time(ended - began)] += 1
    for key, buckets in found.items():
        yield {**dict(zip(KEYS, key, strict=True)), name: buckets}


# ---- payments and orders -----------------------------------------------------------------------------------------

OF_PAYMENT = {
    "provider": F("payment__payment_provider"),
    "method": F("payment__payment_method"),
}
OF_ITSELF = {"provider": F("payment_provider"), "method": F("payment_method")}


def payments_started(span: Span) -> Rows:
    """What became of each: paid (later refunds do not matter), else switched to another payment, else lost, else
    open."""
    later = Payment.objects.filter(order=OuterRef("order"), created_at__gt=OuterRef("created_at"))
    is_cancelled = Q(status=PaymentStatus.CANCELLED)
    outcome = Case(
        When(completed_at__isnull=False, then=Value("paid")),
        When(is_cancelled & Q(Exists(later)), then=Value("switched")),
        When(is_cancelled | Q(order__status__in=ORDERS_CLOSED), then=Value("lost")),
        default=Value("open"),
    )
    rows = Payment.objects.filter(**span.of("created_at")).annotate(**OF_ITSELF, outcome=outcome)
    for row in grouped(rows, *KEYS, "outcome", count=Count("pk"), started_minor=Sum("amount_minor")):
        yield {**row, row["outcome"]: row["count"]}


def orders_placed(span: Span) -> Rows:
    is_paid, is_closed = Q(paid_at__isnull=False), Q(status__in=ORDERS_CLOSED)
    return grouped(
        Order.objects.filter(**span.of("created_at")),
        "currency",
        paid=count_if(is_paid),
        closed=count_if(~is_paid & is_closed),
        open=count_if(~is_paid & ~is_closed),
    )


def payments_completed(span: Span) -> Rows:
    refunds = PaymentRefund.objects.filter(payment=OuterRef("pk"), status=RefundStatus.COMPLETED)
    rows = Payment.objects.filter(**span.of("completed_at")).annotate(
        **OF_ITSELF, is_refunded=Exists(refunds)
    )
    return grouped(
        rows,
        payments=Count("pk"),
        payments_minor=Sum("amount_minor"),
        refunded_payments=count_if(Q(is_refunded=True)),
    )


def processing_times(span: Span) -> Rows:
    """At providers: how long offline payments take is for buyers and banks to say."""
    rows = Payment.objects.filter(**span.of("completed_at")).exclude(payment_provider=MANUAL)
    return timed(rows.annotate(**OF_ITSELF), "created_at", "completed_at", name="processing_times")


def paid_orders(span: Span) -> QuerySet[Any]:
    """By the payment that was completed last until then, which is the one that paid the rest."""
    last = Payment.objects.filter(order=OuterRef("pk"), completed_at__lte=OuterRef("paid_at"))
    last = last.order_by("-completed_at", "-pk")
    return Order.objects.filter(**span.of("paid_at")).annotate(
        provider=Coalesce(Subquery(last.values("payment_provider")[:1]), Value("")),
        method=Coalesce(Subquery(last.values("payment_method")[:1]), Value("")),
    )


def orders_paid(span: Span) -> Rows:
    return grouped(paid_orders(span), orders=Count("pk"), orders_minor=Sum("total_minor"))


def order_times(span: Span) -> Rows:
    return timed(paid_orders(span), "created_at", "paid_at", name="order_times")


def captures(span: Span) -> Rows:
    rows = Capture.objects.filter(**span.of("created_at")).annotate(method=F("payment__payment_method"))
    return grouped(rows, captures=Count("pk"), captures_minor=Sum("amount_minor"))


def receipts(span: Span) -> Rows:
    """Without those that were reversed: that money never arrived."""
    rows = Receipt.objects.filter(**span.of("created_at"), reversal=None).annotate(**OF_PAYMENT)
    return grouped(rows, receipts=Count("pk"), receipts_minor=Sum("amount_minor"))


def completed_refunds(span: Span) -> QuerySet[Any]:
    rows = PaymentRefund.objects.filter(status=RefundStatus.COMPLETED, **span.of("processed_at"))
    return rows.annotate(**OF_PAYMENT)


def refunds_completed(span: Span) -> Rows:
    return grouped(completed_refunds(span), refunds=Count("pk"), refunds_minor=Sum("amount_minor"))


def refund_times(span: Span) -> Rows:
    """Without those of which the shop learns when they were made: offline, and in the provider's dashboard."""
    rows = completed_refunds(span).exclude(provider=MANUAL).exclude(origin=RefundOrigin.PROVIDER)
    return timed(rows, "created_at", "processed_at", name="refund_times")


def disputes_opened(span: Span) -> Rows:
    rows = Dispute.objects.filter(**span.of("created_at")).annotate(method=F("payment__payment_method"))
    return grouped(
        rows,
        opened=Count("pk"),
        opened_minor=Sum("amount_minor"),
        won=count_if(Q(status=DisputeStatus.WON)),
        lost=count_if(Q(status=DisputeStatus.LOST)),
    )


# ---- checkouts ---------------------------------------------------------------------------------------------------

COUNTED = Journey.objects.filter(is_staff=False, is_merged=False, is_backfilled=False)
STEPS = {("check_step" if step == "check" else step.value): column for step, column in COLUMNS.items()}


def journeys_started(span: Span) -> Rows:
    reached = {name: count_if(Q(**{f"{column}__isnull": False})) for name, column in STEPS.items()}
    return grouped(COUNTED.filter(**span.of("started_at")), *JourneyCell.dimensions, **reached)


def problems_met(span: Span) -> Rows:
    rows = JourneyProblem.objects.filter(**span.of("at"), is_staff=False)
    return grouped(rows, *ProblemCell.dimensions, problems=Count("pk"))


FAMILIES = {
    family.name: family
    for family in (
        Family("payments", 1, PaymentCell, (payments_started,), Payment.objects.all(), "created_at"),
        Family("orders", 1, OrderCell, (orders_placed,), Order.objects.all(), "created_at"),
        Family(
            "settled",
            2,
            SettledCell,
            (payments_completed, processing_times, orders_paid, order_times, captures, receipts),
            Payment.objects.all(),
            "created_at",
        ),
        Family(
            "refunds",
            2,
            RefundCell,
            (refunds_completed, refund_times),
            PaymentRefund.objects.all(),
            "created_at",
        ),
        Family("disputes", 1, DisputeCell, (disputes_opened,), Dispute.objects.all(), "created_at"),
        Family("journeys", 1, JourneyCell, (journeys_started,), COUNTED, "started_at", "journeys"),
        Family(
            "problems",
            1,
            ProblemCell,
            (problems_met,),
            JourneyProblem.objects.all(),
            "at",
            "journey_problems",
        ),
    )
}


def cells_of(family: Family, span: Span) -> dict[tuple[str, ...], dict[str, Any]]:
    """The measures and times of a day by dimension; without those that are all 0."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    model = family.model
    for rows in family.rows:
        for row in rows(span):
            key = tuple(row[name] for name in model.dimensions)
            cell = found.setdefault(
                key, dict.fromkeys(model.measures, 0) | {name: Counter() for name in model.times}
            )
            for name in cell.keys() & row.keys():
                cell[name] += row[name]
    return {key: cell for key, cell in found.items() if any(cell.values())}
