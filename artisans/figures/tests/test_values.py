"""Each metric equals SQL that was written by hand, from the facts and not from cells, without the registry."""

import math
from collections import Counter
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from artisans.figures.counting import marks_drain
from artisans.figures.days import Period, today
from artisans.figures.durations import bucket_of, percentile, seconds_of
from artisans.figures.evaluate import Figure, days_uncounted, figures_of, series_of
from artisans.figures.intervals import share, wilson
from artisans.figures.registry import METRICS, Metric
from artisans.figures.tests.test_counting import BEGIN, ZONES
from carts.journeys import journeys_abandon

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

# Numerator and denominator of a period, by currency ("" for all). :a and :b are its first and last moment.
WITHIN = "{0} >= %(a)s AND {0} < %(b)s"
PAYMENTS = f"""
    SELECT p.id, p.order_id, p.currency, p.failure_code, p.completed_at IS NOT NULL AS paid,
        p.completed_at IS NULL AND (p.status = 'CANCELLED' OR o.status IN ('CANCELLED', 'EXPIRED')) AS ended,
        p.completed_at IS NULL AND p.status = 'CANCELLED' AND
            (SELECT MAX(q.created_at) FROM payments_payment q WHERE q.order_id = p.order_id) > p.created_at AS replaced
    FROM payments_payment p JOIN orders_order o ON o.id = p.order_id WHERE {WITHIN.format("p.created_at")}
"""
COMPLETED = f"SELECT * FROM payments_payment WHERE {WITHIN.format('completed_at')}"
CARD = "('credit_card', 'debit_card')"
CAPTURED = f"""
    SELECT c.currency, c.amount_minor FROM payments_capture c JOIN payments_payment p ON c.payment_id = p.id
    WHERE {WITHIN.format("c.created_at")} AND p.payment_method IN {CARD}
"""
DISPUTED = f"""
    SELECT d.* FROM payments_dispute d JOIN payments_payment p ON d.payment_id = p.id
    WHERE {WITHIN.format("d.created_at")} AND p.payment_method IN {CARD}
"""
WARNED = f"""
    SELECT w.* FROM payments_fraudwarning w JOIN payments_payment p ON w.payment_id = p.id
    WHERE {WITHIN.format("w.warned_at")} AND p.payment_method IN {CARD}
"""
MONEY_IN = f"""
    SELECT currency, amount_minor FROM payments_capture WHERE {WITHIN.format("created_at")} UNION ALL
    SELECT r.currency, r.amount_minor FROM payments_receipt r
    LEFT JOIN payments_receiptreversal x ON x.receipt_id = r.id WHERE x.id IS NULL AND {WITHIN.format("r.created_at")}
"""
MONEY_OUT = f"""
    SELECT r.currency, r.amount_minor FROM payments_paymentrefund r
    WHERE r.status = 'COMPLETED' AND {WITHIN.format("r.processed_at")}
"""
JOURNEYS = f"""
    SELECT * FROM journeys_journey WHERE {WITHIN.format("started_at")}
    AND NOT (is_staff OR is_merged OR is_backfilled)
"""


LEFT = f"SELECT * FROM ({JOURNEYS}) l WHERE placed_at IS NULL AND last_at < %(hour_ago)s"


def of_all(above: str, below: str) -> str:
    return f"SELECT '', ({above}), ({below})"


def number(rows: str, condition: str = "1 = 1") -> str:
    return f"SELECT COUNT(*) FROM ({rows}) x WHERE {condition}"


def steps(later: str, earlier: str) -> str:
    return of_all(number(JOURNEYS, f"{later}_at IS NOT NULL"), number(JOURNEYS, f"{earlier}_at IS NOT NULL"))


def per_currency(above: str, below: str) -> str:
    """Of rows with currency and number."""
    return f"""
        SELECT currency, SUM(above), SUM(below) FROM (
            SELECT currency, number AS above, 0 AS below FROM ({above}) y UNION ALL
            SELECT currency, 0, number FROM ({below}) z
        ) w GROUP BY currency
    """


def minor(rows: str, column: str = "amount_minor") -> str:
    return f"SELECT currency, {column} AS number FROM ({rows}) v"


