"""Each metric equals SQL that was written by hand, from the facts and not from cells, without the registry."""

import math
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from artisans.figures.counting import marks_drain
from artisans.figures.days import Period, today
from artisans.figures.durations import bucket_of, percentile, seconds_of
from artisans.figures.evaluate import Figure, days_uncounted, figures_of, series_of
from artisans.figures.intervals import share, wilson
from artisans.figures.registry import METRICS, Metric
from artisans.figures.tests.test_counting import BEGIN, ZONES, at_once, trade  # noqa: F401  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

# Numerator and denominator of a period, by currency ("" for all). :a and :b are its first and last moment.
WITHIN = "{0} >= %(a)s AND {0} < %(b)s"
PAYMENTS = f"""
    SELECT p.id, p.order_id, p.currency, p.completed_at IS NOT NULL AS paid,
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
TIMES = {  # begin and end
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
SQL = {
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
    **{name: of_all(number(rows), "SELECT 0") for name, rows in TIMES.items()},
    "method_mix": of_all(number(COMPLETED), number(COMPLETED)),
    "method_mix_amount": per_currency(minor(COMPLETED), minor(COMPLETED)),
    "method_mix_started": of_all(number(STARTED), number(STARTED)),
    "method_mix_started_amount": per_currency(minor(STARTED), minor(STARTED)),
}


def fetch(sql: str, begin: Any, end: Any) -> list[tuple[Any, ...]]:
    moments = {"a": begin, "b": end}
    if connection.vendor == "sqlite":
        moments = {key: connection.ops.adapt_datetimefield_value(value) for key, value in moments.items()}
    with connection.cursor() as cursor:
        cursor.execute(sql, moments)
        return cursor.fetchall()


def by_hand(name: str, begin: Any, end: Any) -> dict[str, tuple[int, int]]:
    return {row[0]: (int(row[1]), int(row[2])) for row in fetch(SQL[name], begin, end)}


def moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def seconds_by_hand(name: str, begin: Any, end: Any) -> list[float]:
    rows = fetch(TIMES[name], begin, end)
    return sorted((moment(ended) - moment(began)).total_seconds() for began, ended in rows)


def check_percentiles(figure: Figure, percents: tuple[int, ...], seconds: list[float]) -> None:
    assert set(figure.percentiles) == set(percents)
    for percent, value in figure.percentiles.items():
        nearest_rank = seconds[math.ceil(percent / 100 * len(seconds)) - 1]
        assert float(value) == pytest.approx(max(0, nearest_rank), rel=0.02, abs=0.001), percent


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


@pytest.mark.parametrize("zone", ZONES)
def test_each_metric_equals_sql_by_hand(trade, at_once, settings, time_machine, zone):  # noqa: F811
    settings.TIME_ZONE = zone
    now = BEGIN
    for _ in range(220):
        now += timedelta(minutes=trade.random.choice([10, 90, 200]))
        time_machine.move_to(now, tick=False)
        trade.step()
    marks_drain()
    first, here = BEGIN.astimezone(ZoneInfo(zone)).date(), ZoneInfo(zone)

    def midnight(day: Any) -> Any:
        return datetime(day.year, day.month, day.day, tzinfo=here)

    whole, moments = Period(first, today()), (midnight(first), midnight(today() + timedelta(days=1)))
    days = [first + timedelta(days=n) for n in range((today() - first).days + 1)]
    assert set(SQL) == set(METRICS)
    for name, metric in METRICS.items():
        assert days_uncounted(metric, whole) == 0
        expected, found = by_hand(name, *moments), figures_of(metric, whole)
        assert numbers(found) == expected, name
        assert any(any(pair) for pair in expected.values()), f"{name} has no facts"
        if name in TIMES:
            check_percentiles(found[0], metric.percentiles, seconds_by_hand(name, *moments))
        if name in MIXES:
            check_mix(metric, whole, *moments)
        series = series_of(metric, whole, group_by="day")
        for day in days:
            expected = not_empty(by_hand(name, midnight(day), midnight(day + timedelta(days=1))))
            assert not_empty(numbers(series.get(str(day), []))) == expected, (name, day)


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
