from datetime import date

import pytest

from artisans.figures.days import Period
from artisans.figures.periods import CompareWith, compared_period, period_named

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("name", "first", "previous", "previous_year"),
    [
        ("today", "2026-03-31", "2026-03-30 2026-03-30", "2025-03-31 2025-03-31"),
        ("7", "2026-03-25", "2026-03-18 2026-03-24", "2025-03-25 2025-03-31"),
        ("month", "2026-03-01", "2026-02-01 2026-02-28", "2025-03-01 2025-03-31"),
        ("quarter", "2026-01-01", "2025-10-01 2025-12-31", "2025-01-01 2025-03-31"),
        ("year", "2026-01-01", "2025-01-01 2025-03-31", "2025-01-01 2025-03-31"),
    ],
)
def test_begun_periods_are_compared_with_the_same_days(name, first, previous, previous_year):
    period = period_named(name, TODAY)
    assert period == Period(date.fromisoformat(first), TODAY)
    for comparison, days in ((CompareWith.PREVIOUS, previous), (CompareWith.PREVIOUS_YEAR, previous_year)):
        expected = Period(*map(date.fromisoformat, days.split()))
        assert compared_period(period, comparison, name) == expected


def test_leap_day_is_compared_with_the_day_before():
    leap = Period(date(2028, 2, 29), date(2028, 2, 29))
    assert compared_period(leap, CompareWith.PREVIOUS_YEAR).first == date(2027, 2, 28)
