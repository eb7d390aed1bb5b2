"""How the cells of one day follow from the facts. Each function reads all facts of a day; nothing is added up.

The same rows may be read by several functions of a family: their measures meet in the cells of equal dimensions.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, ExtractHour
from django.utils import timezone

from artisans.core.test_mode import is_test_mode
from artisans.figures.days import Span
from artisans.figures.durations import Buckets, bucket_of, bucket_of_time
from artisans.figures.models import (
    REFUND_AGES,
    AttemptCell,
    Cell,
    DisputeCell,
    JourneyCell,
    LossCause,
    MessageCell,
    OrderCell,
    PaymentCell,
    ProblemCell,
    RefundCell,
    RefusalCell,
    RequestCell,
    SettledCell,
)
from artisans.journeys.models import COLUMNS, QUIET, Journey, JourneyProblem
from orders.models import Order
from orders.selectors import ORDER_OUTCOMES
from orders.statuses import OrderStatus
from payments.methods import MANUAL
from payments.models import (
    AttemptOutcome,
    CallState,
    Capture,
    DeclineReason,
    Dispute,
    EventState,
    FlagKind,
    FraudWarning,
    Payment,
    PaymentAttempt,
    PaymentFlag,
    PaymentRefund,
    ProviderCall,
    ProviderRequest,
    Receipt,
    RefundOrigin,
    WebhookEvent,
    WebhookRefusal,
)
from payments.models.attempt import DECIDED_AT
from payments.models.provider_call import GIVEN_UP
from payments.selectors import (
    AT_PROVIDERS,
    ATTEMPTS_BY_DECISION,
    ATTEMPTS_BY_TRY,
    BY_CARD,
    DECIDED,
    IS_FIRST,
    PAYMENT_OUTCOME,
)
from payments.statuses import DisputeStatus, RefundStatus

Rows = Iterable[Mapping[str, Any]]
KEYS = ("provider", "method", "currency")


class Facts(NamedTuple):
    """Rows that are counted, and the column with their time."""

    rows: QuerySet[Any]
    clock: str

    def oldest(self) -> QuerySet[Any]:
        known = self.rows.filter(**{f"{self.clock}__isnull": False}).order_by(self.clock)
        return self.rows.filter(pk__in=known.values("pk")[:1]).order_by()


@dataclass(frozen=True)
class Family:
    """Figures that are counted together.

    `version`: raise it when a definition changes, and all days are counted again. `rows`: the measures of a day by
    dimension, in any number of parts. `facts`: in which the first day is found. `retention`: the rule that removes
    them; days before are never counted again.
    """

    name: str
    version: int
    model: type[Cell]
    rows: tuple[Callable[[Span], Rows], ...]
    facts: tuple[Facts, ...]
    retention: str = ""

    def __str__(self) -> str:
        return self.name

    def first(self) -> datetime | None:
        oldest = (facts.oldest().values_list(facts.clock, flat=True).first() for facts in self.facts)
        return min((at for at in oldest if at), default=None)


def counted(path: str = "") -> Q:
    """Without rows of test mode, unless all money is test money. `path`: to the row that knows, such as "payment__"."""
    return Q() if is_test_mode() else Q(**{f"{path}is_test": False})


OF_A_PAYMENT = "payment__"


def count_if(condition: Q) -> Count:
    return Count("pk", filter=condition)


def grouped(rows: QuerySet[Any], *keys: str, **measures: Any) -> Rows:
    """By provider, method and currency, unless other keys are given."""
    found: Rows = rows.order_by().values(*(keys or KEYS)).annotate(**measures)
    return found


def timed(rows: QuerySet[Any], begin: str, end: str, *keys: str, name: str) -> Rows:
    """The time from `begin` to `end`, which are columns, as the measure `name`; by `keys` as in `grouped`."""
    keys = keys or KEYS
    found: dict[tuple[str, ...], Buckets] = defaultdict(Counter)
    for *key, began, ended in rows.order_by().values_list(*keys, begin, end):
        found[tuple(key)][bucket_of_time(ended - began)] += 1
    for found_key, buckets in found.items():
        yield {**dict(zip(keys, found_key, strict=True)), name: buckets}


def hour_of(column: str) -> ExtractHour:
    return ExtractHour(column, tzinfo=timezone.get_default_timezone())


# ---- payments and orders -----------------------------------------------------------------------------------------

OF_PAYMENT = {
    "provider": F("payment__payment_provider"),
    "method": F("payment__payment_method"),
}
OF_ITSELF = {"provider": F("payment_provider"), "method": F("payment_method")}


RECOVERY = {"paid": "recovered", "lost": "unrecovered"}
# What only a row of its own tells of a payment.
HAS_MISMATCH = Exists(PaymentFlag.objects.filter(payment=OuterRef("pk"), kind=FlagKind.MISMATCH).order_by())
IS_UNANSWERED = Q(failure_code=GIVEN_UP) | Exists(
    ProviderCall.objects.filter(payment=OuterRef("pk"), refund=None, state=CallState.STUCK).order_by()
)
# Of payments with `outcome`, by their last attempt; without one that failed, by what closed them.
LOSS_CAUSE = Case(
    When(~Q(outcome="lost"), then=Value("")),
    When(last_decline=DeclineReason.REJECTED, then=Value(LossCause.REJECTED)),
    When(HAS_MISMATCH, then=Value(LossCause.MISMATCH)),
    When(last_outcome=AttemptOutcome.DECLINED, then=Value(LossCause.DECLINED)),
    When(last_outcome=AttemptOutcome.ABANDONED, then=Value(LossCause.THREE_D_SECURE)),
    When(IS_UNANSWERED, then=Value(LossCause.PROVIDER_SILENT)),
    When(order__status=OrderStatus.EXPIRED, then=Value(LossCause.EXPIRED)),
    default=Value(LossCause.CANCELLED),
)


def payments_started(span: Span) -> Rows:
    attempts = PaymentAttempt.objects.filter(payment=OuterRef("pk"))
    declined = attempts.filter(AT_PROVIDERS, outcome=AttemptOutcome.DECLINED)
    last = attempts.order_by("-number")
    rows = Payment.objects.filter(counted(), **span.of("created_at")).annotate(
        **OF_ITSELF,
        outcome=PAYMENT_OUTCOME,
        last_outcome=Subquery(last.values("outcome")[:1]),
        last_decline=Subquery(last.values("decline_group")[:1]),
        cause=LOSS_CAUSE,
        is_declined=Exists(declined),
    )
    keys = (*KEYS, "outcome", "cause", "is_declined")
    for row in grouped(rows, *keys, count=Count("pk"), started_minor=Sum("amount_minor")):
        yield {
            **row,
            row["outcome"]: row["count"],
            **(
                {RECOVERY[row["outcome"]]: row["count"]}
                if row["is_declined"] and row["outcome"] in RECOVERY
                else {}
            ),
        }


def orders_placed(span: Span) -> Rows:
    return grouped(
        Order.objects.filter(counted(), **span.of("created_at")),
        "currency",
        **{outcome: count_if(ORDER_OUTCOMES[outcome]) for outcome in OrderCell.measures},
    )


HAS_REFUNDS = Q(refunded_minor__gt=0)  # so few that refunds are looked up by index


def payments_completed(span: Span) -> Rows:
    return grouped(
        Payment.objects.filter(counted(), **span.of("completed_at")).annotate(**OF_ITSELF),
        payments=Count("pk"),
        payments_minor=Sum("amount_minor"),
        refunded_payments=count_if(HAS_REFUNDS),
    )


def refunds_by_age(span: Span) -> Rows:
    """Of the payments that were completed in the span, however long ago that is."""
    rows = Payment.objects.filter(counted(), HAS_REFUNDS, **span.of("completed_at")).annotate(**OF_ITSELF)
    sums = {f"refunded_{age}_minor": refunded_within(timedelta(days=age)) for age in REFUND_AGES}
    return grouped(rows.filter(refunds__status=RefundStatus.COMPLETED), **sums)


def refunded_within(age: timedelta) -> Sum:
    is_in_time = Q(refunds__processed_at__lt=F("completed_at") + age)
    return Sum("refunds__amount_minor", filter=is_in_time, default=0)


def processing_times(span: Span) -> Rows:
    """At providers: how long offline payments take is for buyers and banks to say."""
    rows = Payment.objects.filter(counted(), **span.of("completed_at")).exclude(payment_provider=MANUAL)
    return timed(rows.annotate(**OF_ITSELF), "created_at", "completed_at", name="processing_times")


def paid_orders(span: Span) -> QuerySet[Any]:
    """By the payment that was completed last until then, which is the one that paid the rest."""
    last = Payment.objects.filter(order=OuterRef("pk"), completed_at__lte=OuterRef("paid_at"))
    last = last.order_by("-completed_at", "-pk")
    return Order.objects.filter(counted(), **span.of("paid_at")).annotate(
        provider=Coalesce(Subquery(last.values("payment_provider")[:1]), Value("")),
        method=Coalesce(Subquery(last.values("payment_method")[:1]), Value("")),
    )


def orders_paid(span: Span) -> Rows:
    return grouped(paid_orders(span), orders=Count("pk"), orders_minor=Sum("total_minor"))


def order_times(span: Span) -> Rows:
    return timed(paid_orders(span), "created_at", "paid_at", name="order_times")


def captures(span: Span) -> Rows:
    rows = Capture.objects.filter(counted(OF_A_PAYMENT), **span.of("created_at")).annotate(
        method=F("payment__payment_method")
    )
    return grouped(rows, captures=Count("pk"), captures_minor=Sum("amount_minor"))


def receipts(span: Span) -> Rows:
    """Without those that were reversed: that money never arrived."""
    rows = Receipt.objects.filter(counted(OF_A_PAYMENT), **span.of("created_at"), reversal=None).annotate(
        **OF_PAYMENT
    )
    return grouped(rows, receipts=Count("pk"), receipts_minor=Sum("amount_minor"))


def completed_refunds(span: Span) -> QuerySet[Any]:
    rows = PaymentRefund.objects.filter(
        counted(OF_A_PAYMENT), status=RefundStatus.COMPLETED, **span.of("processed_at")
    )
    return rows.annotate(**OF_PAYMENT)


def refunds_completed(span: Span) -> Rows:
    return grouped(completed_refunds(span), refunds=Count("pk"), refunds_minor=Sum("amount_minor"))


def refund_times(span: Span) -> Rows:
    """Without those of which the shop learns when they were made: offline, and in the provider's dashboard."""
    rows = completed_refunds(span).exclude(provider=MANUAL).exclude(origin=RefundOrigin.PROVIDER)
    return timed(rows, "created_at", "processed_at", name="refund_times")


