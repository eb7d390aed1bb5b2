"""The disk of the database is full in the middle of an order: a clear answer, nothing half done, and no order lost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from orders.models import Order, Parcel
from payments.models import Payment
from tests.live.users import order_body
from tests.problems import problem


def full_for(table: str) -> Callable[..., Any]:
    """An execute wrapper: rows of this table find no space, as PostgreSQL (DiskFull) and SQLite report it."""

    def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if f'INTO "{table}"' in sql:
            raise OperationalError("could not extend file: No space left on device")
        return run(sql, *rest)

    return execute


@pytest.mark.django_db
def test_order_is_placed_whole_or_not_at_all(api, shopper, bowl, store):
    body = order_body((bowl, 2), method="bank_transfer")
    stock = bowl.stock
    for table in ("orders_order", "orders_parcel", "payments_payment", "notifications_notification"):
        with connection.execute_wrapper(full_for(table)):
            refused = problem(api(shopper).post("/orders/", body), 503, "database_unavailable")
        assert refused["retryable"] is True, table
        bowl.refresh_from_db()
        assert bowl.stock == stock, table
        assert [model.objects.count() for model in (Order, Parcel, Payment)] == [0, 0, 0], table

    assert api(shopper).post("/orders/", body).status_code == 201
    bowl.refresh_from_db()
    assert bowl.stock == stock - 2
