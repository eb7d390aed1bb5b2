"""Products with options: shown once with their variants, and bought as one of them."""

import pytest
from django.urls import reverse

from artisans.accounts.principals import Principal
from artisans.catalog.models import Product
from artisans.catalog.pictures import products_left_behind
from artisans.catalog.product_versions import version_of
from artisans.catalog.products import product_archive
from artisans.catalog.services import OutOfStock, StockLine, stock_take
from artisans.catalog.tasks import follow_products
from artisans.catalog.tests.factories import ProductFactory
from artisans.catalog.variants import VariantInput, variants_change
from artisans.core.admin.pages import admin_page_url
from carts.services import cart_items_add, cart_open
from tests.html import edit, page
from tests.problems import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def jug(seller) -> Product:
    """In two sizes: three small ones for 20.00, and a sold-out large one for 30.00."""
    jug = ProductFactory.create(artisan=seller.artisan, name="Jug", slug="jug", stock=0)
    return variants_change(
        artisan=seller.artisan,
        product_id=jug.pk,
        actor=seller,
        option_names=["Size"],
        variants=[
            VariantInput(("Small",), 2000, sku="J-S", counted=3),
            VariantInput(("Large",), 3000, sku="J-L"),
        ],
    )


def archive(jug: Product, seller, variant: Product) -> None:
    row = VariantInput(
        variant.options, variant.price_minor, variant.sku, variant.pk, version_of(variant), is_archived=True
    )
    variants_change(
        artisan=seller.artisan, product_id=jug.pk, actor=seller, option_names=["Size"], variants=[row]
    )


def test_shop_lists_the_product_once_with_its_lowest_price(client, api, jug, django_assert_max_num_queries):
    for _ in range(3):
        ProductFactory.create(artisan=jug.artisan)
    small, large = jug.choices

    with django_assert_max_num_queries(11):
        shown = page(client.get("/?q=small+jug"))
    [row] = api().get("/products/?q=jug&in_stock=true").json()["results"]

    assert [card.text for card in shown.all("h3")] == ["Jug"]
    assert "from $20.00" in shown.text
    assert (row["price"], row["stock"], row["options"]) == ("20.00", 3, ["Size"])
    assert [(v["id"], v["options"], v["price"], v["stock"]) for v in row["variants"]] == [
        (str(small.pk), ["Small"], "20.00", 3),
        (str(large.pk), ["Large"], "30.00", 0),
    ]
    assert api().get(f"/products/{large.pk}").json()["parent_id"] == str(jug.pk)


def test_page_shows_the_chosen_variant_and_sells_it(client, store, jug):
    small, large = jug.choices

    unchosen = page(client.get(reverse("catalog:product", args=["jug"])))
    shown = page(client.get(reverse("catalog:product", args=[small.slug])))
    sold_out = page(client.get(reverse("catalog:product", args=[large.slug])))
    client.post(reverse("carts:item_add"), {"product_id": small.pk, "quantity": 1})
    cart = page(client.get(reverse("carts:cart")))

    assert "Choose options first: Size." in unchosen.text
    assert not unchosen.all("input", name="product_id")
    assert shown.one("input", name="product_id").attrs["value"] == str(small.pk)
    options = shown.one("nav", aria_label="Size")
    assert [link.text for link in options.all("a", aria_current="true")] == ["Small"]
    assert ("$20.00" in shown.text, "Only 3 left" in shown.text) == (True, True)
    assert ("$30.00" in sold_out.text, "Sold out" in sold_out.text) == (True, True)
    assert "Jug (Small)" in cart.text


@pytest.mark.parametrize(
    ("stock", "days", "words"),
    [
        (0, 10, "Sold out"),
        (4, None, "In stock"),
        (1, None, "Only 1 left"),
        (4, 10, "Made to order, ready in 10 days"),
        (4, 14, "Made to order, ready in 2 weeks"),
    ],
)
def test_availability_is_said_in_words(client, stock, days, words):
    product = ProductFactory.create(stock=stock, lead_days=days)

    assert words in page(client.get(reverse("catalog:product", args=[product.slug]))).text


def test_product_with_options_cannot_be_ordered_itself(shopper, api, jug):
    """Not even if it has stock, from before its variants."""
    Product.objects.filter(pk=jug.pk).update(stock=5)
    client = api(shopper)

    body = problem(client.post("/carts", {"items": [{"product_id": str(jug.pk)}]}), 400, "choice_needed")
    with pytest.raises(OutOfStock):
        stock_take(lines=[StockLine(jug.pk, jug.pk, 1)], reason="test")

    assert (body["product_id"], body["detail"]) == (str(jug.pk), "Choose a variant of Jug first: Size.")
    Product.objects.filter(pk=jug.pk).update(stock=0)


