"""Prices that include tax, and orders with several rates, in carts and summaries."""

import pytest

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
def test_cart_says_how_much_tax_prices_include(client, bowl):
    client.post("/shop/cart/items/", {"product_id": str(bowl.pk), "quantity": "1"})
    cart = client.get("/shop/cart/").content.decode()

    assert "Including 19% tax" in cart
    assert "Tax (19%)" not in cart
