"""Tax and shipping by the address of a cart, on the pages and by API."""

from decimal import Decimal

import pytest
from django.urls import reverse

from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.regions.models import TaxZone, TaxZoneArea
from artisans.regions.tests.factories import tax_class, tax_rate, tax_zone
from artisans.shipping.models import ShippingMethod, ShippingZone, ShippingZoneArea
from artisans.shipping.tests.factories import shipping_method, shipping_zone
from carts.selectors import drafted_methods
from orders.models import Order, StoreRules
from orders.tests.factories import ADDRESS
from tests.checkout_client import CheckoutClient, order_at
from tests.html import page

pytestmark = pytest.mark.django_db

GERMAN = ADDRESS | {"country": "DE", "region": "", "postal_code": "10115", "city": "Berlin"}
TO_GERMANY = {name: GERMAN[name] for name in ("country", "region", "postal_code", "city")}


@pytest.fixture
def places(store) -> None:
    """Germany: 19 %, 12.90 by parcel or 29.90 express; everywhere else: 10 %, 5.99; nothing to Antarctica."""
    tax_zone("Germany", ("DE",), rates={"standard": 190_000})
    zone = shipping_zone("Germany", ("DE",))
    shipping_method(zone, "Parcel", (0, 0, 1290), min_days=2, max_days=4)
    shipping_method(zone, "Express", (0, 0, 2990), min_days=1, max_days=1)
    shipping_zone("Ice", ("AQ",))


@pytest.fixture
def walk(browser, bowl) -> CheckoutClient:
    walk = CheckoutClient(browser())
    walk.add(bowl, follow=False)
    return walk


def cart_of(client, *products) -> str:
    rows = [{"product_id": str(product.pk), "quantity": 1} for product in products]
    return client.post("/carts/", {"items": rows}).json()["id"]


def order(client, address, *products, **more):
    rows = [{"product_id": str(product.pk), "quantity": 1} for product in products]
    body = {"shipping_address": address, "payment_method": "bank_transfer", "order_items": rows}
    return client.post("/orders/", body | more)


# ---- the API ---------------------------------------------------------------------------------------------------------


def test_summary_is_an_estimate_until_a_country_is_named(api, shopper, places, bowl):
    client = api(shopper)
    path = f"/carts/{cart_of(client, bowl)}/checkout/summary"

    here = client.get(path).json()
    there = client.get(path, {"country": "DE", "postal_code": "10115"}).json()

    assert (here["tax"], here["shipping_cost"], here["tax_is_estimate"]) == ("8.55", "5.99", True)
    assert (there["tax"], there["shipping_cost"], there["tax_is_estimate"]) == ("16.24", "12.90", False)
    assert there["parcels"][0]["shipping_method"] == "Parcel"
    assert here["fingerprint"] != there["fingerprint"]


def test_shipping_methods_of_a_place(api, shopper, places, bowl):
    own = ProductFactory.create(artisan=ArtisanFactory.create(), price_minor=6000)
    shipping_method(
        ShippingZone.objects.get(name="Germany"), "By bike", (0, 0, 900), (0, 5000, 0), artisan=own.artisan
    )
    client = api(shopper)
    path = f"/carts/{cart_of(client, bowl, own)}/shipping_methods"

    found = client.get(path, {"country": "DE"}).json()

    prices = [
        (group["artisan_ids"], [(one["name"], one["price"], one["is_chosen"]) for one in group["methods"]])
        for group in found["groups"]
    ]
    assert prices == [
        ([str(bowl.artisan_id)], [("Parcel", "12.90", True), ("Express", "29.90", False)]),
        ([str(own.artisan_id)], [("By bike", "0.00", True)]),
    ]
    assert client.get(path).json()["is_estimate"] is True
    nowhere = client.get(path, {"country": "AQ"}).json()
    assert (nowhere["groups"], len(nowhere["unserved_artisan_ids"])) == ([], 2)
    assert client.get(path, {"country": "UK"}).status_code == 400
    assert client.get(path, {"land": "DE"}).status_code == 400


