"""Which rate applies, and what it takes of a parcel: exact sums, and never more than there is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import PPM, half_up
from orders.commission import Fee, Terms, allocate_within, applying_rate, most_commission, parcel_fees

NOW = datetime(2026, 12, 1, tzinfo=UTC)
POTTER, WEAVER = UUID(int=1), UUID(int=2)
BOWLS, SCARVES = 1, 2


@dataclass
class Row:
    """A rate as stored; `days`: how long ago it started."""

    rate_ppm: int = 0
    artisan_id: UUID | None = None
    category_id: int | None = None
    days: int = 1
    is_end: bool = False
    minimum_minor: int = 0
    cap_minor: int | None = None
    fixed_minor: int = 0
    on_shipping: bool = False

    @property
    def valid_from(self) -> datetime:
        return NOW - timedelta(days=self.days)


STORE = Row(10)
CATEGORY = Row(20, category_id=BOWLS)
ARTISAN = Row(30, POTTER)
BOTH = Row(40, POTTER, BOWLS)


def rate(*rows: Row, artisan: UUID = POTTER, category: int = BOWLS) -> int | None:
    found = applying_rate(rows, artisan_id=artisan, category_id=category, at=NOW)
    return found.rate_ppm if found else None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        ([STORE], 10),
        ([STORE, CATEGORY], 20),
        ([STORE, CATEGORY, ARTISAN], 30),
        ([BOTH, ARTISAN, CATEGORY, STORE], 40),
    ],
)
def test_the_most_exact_rate_applies(rows, expected):
    assert rate(*rows) == expected


def test_rates_of_others_do_not_apply():
    assert rate(BOTH, ARTISAN, CATEGORY, artisan=WEAVER, category=SCARVES) is None
    assert rate(BOTH, ARTISAN, CATEGORY, category=SCARVES) == 30
    assert rate(BOTH, ARTISAN, CATEGORY, artisan=WEAVER) == 20


def test_of_one_kind_the_latest_start_that_has_come_applies():
    rows = [Row(1, POTTER, days=9), Row(2, POTTER, days=0), Row(3, POTTER, days=5), Row(4, POTTER, days=-1)]

    assert rate(*rows) == 2


def test_an_end_gives_way_to_the_next_less_exact_rate_until_another_starts():
    end = Row(0, POTTER, days=1, is_end=True)

    assert rate(STORE, Row(30, POTTER, days=2), end) == 10
    assert rate(STORE, Row(30, POTTER, days=2), end, Row(50, POTTER, days=0)) == 50
    assert rate(Row(30, POTTER, days=2), end) is None


# ---- amounts -------------------------------------------------------------------------------------------------


def test_fee_of_a_line_is_rounded_half_up_and_taxed_once_per_parcel():
    fees = parcel_fees([8545, 3333], [Terms(100_000), Terms(80_000)], tax_ppm=190_000)

    assert [line.commission for line in fees.lines] == [855, 267]
    assert fees.total == Fee(1122, 213)
    assert [line.tax for line in fees.lines] == [162, 51]
    assert fees.shipping == Fee()


@pytest.mark.parametrize(
    ("terms", "commission"),
    [
        (Terms(100_000, minimum=250), 250),
        (Terms(100_000, minimum=50), 100),
        (Terms(100_000, fixed=30), 130),
        (Terms(100_000, fixed=30, cap=110), 110),
        (Terms(100_000, cap=0), 0),
        (Terms(100_000, minimum=5000), 1000),
        (Terms(1_000_000), 1000),
        (Terms(0, fixed=30), 30),
        (Terms(), 0),
    ],
)
def test_parcel_of_10_00(terms, commission):
    fees = parcel_fees([600, 400], [terms] * 2)

    assert fees.total == Fee(commission)
    assert [line.commission for line in fees.lines] == [half_up(commission * 6, 10), commission * 4 // 10]


def test_of_several_minimums_and_fixed_parts_the_largest_counts_once():
    one, two = Terms(10_000, minimum=100, fixed=20), Terms(10_000, minimum=300, fixed=50)

    assert parcel_fees([1000, 1000], [one, two]).total.commission == 300
    assert parcel_fees([20_000, 20_000], [one, two]).total.commission == 450


def test_a_cap_applies_if_all_lines_have_one():
    capped, free = Terms(100_000, cap=50), Terms(100_000)

    assert parcel_fees([1000, 1000], [capped, capped]).total.commission == 50
    assert parcel_fees([1000, 1000], [capped, capped._replace(cap=70)]).total.commission == 70
    assert parcel_fees([1000, 1000], [capped, free]).total.commission == 200


def test_shipping_is_charged_for_lines_whose_rate_says_so():
    with_shipping, without = Terms(100_000, on_shipping=True), Terms(100_000)

    assert parcel_fees([1000, 1000], [with_shipping, without], shipping=600).shipping == Fee(30)
    assert parcel_fees([1000, 1000], [with_shipping] * 2, shipping=600).total == Fee(260)
    assert parcel_fees([1000], [without], shipping=600).shipping == Fee()


def test_a_minimum_beyond_one_line_is_taken_from_the_others():
    """The line with a rate of its own bears what it can."""
    fees = parcel_fees([1000, 9000], [Terms(1_000_000, minimum=5000), Terms()])

    assert [line.commission for line in fees.lines] == [1000, 4000]


def test_amounts_of_currencies_with_none_or_three_decimals():
    yen = parcel_fees([1], [Terms(500_000)], tax_ppm=100_000)
    assert yen.total == Fee(1, 0)
    dinars = parcel_fees([12_345], [Terms(33_333)], tax_ppm=50_000)
    assert dinars.total == Fee(411, 21)


terms = st.builds(
    Terms,
    rate_ppm=st.sampled_from([0, 1, 80_000, PPM]) | st.integers(0, PPM),
    minimum=st.sampled_from([0, 0, 10**6]) | st.integers(0, 5000),
    cap=st.none() | st.integers(0, 5000),
    fixed=st.just(0) | st.integers(0, 500),
    on_shipping=st.booleans(),
)


@given(
    lines=st.lists(st.tuples(st.integers(1, 30) | st.integers(1, 10**9), terms), min_size=1, max_size=8),
    shipping=st.just(0) | st.integers(0, 10**5),
    tax_ppm=st.sampled_from([0, 190_000, PPM]) | st.integers(0, PPM),
)
def test_parts_add_up_and_never_exceed_what_they_are_taken_from(lines, shipping, tax_ppm):
    totals, rates = [total for total, _ in lines], [rate for _, rate in lines]
    fees = parcel_fees(totals, rates, shipping=shipping, tax_ppm=tax_ppm)

    commission, tax = fees.total
    assert tax == half_up(commission * tax_ppm, PPM)
    assert commission + tax <= sum(totals)
    for part, limit in zip([*fees.lines, fees.shipping], [*totals, shipping], strict=True):
        assert min(part) >= 0
        assert sum(part) <= limit
    smallest = max(rate.minimum for rate in rates)
    assert commission >= min(smallest, most_commission(sum(totals), tax_ppm))
    if all(rate.cap is not None for rate in rates):
        assert commission <= max(smallest, *(rate.cap or 0 for rate in rates))


@given(subtotal=st.integers(0, 100) | st.integers(0, 10**12), tax_ppm=st.integers(0, PPM))
def test_the_largest_commission_fits_with_its_tax_and_one_more_does_not(subtotal, tax_ppm):
    most = most_commission(subtotal, tax_ppm)

    assert most + half_up(most * tax_ppm, PPM) <= subtotal < most + 1 + half_up((most + 1) * tax_ppm, PPM)
    assert abs(most - Fraction(subtotal * PPM, PPM + tax_ppm)) <= 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=8), st.data())
def test_an_amount_is_split_within_limits(parts, data):
    weights, limits = zip(*parts, strict=True)
    minor = data.draw(st.integers(0, sum(limits)))
    found = allocate_within(minor, weights, limits)

    assert sum(found) == minor
    assert all(0 <= part <= limit for part, limit in zip(found, limits, strict=True))
