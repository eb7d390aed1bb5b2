"""Checkout API: an order is placed once, at the price that the client confirmed, or not at all."""

import json

import pytest

from carts.models import Cart
from orders.models import Order
from orders.tests.factories import store_of
from payments.models import Payment
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

FOUNDING = {
    "shipping_address": "123 Main St, City, State, 12345",
    "billing_address": "123 Main St, City, State, 12345",
    "payment_method": "bank_transfer",
    "payment_provider": "manual",
    "tax_rate": 0.10,
    "shipping_cost": 5.99,
    "customer_email": "user@example.com",
}


@pytest.fixture
def client(api, shopper):
    return api(shopper)


@pytest.fixture
def cart(client, bowl):
    return client.post("/carts/", {"items": [{"product_id": str(bowl.pk), "quantity": 1}]}).json()


def checkout(client, cart, **changes):
    body = {name: value for name, value in (FOUNDING | changes).items() if value is not ...}
    return client.post(f"/carts/{cart['id']}/checkout", body)


@pytest.mark.parametrize("slash", ["", "/"])
def test_founding_body_creates_order_and_payment(client, cart, bowl, slash):
    answer = client.post(f"/carts/{cart['id']}/checkout{slash}", FOUNDING)

    assert answer.status_code == 201, answer.json()
    order, payment = answer.json()["order"], answer.json()["payment"]
    assert (order["status"], order["payment_status"]) == ("PENDING", "UNPAID")
    assert (order["subtotal"], order["tax"], order["shipping_cost"], order["total"]) == (
        "85.45",
        "8.55",
        "5.99",
        "99.99",
    )
    assert order["customer_email"] == "user@example.com"
    assert order["shipping_address"] == FOUNDING["shipping_address"]
    assert [
        (i["name"], i["quantity"], i["unit_price"], i["tax"], i["line_total"]) for i in order["order_items"]
    ] == [("Moss bowl", 1, "85.45", "8.55", "85.45")]
    assert order["parcels"][0]["total"] == "99.99"
    assert (payment["order_id"], payment["amount"], payment["status"]) == (order["id"], "99.99", "PENDING")
    assert payment["next_action"]["reference"] == order["order_number"]
    assert payment["next_action"]["details"][1] == {
        "label": "Account number",
        "value": "DE89 3704 0044 0532 0130 00",
    }


def test_repeated_request_returns_the_same_order(client, cart, bowl):
    first = checkout(client, cart).json()

    again = checkout(client, cart, payment_method="check")

    assert again.status_code == 200
    assert again.json()["order"]["id"] == first["order"]["id"]
    assert again.json()["payment"]["id"] == first["payment"]["id"]
    assert (Order.objects.count(), Payment.objects.count()) == (1, 1)
    bowl.refresh_from_db()
    assert bowl.stock == 9


def test_ordered_cart_is_closed_and_the_next_item_opens_a_new_one(client, cart, bowl):
    checkout(client, cart)

    problem(client.post(f"/carts/{cart['id']}/items", {"product_id": str(bowl.pk)}), 409, "cart_closed")
    new_cart = client.post("/carts/")
    assert new_cart.status_code == 201
    assert new_cart.json()["id"] != cart["id"]
    assert new_cart.json()["items"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tax_rate", "0.1"),
        ("tax_rate", "0.100"),
        ("shipping_cost", "5.99"),
        ("amount", 99.99),
        ("amount", "99.99"),
        ("amount", "99.990"),
        ("currency", "USD"),
        ("tax_rate", ...),
        ("shipping_cost", ...),
        ("billing_address", ...),
        ("payment_provider", ...),
        ("customer_email", ...),
    ],
)
def test_correct_or_missing_amounts_are_accepted(client, cart, name, value):
    assert checkout(client, cart, **{name: value}).status_code == 201


@pytest.mark.parametrize(
    ("name", "value", "now"),
    [
        ("tax_rate", 0, "0.1"),
        ("tax_rate", "0.11", "0.1"),
        ("shipping_cost", 0, "5.99"),
        ("amount", "0.01", "99.99"),
        ("amount", 99.98, "99.99"),
        ("amount", "99.991", "99.99"),
        ("currency", "EUR", "USD"),
    ],
)
def test_different_amounts_are_refused_with_both_values(client, cart, name, value, now):
    before = dump()

    body = problem(checkout(client, cart, **{name: value}), 409, "quote_changed")

    assert (body["field"], body["sent"], body["now"]) == (name, str(value), now)
    assert dump() == before


