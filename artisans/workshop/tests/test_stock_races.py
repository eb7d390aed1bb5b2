"""Counts that meet sales and other counts, with real transactions."""

from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum

from artisans.catalog.models import CountOutcome, Product, StockMove
from artisans.catalog.services import Count, StockSnapshot, stock_adjust, stock_count, stock_snapshot
from artisans.catalog.stock_files import FileRow
from artisans.catalog.stock_import import (
    export_rows,
    stock_import_continue,
    stock_import_create,
    stock_import_start,
)
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


def test_two_workers_and_sales_while_a_file_is_applied(staff, seller, monkeypatch):
    monkeypatch.setattr("artisans.catalog.stock_import.BATCH", 2)
    products = [ProductFactory.create(artisan=seller.artisan, stock=0) for _ in range(8)]
    for product in products:
        stock_adjust(product_id=product.pk, counted=6, reason="first", actor=staff)
    file = [
        FileRow(n, cells[0], "", "2", 2, cells[3], cells[4])
        for n, cells in enumerate(export_rows(seller.artisan))
        if n
    ]
    made = stock_import_create(
        artisan=seller.artisan, rows=file, file_name="", cause="lost", reason="", actor=seller
    )
    stock_import_start(import_id=made.pk, actor=seller)

    *sales, _one, _two = together(
        lambda: sell(dict.fromkeys(products, 2)),
        lambda: sell(dict.fromkeys(reversed(products), 2)),
        lambda: stock_import_continue(made.pk),
        lambda: stock_import_continue(made.pk),
    )

    made.refresh_from_db()
    assert made.finished_at
    for row in made.rows.select_related("product"):
        applied = -4 if row.outcome == CountOutcome.COUNTED else 0
        assert row.outcome in {CountOutcome.COUNTED, CountOutcome.CONFLICT}
        assert row.product.stock == 6 + applied - 2 * sales.count("sold") >= 0
        counts = StockMove.objects.filter(product=row.product, kind="adjust")
        assert counts.count() == (2 if applied else 1)
