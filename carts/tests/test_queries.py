"""Number of queries per step: within the budget, and the same for 1, 5 and 20 lines."""

from typing import Any
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from carts import checkout
from payments.bookkeeping import holds
from payments.lifecycle import offer, start
from tests.checkout_client import CheckoutClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

# On PostgreSQL, which inserts into several tables in one statement, less: `SQL_LIMITS` in bench/report.py.
BUDGET = {  # with one statement for the journey, after the transaction
    "add one": 5,
    "add a list": 6,  # the first items of a cart
    "read the cart": 3,
    "checkout": 21,
    "order in one call": 19,
    "cash": 24,
}
FREE = ("SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK", "BEGIN", "COMMIT")


def counted(call) -> tuple[Any, list[str]]:
    with CaptureQueriesContext(connection) as caught:
        answer = call()
    return answer, [q["sql"] for q in caught.captured_queries if not q["sql"].startswith(FREE)]


def goods(number: int):
    artisans = [ArtisanFactory.create() for _ in range(min(number, 4))]
    return [
        ProductFactory.create(artisan=artisans[i % len(artisans)], price_minor=1000) for i in range(number)
    ]


def journey(client, number: int) -> dict[str, list[str]]:
    """SQL of each step for an order of so many lines."""
    things = goods(number)
    rows = [{"product_id": str(thing.pk), "quantity": 1} for thing in things]
    cart = client.post("/carts/").json()["id"]
    spent: dict[str, list[str]] = {}

    def step(name: str, method: str, address: str, body: object = None, status: int = 200) -> None:
        answer, spent[name] = counted(lambda: getattr(client, method)(address, body))
        assert answer.status_code == status, answer.content

    step("add a list", "post", f"/carts/{cart}/items", rows, 201)
    step("add one", "post", f"/carts/{cart}/items", rows[0], 201)
    step("read the cart", "get", f"/carts/{cart}")
    body = {"shipping_address": "1 Road", "payment_method": "bank_transfer"}
    step("checkout", "post", f"/carts/{cart}/checkout", body, 201)
    step("order in one call", "post", "/orders/", body | {"order_items": rows}, 201)
    cart = client.post("/carts/", {"items": rows[:5]}).json()["id"]
    step("cash", "post", f"/carts/{cart}/checkout", body | {"payment_method": "cash_on_delivery"}, 201)
    return spent


def test_steps_stay_within_the_query_budget_for_any_cart(api, shopper, settings):
    settings.MAX_OPEN_ORDERS = 100
    client = api(shopper)

    counts = {
        number: {name: len(sql) for name, sql in journey(client, number).items()} for number in (1, 5, 20)
    }

    assert counts[1] == counts[5] == counts[20]
    over = {name: n for name, n in counts[20].items() if n > BUDGET[name]}
    assert not over, (over, BUDGET)


def test_hold_and_provider_are_determined_once(api, shopper, monkeypatch):
    compute, choose = mock.Mock(wraps=holds.compute_hold), mock.Mock(wraps=offer.choose_provider)
    for module in (holds, checkout):
        monkeypatch.setattr(module, "compute_hold", compute)
    for module in (offer, start):
        monkeypatch.setattr(module, "choose_provider", choose)
    [bowl] = goods(1)
    rows = [{"product_id": str(bowl.pk), "quantity": 1}]

    body = {"shipping_address": "1 Road", "payment_method": "bank_transfer", "order_items": rows}
    assert api(shopper).post("/orders/", body).status_code == 201

    assert (compute.call_count, choose.call_count) == (1, 1)


PAGES = ("cart", "checkout_details", "checkout_payment", "checkout_check")


def test_checkout_pages_stay_within_the_query_budget(browser, api, shopper, settings):
    settings.MAX_OPEN_ORDERS = 100
    counts = {}
    for number in (3, 30):
        walk, client = CheckoutClient(browser(shopper)), api(shopper)
        cart = client.post("/carts/").json()["id"]
        rows = [{"product_id": str(thing.pk)} for thing in goods(number)]
        client.post(f"/carts/{cart}/items", rows)
        walk.details()
        walk.payment("bank_transfer")
        counts[number] = {}
        for name in PAGES:
            answer, sql = counted(lambda name=name: walk.get(f"carts:{name}"))
            assert answer.status_code == 200
            counts[number][name] = len(sql)
        placed, sql = counted(lambda: walk.press(walk.pay_form()))
        assert placed.status_code == 302
        shown, sql = counted(lambda: walk.client.get(placed["Location"]))
        assert shown.status_code == 200
        counts[number]["order"] = len(sql)

    assert counts[3] == counts[30]
    assert max(counts[30].values()) <= 25, counts


@pytest.mark.parametrize("address", ["/orders/", "/payments/", "/products/", "/shop/account/orders/"])
def test_number_of_queries_does_not_depend_on_the_list_length(api, browser, shopper, settings, address):
    settings.MAX_OPEN_ORDERS = 100
    client = browser(shopper) if address.startswith("/shop") else api(shopper)
    counts = []
    client.get(address)  # records the use of the token, at most once a minute
    for number in (1, 12):
        for thing in goods(number):
            body = {
                "shipping_address": "1 Road",
                "payment_method": "check",
                "order_items": [{"product_id": str(thing.pk)}],
            }
            assert api(shopper).post("/orders/", body).status_code == 201
        answer, sql = counted(lambda: client.get(address))
        assert answer.status_code == 200
        counts.append(len(sql))

    assert counts[0] == counts[1]
