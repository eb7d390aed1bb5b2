"""Transition tables of orders and parcels against the product specification, and derived statuses."""

from itertools import combinations_with_replacement, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artisans.core.errors import IllegalTransition
from artisans.core.state import check_transition
from orders.statuses import (
    ORDER_TRANSITIONS,
    PARCEL_TRANSITIONS,
    OrderPaymentStatus,
    OrderStatus,
    ParcelStatus,
    order_status_of,
    payment_status_of,
)

# After confirmation the status follows the parcels, which can skip steps and, when one is cancelled, step back.
ORDER = """
PENDING -> CONFIRMED CANCELLED EXPIRED
EXPIRED -> CONFIRMED
CONFIRMED -> PROCESSING SHIPPED DELIVERED CANCELLED
PROCESSING -> CONFIRMED SHIPPED DELIVERED CANCELLED
SHIPPED -> DELIVERED CANCELLED
DELIVERED -> CANCELLED
CANCELLED ->
"""
PARCEL = """
NEW -> STARTED PACKED CANCELLED
STARTED -> PACKED CANCELLED
PACKED -> SHIPPED CANCELLED
SHIPPED -> DELIVERED RETURNED
DELIVERED -> RETURNED
CANCELLED ->
RETURNED ->
"""


def pairs(result: str) -> set[tuple[str, str]]:
    rows = [line.partition(" ->") for line in result.strip().splitlines()]
    return {(old, new) for old, _, news in rows for new in news.split()}


@pytest.mark.parametrize(
    ("statuses", "table", "result"),
    [(OrderStatus, ORDER_TRANSITIONS, ORDER), (ParcelStatus, PARCEL_TRANSITIONS, PARCEL)],
    ids=["order", "parcel"],
)
def test_table_allows_exactly_the_specified_transitions(statuses, table, result):
    assert set(table) == set(statuses)
    for old, new in product(statuses, statuses):
        if (old, new) in pairs(result):
            check_transition(table, old, new)
        else:
            with pytest.raises(IllegalTransition):
                check_transition(table, old, new)


@pytest.mark.parametrize(
    ("parcels", "order"),
    [
        ("NEW", "CONFIRMED"),
        ("NEW NEW", "CONFIRMED"),
        ("NEW PACKED", "PROCESSING"),
        ("PACKED", "PROCESSING"),
        ("NEW SHIPPED", "PROCESSING"),
        ("PACKED DELIVERED", "PROCESSING"),
        ("SHIPPED", "SHIPPED"),
        ("SHIPPED DELIVERED", "SHIPPED"),
        ("DELIVERED DELIVERED", "DELIVERED"),
        ("DELIVERED CANCELLED", "DELIVERED"),
        ("SHIPPED CANCELLED", "SHIPPED"),
        ("NEW CANCELLED", "CONFIRMED"),
        ("CANCELLED", "CANCELLED"),
        ("CANCELLED CANCELLED", "CANCELLED"),
        ("STARTED", "PROCESSING"),
        ("NEW STARTED", "PROCESSING"),
        ("RETURNED", "CANCELLED"),
        ("RETURNED CANCELLED", "CANCELLED"),
        ("RETURNED NEW", "CONFIRMED"),
        ("RETURNED SHIPPED", "SHIPPED"),
        ("RETURNED DELIVERED", "DELIVERED"),
    ],
)
def test_order_status_is_derived_from_its_parcels(parcels, order):
    assert order_status_of([ParcelStatus(status) for status in parcels.split()]) == order


def test_every_parcel_transition_leads_to_an_allowed_order_transition():
    """For any number of parcels, whichever moves next: the order's table allows the resulting change."""
    for group in combinations_with_replacement(ParcelStatus, 3):
        before = order_status_of(list(group))
        for place, old in enumerate(group):
            for new in PARCEL_TRANSITIONS[old]:
                after = order_status_of([*group[:place], new, *group[place + 1 :]])
                assert after == before or after in ORDER_TRANSITIONS[before], (group, old, new)


@pytest.mark.parametrize(
    ("received", "refunded", "status"),
    [
        (0, 0, "UNPAID"),
        (1, 0, "PARTIALLY_PAID"),
        (999, 0, "PARTIALLY_PAID"),
        (1000, 0, "PAID"),
        (1001, 0, "OVERPAID"),
        (1001, 1, "PAID"),
        (1100, 50, "OVERPAID"),
        (1000, 1, "PARTIALLY_REFUNDED"),
        (500, 100, "PARTIALLY_REFUNDED"),
        (1000, 1000, "REFUNDED"),
        (500, 500, "REFUNDED"),
    ],
)
def test_payment_status_is_derived_from_the_totals(received, refunded, status):
    assert payment_status_of(total=1000, received=received, refunded=refunded, agreed=1000) == status


@given(total=st.integers(1, 10**9), received=st.integers(0, 10**9), refunded=st.integers(0, 10**9))
def test_every_combination_of_totals_has_a_payment_status(total, received, refunded):
    assert (
        payment_status_of(total=total, received=received, refunded=min(received, refunded), agreed=total)
        in OrderPaymentStatus
    )
