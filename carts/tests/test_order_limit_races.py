"""Orders placed at the same moment cannot pass a limit together; on both databases, with real transactions."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from carts.checkout import Assertions, order_create
from orders.holds import HoldRefused
from orders.models import Order
from orders.problems import LineRequest
from orders.selectors import store_rules
from orders.tests.factories import buyer_of
from payments.methods import PaymentMethod

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]


def at_once(orders: list[tuple[Product, dict[str, Any]]]) -> int:
    """Place the orders in threads that start at the same moment; returns how many were refused."""
    barrier = threading.Barrier(len(orders))

    def run(product: Product, buyer: dict[str, Any]) -> bool:
        try:
            barrier.wait(20)
            order_create(
                line_requests=[LineRequest(product.pk, product.pk, 1, None)],
                buyer=buyer_of(shipping_address={"country": "US"}, **buyer),
                method=PaymentMethod.BANK_TRANSFER,
                assertions=Assertions(),
                store=store_rules(),
            )
        except HoldRefused:
            return True
        finally:
            connection.close()
        return False

    with ThreadPoolExecutor(len(orders)) as pool:
        return sum(pool.map(lambda order: run(*order), orders))


def test_one_network_gets_its_units_once(settings):
    """Different products and addresses, so that only the lock on the network puts the orders in a row."""
    settings.MAX_HELD_UNITS = 3
    orders = [(ProductFactory.create(), {"email": f"{n}@x.test", "network": "n"}) for n in range(6)]

    assert at_once(orders) == 3
    assert Order.objects.count() == 3


def test_all_networks_get_their_share_of_a_product_once():
    product = ProductFactory.create(stock=4)

    assert at_once([(product, {"email": f"{n}@x.test", "network": f"n{n}"}) for n in range(4)]) == 2


def test_one_address_gets_two_orders():
    orders = [(ProductFactory.create(), {"email": "one@x.test", "network": f"n{n}"}) for n in range(5)]

    assert at_once(orders) == 3