def disputes_opened(span: Span) -> Rows:
    rows = Dispute.objects.filter(counted(OF_A_PAYMENT), **span.of("created_at")).annotate(
        method=F("payment__payment_method")
    )
    return grouped(
        rows,
        opened=Count("pk"),
        opened_minor=Sum("amount_minor"),
        won=count_if(Q(status=DisputeStatus.WON)),
        lost=count_if(Q(status=DisputeStatus.LOST)),
    )


def warnings_given(span: Span) -> Rows:
    rows = FraudWarning.objects.filter(counted(OF_A_PAYMENT), **span.of("warned_at"))
    rows = rows.annotate(method=F("payment__payment_method"), currency=F("payment__currency"))
    return grouped(rows, warnings=Count("pk"))


# ---- attempts, requests and messages --------------------------------------------------------------------------------

ATTEMPT_KEYS = ("provider", "payment__payment_method", "currency")


def of_attempts(rows: Rows) -> Rows:
    """By the method of the payment: an attempt's own is the provider's word. Without a reason unless they have one."""
    for row in rows:
        yield {"decline_group": "", "decline_code": "", **row, "method": row["payment__payment_method"]}


def attempts_decided(span: Span) -> Rows:
    counts = {name: count_if(ATTEMPTS_BY_DECISION[name]) for name in ("succeeded", "declined")}
    keys = (*ATTEMPT_KEYS, "decline_group", "decline_code")
    return of_attempts(grouped(decided_attempts(span).filter(AT_PROVIDERS), *keys, **counts))


