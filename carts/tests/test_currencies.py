"""Visitors choose a currency; carts follow, and cost what is shown."""

import pytest
from django.conf import settings
from django.urls import reverse

from artisans.accounts.principals import Principal
from artisans.catalog.models import Product, ProductPrice
from artisans.core.money import Money
from artisans.core.security.tokens import hash_secret
from artisans.regions.errors import CurrencyNotOffered
from artisans.regions.models import ShopCurrency
from artisans.shipping.models import ShippingRate
from carts.errors import NotSoldInCurrency
from carts.models import Cart
from carts.selectors import items_of, problems_of, summarize
from carts.services import cart_accept, cart_currency_set, cart_items_add, cart_merge, cart_open
from orders.models import Order, StoreRules
from tests.html import Node, page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def yen(bowl) -> ShopCurrency:
    """The shop sells in JPY, and the bowl too: for 12000; not the scarf."""
    ProductPrice.objects.create(product=bowl, currency="JPY", price_minor=12_000)
    return ShopCurrency.objects.create(code="JPY", cash_limit_minor=20_000)


@pytest.fixture
def euro(bowl, scarf) -> ShopCurrency:
    for product in (bowl, scarf):
        ProductPrice.objects.create(product=product, currency="EUR", price_minor=7500)
    return ShopCurrency.objects.create(code="EUR", position=1)


@pytest.fixture
def cart(shopper, bowl) -> Cart:
    found = cart_open(Principal(user=shopper)).cart
    cart_items_add(principal=Principal(user=shopper), cart_id=found.pk, adds={bowl.pk: 2})
    return found


def switch(cart: Cart, currency: str) -> Cart:
    return cart_currency_set(principal=Principal(user=cart.user), cart_id=cart.pk, currency=currency)


def seen(cart: Cart) -> list[str]:
    return [str(item.seen_price) for item in items_of(cart)]


def codes(cart: Cart) -> list[tuple[str, str]]:
    return [(problem.code, problem.fix) for problem in problems_of(cart, items_of(cart))]


# ---- carts -----------------------------------------------------------------------------------------------------


def test_a_cart_switched_there_and_back_costs_what_it_did(cart, yen):
    before = summarize(cart, items_of(cart), StoreRules.objects.get())

    there = switch(cart, "JPY")
    assert (there.currency, seen(there), codes(there)) == ("JPY", ["12000 JPY"], [])
    assert summarize(there, items_of(there), StoreRules.objects.get()).subtotal == Money(24_000, "JPY")

    back = switch(there, "USD")
    after = summarize(back, items_of(back), StoreRules.objects.get())
    assert (after.quote, after.problems) == (before.quote, [])


def test_an_item_without_a_price_is_removed_or_kept_by_switching_back(cart, yen, shopper, scarf):
    me = Principal(user=shopper)
    cart_items_add(principal=me, cart_id=cart.pk, adds={scarf.pk: 1})
    there = switch(cart, "JPY")
    assert codes(there) == [("currency_mismatch", "remove")]
    assert codes(switch(there, "USD")) == []

    accepted = cart_accept(principal=me, cart_id=switch(there, "JPY").pk)

    assert [item.product.name for item in items_of(accepted)] == ["Moss bowl"]
    with pytest.raises(NotSoldInCurrency, match="not sold in JPY"):
        cart_items_add(principal=me, cart_id=cart.pk, adds={scarf.pk: 1})


@pytest.mark.parametrize("currency", ["GBP", "XXX", ""])
def test_only_currencies_of_the_shop(cart, currency):
    with pytest.raises(CurrencyNotOffered):
        switch(cart, currency)


def test_a_price_is_compared_only_with_one_of_its_own_currency(cart, yen, bowl):
    there = switch(cart, "JPY")
    there.items.update(seen_currency="USD", seen_price_minor=1)
    assert codes(there) == []
    there.items.update(seen_currency="JPY", seen_price_minor=1)
    assert codes(there) == [("price_changed", "accept_price")]
    cart_accept(principal=Principal(user=cart.user), cart_id=cart.pk)
    assert seen(there) == ["12000 JPY"]


def test_a_removed_price_and_a_currency_switched_off_are_problems_of_the_cart(cart, yen, bowl):
    there = switch(cart, "JPY")
    bowl.prices.all().delete()
    assert codes(there) == [("currency_mismatch", "remove")]
    ShopCurrency.objects.update(is_active=False)
    assert codes(there) == [("currency_mismatch", "switch_currency")]
    assert summarize(there, items_of(there), StoreRules.objects.get()).problems[0].fix == "switch_currency"

    accepted = cart_accept(principal=Principal(user=cart.user), cart_id=cart.pk)

    assert (accepted.currency, seen(accepted), codes(accepted)) == ("USD", ["85.45 USD"], [])