def ones(rows: str) -> str:
    return f"SELECT currency, 1 AS number FROM ({rows}) v"


ORDERS = f"SELECT * FROM orders_order WHERE {WITHIN.format('created_at')}"
ORDERS_PAID = f"SELECT * FROM orders_order WHERE {WITHIN.format('paid_at')}"
REFUNDED = "id IN (SELECT payment_id FROM payments_paymentrefund WHERE status = 'COMPLETED')"
LOST = "(ended AND NOT replaced)"
STARTED = f"SELECT * FROM payments_payment WHERE {WITHIN.format('created_at')}"
ATTEMPTS = """
    SELECT a.payment_id, a.number, a.provider, a.outcome, a.decline_group, a.decline_code, a.tried_at, a.three_d_secure,
        a.three_d_secure_flow, COALESCE(a.decided_at, a.tried_at) AS decided, p.payment_method, p.created_at AS started
    FROM payments_paymentattempt a JOIN payments_payment p ON p.id = a.payment_id
"""
DECIDED = f"SELECT * FROM ({ATTEMPTS}) b WHERE outcome IN ('succeeded', 'declined')"
DECIDED_THEN = f"SELECT * FROM ({DECIDED}) c WHERE provider <> 'manual' AND {WITHIN.format('decided')}"
FIRST = f"""
    SELECT * FROM (
        SELECT c.*, ROW_NUMBER() OVER (PARTITION BY payment_id ORDER BY decided, number) AS place FROM ({DECIDED}) c
    ) d WHERE place = 1 AND {WITHIN.format("decided")}
"""
FIRST_AT_PROVIDERS = f"SELECT * FROM ({FIRST}) e WHERE provider <> 'manual'"
TRIED = f"SELECT * FROM ({ATTEMPTS}) b WHERE payment_method IN {CARD} AND {WITHIN.format('tried_at')}"
CHALLENGED = "(three_d_secure_flow = 'challenge' OR outcome IN ('challenged', 'abandoned'))"
ASKED = f"(three_d_secure <> '' OR {CHALLENGED})"
AUTHENTICATED = (
    "outcome IN ('succeeded', 'declined') AND three_d_secure IN ('authenticated', 'attempt_acknowledged')"
)
FINISHED = f"{ASKED} AND outcome IN ('succeeded', 'declined') AND three_d_secure NOT IN ('exempted', 'not_supported')"
HAD_A_DECLINE = """
    id IN (SELECT payment_id FROM payments_paymentattempt WHERE outcome = 'declined' AND provider <> 'manual')
"""
REQUESTS = f"SELECT * FROM payments_providerrequest WHERE {WITHIN.format('started_at')}"
REFUSALS = f"SELECT * FROM payments_webhookrefusal WHERE {WITHIN.format('hour')}"
EVENTS = f"SELECT * FROM payments_webhookevent WHERE {WITHIN.format('created_at')}"
TIMES = {  # begin and end
    "decision_time": f"SELECT started, decided FROM ({FIRST}) e WHERE provider = 'manual'",
    "provider_latency": f"SELECT 0, duration_ms FROM ({REQUESTS}) x",
    "webhook_delay": f"SELECT sent_at, created_at FROM ({EVENTS}) x WHERE sent_at IS NOT NULL",
    "webhook_lag": f"SELECT created_at, first_processed_at FROM ({EVENTS}) x WHERE first_processed_at IS NOT NULL",
    "processing_time": f"SELECT created_at, completed_at FROM ({COMPLETED}) x WHERE payment_provider <> 'manual'",
    "time_to_paid": f"SELECT created_at, paid_at FROM ({ORDERS_PAID}) x",
    "refund_time": f"""
        SELECT r.created_at, r.processed_at FROM payments_paymentrefund r
        JOIN payments_payment p ON r.payment_id = p.id
        WHERE r.status = 'COMPLETED' AND r.origin <> 'provider' AND p.payment_provider <> 'manual'
        AND {WITHIN.format("r.processed_at")}
    """,
}
MIXES = {  # rows and what is added of them
    "method_mix": (COMPLETED, "1"),
    "method_mix_amount": (COMPLETED, "amount_minor"),
    "method_mix_started": (STARTED, "1"),
    "method_mix_started_amount": (STARTED, "amount_minor"),
}
LOST_PAYMENTS = f"""
    SELECT e.*, o.status, a.outcome, a.decline_group FROM ({PAYMENTS}) e JOIN orders_order o ON o.id = e.order_id
    LEFT JOIN payments_paymentattempt a ON a.payment_id = e.id
        AND a.number = (SELECT MAX(b.number) FROM payments_paymentattempt b WHERE b.payment_id = e.id)
    WHERE ended AND NOT replaced
"""
PARTS = {  # by a dimension: its value, and how many
    "lost_payments": (
        "cause",
        f"""
        SELECT CASE WHEN decline_group = 'rejected' THEN 'rejected'
            WHEN id IN (SELECT payment_id FROM payments_paymentflag WHERE kind = 'mismatch') THEN 'mismatch'
            WHEN outcome = 'declined' THEN 'declined' WHEN outcome = 'abandoned' THEN 'three_d_secure'
            WHEN failure_code = 'given_up' OR id IN (
                SELECT payment_id FROM payments_providercall WHERE state = 'stuck' AND refund_id IS NULL
            ) THEN 'provider_silent' WHEN status = 'EXPIRED' THEN 'expired'
            ELSE 'cancelled' END, COUNT(*) FROM ({LOST_PAYMENTS}) x GROUP BY 1
        """,
    ),
    "failure_reasons": (
        "decline_code",
        f"SELECT decline_code, COUNT(*) FROM ({DECIDED_THEN}) x WHERE outcome = 'declined' GROUP BY 1",
    ),
    "provider_errors": (
        "operation",
        f"SELECT operation, COUNT(*) FROM ({REQUESTS}) x WHERE outcome = 'unknown' GROUP BY 1",
    ),
}
SQL = {
    "attempt_success_rate": of_all(number(DECIDED_THEN, "outcome = 'succeeded'"), number(DECIDED_THEN)),
    "first_attempt_success_rate": of_all(
        number(FIRST_AT_PROVIDERS, "outcome = 'succeeded'"), number(FIRST_AT_PROVIDERS)
    ),
    "recovered_rate": of_all(
        number(PAYMENTS, f"paid AND {HAD_A_DECLINE}"),
        number(PAYMENTS, f"(paid OR {LOST}) AND {HAD_A_DECLINE}"),
    ),
    "failure_reasons": of_all(number(DECIDED_THEN, "outcome = 'declined'"), "SELECT 0"),
    "lost_payments": of_all(number(LOST_PAYMENTS), "SELECT 0"),
    "three_d_secure_rate": of_all(number(TRIED, ASKED), number(TRIED)),
    "challenge_rate": of_all(number(TRIED, CHALLENGED), number(TRIED, ASKED)),
    "three_d_secure_pass_rate": of_all(number(TRIED, AUTHENTICATED), number(TRIED, FINISHED)),
    "three_d_secure_left_rate": of_all(number(TRIED, "outcome = 'abandoned'"), number(TRIED, CHALLENGED)),
    "provider_error_rate": of_all(number(REQUESTS, "outcome = 'unknown'"), number(REQUESTS)),
    "provider_errors": of_all(number(REQUESTS, "outcome = 'unknown'"), "SELECT 0"),
    "webhook_failure_rate": of_all(number(EVENTS, "state IN ('dead', 'staff')"), number(EVENTS)),
    "webhook_copies": of_all(
        f"SELECT COALESCE(SUM(copies - 1), 0) FROM ({EVENTS}) x",
        f"SELECT COALESCE(SUM(copies), 0) FROM ({EVENTS}) x",
    ),
    "webhook_refused": of_all(f"SELECT COALESCE(SUM(count), 0) FROM ({REFUSALS}) x", "SELECT 0"),
    "abandoned_carts": of_all(number(JOURNEYS, "placed_at IS NULL AND last_at < %(hour_ago)s"), "SELECT 0"),
    "abandoned_value": per_currency(
        f"""
        SELECT j.currency, i.quantity * i.seen_price_minor AS number FROM ({LEFT}) j
        JOIN carts_cartitem i ON i.cart_id = j.cart_id
        """,
        ones(LEFT),
    ),
    "recovered_carts": of_all(number(JOURNEYS, "placed_at IS NOT NULL AND was_abandoned"), "SELECT 0"),
    "payment_success_rate": of_all(number(PAYMENTS, "paid"), number(PAYMENTS, f"paid OR {LOST}")),
    "payment_failure_rate": of_all(number(PAYMENTS, LOST), number(PAYMENTS, f"paid OR {LOST}")),
    "order_paid_rate": of_all(
        number(ORDERS, "paid_at IS NOT NULL"),
        number(ORDERS, "paid_at IS NOT NULL OR status IN ('CANCELLED', 'EXPIRED')"),
    ),
    "average_transaction_value": per_currency(minor(COMPLETED), ones(COMPLETED)),
    "average_order_value": per_currency(minor(ORDERS_PAID, "total_minor"), ones(ORDERS_PAID)),
    "refund_rate": per_currency(minor(MONEY_OUT), minor(MONEY_IN)),
    "refunded_payments_rate": of_all(number(COMPLETED, REFUNDED), number(COMPLETED)),
    "dispute_rate": of_all(number(DISPUTED), number(CAPTURED)),
    "network_ratio": of_all(
        f"SELECT ({number(DISPUTED)}) + ({number(WARNED)})",
        number(CAPTURED),
    ),
    "dispute_amount_rate": per_currency(minor(DISPUTED), minor(CAPTURED)),
    "dispute_won_rate": of_all(
        number(DISPUTED, "status = 'WON'"), number(DISPUTED, "status = 'WON' OR status = 'LOST'")
    ),
    "step_rate_cart": steps("cart", "started"),
    "step_rate_details": steps("details", "cart"),
    "step_rate_delivery": steps("delivery", "details"),
    "step_rate_payment": steps("payment", "delivery"),
    "step_rate_check": steps("check", "payment"),
    "step_rate_placed": steps("placed", "check"),
    "checkout_rate": steps("placed", "started"),
    "problems": of_all(
        number(f"SELECT * FROM journeys_journeyproblem WHERE {WITHIN.format('at')}", "NOT is_staff"),
        "SELECT 0",
    ),
    "problems_rate": of_all(
        number(f"SELECT * FROM journeys_journeyproblem WHERE {WITHIN.format('at')}", "NOT is_staff"),
        number(JOURNEYS),
    ),
    **{name: of_all(number(rows), "SELECT 0") for name, rows in TIMES.items()},
    "method_mix": of_all(number(COMPLETED), number(COMPLETED)),
    "method_mix_amount": per_currency(minor(COMPLETED), minor(COMPLETED)),
    "method_mix_started": of_all(number(STARTED), number(STARTED)),
    "method_mix_started_amount": per_currency(minor(STARTED), minor(STARTED)),
}


