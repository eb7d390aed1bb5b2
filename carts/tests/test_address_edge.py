"""The API and the pages accept and refuse the same addresses, for shipping and billing; a refusal writes nothing."""

import pytest
from django.urls import reverse

from carts.models import Cart
from orders.models import Order
from orders.tests.factories import ADDRESS
from tests.checkout_client import CheckoutClient
from tests.dump import dump
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

SINGAPORE = {"country": "SG", "city": "", "region": "", "postal_code": "546080"}
CASES = [
    ({"country": "UK"}, {"country"}),
    ({"country": "ZZ"}, {"country"}),
    ({"country": "EU"}, {"country"}),
    ({"country": "gb"}, {"country"}),
    ({"country": "GBR"}, {"country"}),
    ({"postal_code": ""}, {"postal_code"}),
    ({"postal_code": "1"}, {"postal_code"}),
    ({"city": "", "region": ""}, {"city", "region"}),
    ({"name": "\u200b"}, {"name"}),
    ({"name": "Ada\n13 Other Road"}, {"name"}),
    ({"line2": "a\x07"}, {"line2"}),
    ({"line1": "x" * 151}, {"line1"}),
    (SINGAPORE, set()),
    ({}, set()),
]
PHONES = [({"phone": "call me"}, {"phone"}), ({"phone": "123"}, {"phone"})]


def from_api(api, bowl, side: str, address: dict[str, str]) -> set[str]:
    body = {
        "order_items": [{"product_id": str(bowl.pk)}],
        "shipping_address": ADDRESS,
        "customer_email": "a@example.test",
    }
    before = dump()
    answer = api().post("/orders/", body | {f"{side}_address": address})
    if answer.status_code == 201:
        return set()
    assert dump() == before
    errors = problem(answer, 400, "validation_error")["errors"]
    assert all(error["detail"] for error in errors)
    return {error["pointer"].removeprefix(f"/{side}_address/") for error in errors}


def of_pages(browser, bowl, side: str, address: dict[str, str]) -> set[str]:
    walk, prefix = CheckoutClient(browser()), "billing_" if side == "billing" else ""
    walk.add(bowl)
    same = {"billing_same": None} if prefix else {}
    answer = walk.details(**{prefix + name: value for name, value in address.items()}, **same)
    links = [a.attrs["href"] for node in page(answer).all(class_="error-summary") for a in node.all("a")]
    return {link.removeprefix(f"#id_{prefix}") for link in links}


@pytest.mark.parametrize("side", ["shipping", "billing"])
def test_api_and_pages_refuse_the_same_addresses(api, browser, bowl, side):
    for changes, wrong in CASES + (PHONES if side == "shipping" else []):
        address = ADDRESS | changes
        if side == "billing":
            address.pop("phone")
        assert of_pages(browser, bowl, side, address) == wrong, changes
        assert from_api(api, bowl, side, address) == wrong, changes


def test_refused_country_suggests_the_right_code(api, bowl):
    body = {
        "order_items": [{"product_id": str(bowl.pk)}],
        "shipping_address": ADDRESS | {"country": "UK"},
        "customer_email": "a@example.test",
    }

    [error] = problem(api().post("/orders/", body), 400, "validation_error")["errors"]

    assert error["pointer"] == "/shipping_address/country"
    assert "GB (United Kingdom)" in error["detail"]


def test_api_refuses_invisible_text(api, bowl):
    body = {"order_items": [{"product_id": str(bowl.pk)}], "shipping_address": "\u200b"}

    [error] = problem(api().post("/orders/", body), 400, "validation_error")["errors"]

    assert error["pointer"] == "/shipping_address"


@pytest.mark.parametrize(
    "odd", [ADDRESS | {"country": "UK"}, ADDRESS | {"postal_code": ""}, {}, None, ["US"], "12 Pier Road"]
)
def test_draft_with_an_invalid_stored_address_redirects_to_the_form_with_errors(browser, bowl, odd):
    walk = CheckoutClient(browser())
    form = walk.fill_checkout("bank_transfer", bowl)
    cart = Cart.objects.get()
    cart.draft = cart.draft | {"shipping": odd}
    cart.save()

    shown = [walk.get("carts:checkout_check"), walk.press(form)]
    assert [answer["Location"] for answer in shown] == [reverse("carts:checkout_details")] * 2
    assert page(walk.get("carts:checkout_details")).all(class_="error-summary") != []
    assert Order.objects.count() == 0

    walk.details()
    assert walk.press(walk.pay_form()).status_code == 302
    assert Order.objects.get().shipping_address == ADDRESS


def test_draft_with_an_email_address_of_an_older_rule_redirects_to_the_form_with_errors(browser, bowl):
    walk = CheckoutClient(browser())
    walk.fill_checkout("bank_transfer", bowl)
    cart = Cart.objects.get()
    cart.draft |= {"email": "a@localhost"}
    cart.save()

    assert walk.get("carts:checkout_check")["Location"] == reverse("carts:checkout_details")
    assert page(walk.get("carts:checkout_details")).one(id="id_email_error").text.startswith("Error:")


def test_api_and_pages_store_the_same_canonical_form(api, browser, bowl):
    address = ADDRESS | {
        "country": "CA",
        "region": "ON",
        "postal_code": "ｋ1a\u20100b1",
        "phone": "＋1 613 555 0123",
    }
    body = {
        "order_items": [{"product_id": str(bowl.pk)}],
        "shipping_address": address,
        "customer_email": "a@example.test",
    }

    assert api().post("/orders/", body).status_code == 201
    CheckoutClient(browser()).buy("check", bowl, **address)

    stored = [order.shipping_address for order in Order.objects.all()]
    assert {(s["postal_code"], s["phone"]) for s in stored} == {("K1A 0B1", "+1 613 555 0123")}
