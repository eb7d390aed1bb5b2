"""Limits on unpaid orders: per buyer, and per network and product."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.tests.factories import ProductFactory
from orders.models import Order
from payments.tests.factories import record
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ADDRESS = {"name": "A", "line1": "1", "city": "C", "region": "OR", "postal_code": "97103", "country": "US"}
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


def order(client, product, quantity: int = 1, **extra):
    body = {
        "shipping_address": ADDRESS,
        "order_items": [{"product_id": str(product.pk), "quantity": quantity}],
        "payment_method": "bank_transfer",
    }
    meta = {name: extra.pop(name) for name in list(extra) if name.isupper()}
    return client.post("/orders/", body | extra, **meta)


def test_third_unpaid_order_of_an_account_is_refused_until_one_is_paid(api, shopper, bowl, staff):
    client = api(shopper)
    first = order(client, bowl)
    assert order(client, bowl).status_code == 201

    body = problem(order(client, bowl), 429, "too_many_open_orders")
    assert body["limit"] == 2

    record(Order.objects.get(pk=first.json()["id"]).payments.get(), "99.99", actor=staff)
    assert order(client, bowl).status_code == 201


@pytest.mark.parametrize("same", ["mail address", "phone"])
def test_buyer_is_also_recognised_by_email_and_phone(api, bowl, same):
    address = ADDRESS | {"phone": "+1 (503) 555-0123"}
    other = address | {"phone": "001503 555 0123"[2:]}
    for number in range(3):
        mail = "one@example.test" if same == "mail address" else f"n{number}@example.test"
        where = (address if number % 2 else other) if same == "phone" else address | {"phone": ""}
        answer = order(api(), bowl, customer_email=mail, shipping_address=where)

        assert answer.status_code == (201 if number < 2 else 429), answer.json()


def test_missing_phone_does_not_identify_a_buyer(api, bowl):
    for number in range(3):
        assert order(api(), bowl, customer_email=f"n{number}@example.test").status_code == 201


def test_cancelled_and_expired_orders_do_not_count(api, shopper, bowl):
    client = api(shopper)
    for _ in range(4):
        made = order(client, bowl).json()
        client.post(f"/orders/{made['id']}/cancel")

    assert order(client, bowl).status_code == 201


def test_unpaid_cash_orders_count_too(api, shopper):
    client = api(shopper)
    for _ in range(2):
        order(client, ProductFactory.create(), payment_method="cash_on_delivery")

    problem(order(client, ProductFactory.create()), 429, "too_many_open_orders")


def test_sixth_unit_of_a_product_from_one_network_is_refused_for_an_hour(api, bowl, scarf, time_machine):
    def buyer():
        return api(UserFactory.create())

    assert order(buyer(), bowl, 3).status_code == 201
    assert order(buyer(), bowl, 2, REMOTE_ADDR="127.0.0.200").status_code == 201, "the same /24"

    problem(order(buyer(), bowl, 1), 429, "too_many_pieces_held")
    assert order(buyer(), scarf, 1).status_code == 201, "another product"
    assert order(buyer(), bowl, 1, **ELSEWHERE).status_code == 201, "another network"

    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    assert order(buyer(), bowl, 1).status_code == 201


def test_forged_forwarded_header_does_not_change_the_network(api, bowl):
    assert order(api(UserFactory.create()), bowl, 5).status_code == 201

    forged = order(api(UserFactory.create()), bowl, 1, HTTP_X_FORWARDED_FOR="198.51.100.7")

    problem(forged, 429, "too_many_pieces_held")


def test_ip_address_is_not_stored(api, shopper, bowl):
    order(api(shopper), bowl, REMOTE_ADDR="203.0.113.9")

    kept = Order.objects.get()
    assert len(kept.network) == 64
    assert "203.0.113" not in kept.network


def test_refusal_writes_nothing(api, shopper, bowl):
    client = api(shopper)
    order(client, bowl)
    order(client, bowl)
    bowl.refresh_from_db()
    stock = bowl.stock

    order(client, bowl)

    bowl.refresh_from_db()
    assert (bowl.stock, Order.objects.count()) == (stock, 2)
