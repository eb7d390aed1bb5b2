"""Pricing: tax per line, shipping split over parcels, and sums that add up to the cent."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import Money
from orders.pricing import PriceInput, quote


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def price_input(price: int, quantity: int = 1, artisan: int = 1, rate: int = 100_000) -> PriceInput:
    return PriceInput(uuid4(), UUID(int=artisan), usd(price), quantity, rate)


def test_founding_example_costs_99_99():
    found = quote([price_input(8545)], currency="USD", shipping=usd(599))

    assert (found.subtotal, found.tax, found.shipping) == (usd(8545), usd(855), usd(599))
    assert str(found.total) == "99.99 USD"


def test_tax_is_rounded_per_line_not_on_the_total():
    found = quote(
        [price_input(5), price_input(5), price_input(5)],
        currency="USD",
        shipping=usd(0),
    )

    assert [line.tax.minor for line in found.lines] == [1, 1, 1]
    assert found.tax == usd(3)


def test_tax_of_a_line_is_rounded_once_for_all_units():
    [line] = quote([price_input(5, 3)], currency="USD", shipping=usd(0)).lines

    assert (line.line_total, line.tax) == (usd(15), usd(2))


def test_shipping_is_split_by_subtotal_without_losing_a_cent():
    found = quote(
        [price_input(100, 1, 1), price_input(100, 1, 2), price_input(100, 1, 3)],
        currency="USD",
        shipping=usd(100),
    )

    assert [part.shipping.minor for part in found.parcels] == [34, 33, 33]


def test_lines_of_one_artisan_share_a_parcel_in_cart_order():
    found = quote(
        [price_input(100, 1, 1), price_input(200, 1, 2), price_input(300, 2, 1)],
        currency="USD",
        shipping=usd(10),
    )

    assert [part.lines for part in found.parcels] == [(0, 2), (1,)]
    assert [part.subtotal.minor for part in found.parcels] == [700, 200]


def test_empty_cart_costs_nothing():
    found = quote([], currency="USD", shipping=usd(599))

    assert not found.total
    assert found.parcels == ()


@pytest.mark.parametrize(("currency", "price", "tax"), [("JPY", 505, 51), ("KWD", 1235, 124)])
def test_tax_is_rounded_to_the_decimals_of_the_currency(currency, price, tax):
    line = PriceInput(uuid4(), uuid4(), Money(price, currency), 1, 100_000)

    assert quote([line], currency=currency, shipping=Money(0, currency)).tax.minor == tax


baskets = st.lists(
    st.tuples(st.integers(1, 10**7), st.integers(1, 99), st.integers(1, 5)), min_size=1, max_size=25
)


@given(basket=baskets, rate=st.integers(0, 1_000_000), shipping=st.integers(0, 10**5))
def test_lines_and_parcels_add_up_for_any_cart(basket, rate, shipping):
    wanted = [price_input(price, quantity, artisan, rate=rate) for price, quantity, artisan in basket]
    found = quote(wanted, currency="USD", shipping=usd(shipping))

    assert found.total == found.subtotal + found.tax + found.shipping
    for name in ("subtotal", "tax", "shipping", "total"):
        assert sum(getattr(part, name).minor for part in found.parcels) == getattr(found, name).minor
    assert sum(line.line_total.minor for line in found.lines) == found.subtotal.minor
    assert sum(line.tax.minor for line in found.lines) == found.tax.minor
    assert sorted(place for part in found.parcels for place in part.lines) == list(range(len(basket)))
    for line in found.lines:
        assert abs(line.tax.minor * 1_000_000 - line.line_total.minor * rate) <= 500_000
    assert all(part.shipping.minor >= 0 for part in found.parcels)
