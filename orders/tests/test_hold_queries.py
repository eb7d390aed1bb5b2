"""The limits on unpaid orders read only what they count, most of it before the products are locked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from carts.checkout import Assertions, order_create
from orders.hold_policy import HoldKind, WantedUnits
from orders.holds import AWAITING_MONEY, CASH_UNDER_WAY, holds_check, holds_lock, lines_awaiting_money
from orders.models import Order
from orders.problems import LineRequest
from orders.tests.factories import buyer_of
from payments.methods import PaymentMethod

pytestmark = pytest.mark.django_db


def plan_with(sql: str, *, index: str) -> str:
    """The plan of a query with no other indexes of their table, because statistics decide between those of few rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "UPDATE pg_index SET indisvalid = (relname ~ %(index)s) FROM pg_class WHERE pg_class.oid = indexrelid "
            "AND indrelid = (SELECT indrelid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE relname ~ %(index)s LIMIT 1)",
            {"index": index},
        )
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "orders",
    [AWAITING_MONEY, CASH_UNDER_WAY],
    ids=["awaiting money", "cash"],
)
def test_unpaid_orders_are_read_by_their_index(orders):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "order_unpaid" in Order.objects.filter(orders).order_by().explain()


@pytest.mark.postgresql
def test_what_unknown_buyers_hold_is_read_by_network_and_by_product(store, bowl):
    with CaptureQueriesContext(connection) as first:
        holds = holds_lock(buyer=buyer_of(network="n"), kind=HoldKind.OFFLINE)
    with CaptureQueriesContext(connection) as second:
        holds_check(holds, wanted=[WantedUnits(bowl.pk, 1, 100, bowl.stock)], currency="USD")

    network, product = "Index Cond: ((network)::text = 'n'::text)", "Index Cond: (product_id = "
    assert network in plan_with(first[-1]["sql"], index="^order_unpaid$")
    assert product in plan_with(second[-1]["sql"], index="^orders_heldline_product")


@pytest.mark.postgresql
def test_what_a_known_buyer_holds_is_read_by_account(store, shopper):
    with CaptureQueriesContext(connection) as caught:
        lines_awaiting_money(shopper.pk, [shopper.email])

    plan = plan_with(caught[-1]["sql"], index="^order_(unpaid_of_user|confirmed_of_guest)$")
    assert "order_unpaid_of_user" in plan


@pytest.mark.postgresql
def test_products_are_locked_after_the_reads_that_need_no_lock(store, bowl):
    with CaptureQueriesContext(connection) as caught:
        order_create(
            line_requests=[LineRequest(bowl.pk, bowl.pk, 1, None)],
            buyer=buyer_of(network="n", shipping_address={"country": "US"}),
            method=PaymentMethod.BANK_TRANSFER,
            assertions=Assertions(),
            store=store,
        )
    sql = [query["sql"] for query in caught]
    locked, taken = (
        next(n for n, text in enumerate(sql) if part in text)
        for part in ("FOR NO KEY", "UPDATE catalog_product")
    )
    between = [text for text in sql[locked + 1 : taken] if text.startswith("SELECT")]

    # the taxes and shipping methods for these artisans, what others hold, and the rates of this moment
    taxes, methods, held, rates = between
    assert "regions_taxzonearea" in taxes
    assert "shipping_shippingzonearea" in methods
    assert "orders_heldline" in held
    assert "catalog_commissionrate" in rates
