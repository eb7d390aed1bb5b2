"""Products and artisans for API clients."""

import pytest

from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from tests.problems import problem

pytestmark = pytest.mark.django_db


def test_product_shows_its_price_as_a_string(api):
    product = ProductFactory.create(name="Moss bowl", price_minor=8545, stock=3)

    body = api().get(f"/products/{product.pk}").json()

    assert (body["id"], body["name"], body["price"], body["currency"]) == (
        str(product.pk),
        "Moss bowl",
        "85.45",
        "USD",
    )
    assert (body["stock"], body["artisan"]) == (
        3,
        {"id": str(product.artisan_id), "name": product.artisan.name},
    )


@pytest.mark.parametrize(("currency", "minor", "shown"), [("JPY", 500, "500"), ("KWD", 1234, "1.234")])
def test_price_has_the_decimals_of_its_currency(api, currency, minor, shown):
    ProductFactory.create(price_minor=minor, currency=currency)

    assert api().get("/products").json()["results"][0]["price"] == shown


def test_pages_skip_and_repeat_nothing_while_products_are_added(api):
    old = {str(ProductFactory.create().pk) for _ in range(7)}
    client, seen, url = api(), [], "/products/?limit=3"
    while url:
        body = client.get(url).json()
        seen += [row["id"] for row in body["results"]]
        url = body["next"]
        ProductFactory.create()

    assert set(seen) == old
    assert len(seen) == 7


def test_page_size_is_capped(api):
    artisan = ArtisanFactory.create()
    for _ in range(101):
        ProductFactory.create(artisan=artisan)

    assert len(api().get("/products/?limit=1000000000").json()["results"]) == 100


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1e3", "limit=", "limit=１"])
def test_invalid_page_size_is_refused(api, query):
    body = problem(api().get(f"/products/?{query}"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/limit"]


def test_invalid_cursor_is_refused(api):
    body = problem(api().get("/products/?cursor=nonsense"), 400, "validation_error")

    assert [error["pointer"] for error in body["errors"]] == ["/cursor"]


def test_artisans_are_listed_without_their_email_address(api):
    ArtisanFactory.create(email="secret@example.test")
    ArtisanFactory.create(is_active=False)

    answer = api().get("/artisans/")

    assert len(answer.json()["results"]) == 1
    assert b"secret@example.test" not in answer.content
