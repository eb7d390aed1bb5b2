"""The cart API: access by token, items, and prices computed at every read."""

import pytest

from artisans.catalog.tests.factories import ProductFactory
from carts.models import Cart, CartItem
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def client(api, shopper):
    return api(shopper)


def items(items) -> list[dict[str, object]]:
    return [{"product_id": str(product.pk), "quantity": quantity} for product, quantity in items.items()]


def test_user_has_one_open_cart_and_needs_no_token(client):
    first, again = client.post("/carts/"), client.post("/carts")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert "token" not in first.json()
    assert Cart.objects.count() == 1


def test_guest_gets_a_token_once_and_needs_it_from_then_on(api, bowl):
    made = api().post("/carts/", {"items": items({bowl: 2})})

    body = made.json()
    assert made.status_code == 201
    assert len(body["token"]) >= 22
    assert not Cart.objects.filter(token_hash=body["token"]).exists(), "only its hash is stored"
    own = api(cart=body["token"])
    seen = own.get(f"/carts/{body['id']}")
    assert seen.status_code == 200
    assert "token" not in seen.json()
    assert own.post("/carts/").json()["id"] == body["id"]
    problem(api().get(f"/carts/{body['id']}"), 401)
    problem(api(cart="guessed").get(f"/carts/{body['id']}"), 404, "not_found")


def test_founding_body_adds_units(client, bowl):
    cart = client.post("/carts/").json()

    answer = client.post(f"/carts/{cart['id']}/items", {"product_id": str(bowl.pk), "quantity": 2})

    body = answer.json()
    assert answer.status_code == 201
    [item] = body["items"]
    assert item == {
        "id": item["id"],
        "product_id": str(bowl.pk),
        "name": "Moss bowl",
        "quantity": 2,
        "unit_price": "85.45",
        "line_total": "170.90",
        "artisan_id": str(bowl.artisan_id),
    }
    assert (body["subtotal"], body["problems"]) == ("170.90", [])


def test_list_adds_many_items_and_repeated_products_add_up(client, bowl, scarf):
    cart = client.post("/carts/").json()
    rows = items({bowl: 1, scarf: 2}) + items({bowl: 3})

    client.post(f"/carts/{cart['id']}/items/", rows)
    body = client.post(f"/carts/{cart['id']}/items/", items({scarf: 1})[0]).json()

    assert {item["name"]: item["quantity"] for item in body["items"]} == {"Moss bowl": 4, "Tide scarf": 3}


def test_list_is_added_completely_or_not_at_all(client, bowl, scarf):
    cart = client.post("/carts/").json()
    before = dump()

    answer = client.post(f"/carts/{cart['id']}/items", items({bowl: 1, scarf: 11}))

    body = problem(answer, 409, "out_of_stock")
    assert body["problems"][0]["new"] == "10"
    assert dump() == before


@pytest.mark.parametrize("method", ["put", "patch"])
def test_quantity_is_set_and_zero_removes(client, bowl, method):
    cart = client.post("/carts/", {"items": items({bowl: 2})}).json()
    address = f"/carts/{cart['id']}/items/{cart['items'][0]['id']}"

    assert getattr(client, method)(address, {"quantity": 5}).json()["items"][0]["quantity"] == 5
    assert getattr(client, method)(address, {"quantity": 0}).json()["items"] == []


def test_item_is_deleted_once(client, bowl):
    cart = client.post("/carts/", {"items": items({bowl: 2})}).json()
    address = f"/carts/{cart['id']}/items/{cart['items'][0]['id']}/"

    assert client.delete(address).json()["items"] == []
    problem(client.delete(address), 404)


def test_more_than_the_stock_is_refused_and_less_is_always_possible(client, bowl):
    cart = client.post("/carts/", {"items": items({bowl: 9})}).json()
    address = f"/carts/{cart['id']}/items/{cart['items'][0]['id']}"
    bowl.stock = 3
    bowl.save()

    problem(client.patch(address, {"quantity": 10}), 409, "out_of_stock")
    body = client.patch(address, {"quantity": 4}).json()

    assert body["items"][0]["quantity"] == 4
    [found] = body["problems"]
    assert (found["code"], found["old"], found["new"], found["fix"]) == (
        "out_of_stock",
        "4",
        "3",
        "lower_quantity",
    )


