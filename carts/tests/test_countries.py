"""Visitors choose a country of delivery before they enter an address."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.urls import reverse

from artisans.accounts.principals import Principal
from artisans.catalog.models import ProductPrice
from artisans.catalog.tests.factories import ArtisanFactory
from artisans.regions.models import ShopCurrency, TaxZone
from artisans.regions.tests.factories import LONG_AGO, tax_class, tax_rate, tax_zone
from artisans.shipping.models import ShippingMethod, ShippingRate, ShippingZone
from artisans.shipping.tests.factories import shipping_method, shipping_zone
from carts.selectors import open_cart
from orders.models.store_rules import TaxBy
from payments.methods import PaymentMethod
from tests.checkout_client import CheckoutClient
from tests.html import Node, page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("places")]


@pytest.fixture
def places(store) -> None:
    """Germany: 19 %, delivery for 12.90; everywhere else: 10 %, 5.99; nothing to Antarctica."""
    tax_zone("Germany", ("DE",), rates={"standard": 190_000})
    shipping_method(shipping_zone("Germany", ("DE",)), "Parcel", (0, 0, 1290))
    shipping_zone("Ice", ("AQ",))


@pytest.fixture
def euro(bowl) -> None:
    ShopCurrency.objects.create(code="EUR")
    ProductPrice.objects.create(product=bowl, currency="EUR", price_minor=7500)


def choose(client, country: str, back: str = "/shop/cart/"):
    return client.post(reverse("carts:country"), {"country": country, "next": back})


def header(client) -> str:
    return page(client.get("/shop/cart/")).one("nav", class_="nav").text


def form(client) -> Node:
    """The form of the address."""
    return page(client.get(reverse("carts:checkout_details"))).one("main").one("form")


def product_page(client) -> str:
    return page(client.get("/shop/products/moss-bowl/")).text


def price(client, **headers) -> str:
    return page(client.get("/shop/products/moss-bowl/", headers=headers)).one("p", class_="big-price").text


# ---- choosing --------------------------------------------------------------------------------------------------


def test_choice_is_kept_in_the_browser_and_on_the_account(browser, shopper):
    client = browser(shopper)
    assert "Deliver to: United States" in header(client)

    answer = choose(client, "DE", "/?q=bowl")

    cookie = answer.cookies[settings.COUNTRY_COOKIE]
    assert (cookie.value, cookie["samesite"], cookie["max-age"]) == ("DE", "Lax", 365 * 24 * 3600)
    assert cookie["httponly"]
    assert answer["Location"] == "/?q=bowl"
    shopper.refresh_from_db()
    assert shopper.country == "DE"
    assert "Deliver to: Germany" in header(client)
    client.cookies[settings.COUNTRY_COOKIE] = "FR"
    assert "Deliver to: Germany" in header(client), "the account counts before the browser"
    assert "Deliver to: Germany" in header(browser(shopper)), "in another browser, too"


def test_page_offers_the_served_countries_with_the_chosen_one(browser):
    client = browser()
    link = page(client.get("/?q=bowl&sort=price")).one("a", rel="nofollow")
    choose(client, "DE")

    answer = client.get(link.attrs["href"])
    shown = page(answer).one("main").one("form")

    assert "no-store" in answer["Cache-Control"], "of one person"

    assert shown.fields() | {"csrfmiddlewaretoken": ""} == {
        "csrfmiddlewaretoken": "",
        "next": "/?q=bowl&sort=price",
        "country": "DE",
    }
    codes = {option.attrs["value"] for option in shown.all("option")}
    assert {"US", "DE", "FR"} <= codes
    assert "AQ" not in codes


@pytest.mark.parametrize(
    "address", ["https://evil.test/", "//evil.test", "javascript:1", "cart", "?q=1", "é", "x\x00", ""]
)
def test_choosing_never_leaves_the_shop(browser, address):
    client = browser()
    assert choose(client, "DE", address)["Location"] == reverse("catalog:product_list")
    shown = page(client.get(reverse("carts:country"), {"next": address})).one("main")
    assert shown.one("a").attrs["href"] == reverse("catalog:product_list")


def test_address_with_the_token_of_an_order_is_put_into_no_other(browser, bowl):
    walk = CheckoutClient(browser())
    placed = walk.press(walk.fill_checkout(PaymentMethod.BANK_TRANSFER.value, bowl))["Location"]
    shown = page(walk.client.get(placed))
    assert shown.one("a", rel="nofollow").attrs["href"] == "/shop/deliver-to/"


@pytest.mark.parametrize(
    ("country", "sentence"),
    [
        ("AQ", "The shop does not deliver to Antarctica."),
        ("ZZ", "Choose a country from the list."),
        ("de", "Choose a country from the list."),
        ("D\x00", "Choose a country from the list."),
        ("X" * 500, "Choose a country from the list."),
        ("", "Choose a country."),
    ],
)
def test_other_choices_are_refused_and_kept_nowhere(browser, shopper, country, sentence):
    client = browser(shopper)

    answer = choose(client, country)

    assert answer.status_code == 200
    assert sentence in page(answer).one("main").text
    assert settings.COUNTRY_COOKIE not in answer.cookies
    shopper.refresh_from_db()
    assert shopper.country == ""


@pytest.mark.parametrize("stored", ["AQ", "ZZ", "de", "DE,FR", "<b>", "X" * 500])
def test_cookie_of_a_country_that_is_not_served_counts_as_none(browser, euro, stored):
    client = browser()
    client.cookies[settings.COUNTRY_COOKIE] = stored
    assert "Deliver to: United States" in header(client)
    assert price(client) == "$85.45"
    chosen = page(client.get(reverse("carts:country"))).one("main").one("form").fields()["country"]
    assert chosen == "US"


def test_country_that_is_not_served_any_more_counts_as_none(browser, shopper, euro, bowl):
    client = browser(shopper)
    choose(client, "DE")
    assert price(client) == "€75.00"

    ShippingRate.objects.filter(method__name="Parcel").delete()

    assert price(client) == "$85.45"
    CheckoutClient(client).add(bowl)
    assert form(client).fields()["country"] == "US"
    client.cookies[settings.COUNTRY_COOKIE] = "FR"
    assert "Deliver to: France" in header(client)


def test_header_offers_no_country_before_the_shop_is_open(browser, store):
    type(store).objects.update(account_holder="", support_email="", tax_is_set=False)
    assert "Deliver to" not in header(browser())


# ---- what follows from it --------------------------------------------------------------------------------------


def test_country_decides_the_currency_after_the_cookie_and_before_the_languages(browser, shopper, bowl, euro):
    ShopCurrency.objects.create(code="JPY")
    ProductPrice.objects.create(product=bowl, currency="JPY", price_minor=12_000)
    client, japanese = browser(shopper), {"accept-language": "ja-JP"}
    assert price(client, **japanese) == "¥12,000"
    choose(client, "DE")
    assert price(client, **japanese) == "€75.00"
    choose(client, "GB")
    assert price(client, **japanese) == "¥12,000", "the shop has no prices in GBP"
    choose(client, "DE")
    client.cookies[settings.CURRENCY_COOKIE] = "JPY"
    assert price(client) == "¥12,000"
    del client.cookies[settings.CURRENCY_COOKIE]
    type(shopper).objects.update(currency="USD")
    assert price(client, **japanese) == "$85.45"


def test_filled_cart_keeps_its_currency_and_offers_the_shown_one(browser, shopper, bowl, euro):
    walk = CheckoutClient(browser(shopper))
    walk.add(bowl)
    assert "Change the cart" not in page(walk.get("carts:cart")).text

    choose(walk.client, "DE")

    cart = open_cart(Principal(user=shopper))
    assert (cart.currency, price(walk.client)) == ("USD", "€75.00")
    offer = page(walk.get("carts:cart")).one("aside").one("form")
    assert "Your cart is in USD; the shop now shows prices in EUR." in offer.text
    button = offer.one("button").attrs
    assert (offer.attrs["action"], button["name"], button["value"]) == ("/shop/currency/", "currency", "EUR")


def test_new_cart_is_in_the_currency_of_the_country(browser, shopper, bowl, euro):
    client = browser(shopper)
    choose(client, "DE")
    CheckoutClient(client).add(bowl)
    assert open_cart(Principal(user=shopper)).currency == "EUR"


def test_emptied_cart_takes_the_currency_that_is_shown(browser, shopper, bowl, euro):
    walk = CheckoutClient(browser(shopper))
    walk.add(bowl)
    item = open_cart(Principal(user=shopper)).items.get()
    walk.client.post(reverse("carts:item_update", args=[item.pk]), {"remove": "1"})
    choose(walk.client, "DE")

    walk.add(bowl)

    assert open_cart(Principal(user=shopper)).currency == "EUR"


@pytest.mark.parametrize(
    ("rules", "says", "charged"),
    [
        ({}, "Plus 19% tax (Germany). Delivery from $12.90.", ("$85.45", "Tax (19%) $16.24")),
        ({"tax_by": TaxBy.ORIGIN}, "Plus 10% tax (United States).", ("$85.45", "Tax (10%) $8.55")),
        (
            {"prices_include_tax": True},
            "Including 19% tax (Germany).",
            ("$85.45", "Including 19% VAT $13.64"),
        ),
        (
            {"prices_include_tax": True, "gross_fixed": False},
            "Including 10% tax (United States). Delivery from $12.90. "
            "Your cart shows the price with the tax of Germany.",
            ("$92.44", "Including 19% VAT $14.76"),  # 85.45 / 1.10 × 1.19
        ),
    ],
)
def test_product_page_says_what_the_cart_charges(browser, store, bowl, rules, says, charged):
    type(store).objects.update(**rules)
    walk = CheckoutClient(browser())
    choose(walk.client, "DE")

    shown = page(walk.client.get("/shop/products/moss-bowl/"))
    walk.add(bowl)
    cart = page(walk.get("carts:cart")).text

    assert says in shown.text
    assert ("Your cart shows" in shown.text) == ("Your cart shows" in says)
    for text in charged:
        assert text in cart


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({}, "Plus 7% tax (Germany)."),
        ({"prices_include_tax": True}, "Including 7% tax (Germany)."),
        ({"prices_include_tax": True, "gross_fixed": False}, "Including 5% tax (United States)."),
    ],
)
def test_product_page_says_the_tax_of_the_products_class(browser, store, bowl, rules, says):
    tax_rate(TaxZone.objects.get(name="Germany"), 70_000, code="reduced")
    tax_rate(TaxZone.objects.get(name="Everywhere"), 50_000, code="reduced")
    type(bowl).objects.update(tax_class=tax_class("reduced"))
    type(store).objects.update(**rules)
    client = browser()
    choose(client, "DE")

    assert says in product_page(client)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({}, "No tax is added (Germany). Delivery from $12.90."),
        ({"prices_include_tax": True}, "No tax is included (Germany). Delivery from $12.90."),
    ],
)
def test_product_page_says_that_there_is_no_tax(browser, store, bowl, rules, says):
    tax_rate(TaxZone.objects.get(name="Germany"), 0, start=LONG_AGO + timedelta(days=1))
    type(store).objects.update(**rules)
    client = browser()
    choose(client, "DE")

    assert says in product_page(client)


def test_product_page_says_nothing_where_its_class_has_no_rate(browser, bowl):
    tax_rate(TaxZone.objects.get(name="Germany"), 70_000, code="reduced")
    type(bowl).objects.update(tax_class=tax_class("books"))
    client = browser()
    choose(client, "DE")

    shown = product_page(client)

    assert "% tax" not in shown
    assert "Delivery from" not in shown


@pytest.mark.parametrize(
    ("tiers", "fields", "says"),
    [
        ([(0, 0, 700)], {}, "Delivery from $7.00."),
        ([(0, 0, 1900)], {}, "Delivery from $19.00."),  # dearer than the shop's, which does not apply
        ([(0, 0, 700), (2000, 0, 1500)], {}, "Delivery from $15.00."),  # the bowl weighs 2500 g
        ([(0, 0, 700), (0, 8545, 100)], {}, "Delivery from $1.00."),  # and costs 85.45
        ([(3000, 0, 700)], {}, ""),  # none for its weight
        ([(0, 0, 700)], {"currency": "EUR"}, ""),
        ([(0, 0, 0)], {"kind": "pickup"}, ""),
        ([(0, 0, 700)], {"is_active": False}, "Delivery from $12.90."),
    ],
)
def test_product_page_says_what_delivery_by_its_artisan_costs(browser, bowl, tiers, fields, says):
    type(bowl).objects.update(weight_g=2500)
    zone = ShippingZone.objects.get(name="Germany")
    shipping_method(zone, "By bike", *tiers, artisan=bowl.artisan, **fields)
    shipping_method(zone, "Of another artisan", (0, 0, 1), artisan=ArtisanFactory.create())
    walk = CheckoutClient(browser())
    choose(walk.client, "DE")

    shown = product_page(walk.client)
    walk.add(bowl)

    assert says in shown
    assert ("Delivery from" in shown) == bool(says)
    if says:
        price = says.removeprefix("Delivery from ").removesuffix(".")
        assert f"Delivery {price}" in page(walk.get("carts:cart")).text


def test_product_page_says_the_delivery_in_the_currency_of_the_price(browser, bowl, euro):
    client = browser()
    choose(client, "DE")
    assert price(client) == "€75.00"
    assert "Delivery from" not in product_page(client), "the shop has no delivery in EUR"
    ShippingMethod.objects.get(name="Parcel").rates.create(currency="EUR", price_minor=1100)
    assert "Plus 19% tax (Germany). Delivery from €11.00." in product_page(client)
    bowl.prices.all().delete()
    shown = product_page(client)
    assert "Not sold in EUR." in shown
    assert "Plus 19% tax (Germany). Delivery from $12.90." in shown


def test_cart_is_estimated_for_it_until_an_address_is_entered(browser, bowl):
    walk = CheckoutClient(browser())
    walk.add(bowl)
    choose(walk.client, "DE")

    shown = page(walk.get("carts:cart")).text
    first = page(walk.get("carts:checkout_details"))
    walk.details()

    assert "Tax (19%) $16.24 Delivery $12.90" in shown
    assert "Tax and delivery are for Germany until you enter your address." in shown
    assert "Tax (19%) $16.24 Delivery $12.90" in first.text
    assert "Tax (10%) $8.55 Delivery $5.99" in page(walk.get("carts:cart")).text, "the address is in the US"


def test_product_page_shows_its_tax_and_delivery_at_no_more_than_one_statement(
    browser, bowl, django_assert_max_num_queries
):
    client, address = browser(), "/shop/products/moss-bowl/"
    with django_assert_max_num_queries(99) as before:
        assert "Plus 10% tax (United States). Delivery from $5.99." in page(client.get(address)).text
    most = len(before) + 1
    choose(client, "DE")
    with django_assert_max_num_queries(most):
        assert "Plus 19% tax (Germany). Delivery from $12.90." in page(client.get(address)).text


def test_address_step_starts_with_it(browser, shopper, bowl):
    client = browser(shopper)
    CheckoutClient(client).add(bowl)
    assert form(client).fields()["country"] == "US"
    choose(client, "DE")
    sent = form(client).fields()
    assert (sent["country"], sent["shown_country"], sent["billing_country"]) == ("DE", "DE", "DE")


def test_address_of_the_last_order_is_filled_in_only_if_it_is_there(browser, shopper, bowl):
    client = browser(shopper)
    walk = CheckoutClient(client)
    walk.buy(PaymentMethod.BANK_TRANSFER.value, bowl)
    walk.add(bowl)

    choose(client, "US")
    there = form(client).fields()
    choose(client, "DE")
    elsewhere = form(client).fields()

    assert (there["country"], there["line1"]) == ("US", "12 Pier Road")
    assert (elsewhere["country"], elsewhere["line1"]) == ("DE", "")


def test_address_in_the_checkout_counts_before_it(browser, bowl):
    walk = CheckoutClient(browser())
    walk.add(bowl)
    walk.details()
    choose(walk.client, "DE")
    assert form(walk.client).fields()["country"] == "US"
    assert "Tax (10%)" in page(walk.get("carts:cart")).text


def test_pages_vary_by_the_cookie(browser):
    answer = browser().get("/")
    assert "Cookie" in {name.strip() for name in answer["Vary"].split(",")}
