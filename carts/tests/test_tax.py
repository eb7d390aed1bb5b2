"""Prices that include tax, and orders with several rates, in carts and summaries."""

from decimal import Decimal
from uuid import uuid4

import pytest

from artisans.core.money import Money
from carts.checkout import Assertions
from orders.errors import QuoteChanged
from orders.pricing import PriceInput, quote
from orders.tests.factories import store_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def including(store):
    return store_of(prices_include_tax=True, tax_rate_ppm=190_000, shipping_tax="goods")


@pytest.mark.usefixtures("including")
def test_summary_of_prices_that_include_tax(client, bowl):
    """In 85.45 are 13.64 at 19 %, and 0.96 in the shipping of 5.99."""
    cart = client.post(
        "/carts/", {"items": [{"product_id": str(bowl.pk), "quantity": 1}]}, content_type="application/json"
    ).json()
    path = f"/carts/{cart['id']}/checkout/summary"
    body = client.get(path, headers={"X-Cart-Token": cart["token"]}).json()

    assert (body["subtotal"], body["shipping_cost"], body["total"]) == ("85.45", "5.99", "91.44")
    assert (body["tax"], body["prices_include_tax"]) == ("14.60", True)
    assert body["rates"] == [{"name": "", "rate": "0.19", "tax": "14.60"}]


@pytest.mark.usefixtures("including")
def test_pages_say_how_much_tax_prices_include(client, bowl):
    product = client.get(f"/shop/products/{bowl.slug}/").content.decode()
    client.post("/shop/cart/items/", {"product_id": str(bowl.pk), "quantity": "1"})
    cart = client.get("/shop/cart/").content.decode()

    assert "Including 19% tax. Delivery is" in product
    assert "Including 19% tax" in cart
    assert "Tax (19%)" not in cart


def test_one_rate_is_not_what_an_order_with_several_has():
    lines = [PriceInput(uuid4(), uuid4(), Money(1000, "EUR"), 1, rate) for rate in (190_000, 70_000)]
    offer = quote(lines, currency="EUR", shipping=Money(0, "EUR"))

    with pytest.raises(QuoteChanged) as caught:
        Assertions(tax_rate=Decimal("0.19")).check(offer)

    assert caught.value.extra["rates"] == ["0.07", "0.19"]
    Assertions(tax_rate=Decimal("0.190")).check(quote(lines[:1], currency="EUR", shipping=Money(0, "EUR")))
