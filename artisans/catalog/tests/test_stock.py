"""Stock services: all or nothing, never below zero, and a stock move for every change."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from artisans.audit.models import AuditEntry
from artisans.catalog.models import StockMove
from artisans.catalog.services import (
    OutOfStock,
    StockLine,
    products_lock,
    stock_adjust,
    stock_restock,
    stock_return,
    stock_take,
)
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.errors import InvalidInput

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broken_books")]  # the lines belong to no order


def line(product, quantity: int) -> StockLine:
    return StockLine(uuid4(), product.pk, quantity)


def stock(*products) -> list[int]:
    for product in products:
        product.refresh_from_db()
    return [product.stock for product in products]


def test_take_reduces_all_products_and_writes_a_move_per_line():
    bowl, cup = ProductFactory.create(stock=5), ProductFactory.create(stock=2)

    stock_take(lines=[line(bowl, 3), line(cup, 2)], reason="order A")

    assert stock(bowl, cup) == [2, 0]
    assert sorted(StockMove.objects.values_list("kind", "quantity", "reason")) == [
        ("take", -3, "order A"),
        ("take", -2, "order A"),
    ]


def test_take_changes_nothing_when_one_product_has_too_little_stock():
    bowl, cup = ProductFactory.create(stock=5), ProductFactory.create(stock=1)

    with pytest.raises(OutOfStock), transaction.atomic():
        stock_take(lines=[line(bowl, 3), line(cup, 2)], reason="order A")

    assert stock(bowl, cup) == [5, 1]
    assert not StockMove.objects.exists()


def test_two_lines_of_one_product_are_checked_against_stock_together():
    bowl = ProductFactory.create(stock=5)

    with pytest.raises(OutOfStock), transaction.atomic():
        stock_take(lines=[line(bowl, 3), line(bowl, 3)], reason="order A")
    stock_take(lines=[line(bowl, 3), line(bowl, 2)], reason="order B")

    assert stock(bowl) == [0]


@pytest.mark.parametrize("broken", [{"is_active": False}, {"stock": 0}])
def test_take_refuses_what_is_not_for_sale(broken):
    bowl = ProductFactory.create(**broken)

    with pytest.raises(OutOfStock), transaction.atomic():
        stock_take(lines=[line(bowl, 1)], reason="order A")


def test_return_restores_stock_once_per_hold_round():
    bowl = ProductFactory.create(stock=5)
    lines = [line(bowl, 3)]
    stock_take(lines=lines, reason="order A")

    stock_return(lines=lines, reason="cancelled A")
    with pytest.raises(IntegrityError), transaction.atomic():
        stock_return(lines=lines, reason="cancelled A again")

    assert stock(bowl) == [5]
    stock_take(lines=lines, reason="late money", stock_round=1)
    stock_return(lines=lines, reason="cancelled A", stock_round=1)
    assert stock(bowl) == [5]


def test_count_sets_the_stock_and_is_audited(staff):
    bowl = ProductFactory.create(stock=5)

    stock_adjust(product_id=bowl.pk, counted=3, reason="two broke", actor=staff)
    stock_adjust(product_id=bowl.pk, counted=3, reason="counted again", actor=staff)

    assert stock(bowl) == [3]
    [move] = StockMove.objects.all()
    assert (move.kind, move.quantity, move.reason) == ("adjust", -2, "two broke")
    assert AuditEntry.objects.filter(action="stock.adjust", actor=staff).count() == 1


@pytest.mark.parametrize(("counted", "reason"), [(-1, "x"), (3, "  ")])
def test_invalid_count_is_refused(staff, counted, reason):
    bowl = ProductFactory.create(stock=5)

    with pytest.raises(InvalidInput), transaction.atomic():
        stock_adjust(product_id=bowl.pk, counted=counted, reason=reason, actor=staff)

    assert stock(bowl) == [5]


def test_lock_skips_missing_products_and_orders_by_key():
    products = [ProductFactory.create() for _ in range(5)]

    found = products_lock([uuid4(), *(p.pk for p in products), products[0].pk])

    assert list(found) == sorted(p.pk for p in products)


def of_refund(taken: StockLine, quantity: int) -> StockLine:
    return replace(taken, quantity=quantity, refund_line=uuid4())


def test_restock_returns_refunded_units_and_cancelling_returns_the_rest():
    bowl = ProductFactory.create(stock=5)
    taken = line(bowl, 4)
    stock_take(lines=[taken], reason="order A")

    first = stock_restock(lines=[of_refund(taken, 1)], reason="refund A")
    stock_return(lines=[taken], reason="cancelled A")
    late = stock_restock(lines=[of_refund(taken, 3)], reason="refund B")

    assert ([back.quantity for back in first], late, stock(bowl)) == ([1], [], [5])


def test_restock_is_limited_to_what_the_line_took():
    bowl = ProductFactory.create(stock=5)
    taken = line(bowl, 2)
    stock_take(lines=[taken], reason="order A")

    [back] = stock_restock(lines=[of_refund(taken, 3)], reason="refund A")

    assert (back.quantity, stock(bowl)) == (2, [5])


def test_refund_line_is_restocked_once():
    bowl = ProductFactory.create(stock=5)
    taken = line(bowl, 4)
    stock_take(lines=[taken], reason="order A")
    back = of_refund(taken, 1)
    stock_restock(lines=[back], reason="refund A")

    with pytest.raises(IntegrityError), transaction.atomic():
        stock_restock(lines=[back], reason="refund A")

    assert stock(bowl) == [2]


def test_restock_counts_only_the_current_hold_round():
    bowl = ProductFactory.create(stock=5)
    taken = line(bowl, 2)
    stock_take(lines=[taken], reason="order A")
    stock_return(lines=[taken], reason="expired A")
    stock_take(lines=[taken], reason="late money", stock_round=1)

    assert stock_restock(lines=[of_refund(taken, 2)], reason="refund A") == []
    assert len(stock_restock(lines=[of_refund(taken, 2)], reason="refund A", stock_round=1)) == 1
    assert stock(bowl) == [5]
