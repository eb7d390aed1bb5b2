"""Search on the shop's pages, in the API and in the admin: one search, three places."""

import re

import pytest
from django.core.management import call_command

from artisans.catalog.search import MAX_LENGTH, search
from artisans.catalog.selectors import products_on_sale
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory
from tests.html import page
from tests.problems import problem

pytestmark = pytest.mark.django_db


def titles(shown) -> list[str]:
    return [heading.text for heading in shown.one("main").all("h3")]


def test_every_suggestion_in_the_box_finds_something_in_the_demo_shop(client, settings):
    settings.DEMO = True
    call_command("demo_data", verbosity=0)
    box = page(client.get("/")).one("input", name="q")

    suggestions = re.findall(r"\w+", box.attrs["placeholder"])

    assert len(suggestions) > 1
    for word in suggestions:
        assert search(products_on_sale(), word).products.exists(), word
    assert box.attrs["maxlength"] == str(MAX_LENGTH)


def test_results_are_sorted_by_match_unless_another_order_is_chosen(client):
    ProductFactory.create(name="Walnut board", price_minor=900)
    ProductFactory.create(name="Knife", materials="walnut", price_minor=100)

    assert titles(page(client.get("/", {"q": "walnut"}))) == ["Walnut board", "Knife"]
    assert titles(page(client.get("/", {"q": "walnut", "sort": "price"}))) == ["Knife", "Walnut board"]
    assert "Relevance" in page(client.get("/", {"q": "walnut"})).text
    assert "Relevance" not in page(client.get("/")).text


def sentences(client, **query) -> tuple[str, str]:
    """Title of the page, which is also its heading, and what the list says about itself."""
    shown = page(client.get("/", query))
    heading = shown.one("h1").text
    assert shown.one("title").text.startswith(heading)
    link = " Show all items"
    return heading, next(p.text.removesuffix(link) for p in shown.all("p") if p.text.endswith(link))


def test_title_heading_and_text_agree(client, monkeypatch):
    ProductFactory.create(name="Walnut board")
    ProductFactory.create(name="Teapot", category=CategoryFactory.create(slug="pots", name="Pots"))
    CategoryFactory.create(slug="bags", name="Bags")

    assert sentences(client, q="teapot") == ("Results for “teapot”", "1 item found.")
    assert sentences(client, q="teapto") == (
        "Results for “teapot”",
        "No items match “teapto”. 1 item matches “teapot”.",
    )
    assert sentences(client, q="walnut teapot") == (
        "Partial results for “walnut teapot”",
        "No items match all words of “walnut teapot”. The items below match some of them.",
    )
    assert sentences(client, q="gold teapto") == (
        "Results for “teapot”",
        "No items match “gold teapto”. The items below match “teapot”.",
    )
    assert sentences(client, q="walnut teapto") == (
        "Partial results for “walnut teapto”",
        "No items match “walnut teapto”. The items below match some words of “walnut teapot”.",
    )
    assert sentences(client, q="zzzzqq") == (
        "No results for “zzzzqq”",
        "No items match “zzzzqq”. Check the spelling, or try fewer or different words.",
    )
    assert sentences(client, q="teapot", category="bags") == (
        "No results for “teapot”",
        "No items here match “teapot”. The items below come from the whole shop.",
    )
    assert sentences(client, q="teapot", category="wool") == (
        "No results for “teapot”",
        "This category does not exist. The items below come from the whole shop.",
    )
    assert sentences(client, category="wool") == ("No items found", "This category does not exist.")
    assert sentences(client, artisan="nobody") == ("No items found", "This workshop does not exist.")
    assert sentences(client, q="teapot " * 30) == (f"Results for “{'teapot ' * 16}teapot”", "1 item found.")
    assert sentences(client, category="bags") == ("Bags", "There are no items here at the moment.")
    assert sentences(client, category="pots") == ("Pots", "1 item found.")
    monkeypatch.setattr("artisans.catalog.search.MOST_RESULTS", 1)
    monkeypatch.setattr("artisans.catalog.views.MOST_RESULTS", 1)
    assert sentences(client, q="te") == ("Results for “te”", "At least 1 item found.")


def test_nothing_found_offers_items_that_match_some_words_or_new_ones(client):
    ProductFactory.create(name="Walnut board")
    ProductFactory.create(name="Sold out", stock=0)
    ProductFactory.create(name="Teapot")

    def offered(q):
        shown = page(client.get("/", {"q": q}))
        return [heading.text for heading in shown.one("main").all("h2")], titles(shown)

    assert offered("walnut teapot") == (["Similar items"], ["Teapot", "Walnut board"])
    assert offered("zzzzqq") == (["New in the shop"], ["Teapot", "Walnut board"])


