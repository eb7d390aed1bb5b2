"""Catalogue pages: search, filters, and what is shown or hidden."""

from typing import Any

import pytest
from django.urls import reverse

from artisans.catalog.selectors import products_found
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory
from tests.html import page

pytestmark = pytest.mark.django_db


def names(**filters: Any) -> list[str]:
    return [product.name for product in products_found(**filters).products]


def test_search_needs_all_words_in_any_field_and_any_case():
    ProductFactory.create(name="Moss bowl", description="stoneware", artisan__name="Harbour Pottery")
    ProductFactory.create(name="Fern bowl", description="walnut")

    assert names(q="BOWL") == ["Fern bowl", "Moss bowl"]
    assert names(q="stone bowl") == ["Moss bowl"]
    assert names(q="harbour") == ["Moss bowl"]
    assert names(q="bowl harbour walnut") == []


@pytest.mark.parametrize(
    "q", ["%", "_", "' OR 1=1 --", "\\", "{{7*7}}", "<b>x</b>", "${7*7}", "a" * 5000, "ş🫖"]
)
def test_hostile_search_is_treated_as_text(client, q):
    ProductFactory.create(name="Moss bowl", artisan__name="Harbour", category__name="Pots", stock=0)

    shown = page(client.get("/", {"q": q}))

    assert shown.one("h1").text == f"No results for “{q[:120]}”"
    assert "Moss bowl" not in shown.text


@pytest.mark.parametrize(
    "field", ["q", "category", "artisan", "sort", "page", "price_min", "price_max", "material", "in_stock"]
)
def test_hostile_filter_is_treated_as_text(client, field):
    for value in ("\x00", "'; DROP TABLE x", "10" * 50, "-1", "user__password"):
        assert client.get("/", {field: value}).status_code == 200


def test_products_are_filtered_and_sorted():
    pots, cloth = CategoryFactory.create(slug="pots"), CategoryFactory.create(slug="cloth")
    maker = ArtisanFactory.create(slug="ada")
    ProductFactory.create(name="B", category=pots, price_minor=300, artisan=maker)
    ProductFactory.create(name="A", category=pots, price_minor=100)
    ProductFactory.create(name="C", category=cloth, price_minor=200)

    assert names(categories=[pots.pk], sort="name") == ["A", "B"]
    assert names(artisan="ada") == ["B"]
    assert names(sort="price") == ["A", "C", "B"]
    assert names(sort="-price") == ["B", "C", "A"]
    assert names(sort="nonsense") == names(sort="new") == ["C", "A", "B"]


@pytest.mark.parametrize("hidden", [{"is_active": False}, {"artisan__is_active": False}])
def test_hidden_product_is_on_no_page(client, hidden):
    product = ProductFactory.create(name="Secret bowl", **hidden)

    assert b"Secret bowl" not in client.get("/").content
    assert client.get(reverse("catalog:product", args=[product.slug])).status_code == 404
    assert client.get(f"/products/{product.pk}").status_code == 404
    assert client.get("/products/").json()["results"] == []


def test_sold_out_product_is_shown_without_a_buy_button(client):
    product = ProductFactory.create(stock=0)

    shown = client.get(reverse("catalog:product", args=[product.slug])).content.decode()

    assert "Sold out" in shown
    assert "Add to cart" not in shown


def test_artisan_page_shows_only_their_products(client):
    mine = ProductFactory.create(name="Mine")
    ProductFactory.create(name="Of someone else")

    shown = client.get(reverse("catalog:artisan", args=[mine.artisan.slug])).content.decode()

    assert ("Mine" in shown, "Of someone else" in shown) == (True, False)


def test_number_of_queries_does_not_grow_with_the_products(client, django_assert_max_num_queries):
    for _ in range(30):
        ProductFactory.create()

    with django_assert_max_num_queries(11):
        client.get("/")


def test_home_page_shows_some_workshops_and_links_to_all_of_them(client, django_assert_max_num_queries):
    for number in range(30):
        ArtisanFactory.create(name=f"Workshop {number:02}")
    shown = page(client.get("/")).one("main")
    assert len(shown.one("ul", class_="doors").all("li")) == 12
    assert shown.one("a", href="/shop/artisans/")

    with django_assert_max_num_queries(8):
        first = page(client.get("/shop/artisans/"))
    names = [item.text for item in first.one("ul", class_="doors").all("strong")]
    assert names == [f"Workshop {number:02}" for number in range(24)]
    assert "Workshop 29" in page(client.get("/shop/artisans/?page=2")).text