# Put before all SQL: what tables have. A shop with live keys has no rows of test mode, nor those of test payments.
TABLES = ""
WITH_MODE = (
    *("payments_payment", "orders_order", "payments_providerrequest", "payments_webhookevent"),
    *("journeys_journey", "journeys_journeyproblem"),
)
OF_PAYMENTS = [
    f"payments_{name}"
    for name in ("capture", "receipt", "paymentrefund", "dispute", "fraudwarning", "paymentattempt")
]


def tables_of_live_mode() -> str:
    schema = "public" if connection.vendor == "postgresql" else "main"
    parts = [f"{name} AS (SELECT * FROM {schema}.{name} WHERE NOT is_test)" for name in WITH_MODE]
    parts += [
        f"{name} AS (SELECT * FROM {schema}.{name} WHERE payment_id IN (SELECT id FROM payments_payment))"
        for name in OF_PAYMENTS
    ]
    return f"WITH {', '.join(parts)} "


def fetch(sql: str, begin: Any, end: Any) -> list[tuple[Any, ...]]:
    moments = {"a": begin, "b": end, "hour_ago": timezone.now() - timedelta(hours=1)}
    if connection.vendor == "sqlite":
        moments = {key: connection.ops.adapt_datetimefield_value(value) for key, value in moments.items()}
    with connection.cursor() as cursor:
        cursor.execute(TABLES + sql, moments)
        return cursor.fetchall()


