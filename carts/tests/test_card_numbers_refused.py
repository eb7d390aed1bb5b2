"""A card number in any text of a page or an API request is refused, and never stored, mailed, logged or shown."""

import logging
import re
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.urls import reverse

from carts.models import Cart
from orders.models import Order
from orders.tests.factories import ADDRESS
from tests.checkout_client import DETAILS_FORM, CheckoutClient
from tests.dump import dump
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

CARD = "4242 4242 4242 4242"


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text


@pytest.fixture
def walk(browser, bowl) -> CheckoutClient:
    walk = CheckoutClient(browser())
    walk.add(bowl)
    return walk


def digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


@pytest.mark.parametrize("name", [name for name in DETAILS_FORM if name not in {"billing_same", "country"}])
def test_details_form_refuses_it_next_to_the_field(walk, name, logged):
    before = dump()

    answer = walk.details(**{name: CARD})

    shown = page(answer)
    assert "This looks like a card number" in shown.one(class_="error-summary").text
    assert shown.one(id=f"id_{name}_error").text.startswith("Error:")
    assert CARD not in answer.content.decode() + logged()
    assert dump() == before


def test_details_form_for_another_country_does_not_show_it_again(walk):
    answer = walk.details(line1=CARD, change_country="1")

    assert CARD not in answer.content.decode()


def test_details_form_refuses_it_over_two_lines(walk):
    before = dump()

    answer = walk.details(line1="4242 4242", line2="4242 4242")

    assert [page(answer).one(id=f"id_line{n}_error").text[:6] for n in (1, 2)] == ["Error:", "Error:"]
    assert "4242 4242" not in answer.content.decode()
    assert dump() == before


def test_note_refuses_it(walk):
    answer = walk.details(note=f"Charge {CARD} please")

    assert "This looks like a card number" in page(answer).one(class_="error-summary").text
    assert CARD not in answer.content.decode()
    assert Cart.objects.get().draft == {}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("account_signup", {"email": f"{CARD.replace(' ', '')}@example.test", "password1": "x"}),
        ("account_login", {"login": CARD, "password": "x"}),
        ("payments:order_find", {"order_number": CARD, "email": "a@example.test"}),
        ("carts:item_add", {"product_id": CARD}),
        ("carts:item_add", {CARD: "x"}),
    ],
)
def test_other_forms_answer_with_a_page_that_says_so(browser, name, fields, logged):
    before = dump()

    answer = browser().post(reverse(name), fields)

    assert answer.status_code == 400
    assert "That looks like a card number" in page(answer).one("h1").text
    assert "4242" not in answer.content.decode().replace(answer["X-Request-Id"], "")
    assert dump() == before
    assert "4242424242424242" not in digits(logged())


def test_search_for_it_is_not_shown_again(browser):
    answer = browser().get(reverse("catalog:product_list"), {"q": CARD})

    assert answer.status_code == 400
    shown = unquote_plus(answer.content.decode()).replace(answer["X-Request-Id"], "")
    assert CARD not in shown
    assert CARD.replace(" ", "") not in "".join(re.findall(r"\d", shown))


def test_staff_pages_refuse_it(browser, admin_user, bowl):
    address = reverse("admin:catalog_product_change", args=[bowl.pk])

    assert browser(admin_user).post(address, {"description": CARD}).status_code == 400


def in_address(**changes: str) -> dict[str, Any]:
    return {"shipping_address": ADDRESS | changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"note": CARD},
        {"note": "4242.4242.4242.4242"},
        {"shipping_address": f"Ada, {CARD}, Portland"},
        {"billing_address": CARD},
        {"customer_email": "4242424242424242@example.test"},
        {"amount": 4242424242424242},
        {"payment_method": CARD},
        {"fingerprint": CARD},
        {CARD: "x"},
        *[in_address(**{name: CARD}) for name in ADDRESS],
        in_address(line1="4242 4242", line2="4242 4242"),
        {"shipping_address": {"line9": {"x": [CARD]}}},
    ],
)
def test_api_refuses_it_anywhere_in_the_body(api, shopper, bowl, changes, logged):
    body = {"order_items": [{"product_id": str(bowl.pk)}], "shipping_address": ADDRESS}
    client = api(shopper)
    client.get("/orders/")  # records the use of the token
    before = dump()

    answer = client.post("/orders/", body | changes, headers={"Idempotency-Key": "k-1"})

    assert "4242" not in str(problem(answer, 400, "raw_card_data_not_accepted")["detail"])
    assert "4242424242424242" not in digits(answer.content.decode().replace(answer["X-Request-Id"], ""))
    assert dump() == before
    assert CARD not in logged()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/products/?q=4242+4242+4242+4242", {}),
        ("/products/?4242424242424242=x", {}),
        ("/products/", {"Idempotency-Key": "4242424242424242"}),
    ],
)
def test_api_refuses_it_in_query_and_key(api, path, headers):
    problem(api().get(path, headers=headers), 400, "raw_card_data_not_accepted")


def test_key_with_a_card_number_is_not_stored(api, shopper, bowl):
    body = {"order_items": [{"product_id": str(bowl.pk)}], "shipping_address": ADDRESS}
    client = api(shopper)
    client.get("/orders/")
    before = dump()

    answer = client.post("/orders/", body, headers={"Idempotency-Key": "order-4242-4242-4242-4242"})

    problem(answer, 400, "raw_card_data_not_accepted")
    assert dump() == before


def test_request_id_with_a_card_number_is_replaced(client):
    answer = client.get("/health/live", headers={"X-Request-Id": "4242424242424242"})

    assert answer["X-Request-Id"] != "4242424242424242"


def test_numbers_of_other_kinds_are_accepted(api, shopper, bowl):
    address = ADDRESS | {"phone": "+49 151 23456789"}
    body = {
        "order_items": [{"product_id": str(bowl.pk)}],
        "shipping_address": address,
        "note": "IBAN DE89 3704 0044 0532 0130 00, parcel 00340434161094042557",
    }

    assert api(shopper).post("/orders/", body).status_code == 201
    assert Order.objects.get().delivery_note == body["note"]
