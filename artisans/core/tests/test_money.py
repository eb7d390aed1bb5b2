"""Money is exact: read strictly, split without loss, rounded half up, never mixed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import MAX_MINOR, Money, allocate, exponent_of
from artisans.core.templatetags.money import show

minors = st.integers(0, MAX_MINOR)
currencies = st.sampled_from(["USD", "EUR", "JPY", "KWD"])


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("85.45", "USD", 8545),
        ("85.4", "USD", 8540),
        ("85", "USD", 8500),
        (85, "USD", 8500),
        (Decimal("99.99"), "USD", 9999),
        ("0", "USD", 0),
        ("0.01", "USD", 1),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("007.50", "USD", 750),
    ],
)
def test_plain_decimals_are_read_exactly(text, currency, minor):
    assert Money.parse(text, currency) == Money(minor, currency)


REFUSED = [
    "", " ", "1,50", "1.5.0", ".5", "5.", "+1", "-1", "1e2", "1E2", "0x10", "1_000", "1 000", " 1", "1 ", "1\n",
    "NaN", "Infinity", "-0", "１２", "٣", "1.2３", "²", "1.005", "1.000", "1" * 17, "$5", "5 USD",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="amount|decimals|large"):
        Money.parse(text, "USD")


@pytest.mark.parametrize(
    "value", [0.1 + 0.2, True, None, Decimal("NaN"), Decimal("1E+999999999"), Decimal("-1")]
)
def test_inexact_numbers_are_refused(value):
    with pytest.raises(ValueError, match="amount|decimals"):
        Money.parse(value, "USD")


@pytest.mark.parametrize(("text", "currency"), [("10.5", "JPY"), ("10.0", "JPY"), ("1.2345", "KWD")])
def test_more_decimals_than_the_currency_has_are_refused(text, currency):
    with pytest.raises(ValueError, match="decimals"):
        Money.parse(text, currency)


@pytest.mark.parametrize("code", ["usd", "US", "USDX", "U$D", "", "ＵＳＤ"])
def test_currency_is_three_capital_letters(code):
    with pytest.raises(ValueError, match="currency"):
        Money(1, code)


@given(minor=minors, currency=currencies)
def test_formatted_amount_parses_to_the_same_amount(minor, currency):
    money = Money(minor, currency)

    assert Money.parse(money.amount, currency) == money
    assert money.as_decimal() * 10 ** exponent_of(currency) == minor


@given(minor=minors, weights=st.lists(st.integers(0, 10**9), min_size=1, max_size=40))
def test_parts_sum_to_the_whole_and_each_is_within_a_cent(minor, weights):
    parts = allocate(minor, weights)

    assert sum(parts) == minor
    assert len(parts) == len(weights)
    whole = sum(weights) or len(weights)
    for part, weight in zip(parts, weights if any(weights) else [1] * len(weights), strict=True):
        assert part >= 0
        assert abs(part * whole - minor * weight) < whole


def test_largest_remainder_gets_the_cent_and_the_first_wins_a_tie():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(10, [1, 2]) == [3, 7]
    assert allocate(5, [0, 0]) == [3, 2]
    assert allocate(7, [0, 5]) == [0, 7]


def test_splitting_over_no_weights_raises():
    with pytest.raises(ValueError, match="split"):
        allocate(1, [])


@pytest.mark.parametrize(
    ("minor", "ppm", "share"),
    [
        (8545, 100_000, 855),
        (8544, 100_000, 854),
        (5, 100_000, 1),
        (4, 100_000, 0),
        (0, 100_000, 0),
        (1, 1_000_000, 1),
    ],
)
def test_share_is_rounded_half_up(minor, ppm, share):
    assert Money(minor, "USD").share(ppm) == Money(share, "USD")


@given(minor=minors, ppm=st.integers(0, 1_000_000))
def test_share_is_within_half_a_cent(minor, ppm):
    share = Money(minor, "USD").share(ppm).minor

    assert -500_000 < share * 1_000_000 - minor * ppm <= 500_000


def test_two_currencies_never_mix():
    dollar, euro = Money(1, "USD"), Money(1, "EUR")

    for mix in (lambda: dollar + euro, lambda: dollar - euro, lambda: dollar < euro, lambda: dollar >= euro):
        with pytest.raises(ValueError, match="mix"):
            mix()
    assert dollar != euro


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (8545, "USD", "$85.45"),
        (123456789, "USD", "$1,234,567.89"),
        (500, "JPY", "¥500"),
        (1234, "KWD", "KWD1.234"),
    ],
)
def test_displayed_amount_has_the_decimals_of_the_currency(minor, currency, shown):
    assert show(Money(minor, currency)) == shown
