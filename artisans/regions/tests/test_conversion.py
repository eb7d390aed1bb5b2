from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import MAX_MINOR, Money, exponent_of
from artisans.regions.conversion import PriceSteps, convert_price

E10 = 10**10
PER_EURO = {"EUR": E10, "USD": 10705 * 10**6, "JPY": 17194 * 10**8, "KWD": 32795 * 10**5, "CHF": 9634 * 10**6}


@pytest.mark.parametrize(
    ("price", "steps", "expected"),
    [
        (Money(2500, "USD"), PriceSteps("EUR"), 2335),
        (Money(2500, "USD"), PriceSteps("EUR", 100, 1), 2299),
        (Money(2500, "USD"), PriceSteps("EUR", 100, 1, rounds_up=True), 2399),
        (Money(2500, "USD"), PriceSteps("JPY", 10), 4020),
        (Money(2500, "USD"), PriceSteps("KWD", 10), 7660),
        (Money(2500, "USD"), PriceSteps("CHF", 5), 2250),
        (Money(1, "USD"), PriceSteps("JPY"), 2),
        (Money(1, "JPY"), PriceSteps("KWD", 10), 10),  # at least one step
        (Money(1, "JPY"), PriceSteps("EUR", 100, 1), 99),
        (Money(10_000_000, "JPY"), PriceSteps("USD"), 6_226_009),
    ],
)
def test_converted_prices_worked_by_hand(price, steps, expected):
    found = convert_price(price, steps, rate_from=PER_EURO[price.currency], rate_to=PER_EURO[steps.currency])
    assert found == Money(expected, steps.currency)


currencies = st.sampled_from(["USD", "JPY", "KWD"])


@given(
    minor=st.integers(1, MAX_MINOR),
    source=currencies,
    target=currencies,
    rate_from=st.integers(1, 10**18),
    rate_to=st.integers(1, 10**18),
    step=st.integers(1, 10_000),
    charm_of=st.integers(0, 9_999),
    rounds_up=st.booleans(),
)
def test_a_converted_price_is_the_nearest_step_or_the_next_one(
    minor, source, target, rate_from, rate_to, step, charm_of, rounds_up
):
    charm = charm_of % step
    steps = PriceSteps(target, step, charm, rounds_up=rounds_up)
    found = convert_price(Money(minor, source), steps, rate_from=rate_from, rate_to=rate_to)

    exact = Fraction(minor * rate_to * 10 ** exponent_of(target), rate_from * 10 ** exponent_of(source))
    whole = found.minor + charm
    assert found.currency == target
    assert found.minor > 0
    assert whole % step == 0
    if whole == step and exact < step:
        return  # at least one
    if rounds_up:
        assert 0 <= whole - exact < step
    else:
        assert -step <= 2 * (exact - whole) < step  # halves up