def test_merging_keeps_the_currency_of_the_account(cart, yen, euro, shopper, bowl, scarf):
    switch(cart, "JPY")
    found, token, _new = cart_open(Principal(), currency="EUR")
    guest = Principal(cart_hash=hash_secret(token))
    cart_items_add(principal=guest, cart_id=found.pk, adds={bowl.pk: 1, scarf.pk: 1})

    cart_merge(guest=guest, user=shopper)

    cart.refresh_from_db()
    assert (cart.currency, sorted(seen(cart))) == ("JPY", ["12000 JPY", "33.33 USD"])
    assert codes(cart) == [("currency_mismatch", "remove")]


@pytest.mark.parametrize(
    ("account", "is_offered", "price"),
    [("", True, "75.00 EUR"), ("JPY", True, "12000 JPY"), ("", False, "85.45 USD")],
)
def test_an_emptied_cart_gets_the_currency_of_a_new_one(
    cart, yen, euro, shopper, bowl, account, is_offered, price
):
    cart.items.all().delete()
    found, token, _new = cart_open(Principal(), currency="EUR")
    guest = Principal(cart_hash=hash_secret(token))
    cart_items_add(principal=guest, cart_id=found.pk, adds={bowl.pk: 1})
    ShopCurrency.objects.filter(code="EUR").update(is_active=is_offered)
    shopper.currency = account

    cart_merge(guest=guest, user=shopper)

    cart.refresh_from_db()
    assert (cart.currency, seen(cart)) == (price[-3:], [price])


def test_an_empty_guest_cart_changes_no_currency(cart, euro, shopper):
    cart.items.all().delete()
    token = cart_open(Principal(), currency="EUR").token

    cart_merge(guest=Principal(cart_hash=hash_secret(token)), user=shopper)

    cart.refresh_from_db()
    assert cart.currency == "USD"


def test_a_new_cart_is_in_the_currency_of_the_account_or_the_guests(yen, euro, shopper, bowl):
    found, token, _new = cart_open(Principal(), currency="EUR")
    guest = Principal(cart_hash=hash_secret(token))
    cart_items_add(principal=guest, cart_id=found.pk, adds={bowl.pk: 1})
    shopper.currency = "JPY"

    cart_merge(guest=guest, user=shopper)

    merged = Cart.objects.get(user=shopper)
    assert (merged.currency, seen(merged)) == ("JPY", ["12000 JPY"])


# ---- choice ----------------------------------------------------------------------------------------------------


def shown(client, **headers) -> str:
    """The price of the bowl on its page."""
    return page(client.get("/shop/products/moss-bowl/", headers=headers)).one("p", class_="big-price").text


def press(client, currency: str, **sent):
    return client.post(reverse("carts:currency"), {"currency": currency, "next": "/shop/cart/"} | sent)


def test_order_of_what_decides(browser, shopper, yen, euro, bowl):
    client = browser(shopper)
    languages = {"accept-language": "en;q=0.9,ja-JP;q=0.5,xx,*;q=0.1"}
    assert shown(client) == "$85.45"
    assert shown(client, **languages) == "¥12,000"
    assert shown(client, **{"accept-language": "bg-BG"}) == "€75.00", "Bulgaria has the euro since 2026"
    client.cookies[settings.CURRENCY_COOKIE] = "EUR"
    assert shown(client, **languages) == "€75.00"
    type(shopper).objects.update(currency="JPY")
    assert shown(client) == "¥12,000"
    asked = client.get("/shop/products/moss-bowl/?currency=EUR")
    assert "€75.00" in page(asked).text
    assert settings.CURRENCY_COOKIE not in asked.cookies, "an address stores nothing"
    press(client, "USD")
    assert shown(client, **languages) == "$85.45"


def test_pressing_keeps_the_choice_and_changes_the_cart(browser, shopper, yen, cart):
    client = browser(shopper)
    answer = press(client, "JPY")
    cookie = answer.cookies[settings.CURRENCY_COOKIE]
    assert (cookie.value, cookie["samesite"], cookie["max-age"]) == ("JPY", "Lax", 365 * 24 * 3600)
    assert answer["Location"] == "/shop/cart/"
    shopper.refresh_from_db()
    cart.refresh_from_db()
    assert (shopper.currency, cart.currency) == ("JPY", "JPY")
    assert "¥24,000" in page(client.get("/shop/cart/")).text


@pytest.mark.parametrize("address", ["https://evil.test/", "//evil.test", "javascript:1", ""])
def test_pressing_never_leaves_the_shop(browser, yen, address):
    assert press(browser(), "JPY", next=address)["Location"] == reverse("catalog:product_list")


