"""The limits on unpaid orders read unpaid orders only, however many others there are."""

import pytest
from django.db import connection

from orders.holds import AWAITING_MONEY, CASH_UNDER_WAY
from orders.models import Order
from orders.selectors import UNKNOWN_BUYER

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


@pytest.mark.parametrize(
    "orders",
    [AWAITING_MONEY, AWAITING_MONEY & UNKNOWN_BUYER, CASH_UNDER_WAY],
    ids=["awaiting money", "of unknown buyers", "cash"],
)
def test_unpaid_orders_are_read_by_their_index(orders):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "order_unpaid" in Order.objects.filter(orders).order_by().explain()