def decided_attempts(span: Span) -> QuerySet[Any]:
    """Without those that the buyer left."""
    rows = PaymentAttempt.objects.filter(counted(OF_A_PAYMENT), DECIDED).annotate(decided=DECIDED_AT)
    return rows.filter(**span.of("decided"))


def first_attempts(span: Span) -> QuerySet[Any]:
    return decided_attempts(span).filter(IS_FIRST)


def attempts_first(span: Span) -> Rows:
    rows = grouped(
        first_attempts(span).filter(AT_PROVIDERS),
        *ATTEMPT_KEYS,
        first_succeeded=count_if(Q(outcome=AttemptOutcome.SUCCEEDED)),
        first_declined=count_if(Q(outcome=AttemptOutcome.DECLINED)),
    )
    return of_attempts(rows)


def decision_times(span: Span) -> Rows:
    """Offline, the first receipt or rejection."""
    rows = first_attempts(span).filter(provider=MANUAL)
    return of_attempts(timed(rows, "payment__created_at", "decided", *ATTEMPT_KEYS, name="decision_times"))


def cards_tried(span: Span) -> Rows:
    rows = PaymentAttempt.objects.filter(counted(OF_A_PAYMENT), BY_CARD, **span.of("tried_at"))
    counts = {name: count_if(condition) for name, condition in ATTEMPTS_BY_TRY.items()}
    return of_attempts(grouped(rows, *ATTEMPT_KEYS, **counts))