@pytest.mark.parametrize("currency", ["GBP", "", "jpy", "\x00", "X" * 500])
def test_pressing_something_else_changes_nothing(browser, shopper, yen, currency):
    client = browser(shopper)
    answer = press(client, currency)
    assert settings.CURRENCY_COOKIE not in answer.cookies
    shopper.refresh_from_db()
    assert shopper.currency == ""
    client.cookies[settings.CURRENCY_COOKIE] = currency.replace("\x00", "") or "x"
    assert shown(client) == "$85.45"


def test_the_choice_is_offered_only_with_two_currencies_and_pages_vary(browser, bowl):
    client = browser()
    assert reverse("carts:currency") not in client.get("/").content.decode()
    ShopCurrency.objects.create(code="JPY", is_active=False)
    assert reverse("carts:currency") not in client.get("/").content.decode()
    ShopCurrency.objects.update(is_active=True)
    answer = client.get("/")
    assert reverse("carts:currency") in answer.content.decode()
    assert {"Cookie", "Accept-Language"} <= {name.strip() for name in answer["Vary"].split(",")}


def post(client, form: Node):
    """Send a form of a page, to where it leads."""
    return client.post(form.attrs["action"], form.fields(), follow=True)


def test_what_is_added_is_in_the_currency_that_the_page_shows(browser, euro, bowl):
    client = browser()
    form = page(client.get("/shop/products/moss-bowl/?currency=EUR")).one("form", class_="buy")

    added = post(client, form)

    cart = Cart.objects.get()
    assert (cart.currency, seen(cart)) == ("EUR", ["75.00 EUR"])
    assert "€75.00" in page(added).text


def test_a_removed_item_comes_back_in_the_currency_of_its_cart(browser, euro, bowl):
    client = browser()
    shown = post(client, page(client.get("/shop/products/moss-bowl/?currency=EUR")).one("form", class_="buy"))
    line = page(shown).one("form", class_="change")
    removed = client.post(line.attrs["action"], line.fields() | {"remove": "1"}, follow=True)

    post(client, page(removed).one("div", class_="messages").one("form"))

    cart = Cart.objects.get()
    assert (cart.currency, seen(cart)) == ("EUR", ["75.00 EUR"])


@pytest.mark.parametrize("query", ["", "?currency=GBP", "?currency=", "?currency=%00"])
def test_a_form_without_a_currency_of_the_shop_adds_in_the_chosen_one(browser, euro, bowl, query):
    client = browser()
    client.cookies[settings.CURRENCY_COOKIE] = "EUR"

    client.post(reverse("carts:item_add") + query, {"product_id": bowl.pk, "quantity": 1})

    assert Cart.objects.get().currency == "EUR"


# ---- lists -----------------------------------------------------------------------------------------------------


def names(client, query: str) -> list[str]:
    return [node.text for node in page(client.get(f"/?{query}")).all("h3")]


def test_lists_show_what_is_sold_in_the_currency_by_its_prices(browser, yen, euro, bowl, scarf):
    client = browser()
    ProductPrice.objects.filter(product=scarf, currency="EUR").update(price_minor=9000)
    assert names(client, "currency=JPY&sort=price") == ["Moss bowl"]
    assert names(client, "currency=EUR&sort=price") == ["Moss bowl", "Tide scarf"]
    assert names(client, "currency=EUR&sort=-price") == ["Tide scarf", "Moss bowl"]
    assert names(client, "currency=USD&sort=-price") == ["Moss bowl", "Tide scarf"]
    assert names(client, "currency=EUR&price_min=80") == ["Tide scarf"]
    assert names(client, "currency=EUR&price_max=75") == ["Moss bowl"]
    assert names(client, "currency=EUR&q=tide&sort=price") == ["Tide scarf"]


def test_a_product_that_is_not_sold_in_it_shows_its_price_at_home(browser, yen, scarf):
    text = page(browser().get("/shop/products/tide-scarf/?currency=JPY")).text
    assert "$33.33" in text
    assert "Not sold in JPY" in text
    assert "Add to cart" not in text


# ---- orders ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shipped(yen) -> ShippingRate:
    """The shop's method also has a charge in JPY."""
    method = ShippingRate.objects.get(currency="USD").method
    return ShippingRate.objects.create(method=method, currency="JPY", price_minor=800)


def checkout(api, user, cart: Cart, **sent):
    address = {"name": "Ada", "line1": "1 Road", "city": "Austin", "region": "TX", "postal_code": "73301"}
    body = {"shipping_address": address | {"country": "US"}, "payment_method": "bank_transfer"}
    return api(user).post(f"/carts/{cart.pk}/checkout", body | sent, format="json")


def test_an_order_is_in_the_currency_of_its_cart(api, shopper, cart, shipped):
    switch(cart, "JPY")
    placed = checkout(api, shopper, cart, currency="JPY", shipping_cost="800")
    assert placed.status_code == 201, placed.json()
    order = Order.objects.get()
    assert (str(order.subtotal), str(order.tax), str(order.shipping)) == ("24000 JPY", "2400 JPY", "800 JPY")
    assert str(order.total) == "27200 JPY"
    assert {line.currency for line in order.lines.all()} == {
        parcel.currency for parcel in order.parcels.all()
    }
    assert placed.json()["payment"]["currency"] == "JPY"


