"""The caps on what unknown buyers hold: pure arithmetic."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orders.hold_policy import Cap, Decision, Excess, HeldUnits, HoldKind, HoldLimits, WantedUnits, decide

NOON = datetime(2031, 3, 1, 12, tzinfo=UTC)
LIMITS = HoldLimits(product=5, units=8, value=100_00, share=50, short_factor=2)
A, B = UUID(int=1), UUID(int=2)
ONLINE, OFFLINE, CASH = HoldKind


def want(product: UUID = A, quantity: int = 1, *, price: int = 10_00, on_sale: int = 100) -> WantedUnits:
    return WantedUnits(product, quantity, price, on_sale)


def hold(
    product: UUID = A, quantity: int = 1, *, minutes: int | None = 60, is_own: bool = True, value: int = 0
) -> HeldUnits:
    ends_at = None if minutes is None else NOON + timedelta(minutes=minutes)
    return HeldUnits(product, quantity, value, ends_at, is_own)


def decided(
    wanted: Sequence[WantedUnits], *held: HeldUnits, kind: HoldKind = OFFLINE, is_known: bool = False
) -> Decision:
    return decide(wanted, held, kind=kind, is_known=is_known, limits=LIMITS)


@pytest.mark.parametrize(
    ("wanted", "held", "cap", "limit"),
    [
        ([want(quantity=5)], (), None, 0),
        ([want(quantity=6)], (), Cap.PRODUCT, 5),
        ([want(quantity=2)], [hold(quantity=4)], Cap.PRODUCT, 5),
        ([want(quantity=2)], [hold(B, 4)], None, 0),
        ([want(quantity=2), want(B, 3)], [hold(B, 2), hold(UUID(int=3), 2)], Cap.UNITS, 8),
        ([want(price=40_00)], [hold(B, value=60_00)], None, 0),
        ([want(price=40_01)], [hold(B, value=60_00)], Cap.VALUE, 100_00),
        ([want(price=900_00)], (), None, 0),
        ([want(price=900_00)], [hold(B, value=1)], Cap.VALUE, 900_00),
        ([want(quantity=2, price=900_00)], (), Cap.VALUE, 900_00),
        ([want(on_sale=1)], (), None, 0),
        ([want(quantity=2, on_sale=3)], (), None, 0),
        ([want(quantity=3, on_sale=4)], (), Cap.SHARE, 2),
        ([want(on_sale=2)], [hold(is_own=False, quantity=3)], Cap.SHARE, 3),
        ([want()], [hold(quantity=5, is_own=False)], None, 0),
    ],
)
def test_first_cap_that_is_exceeded_is_named(wanted, held, cap, limit):
    excess = decided(wanted, *held).excess

    assert (excess and (excess.cap, excess.limit)) == (cap and (cap, limit))


def test_end_is_when_enough_holds_are_over():
    held = [hold(quantity=2, minutes=10), hold(minutes=20), hold(quantity=2, minutes=None)]

    assert decided([want(quantity=1)], *held).excess == Excess(Cap.PRODUCT, 5, NOON + timedelta(minutes=10))
    assert decided([want(quantity=3)], *held).excess == Excess(Cap.PRODUCT, 5, NOON + timedelta(minutes=20))
    assert decided([want(quantity=4)], *held).excess == Excess(Cap.PRODUCT, 5, None)


def test_online_orders_above_the_caps_are_short_up_to_their_multiple():
    assert decided([want(quantity=5)], kind=ONLINE) == Decision()
    assert decided([want(quantity=6)], kind=ONLINE) == Decision(is_short=True)
    assert decided([want(quantity=11)], kind=ONLINE).excess == Excess(Cap.PRODUCT, 10, None)


def test_last_quarter_of_a_product_is_kept_for_known_buyers():
    held = [hold(quantity=7, is_own=False)]

    assert decided([want(on_sale=3)], *held, kind=ONLINE) == Decision(is_short=True)
    assert decided([want(quantity=2, on_sale=3)], *held, kind=ONLINE).excess == Excess(
        Cap.SHARE, 8, NOON + timedelta(hours=1)
    )


@pytest.mark.parametrize("stock", [1, 2, 3])
def test_small_stocks_can_be_bought_up_online(stock):
    assert decided([want(quantity=stock, on_sale=stock)], kind=ONLINE).excess is None


def test_known_buyers_are_limited_by_their_own_offline_orders_only():
    assert decided([want(quantity=10, on_sale=10)], is_known=True) == Decision()
    assert decided([want(quantity=11)], is_known=True).excess == Excess(Cap.PRODUCT, 10, None)
    assert decided([want(quantity=11)], is_known=True, kind=ONLINE) == Decision(is_short=True)
    assert decided([want(quantity=99)], is_known=True, kind=CASH) == Decision()


def test_smaller_holds_are_never_refused_where_larger_ones_are_not():
    for quantity in range(1, 12):
        for kind in HoldKind:
            large = decided([want(quantity=quantity + 1)], hold(), kind=kind)
            small = decided([want(quantity=quantity)], hold(), kind=kind)
            assert large.excess is not None or small.excess is None
            assert large.is_short or large.excess is not None or not small.is_short


def test_limits_of_short_holds():
    assert LIMITS.short == replace(LIMITS, product=10, units=16, value=200_00, share=75)
