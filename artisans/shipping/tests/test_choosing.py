"""Which method an order takes, and what it costs."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.shipping import choosing
from artisans.shipping.choosing import Delivery, Method, ParcelGoods, Tier, price_at

ANNA, BEN, CLEO = (UUID(int=number) for number in (1, 2, 3))
TIERS = (Tier(0, 0, 500), Tier(0, 5000, 0), Tier(2000, 0, 1200), Tier(2000, 5000, 700))


def method(pk: int, *tiers: tuple[int, int, int], **fields) -> Method:
    values = {
        "artisan_id": None,
        "name": f"Method {pk}",
        "is_pickup": False,
        "is_per_parcel": fields.get("artisan_id") is not None,
        "min_days": None,
        "max_days": None,
        "position": 0,
    } | fields
    return Method(id=pk, tiers=tuple(Tier(*tier) for tier in tiers), **values)


def parcel(artisan: UUID, goods: int, weight: int = 0) -> ParcelGoods:
    return ParcelGoods(artisan, weight, goods)


def choose(methods: list[Method], parcels: list[ParcelGoods], *, step: int = 1, **more) -> Delivery:
    return choosing.choose(methods, parcels, step=step, **more)


@pytest.mark.parametrize(
    ("weight", "goods", "price"),
    [
        (0, 0, 500),
        (1999, 4999, 500),
        (1999, 5000, 0),  # free from 50.00
        (2000, 4999, 1200),  # exactly on the bound; weight first
        (2000, 5000, 700),
        (9000, 9000, 700),
    ],
)
def test_tier_with_the_highest_reached_bounds_counts_weight_first(weight, goods, price):
    assert price_at(TIERS, weight_g=weight, goods_minor=goods) == price
    assert price_at(reversed(TIERS), weight_g=weight, goods_minor=goods) == price


def test_method_without_a_reached_tier_is_not_offered():
    assert price_at([Tier(100, 0, 500)], weight_g=99, goods_minor=10**6) is None
    assert choose([method(1)], [parcel(ANNA, 100)]).unserved == [ANNA]


def test_price_per_order_is_split_by_goods_and_thresholds_look_at_all_of_them():
    standard = method(1, (0, 0, 599), (0, 5000, 300))

    found = choose([standard], [parcel(ANNA, 4000), parcel(BEN, 2000)])

    assert found.prices == {ANNA: 200, BEN: 100}


@pytest.mark.parametrize(
    ("price", "parts"),
    [
        (199_000, [66_300, 132_700]),
        (199_050, [66_350, 132_700]),
    ],  # HUF 1990 in whole forints; 1990.50 is none
)
def test_price_per_order_is_split_into_multiples_of_the_step_if_it_is_one(price, parts):
    found = choose([method(1, (0, 0, price))], [parcel(ANNA, 1_000_000), parcel(BEN, 2_000_000)], step=100)

    assert found.prices == dict(zip((ANNA, BEN), parts, strict=True))


def test_thresholds_per_parcel_look_at_the_artisans_own_goods():
    standard = method(1, (0, 0, 599), (0, 5000, 0), is_per_parcel=True)

    found = choose([standard], [parcel(ANNA, 4000), parcel(BEN, 5000)])

    assert found.prices == {ANNA: 599, BEN: 0}


def test_artisans_with_methods_ship_by_these_alone():
    shop, own = method(1, (0, 0, 100)), method(2, (0, 0, 900), artisan_id=BEN)
    gone = method(3, artisan_id=CLEO)  # with no price in this currency

    found = choose([shop, own, gone], [parcel(ANNA, 10), parcel(BEN, 10), parcel(CLEO, 10)])

    assert found.prices == {ANNA: 100, BEN: 900}
    assert found.unserved == [CLEO]


def test_cheapest_delivery_is_the_default_and_pickup_only_a_choice():
    methods = [method(1, (0, 0, 900)), method(2, (0, 0, 300)), method(3, (0, 0, 0), is_pickup=True)]

    assert choose(methods, [parcel(ANNA, 10)]).prices == {ANNA: 300}
    assert choose(methods, [parcel(ANNA, 10)], wanted={ANNA: 3}).prices == {ANNA: 0}
    assert choose(methods[2:], [parcel(ANNA, 10)]).prices == {ANNA: 0}


def test_method_that_is_not_offered_any_more_gives_way_to_the_cheapest():
    found = choose([method(1, (0, 0, 300))], [parcel(ANNA, 10)], wanted={ANNA: 9})

    assert found.methods[ANNA].id == 1


def test_parcels_may_go_different_ways():
    standard, express = method(1, (0, 0, 300)), method(2, (0, 0, 800))

    found = choose([standard, express], [parcel(ANNA, 10), parcel(BEN, 10)], wanted={BEN: 2})

    assert found.prices == {ANNA: 300, BEN: 800}


def test_parcels_that_no_method_takes_together_go_alone():
    light = method(1, (0, 0, 300), (0, 100, 200), is_per_parcel=True)
    heavy = method(2, (1000, 0, 900), is_per_parcel=True)
    letter = method(3, (0, 0, 50), is_per_parcel=True, artisan_id=CLEO)

    found = choose([heavy, letter], [parcel(ANNA, 10, 1000), parcel(BEN, 10, 999), parcel(CLEO, 1)])
    together = choose([light, heavy], [parcel(ANNA, 10, 1000), parcel(BEN, 100, 999)])

    assert (found.prices, found.unserved) == ({ANNA: 900, CLEO: 50}, [BEN])
    assert together.prices == {ANNA: 300, BEN: 200}


tiers = st.lists(st.tuples(*[st.integers(0, 50)] * 3), max_size=4)
wanted_methods = st.dictionaries(st.sampled_from([ANNA, BEN, CLEO]), st.integers(1, 6))


@given(
    methods=st.lists(
        st.tuples(
            tiers, st.booleans(), st.booleans(), st.sampled_from([None, None, ANNA]), st.integers(0, 2)
        ),
        max_size=5,
    ),
    goods=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=3),
    wanted=wanted_methods,
    step=st.sampled_from((1, 5, 100)),
)
def test_any_parcel_has_a_price_or_cannot_be_shipped(methods, goods, wanted, step):
    offered = [
        method(
            pk,
            *((weight, worth, price * step) for weight, worth, price in bounds),
            is_pickup=is_pickup,
            is_per_parcel=is_per_parcel or artisan is not None,
            artisan_id=artisan,
            position=position,
        )
        for pk, (bounds, is_pickup, is_per_parcel, artisan, position) in enumerate(methods, 1)
    ]
    parcels = [parcel(artisan, *values) for artisan, values in zip((ANNA, BEN, CLEO), goods, strict=False)]

    found = choose(offered, parcels, step=step, wanted=wanted)

    assert {*found.prices, *found.unserved} == {one.artisan_id for one in parcels}
    assert found.prices.keys() == found.methods.keys()
    assert all(price >= 0 and price % step == 0 for price in found.prices.values())
    for artisan, chosen in found.methods.items():
        assert chosen.artisan_id in {None, artisan}
    for one in offered:
        members = [each for each in parcels if found.methods.get(each.artisan_id) == one]
        if members and not one.is_per_parcel:  # nothing of its price is lost or added
            whole = price_at(
                one.tiers,
                weight_g=sum(each.weight_g for each in members),
                goods_minor=sum(each.goods_minor for each in members),
            )
            assert sum(found.prices[each.artisan_id] for each in members) == whole


@given(
    bounds=tiers,
    weight=st.integers(0, 60),
    goods=st.integers(0, 60),
)
def test_price_is_that_of_a_reached_tier_and_no_higher_one_is_reached(bounds, weight, goods):
    rows = [Tier(*row) for row in bounds]
    reached = [row for row in rows if row.min_weight_g <= weight and row.min_goods_minor <= goods]

    price = price_at(rows, weight_g=weight, goods_minor=goods)

    assert (price is None) == (not reached)
    if reached:
        heaviest = max(row.min_weight_g for row in reached)
        most = max(row.min_goods_minor for row in reached if row.min_weight_g == heaviest)
        prices = {r.price_minor for r in reached if (r.min_weight_g, r.min_goods_minor) == (heaviest, most)}
        assert price in prices