def test_cart_from_before_the_variants_says_that_a_choice_is_needed(shopper, seller, api):
    bowl = ProductFactory.create(artisan=seller.artisan, name="Bowl", stock=0)
    Product.objects.filter(pk=bowl.pk).update(stock=1)
    cart = cart_open(Principal(user=shopper)).cart
    cart_items_add(principal=Principal(user=shopper), cart_id=cart.pk, adds={bowl.pk: 1})
    Product.objects.filter(pk=bowl.pk).update(stock=0)

    variants_change(
        artisan=seller.artisan,
        product_id=bowl.pk,
        actor=seller,
        option_names=["Size"],
        variants=[VariantInput(("Small",), 2000)],
    )

    [found] = api(shopper).get(f"/carts/{cart.pk}").json()["problems"]
    assert (found["code"], found["fix"]) == ("choice_needed", "remove")


@pytest.mark.parametrize("whole", [False, True])
def test_variant_archived_during_the_checkout_is_named_and_not_sold(
    shopper, seller, api, store, jug, *, whole
):
    small = jug.choices[0]
    client = api(shopper)
    cart = client.post("/carts", {"items": [{"product_id": str(small.pk)}]}).json()

    if whole:
        product_archive(artisan=seller.artisan, product_id=jug.pk, actor=seller)
    else:
        archive(jug, seller, small)
    answer = client.post(
        f"/carts/{cart['id']}/checkout",
        {"shipping_address": "123 Main St, Portland, OR, 97201", "payment_method": "check"},
    )

    body = problem(answer, 409, "checkout_problems")
    [found] = body["problems"]
    assert (found["code"], found["message"]) == ("not_available", "Jug (Small) is no longer sold.")
    assert Product.objects.get(pk=small.pk).stock == 3
    assert client.get(f"/products/{small.pk}").status_code == 404
    page_of_it = client.get(reverse("catalog:product", args=[small.slug]))
    assert page_of_it.status_code == (404 if whole else 200)
    assert not client.get("/orders").json()["results"]


def test_product_taken_off_sale_alone_is_not_sold_as_its_variant(shopper, api, client, store, jug):
    """As release 0.1.0 does, which knows no variants."""
    small, buyer = jug.choices[0], api(shopper)
    item = {"product_id": str(small.pk)}
    cart = buyer.post("/carts", {"items": [item]}).json()

    Product.objects.filter(pk=jug.pk).update(is_active=False)

    answer = buyer.post(
        f"/carts/{cart['id']}/checkout",
        {"shipping_address": "123 Main St, Portland, OR, 97201", "payment_method": "check"},
    )
    [found] = problem(answer, 409, "checkout_problems")["problems"]
    assert (found["code"], found["message"]) == ("not_available", "Jug (Small) is no longer sold.")
    [found] = buyer.get(f"/carts/{cart['id']}").json()["problems"]
    assert found["code"] == "not_available"
    problem(buyer.post(f"/carts/{cart['id']}/items", item | {"quantity": 1}), 400, "unknown_product")
    with pytest.raises(OutOfStock):
        stock_take(lines=[StockLine(small.pk, small.pk, 1)], reason="late payment")
    assert buyer.get(f"/products/{small.pk}").status_code == 404
    assert client.get(reverse("catalog:product", args=[small.slug])).status_code == 404
    assert Product.objects.get(pk=small.pk).stock == 3
    Product.objects.filter(pk=jug.pk).update(is_active=True)


def test_variants_follow_what_release_0_1_0_changed_of_their_product(seller, jug):
    small, large = jug.choices
    archive(jug, seller, large)
    assert not products_left_behind()
    for values in (
        {"is_active": False},
        {"is_active": True},
        {"name": "Jug of clay"},
        {"picture": "products/new.webp", "picture_alt": "A jug"},
    ):
        Product.objects.filter(pk=jug.pk).update(**values)
        assert products_left_behind() == {jug.pk}, values
        follow_products()
        assert not products_left_behind(), values
        [found] = Product.objects.filter(pk=small.pk).values(*values)
        expected = values | ({"name": f"{values['name']} (Small)"} if "name" in values else {})
        assert found == expected
    large.refresh_from_db()
    assert not large.is_active


def test_staff_take_a_product_off_sale_with_its_variants(catalog_client, jug):
    small = jug.choices[0]

    answer = edit(catalog_client, jug, is_active=None)
    shown = page(catalog_client.get(admin_page_url(small)))

    assert answer.status_code == 302
    assert not Product.objects.filter(is_active=True).exists()
    assert not shown.all("input", name="is_active")
    assert not shown.all("input", name="name")


def test_staff_set_the_prices_of_variants_and_the_product_has_the_lowest(catalog_client, jug, seller):
    small, large = jug.choices

    def prices() -> list[int]:
        return [Product.objects.get(pk=row.pk).price_minor for row in (jug, small, large)]

    assert not page(catalog_client.get(admin_page_url(jug))).all("input", name="price")
    assert edit(catalog_client, jug, price="5.00", care="By hand").status_code == 302
    assert prices() == [2000, 2000, 3000]
    for row, price, expected in (
        (small, "40.00", [3000, 4000, 3000]),
        (large, "10.00", [1000, 4000, 1000]),
    ):
        assert edit(catalog_client, row, price=price).status_code == 302
        assert prices() == expected
    archive(jug, seller, Product.objects.get(pk=large.pk))
    assert prices() == [4000, 4000, 1000]
    edit(catalog_client, large, price="9.00")
    assert prices() == [4000, 4000, 900]  # an archived variant does not count
