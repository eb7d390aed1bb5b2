"""The web process of `make run`, one with threads, on whatever database the tests run on: SQLite in the first place."""

from collections import Counter
from functools import partial

import pytest

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from orders.models import Order
from tests.live.conftest import database_url
from tests.live.runner import Shop, together
from tests.live.users import order_body


@pytest.fixture(scope="module")
def shop(database, static_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    with Shop(folder, database_url(), {"CELERY_BROKER_URL": "memory://"}, is_demo=True) as shop:
        shop.start(worker=False)
        yield shop


def test_one_of_eight_buyers_gets_the_last_unit(clean_database, caller, buyers):
    """SQLite has one writer at a time: seven wait and get "sold out", none a lock error."""
    bowl = ProductFactory.create(stock=1)
    answers = together([partial(caller(user).post, "/orders/", order_body((bowl, 1))) for user in buyers(8)])
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 7}
    assert Product.objects.get().stock == 0
    assert Order.objects.count() == 1