def test_without_a_charge_in_the_currency_nothing_is_shipped(api, shopper, cart, yen):
    switch(cart, "JPY")
    refused = problem(checkout(api, shopper, cart), 409, "checkout_problems")
    assert [each["code"] for each in refused["problems"]] == ["cannot_ship"]
    assert not Order.objects.exists()


def test_an_order_is_refused_if_the_currency_changed_in_another_tab(api, shopper, cart, shipped):
    switch(cart, "JPY")
    problem(checkout(api, shopper, cart, currency="USD"), 409, "quote_changed")
    switch(cart, "USD")
    problem(checkout(api, shopper, cart, currency="JPY", amount="27200"), 409, "quote_changed")


def test_an_order_lives_on_when_its_currency_is_switched_off(api, shopper, cart, shipped):
    switch(cart, "JPY")
    placed = checkout(api, shopper, cart).json()["order"]
    ShopCurrency.objects.filter(code="JPY").update(is_active=False)
    assert api(shopper).get(f"/orders/{placed['id']}").json()["currency"] == "JPY"
    other = cart_open(Principal(user=shopper), currency="JPY").cart
    cart_items_add(
        principal=Principal(user=shopper),
        cart_id=other.pk,
        adds={Product.objects.get(slug="moss-bowl").pk: 1},
    )
    refused = problem(checkout(api, shopper, other), 409, "checkout_problems")
    assert [each["fix"] for each in refused["problems"]] == ["switch_currency"]


@pytest.mark.parametrize(("limit", "is_refused"), [(27_200, False), (27_199, True), (None, True)])
def test_cash_on_delivery_has_a_limit_in_each_currency(api, shopper, cart, shipped, limit, is_refused):
    ShopCurrency.objects.filter(code="JPY").update(cash_limit_minor=limit)
    switch(cart, "JPY")
    answer = checkout(api, shopper, cart, payment_method="cash_on_delivery")
    assert answer.status_code == (400 if is_refused else 201), answer.json()


def test_an_order_in_one_call_is_in_the_named_currency(api, shopper, bowl, shipped):
    address = {"name": "Ada", "line1": "1 Road", "city": "Austin", "region": "TX", "postal_code": "73301"}
    sent = {
        "shipping_address": address | {"country": "US"},
        "order_items": [{"product_id": str(bowl.pk), "quantity": 1}],
        "payment_method": "bank_transfer",
    }
    made = api(shopper).post("/orders/", sent | {"currency": "JPY"}, format="json")
    assert Order.objects.get().total == Money(14_000, "JPY"), made.json()
    problem(api(shopper).post("/orders/", sent | {"currency": "GBP"}, format="json"), 409, "quote_changed")


# ---- API -------------------------------------------------------------------------------------------------------


def test_currencies_and_products_by_api(api, yen, bowl, scarf, django_assert_max_num_queries):
    client = api()
    listed = client.get("/currencies/").json()
    assert [(each["code"], each["is_base"], each["step"], each["decimals"]) for each in listed] == [
        ("USD", True, "0.01", 2),
        ("JPY", False, "1", 0),
    ]
    with django_assert_max_num_queries(9):
        found = client.get("/products/?currency=JPY").json()["results"]
    prices = {each["name"]: (each["price"], each["currency"], each["is_sold"]) for each in found}
    assert prices == {"Moss bowl": ("12000", "JPY", True), "Tide scarf": ("33.33", "USD", False)}
    assert client.get(f"/products/{bowl.pk}?currency=JPY").json()["price"] == "12000"
    assert client.get(f"/products/{bowl.pk}").json()["price"] == "85.45"
    narrowed = client.get("/products/?currency=JPY&price__gte=11999").json()["results"]
    assert [each["name"] for each in narrowed] == ["Moss bowl"]
    problem(client.get("/products/?currency=GBP"), 400, "currency_not_offered")


def test_a_carts_currency_by_api(api, shopper, cart, yen, scarf):
    client, url = api(shopper), f"/carts/{cart.pk}/currency"
    answer = client.post(url, {"currency": "JPY"}, format="json").json()
    assert (answer["currency"], answer["subtotal"], answer["problems"]) == ("JPY", "24000", [])
    assert (answer["items"][0]["unit_price"], answer["notices"]) == ("12000", [])
    problem(client.post(url, {"currency": "GBP"}, format="json"), 400, "currency_not_offered")
    more = {"product_id": str(scarf.pk), "quantity": 1}
    problem(client.post(f"/carts/{cart.pk}/items", more, format="json"), 409, "currency_mismatch")