def test_changed_price_is_a_problem_until_accepted(client, bowl):
    cart = client.post("/carts/", {"items": items({bowl: 1})}).json()
    bowl.price_minor = 9000
    bowl.save()

    body = client.get(f"/carts/{cart['id']}").json()

    [found] = body["problems"]
    assert found == {
        "code": "price_changed",
        "item_id": body["items"][0]["id"],
        "old": "85.45",
        "new": "90.00",
        "fix": "accept_price",
        "message": "Moss bowl now costs $90.00 (previously $85.45).",
        "artisan_id": "",
        "country": "",
    }
    assert body["items"][0]["unit_price"] == "90.00", "prices are always current"
    assert client.get(f"/carts/{cart['id']}/checkout/validate").json()["valid"] is False


@pytest.mark.parametrize("gone", [{"is_active": False}, {"stock": 0}])
def test_unavailable_product_is_a_problem_until_removed(client, bowl, gone):
    cart = client.post("/carts/", {"items": items({bowl: 1})}).json()
    type(bowl).objects.filter(pk=bowl.pk).update(**gone)

    body = client.get(f"/carts/{cart['id']}/checkout/validate/").json()

    assert (body["valid"], [p["fix"] for p in body["problems"]]) == (False, ["remove"])


def test_second_currency_is_refused_and_reported_when_it_appears_later(client, bowl):
    yen = ProductFactory.create(currency="JPY", price_minor=500)
    cart = client.post("/carts/", {"items": items({bowl: 1})}).json()
    refused = problem(client.post(f"/carts/{cart['id']}/items", items({yen: 1})), 409)
    assert refused["problems"][0]["code"] == "currency_mismatch"
    type(bowl).objects.filter(pk=bowl.pk).update(currency="EUR")

    body = client.get(f"/carts/{cart['id']}").json()

    assert [(p["code"], p["old"], p["new"]) for p in body["problems"]] == [
        ("currency_mismatch", "USD", "EUR")
    ]
    assert body["subtotal"] == "0.00"


@pytest.mark.parametrize("active", [{"is_active": False}, {"artisan__is_active": False}])
def test_hidden_product_does_not_exist_for_buyers(client, store, active):
    cart = client.post("/carts/").json()
    hidden = ProductFactory.create(**active)

    problem(client.post(f"/carts/{cart['id']}/items", items({hidden: 1})), 400, "unknown_product")


def test_cart_holds_a_hundred_products_of_99_units(client, store):
    cart = client.post("/carts/").json()
    goods = [ProductFactory.create(stock=1000) for _ in range(101)]

    assert client.post(f"/carts/{cart['id']}/items", items(dict.fromkeys(goods[:100], 99))).status_code == 201
    problem(client.post(f"/carts/{cart['id']}/items", items({goods[0]: 1})), 400, "quantity_too_large")
    problem(client.post(f"/carts/{cart['id']}/items", items({goods[100]: 1})), 400, "too_many_items")
    assert CartItem.objects.count() == 100


def test_founding_summary_shows_the_cost_of_an_order(client, bowl, scarf):
    cart = client.post("/carts/", {"items": items({bowl: 1, scarf: 1})}).json()

    body = client.get(f"/carts/{cart['id']}/checkout/summary?tax_rate=0.10&shipping_cost=5.99").json()

    money = {name: body[name] for name in ("subtotal", "tax", "shipping_cost", "total", "currency")}
    assert money == {
        "subtotal": "118.78",
        "tax": "11.88",
        "shipping_cost": "5.99",
        "total": "136.65",
        "currency": "USD",
    }
    assert [parcel["shipping"] for parcel in body["parcels"]] == ["4.31", "1.68"]
    assert sorted(sum((parcel["items"] for parcel in body["parcels"]), [])) == sorted(
        i["id"] for i in cart["items"]
    )


@pytest.mark.parametrize(
    ("query", "field", "now"),
    [
        ("tax_rate=0.11", "tax_rate", "0.1"),
        ("shipping_cost=0", "shipping_cost", "5.99"),
        ("amount=1", "amount", "99.99"),
    ],
)
def test_summary_refuses_amounts_that_differ_from_ours(client, bowl, query, field, now):
    cart = client.post("/carts/", {"items": items({bowl: 1})}).json()

    body = problem(client.get(f"/carts/{cart['id']}/checkout/summary?{query}"), 409, "quote_changed")

    assert (body["field"], body["now"]) == (field, now)


def test_empty_cart_is_not_valid_and_costs_nothing(client):
    cart = client.post("/carts/").json()

    assert client.get(f"/carts/{cart['id']}/checkout/validate").json() == {"valid": False, "problems": []}
    assert client.get(f"/carts/{cart['id']}/checkout/summary").json()["total"] == "0.00"