def by_hand(name: str, begin: Any, end: Any) -> dict[str, tuple[int, int]]:
    if age := METRICS[name].age:
        return cohort_by_hand(timedelta(days=age), begin, end)
    return {row[0]: (int(row[1]), int(row[2])) for row in fetch(SQL[name], begin, end)}


def cohort_by_hand(age: timedelta, begin: datetime, end: datetime) -> dict[str, tuple[int, int]]:
    end = min(end, datetime.combine(today() - age, time.min, tzinfo=begin.tzinfo))
    found: dict[str, tuple[int, int]] = {}
    for currency, amount in fetch(f"SELECT currency, amount_minor FROM ({COMPLETED}) x", begin, end):
        above, below = found.get(currency, (0, 0))
        found[currency] = (above, below + amount)
    refunds = f"""
        SELECT r.currency, r.amount_minor, x.completed_at, r.processed_at FROM payments_paymentrefund r
        JOIN ({COMPLETED}) x ON x.id = r.payment_id WHERE r.status = 'COMPLETED'
    """
    for currency, amount, completed_at, refunded_at in fetch(refunds, begin, end):
        above, below = found[currency]
        is_in_time = moment(refunded_at) - moment(completed_at) < age
        found[currency] = (above + amount * is_in_time, below)
    return found


def moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def seconds_by_hand(name: str, begin: Any, end: Any) -> list[float]:
    rows = fetch(TIMES[name], begin, end)
    if name == "provider_latency":
        return sorted(milliseconds / 1000 for _, milliseconds in rows)
    return sorted((moment(ended) - moment(began)).total_seconds() for began, ended in rows)


def check_percentiles(figure: Figure, percents: tuple[int, ...], seconds: list[float]) -> None:
    assert set(figure.percentiles) == set(percents)
    for percent, value in figure.percentiles.items():
        nearest_rank = seconds[math.ceil(percent / 100 * len(seconds)) - 1]
        assert float(value) == pytest.approx(max(0, nearest_rank), rel=0.02, abs=0.001), percent


def check_problems(period: Period) -> None:
    """Each part is for 1,000 of all checkouts; by channel, of its own."""
    metric = METRICS["problems_rate"]
    [whole] = figures_of(metric, period)
    for dimension in ("step", "kind", "code"):
        parts = [one for [one] in series_of(metric, period, group_by=dimension).values()]
        assert {one.denominator for one in parts} == {whole.denominator}
        assert sum(one.numerator for one in parts) == whole.numerator
    channels = {key: one for key, [one] in series_of(metric, period, group_by="channel").items()}
    assert sum(one.denominator or 0 for one in channels.values()) == whole.denominator
    assert series_of(metric, period, {"channel": "page"})[""] == [channels["page"]]
    assert whole.value == Decimal(1000 * whole.numerator / whole.denominator).quantize(Decimal("0.1"))


def check_mix(metric: Metric, period: Period, begin: Any, end: Any) -> None:
    rows, column = MIXES[metric.name]
    query = f"SELECT payment_method, SUM({column}) FROM ({rows}) x GROUP BY payment_method"
    expected = dict(fetch(query, begin, end))
    found = series_of(metric, period, group_by="method")
    assert {method: one.numerator for method, [one] in found.items()} == expected
    assert len(expected) > 1
    assert {one.denominator for [one] in found.values()} == {sum(expected.values())}
    assert series_of(metric, period, {"method": "credit_card"})[""] == found["credit_card"]


def numbers(found: list[Figure]) -> dict[str, tuple[int, int]]:
    return {one.currency: (one.numerator, one.denominator or 0) for one in found}