TRIED = [
    {"country": "DE", "postal_code": "10115"},
    {"country": "US", "region": "CA", "postal_code": "94103"},
    {"country": "US", "region": "OR", "postal_code": "97201"},
    {"country": "US", "region": "OR", "postal_code": "96001"},
    {"country": "GB", "postal_code": "BT1 5GS"},
    {"country": "GB", "postal_code": "SW1A 1AA"},
    {"country": "AQ"},
    {"country": "JP"},
]


@pytest.fixture
def many_places(places):
    tax_zone("Oregon", ("US", "OR"), rates={"standard": 0})
    tax_zone("United Kingdom", ("GB",), rates={"standard": 200_000})
    shipping_method(shipping_zone("Portland", ("US", "OR", "97")), "Bike", (0, 0, 300), (0, 9000, 100))
    ireland = shipping_zone("Northern Ireland", ("GB", "", "BT"))
    shipping_method(ireland, "Ferry", (0, 0, 1500), (900, 0, 2500), (1000, 0, 3500))
    shipping_method(ireland, "Plane", (1000, 0, 100))


@pytest.mark.parametrize("place", TRIED, ids=lambda place: " ".join(place.values()))
def test_address_that_staff_try_has_what_the_cart_is_quoted(
    api, shopper, browser, admin_user, many_places, bowl, place
):
    bowl.weight_g = 900
    bowl.save(update_fields=["weight_g"])
    client = api(shopper)
    cart = f"/carts/{cart_of(client, bowl)}"

    groups = client.get(f"{cart}/shipping_methods", place).json()["groups"]
    summary = client.get(f"{cart}/checkout/summary", place).json()
    goods = {"goods": bowl.price.amount, "weight": bowl.weight_g}
    shown = page(browser(admin_user).get(reverse("admin:regions_taxzone_try"), place | goods))
    lists = shown.all("dl")
    taxes, methods = lists[0].text, lists[1:]
    found = {row.one("dt").text: row.one("dd").text for part in methods for row in part.all("div")}

    offered = {one["name"]: f"${one['price']}" for group in groups for one in group["methods"]}
    assert found == offered
    assert bool(offered) != ("No shipping method of the shop is offered there." in shown.text)
    for rate in summary["rates"] if offered else ():
        assert f"{(Decimal(rate['rate']) * 100).normalize():f} %" in taxes


def test_order_takes_the_tax_and_the_wanted_method_of_its_address(api, shopper, places, bowl, settings):
    settings.MAX_OPEN_ORDERS = 100
    express = ShippingMethod.objects.get(name="Express")
    client = api(shopper)

    plain = order(client, GERMAN, bowl).json()
    wanted = order(client, GERMAN, bowl, shipping_method=express.pk).json()
    by_artisan = order(client, GERMAN, bowl, shipping_methods={str(bowl.artisan_id): express.pk}).json()

    assert (plain["order"]["tax"], plain["order"]["shipping_cost"]) == ("16.24", "12.90")
    for answer in (wanted, by_artisan):
        assert answer["order"]["shipping_cost"] == "29.90"
        parcel = answer["order"]["parcels"][0]
        assert (parcel["shipping_method"], parcel["shipping_min_days"]) == ("Express", 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shipping_method", 10**9),
        ("shipping_method", 0),
        ("shipping_method", "x"),
        ("shipping_methods", {"me": 1}),
        ("shipping_methods", {"00000000-0000-4000-8000-000000000000": 1}),
        ("shipping_methods", []),
    ],
)
def test_method_that_is_not_offered_is_refused(api, shopper, places, bowl, field, value):
    answer = order(api(shopper), GERMAN, bowl, **{field: value})

    assert answer.status_code == 400, answer.content
    assert not Order.objects.exists()