@pytest.mark.parametrize(
    "change", [{"price_minor": 9000}, {"stock": 0}, {"is_active": False}, {"currency": "EUR"}]
)
def test_changed_products_stop_the_order_with_problems(client, cart, bowl, change):
    type(bowl).objects.filter(pk=bowl.pk).update(**change)
    before = dump()

    body = problem(checkout(client, cart, tax_rate=..., shipping_cost=...), 409, "checkout_problems")

    assert body["problems"][0]["item_id"] == cart["items"][0]["id"]
    assert dump() == before


def test_changed_store_rules_stop_the_order(client, cart):
    store_of(tax_rate_ppm=200_000)

    body = problem(checkout(client, cart), 409, "quote_changed")

    assert (body["field"], body["now"]) == ("tax_rate", "0.2")


def test_empty_cart_is_refused(client):
    cart = client.post("/carts/").json()

    problem(checkout(client, cart), 400, "empty_cart")


@pytest.mark.parametrize(
    ("method", "provider"),
    [
        ("credit_card", "stripe"),
        ("paypal", "paypal"),
        ("bank_transfer", "stripe"),
        ("barter", "manual"),
        ("check", "x"),
    ],
)
def test_method_that_is_not_offered_is_refused(client, cart, method, provider):
    before = dump()

    problem(
        checkout(client, cart, payment_method=method, payment_provider=provider), 400, "method_not_offered"
    )

    assert dump() == before


def test_guest_checks_out_with_the_cart_token_and_reads_with_the_order_token(api, bowl):
    made = api().post("/carts/", {"items": [{"product_id": str(bowl.pk)}]}).json()
    guest = api(cart=made["token"])
    problem(checkout(guest, made, customer_email=...), 400, "invalid_input")

    order = checkout(guest, made).json()["order"]

    reader = api(order=order["access_token"])
    assert reader.get(f"/orders/{order['id']}").json()["order_number"] == order["order_number"]
    assert [row["id"] for row in reader.get("/payments/").json()["results"]] == [
        str(Payment.objects.get().pk)
    ]
    problem(guest.get(f"/orders/{order['id']}"), 404)
    assert Order.objects.get().user is None


def test_address_may_have_fields(client, cart):
    fields = {"name": "Ada", "line1": "1 Road", "city": "Astoria", "region": "OR", "country": "US"}
    fields["postal_code"] = "97103"

    answer = checkout(client, cart, shipping_address=fields, billing_address=...)

    assert answer.json()["order"]["shipping_address"] == fields
    assert Order.objects.get().billing_address == fields


def test_address_as_one_string_is_in_the_stores_country(client, cart):
    checkout(client, cart)

    assert Order.objects.get().shipping_address["country"] == "US"


@pytest.mark.parametrize(
    "address",
    ["", "  ", None, 5, [], {}, {"name": "Ada"}, {"text": "x"}, "a\x00b", "x" * 601]
    + [{"name": "A", "line1": "1", "city": "C", "country": code} for code in ("us", "USA", "", "U1", 5)],
)
def test_invalid_address_is_refused_with_a_pointer(client, cart, address):
    before = dump()

    body = problem(checkout(client, cart, shipping_address=address), 400, "validation_error")

    assert all(error["pointer"].startswith("/shipping_address") for error in body["errors"])
    assert dump() == before


def test_order_mails_go_to_the_email_address_given_at_checkout(client, cart, mails):
    checkout(client, cart)

    assert len(mails("user@example.com")) == 1


def test_amounts_are_strings_everywhere(client, cart):
    body = json.loads(checkout(client, cart).content)

    def numbers(value, path=""):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from numbers(inner, f"{path}/{name}")
        elif isinstance(value, list):
            for inner in value:
                yield from numbers(inner, path)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield path

    assert set(numbers(body)) == {
        "/order/order_items/cancelled_quantity",
        "/order/order_items/quantity",
        "/order/parcels/number",
    }


def test_cart_of_another_user_cannot_be_ordered(api, cart, stranger):
    problem(checkout(api(stranger), cart), 404)

    assert Cart.objects.get(pk=cart["id"]).status == "OPEN"


def test_fingerprint_of_the_summary_stops_an_order_of_other_items(client, cart, scarf):
    seen = client.get(f"/carts/{cart['id']}/checkout/summary").json()["fingerprint"]
    client.post(f"/carts/{cart['id']}/items", {"product_id": str(scarf.pk)})
    before = dump()

    body = problem(checkout(client, cart, fingerprint=seen), 409, "quote_changed")

    assert dump() == before
    assert (body["field"], body["sent"]) == ("fingerprint", seen)
    assert client.get(f"/carts/{cart['id']}/checkout/summary").json()["fingerprint"] == body["now"]
    assert checkout(client, cart, fingerprint=body["now"]).status_code == 201