def requests_sent(span: Span) -> Rows:
    rows = ProviderRequest.objects.filter(counted(), **span.of("started_at")).annotate(
        hour_number=hour_of("started_at")
    )
    keys = ("provider", "operation", "hour_number", "outcome", "error_code")
    for row in grouped(rows, *keys, requests=Count("pk")):
        yield {**row, "hour": f"{row['hour_number']:02}"}


def request_times(span: Span) -> Rows:
    rows = ProviderRequest.objects.filter(counted(), **span.of("started_at"))
    for row in grouped(rows, "provider", "operation", "duration_ms", count=Count("pk")):
        times = Counter({bucket_of(row["duration_ms"]): row["count"]})
        yield {**row, "hour": "", "outcome": "", "error_code": "", "durations": times}


def events_received(span: Span) -> Rows:
    rows = WebhookEvent.objects.filter(counted(), **span.of("created_at")).annotate(
        hour_number=hour_of("created_at")
    )
    found = grouped(
        rows,
        "provider",
        "hour_number",
        events=Count("pk"),
        failed=count_if(Q(state__in=[EventState.DEAD, EventState.STAFF])),
        deliveries=Sum("copies"),
        early=count_if(Q(sent_at__gt=F("created_at"))),
    )
    for row in found:
        yield {**row, "hour": f"{row['hour_number']:02}", "copies": row["deliveries"] - row["events"]}


def event_delays(span: Span) -> Rows:
    rows = WebhookEvent.objects.filter(counted(), **span.of("created_at"), sent_at__isnull=False)
    found = timed(rows, "sent_at", "created_at", "provider", name="delays")
    return ({**row, "hour": ""} for row in found)


def event_lags(span: Span) -> Rows:
    rows = WebhookEvent.objects.filter(counted(), **span.of("created_at"), first_processed_at__isnull=False)
    found = timed(rows, "created_at", "first_processed_at", "provider", name="lags")
    return ({**row, "hour": ""} for row in found)