def test_method_of_another_zone_or_artisan_is_refused(api, shopper, places, bowl):
    express = ShippingMethod.objects.get(name="Express")

    answer = order(api(shopper), ADDRESS, bowl, shipping_method=express.pk)

    assert answer.json()["code"] == "shipping_method_not_offered"


def test_place_that_is_not_served_is_a_problem_with_artisan_and_country(api, shopper, places, bowl):
    antarctica = {"name": "Ada", "line1": "Base", "city": "McMurdo", "country": "AQ"}

    answer = order(api(shopper), antarctica, bowl)

    assert (answer.status_code, answer.json()["code"]) == (409, "checkout_problems")
    [problem] = answer.json()["problems"]
    assert (problem["code"], problem["fix"]) == ("cannot_ship", "change_address")
    assert (problem["artisan_id"], problem["country"]) == (str(bowl.artisan_id), "AQ")
    assert "Antarctica" in answer.json()["detail"]
    assert not Order.objects.exists()


def test_shop_without_zones_takes_no_orders_and_tells_staff(api, browser, shopper, admin_user, places, bowl):
    for model in (TaxZoneArea, ShippingZoneArea):
        model.objects.all().delete()

    assert order(api(shopper), ADDRESS, bowl).json()["code"] == "shop_not_open"
    assert "the tax rate, the shipping charge" in page(browser(admin_user).get("/admin/")).text
    assert "not taking orders yet" in page(browser().get("/shop/cart/")).text


def test_class_without_a_rate_is_not_sold(api, shopper, places, bowl):
    bowl.tax_class = tax_class("books")
    bowl.save(update_fields=["tax_class"])
    assert order(api(shopper), GERMAN, bowl).json()["code"] == "checkout_problems"

    tax_rate(TaxZone.objects.get(name="Germany"), 70_000, code="books")
    assert order(api(shopper), GERMAN, bowl).json()["order"]["tax"] == "5.98"


def test_rate_and_method_are_frozen_with_the_order(api, shopper, places, bowl):
    placed = order(api(shopper), GERMAN, bowl).json()["order"]
    tax_rate(TaxZone.objects.get(name="Germany"), 200_000, start=Order.objects.get().created_at)
    ShippingMethod.objects.filter(name="Parcel").update(name="Box")

    again = api(shopper).get(f"/orders/{placed['id']}").json()

    assert (again["tax"], again["parcels"][0]["shipping_method"]) == ("16.24", "Parcel")
    assert order(api(shopper), GERMAN, bowl).json()["order"]["tax"] == "17.09"


def test_tax_by_the_origin_is_that_of_the_shops_country(api, shopper, places, bowl):
    StoreRules.objects.update(tax_by="origin")

    assert order(api(shopper), GERMAN, bowl).json()["order"]["tax"] == "8.55"


# ---- the pages -------------------------------------------------------------------------------------------------------


def test_cart_shows_an_estimate_and_the_form_only_countries_that_are_served(walk, places):
    assert (
        "Tax and delivery are for United States until you enter your address."
        in page(walk.get("carts:cart")).text
    )

    form = page(walk.get("carts:checkout_details"))
    codes = {option.attrs["value"] for option in form.one("select", id="id_country").all("option")}
    assert "AQ" not in codes
    assert {"US", "DE"} <= codes
    billing = form.one("select", id="id_billing_country").all("option")
    assert "AQ" in {option.attrs["value"] for option in billing}
    refused = page(walk.details(country="AQ", region=None, postal_code=None))
    assert "The shop does not deliver to Antarctica. Choose a country from the list." in refused.text


