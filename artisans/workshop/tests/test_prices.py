"""Artisans enter prices in other currencies, on the page and by API, and say where converted ones may be written."""

import pytest

from artisans.catalog.models import ProductPrice
from artisans.regions.models import ShopCurrency
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def yen() -> ShopCurrency:
    return ShopCurrency.objects.create(code="JPY", step_minor=10, price_step_minor=10)


def address(product) -> str:
    return f"/shop/artisan/products/{product.pk}/prices/"


def fields(client, product) -> dict[str, str]:
    found = page(client.get(address(product))).all("form", method="post")[-1].fields()
    return {name: value or "" for name, value in found.items()}


def test_a_price_is_entered_on_the_page(browser, seller, bowl, yen):
    client = browser(seller)
    name, form = f"{bowl.pk.hex}-JPY", fields(client, bowl)
    assert "multiple of" in page(client.post(address(bowl), form | {name: "12005"})).text
    client.post(address(bowl), form | {name: "12000"})
    assert fields(client, bowl)[name] == "12000"
    ProductPrice.objects.update(price_minor=9000)
    shown = page(client.post(address(bowl), form | {name: "8000"}))
    assert "is now “¥9,000”" in shown.text
    client.post(address(bowl), {**fields(client, bowl), name: ""})
    assert not ProductPrice.objects.exists()


def test_only_the_own_products(browser, seller, other_seller, bowl, yen):
    assert browser(other_seller).get(address(bowl)).status_code == 404


def test_prices_by_api(api, seller, bowl, yen):
    client, url = api(seller), f"/artisan/products/{bowl.pk}/prices"
    empty = client.get(url).json()
    assert empty == {"version": "", "prices": []}
    price = {"product_id": str(bowl.pk), "currency": "JPY", "price": "12000"}

    sent = client.patch(url, {"version": "", "prices": [price]}, format="json").json()

    assert sent["prices"] == [price | {"origin": "manual"}]
    other = {"version": "", "prices": [price | {"price": "9000"}]}
    problem(client.patch(url, other, format="json"), 409, "product_changed")
    wrong = {"version": sent["version"], "prices": [price | {"price": "12005"}]}
    problem(client.patch(url, wrong, format="json"), 400, "invalid_price")
    wrong = {"version": sent["version"], "prices": [price | {"currency": "EUR"}]}
    problem(client.patch(url, wrong, format="json"), 400, "invalid_price")
    gone = {"version": sent["version"], "prices": [price | {"price": None}]}
    assert client.patch(url, gone, format="json").json()["prices"] == []


def test_artisans_say_where_converted_prices_may_be_written(api, browser, seller, yen):
    client = api(seller)
    version = client.get("/artisan/profile").json()["version"]
    sent = {"version": version, "converted_currencies": ["JPY"]}
    assert client.patch("/artisan/profile", sent, format="json").json()["converted_currencies"] == ["JPY"]
    problem(client.patch("/artisan/profile", sent | {"converted_currencies": ["GBP"]}, format="json"), 409)
    version = client.get("/artisan/profile").json()["version"]
    refused = {"version": version, "converted_currencies": ["GBP"]}
    problem(client.patch("/artisan/profile", refused, format="json"), 400, "invalid_input")
    shown = browser(seller).get("/shop/artisan/profile/")
    assert page(shown).one("input", type="checkbox", value="JPY").attrs.get("checked") is not None
