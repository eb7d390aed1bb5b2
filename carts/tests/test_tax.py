"""Prices that include tax, and orders with several rates, in carts and summaries."""

import pytest

from artisans.catalog.tests.factories import ProductFactory
from artisans.regions.models import TaxZone
from artisans.regions.tests.factories import tax_class, tax_rate
from orders.models import Order
from orders.tests.factories import store_of
from tests.problems import problem

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
def test_cart_says_how_much_tax_prices_include(client, bowl):
    client.post("/shop/cart/items/", {"product_id": str(bowl.pk), "quantity": "1"})
    cart = client.get("/shop/cart/").content.decode()

    assert "Including 19% tax" in cart
    assert "Tax (19%)" not in cart


@pytest.mark.usefixtures("including")
def test_product_page_says_that_the_price_includes_tax(client, bowl):
    shown = client.get(f"/shop/products/{bowl.slug}/").content.decode()

    assert "Including 19% tax (United States)" in " ".join(shown.split())


def test_one_rate_cannot_be_asserted_of_an_order_with_several(client, store, bowl):
    book = ProductFactory.create(tax_class=tax_class("books"), stock=5)
    tax_rate(TaxZone.objects.get(), 70_000, code="books")
    rows = [{"product_id": str(product.pk), "quantity": 1} for product in (bowl, book)]
    body = {
        "shipping_address": "123 Main St, City",
        "customer_email": "sam@example.test",
        "order_items": rows,
    }

    answer = client.post("/orders/", body | {"tax_rate": 0.1}, content_type="application/json")
    assert problem(answer, 409, "quote_changed")["rates"] == ["0.07", "0.1"]
    assert not Order.objects.exists()
    placed = client.post("/orders/", body, content_type="application/json").json()
    assert sorted(line["tax_rate"] for line in placed["order_items"]) == ["0.07", "0.1"]