def test_buyer_chooses_a_method_where_there_is_a_choice(walk, places):
    shown = page(walk.details(**TO_GERMANY))
    assert shown.one("h1").text == "Delivery method"
    labels = [label.text for label in shown.all("label", class_="choice")]
    assert labels == ["Parcel 2 to 4 business days $12.90", "Express 1 business day $29.90"]

    express = str(ShippingMethod.objects.get(name="Express").pk)
    missing = page(walk.send("carts:checkout_delivery", {}))
    assert "Choose a delivery method." in missing.text
    walk.send("carts:checkout_delivery", {"shop": express})
    walk.payment("bank_transfer")
    assert "Express" in walk.check_page().text
    placed = order_at(walk.press(walk.pay_form())["Location"])

    assert str(placed.shipping) == "29.90 USD"
    assert placed.parcels.get().shipping_method_text == "Express (1 business day)"


def test_buyer_reads_the_method_of_each_parcel_with_its_days(walk, places, mails):
    walk.details(**TO_GERMANY)
    walk.send("carts:checkout_delivery", {"shop": str(ShippingMethod.objects.get(name="Parcel").pk)})
    walk.payment("bank_transfer")
    url = walk.press(walk.pay_form())["Location"]

    artisan = order_at(url).parcels.get().artisan.name
    placed = next(mail for mail in mails() if "Delivery:" in mail.body)
    for body in (placed.body, placed.alternatives[0][0]):
        assert f"{artisan}: Parcel (2 to 4 business days)" in body
    assert "Delivery: Parcel (2 to 4 business days)" in page(walk.client.get(url)).text


def test_one_method_needs_no_step(walk, places):
    shown = page(walk.details())

    assert shown.one("h1").text == "How would you like to pay?"
    assert walk.get("carts:checkout_delivery").status_code == 302


def test_method_that_is_switched_off_between_page_and_button_orders_nothing(walk, places):
    walk.details(**TO_GERMANY)
    walk.send("carts:checkout_delivery", {"shop": str(ShippingMethod.objects.get(name="Express").pk)})
    walk.payment("bank_transfer")
    form = walk.pay_form()
    ShippingMethod.objects.filter(name="Express").update(is_active=False)

    answer = walk.press(form)

    assert answer.status_code == 409
    assert "The delivery method has changed since this page was shown." in page(answer).text
    assert "The total has changed from $131.59 to $114.59." in page(answer).text
    assert not Order.objects.exists()
    assert order_at(walk.press(walk.pay_form())["Location"]).parcels.get().shipping_method == "Parcel"


def test_another_address_asks_for_the_method_again_and_changes_the_total(walk, places):
    walk.details(**TO_GERMANY)
    walk.send("carts:checkout_delivery", {"shop": str(ShippingMethod.objects.get(name="Express").pk)})
    walk.payment("bank_transfer")
    form = walk.pay_form()
    walk.details()

    answer = walk.press(form)

    assert answer.status_code == 409
    assert "The delivery address has changed" in page(answer).text
    assert "to $99.99" in page(answer).text
    assert page(walk.details(**TO_GERMANY)).one("h1").text == "Delivery method"


def test_zone_that_is_emptied_while_a_cart_is_open(walk, places, bowl):
    walk.details(**TO_GERMANY)
    walk.send("carts:checkout_delivery", {"shop": str(ShippingMethod.objects.get(name="Parcel").pk)})
    walk.payment("bank_transfer")
    form = walk.pay_form()
    ShippingMethod.objects.filter(zone__name="Germany").update(is_active=False)

    answer = walk.press(form)

    shown = page(answer)
    assert answer.status_code == 409
    assert f"{bowl.artisan.name} does not ship to this address in Germany." in shown.text
    links = [link.attrs["href"] for link in shown.one("div", id="problems").all("a")]
    assert reverse("carts:checkout_details") in links
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "stored", [None, 1, "x", [1], {"x": 1}, {"": None}, {"0b9d41c2-5a57-4d0e-9a53-1f0f3a1b9e77": []}]
)
def test_stored_choice_that_cannot_be_read_counts_as_none(stored):
    assert drafted_methods({"delivery": stored}) == {}