def requests_refused(span: Span) -> Rows:
    rows = WebhookRefusal.objects.filter(**span.of("hour")).annotate(hour_number=hour_of("hour"))
    for row in grouped(rows, "provider", "hour_number", "reason", refused=Sum("count")):
        yield {**row, "hour": f"{row['hour_number']:02}"}


# ---- checkouts ---------------------------------------------------------------------------------------------------

COUNTED = Journey.objects.filter(is_staff=False, is_merged=False, is_backfilled=False)
PROBLEMS = JourneyProblem.objects.filter(is_staff=False)
STEPS = {("check_step" if step == "check" else step.value): column for step, column in COLUMNS.items()}


HAS_RECOVERED = Q(was_abandoned=True, placed_at__isnull=False)


def has_left() -> Q:
    return Q(placed_at__isnull=True, last_at__lt=timezone.now() - QUIET)


def journeys_started(span: Span) -> Rows:
    reached = {name: count_if(Q(**{f"{column}__isnull": False})) for name, column in STEPS.items()}
    return grouped(
        COUNTED.filter(counted(), **span.of("started_at")),
        *JourneyCell.dimensions,
        **reached,
        abandoned=count_if(has_left()),
        abandoned_valued=count_if(has_left() & Q(abandoned_minor__isnull=False)),
        abandoned_minor=Sum("abandoned_minor", filter=has_left(), default=0),
        recovered=count_if(HAS_RECOVERED),
    )


def problems_met(span: Span) -> Rows:
    rows = PROBLEMS.filter(counted(), **span.of("at"))
    return grouped(rows, *ProblemCell.dimensions, problems=Count("pk"))


PAYMENTS = Facts(Payment.objects.all(), "created_at")
ORDERS = Facts(Order.objects.all(), "created_at")
REFUNDS = Facts(PaymentRefund.objects.all(), "created_at")
DISPUTES = (Facts(Dispute.objects.all(), "created_at"), Facts(FraudWarning.objects.all(), "warned_at"))
ATTEMPTS = Facts(PaymentAttempt.objects.all(), "tried_at")
REQUESTS = Facts(ProviderRequest.objects.all(), "started_at")
EVENTS = Facts(WebhookEvent.objects.all(), "created_at")
REFUSALS = Facts(WebhookRefusal.objects.all(), "hour")
JOURNEYS = Facts(COUNTED, "started_at")
REPORTED = Facts(JourneyProblem.objects.all(), "at")
COUNTS_OF_SETTLED = (
    *(payments_completed, refunds_by_age, processing_times),
    *(orders_paid, order_times, captures, receipts),
)
COUNTS_OF_ATTEMPTS = (attempts_decided, attempts_first, decision_times, cards_tried)
COUNTS_OF_EVENTS = (events_received, event_delays, event_lags)
FAMILIES = {
    family.name: family
    for family in (
        Family("payments", 4, PaymentCell, (payments_started,), (PAYMENTS,)),
        Family("orders", 2, OrderCell, (orders_placed,), (ORDERS,)),
        Family("settled", 4, SettledCell, COUNTS_OF_SETTLED, (PAYMENTS, ORDERS)),
        Family("refunds", 3, RefundCell, (refunds_completed, refund_times), (REFUNDS,)),
        Family("disputes", 2, DisputeCell, (disputes_opened, warnings_given), DISPUTES),
        Family("attempts", 2, AttemptCell, COUNTS_OF_ATTEMPTS, (ATTEMPTS,)),
        Family("requests", 1, RequestCell, (requests_sent, request_times), (REQUESTS,), "request_times"),
        Family("messages", 1, MessageCell, COUNTS_OF_EVENTS, (EVENTS,), "webhooks"),
        Family("refusals", 1, RefusalCell, (requests_refused,), (REFUSALS,), "webhook_refusals"),
        Family("journeys", 3, JourneyCell, (journeys_started,), (JOURNEYS,), "journeys"),
        Family("problems", 1, ProblemCell, (problems_met,), (REPORTED,), "journey_problems"),
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