def test_nothing_found_in_a_category_offers_items_of_the_whole_shop(client):
    ProductFactory.create(name="Teapot")
    CategoryFactory.create(slug="bags")

    shown = page(client.get("/", {"q": "teapot", "category": "bags"}))

    assert "No items here match “teapot”. The items below come from the whole shop." in shown.text
    assert titles(shown) == ["Teapot"]


def test_too_long_a_search_is_cut_with_a_notice(client):
    ProductFactory.create(name="Teapot")

    shown = page(client.get("/", {"q": "teapot " * 30}))

    assert f"Only the first {MAX_LENGTH} characters were searched." in shown.text
    assert titles(shown) == ["Teapot"]
    assert "Only the first" not in page(client.get("/", {"q": "teapot"})).text


def test_pages_of_results_miss_and_repeat_nothing(client):
    artisan, category = ArtisanFactory.create(), CategoryFactory.create()
    for n in range(30):
        ProductFactory.create(name=f"Teapot {n}", artisan=artisan, category=category)

    seen = [titles(page(client.get("/", {"q": "teapot", "page": number}))) for number in (1, 2)]

    assert [len(titles) for titles in seen] == [24, 6]
    assert len({*seen[0], *seen[1]}) == 30


def test_search_needs_few_queries(client, django_assert_max_num_queries):
    for n in range(30):
        ProductFactory.create(name=f"Teapot {n}")

    with django_assert_max_num_queries(10):
        client.get("/", {"q": "teapot"})


def test_api_searches_like_the_shop(api):
    category = CategoryFactory.create(slug="pots")
    ProductFactory.create(name="Teapot", category=category)
    ProductFactory.create(name="Big teapot", stock=0)
    ProductFactory.create(name="Hidden teapot", is_active=False)

    def names(query):
        return [row["name"] for row in api().get(f"/products/?{query}").json()["results"]]

    assert names("q=TEAPOTS") == names("q=teapto") == ["Big teapot", "Teapot"]
    assert names("q=teapot&ordering=created") == ["Teapot", "Big teapot"]
    assert names("q=teapot&in_stock=true") == names("q=teapot&category=pots") == ["Teapot"]
    assert names("q=walnut%20teapot") == names("q=%25") == []


@pytest.mark.parametrize("query", [f"q={'a' * (MAX_LENGTH + 1)}", "q=", "q=a%00b", "q=a&q=b"])
def test_api_refuses_senseless_searches(api, query):
    body = problem(api().get(f"/products/?{query}"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/q"]


def test_api_pages_of_a_search_miss_and_repeat_nothing(api):
    for n in range(5):
        ProductFactory.create(name=f"Teapot {n}")
        ProductFactory.create(name=f"Cup {n}")
    seen, url = [], "/products/?q=teapot&limit=2"
    while url:
        body = api().get(url).json()
        seen += [row["name"] for row in body["results"]]
        url = body["next"]

    assert seen == [f"Teapot {n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("q", ["teapots", "teapto", "harbour", "old-slug", "  TEAPOT "])
def test_admin_searches_like_the_shop_also_what_is_not_on_sale(catalog_client, q):
    ProductFactory.create(name="Teapot", slug="old-slug", artisan__name="Harbour", is_active=False)
    ProductFactory.create(name="Cup")

    shown = page(catalog_client.get("/admin/catalog/product/", {"q": q})).one("table", id="result_list").text

    assert ("Teapot" in shown, "Cup" in shown) == (True, False)


@pytest.mark.parametrize("q", ["%", "' OR 1=1 --", "teapot:*", "\0", "x" * 5000, "a" * 119 + " b"])
def test_hostile_search_in_the_admin_is_only_text(catalog_client, q):
    ProductFactory.create(name="Cup")

    assert catalog_client.get("/admin/catalog/product/", {"q": q}).status_code in (200, 302)


def test_admin_says_that_a_long_search_was_cut(catalog_client):
    assert "were searched" in page(catalog_client.get("/admin/catalog/product/", {"q": "x " * 100})).text


def test_the_demo_shop_is_searched_in_all_its_languages(settings):
    settings.DEMO = True
    call_command("demo_data", verbosity=0)

    for product in products_on_sale():
        assert product in search(products_on_sale(), product.name).products
        assert product in search(products_on_sale(), f"{product.artisan.name} {product.name}").products
