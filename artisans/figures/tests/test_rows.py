"""The address of the rows behind a number opens exactly those rows."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q, QuerySet, Sum
from django.test import RequestFactory
from django.urls import resolve

from artisans.figures.counting import marks_drain
from artisans.figures.days import Period, today
from artisans.figures.evaluate import Question, current_days
from artisans.figures.families import FAMILIES
from artisans.figures.registry import METRICS, Total
from artisans.figures.rows import LISTS, lists_of, rows_of, rows_url
from artisans.figures.tests.test_counting import BEGIN, ZONES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def all_totals() -> set[Total]:
    totals = {
        total
        for metric in METRICS.values()
        for total in (metric.numerator, metric.denominator, *metric.also.values())
        if total
    }
    return totals.union(*(lists_of("", total).values() for total in totals))


def number_of(total: Total, period: Period, **filters: str) -> int:
    """What the cells say."""
    only = Q(**{f"{name}__in": values for name, values in total.only})
    cells: Any = FAMILIES[total.family].model._default_manager
    sums = cells.filter(current_days(total.family, period), only, **filters).aggregate(
        **{f"sum_{name}": Sum(name) for name in total.measures}
    )
    return sum(value or 0 for value in sums.values())


def listed(address: str, user: Any) -> QuerySet[Any]:
    request = RequestFactory().get(address)
    request.user = user
    view: Any = resolve(request.path).func
    found: QuerySet[Any] = view.model_admin.get_changelist_instance(request).queryset
    return found


def amount_of(row: Any) -> int:
    return int(row.total_minor if hasattr(row, "total_minor") else row.amount_minor)


def test_address_of_rows_opens_the_rows_behind_a_number(
    trade,
    at_once,
    settings,
    time_machine,
    admin_user,
):
    settings.TIME_ZONE = ZONES[1]
    now = BEGIN
    for _ in range(320):
        now += timedelta(minutes=trade.random.choice([10, 90, 200]))
        time_machine.move_to(now, tick=False)
        trade.step()
    marks_drain()
    check_rows(admin_user)


def check_rows(user: Any, *, has_all_facts: bool = True) -> None:
    """Of all totals, from BEGIN until yesterday."""
    period = Period(BEGIN.date(), today() - timedelta(days=1))
    seen = set()
    for total in all_totals():
        for filters in ({}, {"provider": "stripe"}, {"method": "credit_card"}, {"currency": "USD"}):
            if not (address := rows_url(total, period, filters)):
                continue
            seen.add((total.family, total.measures))
            rows = listed(address, user)
            is_money = total.measures[0].endswith("_minor")
            number = sum(map(amount_of, rows)) if is_money else sum(getattr(row, "count", 1) for row in rows)
            assert number == number_of(total, period, **filters), address
            assert number or filters or not has_all_facts, address
    assert seen == set(LISTS)


def test_rows_of_a_metric_follow_its_filters_and_age():
    question = Question(Period(today(), today()), {"method": "credit_card"})
    mix = rows_of(METRICS["method_mix"], question)
    assert "payment_method__exact=credit_card" in mix["numerator"]
    assert "method" not in mix["denominator"]
    old = rows_of(METRICS["refund_rate_cohort_30"], question)
    assert f"completed_at_to={today() - timedelta(days=31)}" in old["denominator"]
    assert rows_of(METRICS["payment_success_rate"], question).keys() == {"numerator", "denominator"}
    both = rows_of(METRICS["network_ratio"], replace(question, filters={}))
    assert both.keys() == {"opened", "warnings", "denominator"}
    assert "payment__payment_method__in=credit_card%2Cdebit_card" in both["warnings"]
    refunds = rows_of(METRICS["refund_rate"], replace(question, filters={}))
    assert refunds.keys() == {"numerator", "captures_minor", "receipts_minor"}


def test_no_list_is_linked_that_would_have_other_rows():
    period = Period(today(), today())
    assert rows_url(METRICS["average_order_value"].numerator, period, {"method": "credit_card"}) == ""
