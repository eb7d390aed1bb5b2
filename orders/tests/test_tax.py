"""Tax by place and class, in prices or added to them. All expected amounts were worked out by hand."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.money import Money
from artisans.shipping.choosing import Method, ParcelGoods, Tier, choose
from orders.models import OrderLine
from orders.pricing import PriceInput, Quote, TaxTerms, quote

STANDARD, REDUCED, ZERO = 190_000, 70_000, 0  # at home, in Germany

# Of 3 units at 9.99 (29.97): place, rate at home, rate there; then tax and total if tax is added to prices; tax if
# prices include it and are the same everywhere; tax and total if prices that include it change with the rate.
TABLE = [
    ("DE", STANDARD, 190_000, (569, 3566), 479, (479, 2997)),
    ("DE", REDUCED, 70_000, (210, 3207), 196, (196, 2997)),
    ("DE", ZERO, 0, (0, 2997), 0, (0, 2997)),
    ("DE, Heligoland", STANDARD, 0, (0, 2997), 0, (0, 2517)),
    ("DE, Heligoland", REDUCED, 0, (0, 2997), 0, (0, 2802)),
    ("DE, Heligoland", ZERO, 0, (0, 2997), 0, (0, 2997)),
    ("NO", STANDARD, 250_000, (749, 3746), 599, (629, 3147)),
    ("NO", REDUCED, 150_000, (450, 3447), 391, (420, 3222)),
    ("NO", ZERO, 0, (0, 2997), 0, (0, 2997)),
    ("NO, Svalbard", STANDARD, 0, (0, 2997), 0, (0, 2517)),
    ("NO, Svalbard", REDUCED, 0, (0, 2997), 0, (0, 2802)),
    ("NO, Svalbard", ZERO, 0, (0, 2997), 0, (0, 2997)),
    ("US, NY", STANDARD, 88_750, (266, 3263), 244, (224, 2742)),
    ("US, NY", REDUCED, 45_000, (135, 3132), 129, (126, 2928)),
    ("US, NY", ZERO, 0, (0, 2997), 0, (0, 2997)),
    ("US, OR", STANDARD, 0, (0, 2997), 0, (0, 2517)),
    ("US, OR", REDUCED, 0, (0, 2997), 0, (0, 2802)),
    ("US, OR", ZERO, 0, (0, 2997), 0, (0, 2997)),
]


def line(
    price: int, quantity: int = 1, *, rate: int, home: int = STANDARD, artisan: int = 1, currency: str = "EUR"
) -> PriceInput:
    return PriceInput(
        uuid4(), UUID(int=artisan), Money(price, currency), quantity, rate, "VAT", home_rate_ppm=home
    )


def quoted(*lines: PriceInput, shipping: int = 0, **terms: object) -> Quote:
    currency = lines[0].unit_price.currency
    return quote(lines, currency=currency, shipping=Money(shipping, currency), terms=TaxTerms(**terms))


@pytest.mark.parametrize(("place", "home", "rate", "added", "included", "changing"), TABLE)
def test_tax_by_place_and_class(place, home, rate, added, included, changing):
    bought = line(999, 3, rate=rate, home=home)

    for gross_fixed in (True, False):
        found = quoted(bought, gross_fixed=gross_fixed)
        assert (found.tax.minor, found.total.minor) == added
    found = quoted(bought, prices_include_tax=True)
    assert (found.tax.minor, found.total.minor) == (included, 2997)
    found = quoted(bought, prices_include_tax=True, gross_fixed=False)
    assert (found.tax.minor, found.total.minor) == changing


@pytest.mark.parametrize(
    ("includes", "tax", "shipping_tax", "total"),
    [(False, 70 + 95, 95, 1000 + 500 + 165), (True, 65 + 80, 80, 1500)],
)
def test_shipping_at_the_rate_of_a_class(includes, tax, shipping_tax, total):
    """A book at 7 %, shipped for 5.00 at 19 %."""
    found = quoted(
        line(1000, rate=REDUCED, home=REDUCED),
        shipping=500,
        shipping_rate_ppm=STANDARD,
        shipping_tax_name="MwSt.",
        prices_include_tax=includes,
    )

    parcel = found.parcels[0]
    assert (found.tax.minor, parcel.shipping_tax.minor, found.total.minor) == (tax, shipping_tax, total)
    assert [(rate.rate_ppm, rate.name) for rate in found.rates] == [(REDUCED, "VAT"), (STANDARD, "MwSt.")]


def test_japan_rounds_once_for_each_rate_of_the_order():
    """8% of 393 is 31.44; 10% of 710, of which 500 are shipping, is 71."""
    lines = [line(131, rate=80_000, currency="JPY") for _ in range(3)]
    lines += [line(105, rate=100_000, currency="JPY") for _ in range(2)]

    found = quoted(*lines, shipping=500, shipping_rate_ppm=100_000, is_rounded_per_document=True)

    assert [row.tax.minor for row in found.lines] == [11, 10, 10, 11, 10]
    assert [(rate.rate_ppm, rate.tax.minor) for rate in found.rates] == [(80_000, 31), (100_000, 71)]
    assert found.parcels[0].shipping_tax.minor == 50
    assert found.total.minor == 393 + 210 + 500 + 31 + 71
    assert quoted(*lines[:3]).tax.minor == 30  # per line


def test_japan_with_prices_that_include_tax():
    found = quoted(
        *[line(131, rate=80_000, currency="JPY") for _ in range(3)],
        prices_include_tax=True,
        is_rounded_per_document=True,
    )

    assert (found.tax.minor, found.total.minor) == (29, 393)  # 393 × 8 / 108 is 29.11


def test_united_kingdom_shipping_is_taxed_as_the_goods():
    """A mug for 12.00 at 20% and a book for 8.00 at 0%: 3.00 of the shipping of 5.00 goes with the mug."""
    goods = (line(1200, rate=200_000, currency="GBP"), line(800, rate=0, currency="GBP"))

    found = quoted(*goods, shipping=500, prices_include_tax=True, shipping_rate_ppm=None)
    added = quoted(*goods, shipping=500, shipping_rate_ppm=None)

    assert (found.parcels[0].shipping_tax.minor, found.tax.minor, found.total.minor) == (50, 250, 2500)
    assert (added.parcels[0].shipping_tax.minor, added.tax.minor, added.total.minor) == (60, 300, 2800)
    assert (found.tax_rate_ppm, found.rates_ppm) == (None, [0, 200_000])


@pytest.mark.parametrize(("rate", "tax", "shipping_tax", "total"), [(0, 0, 0, 9144), (88_750, 758, 53, 9955)])
def test_two_states_of_the_united_states(rate, tax, shipping_tax, total):
    found = quoted(line(8545, rate=rate, currency="USD"), shipping=599, shipping_rate_ppm=None)

    [parcel], [bowl] = found.parcels, found.lines
    assert (bowl.tax.minor, parcel.shipping_tax.minor, found.total.minor) == (tax, shipping_tax, total)


@pytest.mark.parametrize(
    ("price", "quantity", "total", "unit"),
    [(11_900, 1, 10_000, 10_000), (100, 7, 588, 84), (100, 100, 8403, 84)],
)
def test_reverse_charge_takes_the_tax_out_of_the_line(price, quantity, total, unit):
    found = quoted(
        line(price, quantity, rate=STANDARD),
        shipping=595,
        shipping_rate_ppm=None,
        prices_include_tax=True,
        is_reverse_charge=True,
    )

    assert (found.lines[0].line_total.minor, found.lines[0].unit_price.minor) == (total, unit)
    assert (found.shipping.minor, found.tax.minor, found.total.minor) == (500, 0, total + 500)
    assert (found.prices_include_tax, found.tax_rate_ppm) == (False, 0)


def test_reverse_charge_adds_nothing_to_prices_without_tax():
    found = quoted(line(10_000, rate=STANDARD), is_reverse_charge=True)

    assert (found.tax.minor, found.total.minor) == (0, 10_000)


def test_tax_is_a_multiple_of_the_currencys_step():
    found = quoted(line(1230, rate=50_000, currency="KWD"), step=10)

    assert (found.tax.minor, found.total.minor) == (60, 1290)  # 61.5


# ---- for any order ---------------------------------------------------------------------------------------------

rates = st.sampled_from((0, 21_000, 45_000, 70_000, 88_750, 190_000, 255_000, 1_000_000))
goods = st.lists(
    st.tuples(st.integers(1, 10**5), st.integers(1, 99), rates, st.integers(1, 3), st.integers(0, 100)),
    min_size=1,
    max_size=8,
)
terms = st.builds(
    TaxTerms,
    prices_include_tax=st.booleans(),
    gross_fixed=st.booleans(),
    is_rounded_per_document=st.booleans(),
    shipping_rate_ppm=st.none() | rates,
    is_reverse_charge=st.booleans(),
    step=st.sampled_from((1, 5, 10, 100)),
)


def shipping_of(inputs: list[PriceInput], price: int, step: int) -> dict[UUID, int]:
    """By artisan, of a method that is charged per order."""
    method = Method(
        id=1,
        artisan_id=None,
        name="Standard",
        is_pickup=False,
        is_per_parcel=False,
        min_days=None,
        max_days=None,
        position=0,
        tiers=(Tier(0, 0, price),),
    )
    parcels = {row.artisan_id: ParcelGoods(row.artisan_id, 0, 0) for row in inputs}
    for row in inputs:
        worth = parcels[row.artisan_id].goods_minor + row.unit_price.minor * row.quantity
        parcels[row.artisan_id] = ParcelGoods(row.artisan_id, 0, worth)
    return choose([method], parcels.values(), step=step).prices


@given(
    basket=goods,
    terms=terms,
    shipping=st.integers(0, 5000),
    percent_off=st.integers(0, 100),
    has_methods=st.booleans(),
)
def test_sums_are_exact_no_part_is_negative_and_all_are_multiples_of_the_step(
    basket, terms, shipping, percent_off, has_methods
):
    step = terms.step
    inputs = [
        PriceInput(
            uuid4(),
            UUID(int=artisan),
            Money(price * step, "EUR"),
            quantity,
            rate,
            home_rate_ppm=190_000,
            discount_minor=price * quantity * off // 100 * step,
        )
        for price, quantity, rate, artisan, off in basket
    ]
    if terms.prices_include_tax and not terms.gross_fixed:  # prices change, and discounts with them
        inputs = [PriceInput(*astuple_without_discount(row)) for row in inputs]
    found = quote(
        inputs,
        currency="EUR",
        shipping=shipping_of(inputs, shipping * step, step) if has_methods else Money(shipping * step, "EUR"),
        shipping_discount=shipping * percent_off // 100 * step,
        terms=terms,
    )

    lines_sum = {
        name: sum(getattr(row, name).minor for row in found.lines)
        for name in ("line_total", "discount", "tax")
    }
    shipping_tax = sum(part.shipping_tax.minor for part in found.parcels)
    assert found.subtotal.minor == lines_sum["line_total"]
    assert found.discount.minor == lines_sum["discount"]
    assert found.tax.minor == lines_sum["tax"] + shipping_tax == sum(row.tax.minor for row in found.rates)
    charged = found.subtotal - found.discount + found.shipping - found.shipping_discount
    assert found.total == charged + found.tax_added
    parts = [
        *(row for part in found.lines for row in (part.line_total, part.discount, part.tax, part.net)),
        *(
            row
            for part in found.parcels
            for row in (part.shipping, part.shipping_discount, part.shipping_tax, part.shipping_net, part.tax)
        ),
        *(part.total for part in found.parcels),
    ]
    assert all(part.minor >= 0 and part.minor % step == 0 for part in parts)


def astuple_without_discount(row: PriceInput) -> tuple[object, ...]:
    return (
        *(row.product_id, row.artisan_id, row.unit_price, row.quantity),
        *(row.tax_rate_ppm, row.tax_name, row.home_rate_ppm),
    )


@given(gross=st.integers(1, 10**9), rate=rates)
def test_tax_taken_out_of_a_price_and_put_back_differs_by_one_unit_at_most(gross, rate):
    included, added = TaxTerms(prices_include_tax=True), TaxTerms()
    net = gross - included.tax_on(gross, rate)

    assert abs(net + added.tax_on(net, rate) - gross) <= 1


@given(
    total=st.integers(0, 10**6),
    tax=st.integers(0, 10**5),
    step=st.sampled_from((1, 10, 100)),
    parts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    includes=st.booleans(),
)
def test_units_given_back_in_any_number_of_parts_are_worth_the_line(total, tax, step, parts, includes):
    row = OrderLine(
        quantity=sum(parts),
        line_total_minor=total * step,
        discount_minor=total // 3 * step,
        tax_minor=min(tax, total) * step,
        prices_include_tax=includes,
        step_minor=step,
    )
    values = [row.value_minor(sum(parts[: number + 1])) for number in range(len(parts))]

    assert values[-1] == row.charged_minor
    assert all(value % step == 0 for value in values)
    assert values == sorted(values)