def not_empty(found: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    return {key: pair for key, pair in found.items() if any(pair)}


def check_all(zone: str, *, has_all_facts: bool = True) -> None:
    """Each metric over all days since BEGIN, and on each of them."""
    first, here = BEGIN.astimezone(ZoneInfo(zone)).date(), ZoneInfo(zone)

    def midnight(day: Any) -> Any:
        return datetime(day.year, day.month, day.day, tzinfo=here)

    whole, moments = Period(first, today()), (midnight(first), midnight(today() + timedelta(days=1)))
    days = [first + timedelta(days=n) for n in range((today() - first).days + 1)]
    for name, metric in METRICS.items():
        assert days_uncounted(metric, whole) == 0
        expected, found = by_hand(name, *moments), figures_of(metric, whole)
        assert numbers(found) == expected, name
        has_facts = any(all(pair) or not metric.denominator for pair in expected.values())
        assert has_facts or metric.age > 10 or not has_all_facts, name
        if name in TIMES:
            check_percentiles(found[0], metric.percentiles, seconds_by_hand(name, *moments))
        if name in PARTS:
            dimension, query = PARTS[name]
            parts = {
                key: one.numerator for key, [one] in series_of(metric, whole, group_by=dimension).items()
            }
            assert parts == dict(fetch(query, *moments))
            assert len(parts) > 1 or not has_all_facts
        if name in MIXES:
            check_mix(metric, whole, *moments)
        series = series_of(metric, whole, group_by="day")
        for day in days:
            expected = not_empty(by_hand(name, midnight(day), midnight(day + timedelta(days=1))))
            assert not_empty(numbers(series.get(str(day), []))) == expected, (name, day)


@pytest.mark.parametrize("zone", ZONES)
def test_each_metric_equals_sql_by_hand(trade, at_once, settings, time_machine, zone):
    settings.TIME_ZONE = zone
    now = BEGIN
    for _ in range(320):
        now += timedelta(minutes=trade.random.choice([10, 90, 200]))
        time_machine.move_to(now, tick=False)
        trade.step()
        journeys_abandon()  # as the worker does every five seconds
    marks_drain()
    assert set(SQL) == {name for name, metric in METRICS.items() if not metric.age}
    check_all(zone)
    period = Period(BEGIN.date(), today())
    check_problems(period)
    causes = series_of(METRICS["lost_payments"], period, group_by="cause")
    assert set(causes) >= {"mismatch", "cancelled"}


def test_share_without_a_denominator_is_none_and_thin_ones_have_an_interval():
    assert share(0, 0) is None
    assert (share(1, 3), share(2, 2)) == (Decimal("0.3333"), Decimal("1.0000"))
    # statsmodels.stats.proportion.proportion_confint(…, method="wilson")
    assert wilson(2, 10) == (Decimal("0.0567"), Decimal("0.5098"))
    assert wilson(0, 5) == (Decimal("0.0000"), Decimal("0.4345"))
    assert wilson(2123, 2280) == (Decimal("0.9200"), Decimal("0.9408"))
    assert wilson(3, 2) is None


def test_buckets_are_within_2_percent_of_what_is_in_them():
    for milliseconds in (2, 3, 10, 999, 1000, 1040, 60_000, 86_400_000, 31_536_000_000):
        assert float(seconds_of(bucket_of(milliseconds))) * 1000 == pytest.approx(
            milliseconds, rel=0.02, abs=0.06
        )
    assert seconds_of(bucket_of(0)) == seconds_of(bucket_of(-5)) == Decimal(0)
    assert percentile(Counter(), 95) is None
    counts = Counter({bucket_of(1000): 19, bucket_of(5000): 1})
    assert percentile(counts, 95) == seconds_of(bucket_of(1000))
    assert percentile(counts, 96) == seconds_of(bucket_of(5000))


def test_empty_shop_has_no_figures_and_nothing_to_count():
    for metric in METRICS.values():
        assert days_uncounted(metric, Period(today(), today())) == 0
        assert all(one.value in {None, Decimal(0)} for one in figures_of(metric, Period(today(), today())))


def test_dimension_that_a_metric_does_not_have_is_refused():
    with pytest.raises(ValueError, match="device"):
        figures_of(METRICS["payment_success_rate"], Period(today(), today()), {"device": "wide"})
