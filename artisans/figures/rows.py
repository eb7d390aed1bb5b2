"""The admin list whose rows are behind a number of a figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.urls import reverse

from artisans.core.test_mode import is_test_mode
from artisans.figures.days import Period
from artisans.figures.evaluate import Question, without_recent_days
from artisans.figures.registry import STEPS, Metric, Total
from payments.selectors import ATTEMPTS_BY_DECISION, ATTEMPTS_BY_TRY


@dataclass(frozen=True, slots=True)
class List:
    """`day`: the column of its day filter. `filters`: further parameters. `dimensions`: their parameters by name.
    `mode`: the parameter of test money; "" for a list of other facts, or that has only what is counted."""

    name: str
    day: str
    filters: Mapping[str, str] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)
    mode: str = "is_test__exact"


OF_PAYMENTS = {
    "method": "payment_method__exact",
    "provider": "payment_provider__exact",
    "currency": "currency__exact",
}


OF_A_PAYMENT = "payment__is_test__exact"


def payments(day: str, **filters: str) -> List:
    return List("payments_payment", day, filters, OF_PAYMENTS)


def orders(day: str, **filters: str) -> List:
    return List("orders_order", day, filters, {"currency": "currency__exact"})


REFUNDS = List(
    "payments_paymentrefund",
    "processed_at",
    {"status__exact": "COMPLETED"},
    {"provider": "payment__payment_provider__exact"},
    OF_A_PAYMENT,
)


def events(**filters: str) -> List:
    return List("payments_webhookevent", "created_at", filters, {"provider": "provider__exact"})


def attempts(day: str, counted: str) -> List:
    return List(
        "payments_paymentattempt",
        day,
        {"counted": counted},
        {
            "method": "payment__payment_method__exact",
            "provider": "provider__exact",
            "currency": "currency__exact",
        },
        OF_A_PAYMENT,
    )


def decided(counted: str) -> List:
    return attempts("decided_at", counted)


def tried(counted: str) -> List:
    return attempts("tried_at", counted)


CAPTURES, RECEIPTS = (
    List(
        name,
        "created_at",
        filters,
        {
            "method": "payment__payment_method__exact",
            "provider": provider,
            "currency": "currency__exact",
        },
        OF_A_PAYMENT,
    )
    for name, provider, filters in (
        ("payments_capture", "provider__exact", {}),
        ("payments_receipt", "payment__payment_provider__exact", {"reversal__isnull": "1"}),
    )
)


def disputes(**filters: str) -> List:
    return List(
        "payments_dispute",
        "created_at",
        filters,
        {
            "method": "payment__payment_method__exact",
            "provider": "provider__exact",
            "currency": "currency__exact",
        },
        OF_A_PAYMENT,
    )


def journeys(reached: str = "") -> List:
    return List(
        "journeys_journey",
        "started_at",
        {"reached": reached} if reached else {},
        {"channel": "channel__exact", "device": "device__exact", "currency": "currency__exact"},
        mode="",
    )


def fraud_warnings() -> List:
    return List(
        "payments_fraudwarning",
        "warned_at",
        {},
        {
            "method": "payment__payment_method__exact",
            "provider": "provider__exact",
            "currency": "payment__currency__exact",
        },
        OF_A_PAYMENT,
    )


# By family and measures.
LISTS: dict[tuple[str, tuple[str, ...]], List] = {
    ("payments", ("paid",)): payments("created_at", outcome="paid"),
    ("payments", ("lost",)): payments("created_at", outcome="lost"),
    ("payments", ("open",)): payments("created_at", outcome="open"),
    ("payments", ("switched",)): payments("created_at", outcome="switched"),
    ("payments", ("paid", "lost")): payments("created_at", outcome="ended"),
    ("payments", ("paid", "lost", "open", "switched")): payments("created_at"),
    ("payments", ("started_minor",)): payments("created_at"),
    ("orders", ("paid",)): orders("created_at", outcome="paid"),
    ("orders", ("paid", "closed")): orders("created_at", outcome="ended"),
    ("orders", ("open",)): orders("created_at", outcome="open"),
    ("settled", ("payments",)): payments("completed_at"),
    ("settled", ("refunded_payments",)): payments("completed_at", refunded_minor__gt="0"),
    ("settled", ("captures",)): CAPTURES,
    ("settled", ("captures_minor",)): CAPTURES,
    ("settled", ("receipts_minor",)): RECEIPTS,
    ("settled", ("payments_minor",)): payments("completed_at"),
    ("settled", ("orders",)): orders("paid_at"),
    ("settled", ("orders_minor",)): orders("paid_at"),
    ("refunds", ("refunds_minor",)): REFUNDS,
    ("messages", ("events",)): events(),
    ("refusals", ("refused",)): List(
        "payments_webhookrefusal", "hour", {}, {"provider": "provider__exact"}, ""
    ),
    ("messages", ("failed",)): events(state__in="dead,staff"),
    ("attempts", ("succeeded", "declined")): decided("decided"),
    ("attempts", ("first_succeeded", "first_declined")): decided("first_decided"),
    **{
        ("attempts", (name,)): decided(name)
        for name in ATTEMPTS_BY_DECISION.keys() - {"decided", "first_decided"}
    },
    **{("attempts", (name,)): tried(name) for name in ATTEMPTS_BY_TRY},
    ("disputes", ("opened",)): disputes(),
    ("disputes", ("opened_minor",)): disputes(),
    ("disputes", ("warnings",)): fraud_warnings(),
    ("disputes", ("won",)): disputes(status__exact="WON"),
    ("disputes", ("won", "lost")): disputes(status__in="WON,LOST"),
    ("journeys", ("started",)): journeys(),
    ("journeys", ("abandoned",)): journeys("abandoned"),
    ("journeys", ("recovered",)): journeys("recovered"),
    **{("journeys", (name,)): journeys(name) for name in STEPS[1:]},
    ("problems", ("problems",)): List(
        "journeys_journeyproblem",
        "at",
        {},
        {"channel": "channel__exact", "step": "step__exact", "kind": "kind__exact"},
        mode="",
    ),
    ("requests", ("requests",)): List(
        "payments_providerrequest",
        "started_at",
        {},
        {"provider": "provider__exact", "outcome": "outcome__exact"},
    ),
}


def rows_of(metric: Metric, question: Question) -> dict[str, str]:
    """The addresses for numerator and denominator, by name of the part; without those that have no list. A part that
    adds up the rows of several lists has an address for each, by the name of the measure."""
    period = without_recent_days(question.period, metric.age)
    found = {
        part: rows_url(total, period, question.filters)
        for part, total in lists_of("numerator", metric.numerator).items()
    }
    if metric.denominator:
        filters = {name: value for name, value in question.filters.items() if name != metric.mix_of}
        found |= {
            part: rows_url(total, period, filters)
            for part, total in lists_of("denominator", metric.denominator).items()
        }
    return {part: address for part, address in found.items() if address}


def lists_of(part: str, total: Total) -> dict[str, Total]:
    """The total as it has a list, or the parts of it that have one."""
    if (total.family, total.measures) in LISTS:
        return {part: total}
    return {name: replace(total, measures=(name,)) for name in total.measures}


def rows_url(total: Total, period: Period, filters: Mapping[str, str] | None = None) -> str:
    """The address of exactly the rows that are counted or added up; "" if there is no such list."""
    rows = LISTS.get((total.family, total.measures))
    wanted = {name: ",".join(values) for name, values in total.only} | dict(filters or {})
    if rows is None or wanted.keys() - rows.dimensions.keys():
        return ""
    query = {
        **rows.filters,
        **{parameter(rows.dimensions[name], value): value for name, value in wanted.items()},
        **({rows.mode: "0"} if rows.mode and not is_test_mode() else {}),
        f"{rows.day}_from": period.first.isoformat(),
        f"{rows.day}_to": period.last.isoformat(),
    }
    return f"{reverse(f'admin:{rows.name}_changelist')}?{urlencode(query)}"


def parameter(name: str, value: str) -> str:
    """For one value or several, separated by commas."""
    return name.replace("__exact", "__in") if "," in value else name
