"""Products of a workshop on holiday: shown, kept in carts, not ordered."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from artisans.catalog.models import Artisan
from carts.models import CartItem
from orders.models import Order
from payments.tests.factories import start
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def close_until(product, day):
    Artisan.objects.filter(pk=product.artisan_id).update(back_on=day)


@pytest.fixture
def back_on():
    return timezone.localdate() + timedelta(9)


def test_cart_keeps_the_product_but_is_not_ordered_until_the_day(api, shopper, bowl, scarf, back_on):
    client = api(shopper)
    rows = [{"product_id": str(row.pk)} for row in (bowl, scarf)]
    cart = client.post("/carts/", {"items": rows}).json()
    address, checkout = f"/carts/{cart['id']}", {"shipping_address": "x", "payment_method": "check"}
    close_until(bowl, back_on)

    [found] = client.get(address).json()["problems"]
    assert (found["code"], found["new"], found["fix"]) == ("on_holiday", back_on.isoformat(), "wait")
    day = date_format(back_on)
    assert found["message"] == (f"Harbour Pottery is on holiday. Moss bowl can be ordered again on {day}.")
    refused = problem(client.post(f"{address}/checkout", checkout), 409)
    assert refused["problems"] == [found]
    problem(client.post(f"{address}/items", {"product_id": str(bowl.pk)}), 409, "on_holiday")
    more = f"{address}/items/{found['item_id']}"
    problem(client.patch(more, {"quantity": 2}), 409, "on_holiday")
    direct = {"order_items": rows[:1], "shipping_address": "x", "payment_method": "check"}
    problem(client.post("/orders/", direct), 409)
    assert not Order.objects.exists()

    close_until(bowl, timezone.localdate())
    assert client.get(address).json()["problems"] == []
    assert client.post(f"{address}/checkout", checkout).status_code == 201


def test_pages_name_the_day_and_accepting_keeps_the_product(browser, shopper, bowl, back_on):
    client = browser(shopper)
    client.post(reverse("carts:item_add"), {"product_id": bowl.pk, "quantity": 2})
    close_until(bowl, back_on)
    bowl.stock = 0
    bowl.save()
    day = date_format(back_on)

    cart = page(client.get(reverse("carts:cart")))
    assert f"Moss bowl can be ordered again on {day}." in cart.text
    assert "It stays in your cart until then" in cart.text
    assert not [form for form in cart.all("form", action=reverse("carts:accept")) if form.all("button")]
    client.post(reverse("carts:accept"))
    assert CartItem.objects.get().quantity == 2

    product = page(client.get(reverse("catalog:product", args=[bowl.slug])))
    assert f"Back on {day}" in product.text
    assert not product.all("input", name="product_id")
    assert f"Back on {day}" in page(client.get(reverse("catalog:product_list"))).text
    artisan = page(client.get(reverse("catalog:artisan", args=[bowl.artisan.slug])))
    assert f"On holiday. Back on {day}" in artisan.text


def test_in_stock_means_that_it_can_be_bought_now(api, bowl, scarf, back_on):
    def found(value):
        rows = api().get(f"/products/?in_stock={value}").json()["results"]
        return {row["name"]: row["back_on"] for row in rows}

    close_until(bowl, back_on)
    Artisan.objects.filter(pk=scarf.artisan_id).update(holiday_from=back_on, back_on=back_on + timedelta(1))

    assert (found("true"), found("false")) == ({"Tide scarf": None}, {"Moss bowl": back_on.isoformat()})


def test_orders_under_way_stay(bowl, shopper, back_on):
    payment = start(items={bowl: 1}, user=shopper)
    close_until(bowl, back_on)

    order = Order.objects.get()
    assert (order.pk, order.status) == (payment.order_id, payment.order.status)
