"""Counts that meet sales and other counts, with real transactions."""

from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum

from artisans.catalog.models import CountOutcome, Product, StockMove
from artisans.catalog.services import Count, StockSnapshot, stock_adjust, stock_count, stock_snapshot
from artisans.catalog.tests.factories import ProductFactory
from artisans.earnings.tests.test_races import together
from orders.tests.factories import place

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


def sell(items: dict[Product, int]) -> str:
    with transaction.atomic():
        place(items)
    return "sold"


def count(products: list[Product], seen: StockSnapshot, counted: int, actor: Any) -> list[str]:
    """In the order that is given, which is not that of the locks."""
    counts = [Count(product.pk, counted, seen) for product in products]
    return [one.outcome for one in stock_count(counts=counts, actor=actor, cause="lost")]


@pytest.mark.parametrize("_time", range(2))
def test_sales_and_two_counts_at_the_same_moment_never_sell_what_is_not_there(staff, seller, _time):
    products = [ProductFactory.create(artisan=seller.artisan, stock=0) for _ in range(3)]
    for product in products:
        stock_adjust(product_id=product.pk, counted=6, reason="first", actor=staff)
    seen = [stock_snapshot(product.pk) for product in products]
    assert len({one.stock for one in seen}) == 1
    both = products[:1]

    sold, other, mine, theirs = together(
        lambda: sell(dict.fromkeys(products, 2)),
        lambda: sell(dict.fromkeys(reversed(products), 2)),
        lambda: count(both, seen[0], 2, seller),
        lambda: count(both, seen[0], 1, staff),
    )

    assert {*mine, *theirs} <= {CountOutcome.COUNTED, CountOutcome.CONFLICT}
    applied = [2 - 6 for one in mine if one == "counted"] + [1 - 6 for one in theirs if one == "counted"]
    assert len(applied) <= 1  # the second is told
    for product in products:
        product.refresh_from_db()
        moves = StockMove.objects.filter(product=product)
        assert product.stock == moves.aggregate(sum=Sum("quantity"))["sum"] >= 0
    assert products[0].stock == 6 + sum(applied) - 2 * (sold, other).count("sold")
