"""Products and artisans for API clients."""

import pytest

from artisans.catalog.models import PictureState, ProductPicture
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.catalog.tests.pictures import ready_picture
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


def test_products_have_all_their_ready_pictures_in_order(api, settings, django_assert_num_queries, subtests):
    old = ProductFactory.create(name="Old", picture="products/old.webp", picture_alt="An old bowl")
    bare = ProductFactory.create(name="Bare")
    bowl = ProductFactory.create(name="Bowl", option_1="Size")
    variant = ProductFactory.create(name="Bowl (L)", parent=bowl, artisan=bowl.artisan, option_1="L")
    ready_picture(bowl)
    second = {"state": PictureState.READY, "file": f"products/{'b' * 32}-90.jpg", "alt": "From below"}
    ProductPicture.objects.create(product=bowl, position=3, sizes={second["file"]: [90, 60]}, **second)
    ProductPicture.objects.create(product=bowl, position=2, original="private/x")
    stem = f"{settings.SITE_URL}/media/products"
    gallery = [
        {"url": f"{stem}/{'a' * 32}-960.jpg", "width": 960, "height": 720, "alt": "A bowl"},
        {"url": f"{stem}/{'b' * 32}-90.jpg", "width": 90, "height": 60, "alt": "From below"},
    ]
    without_size = {"url": f"{stem}/old.webp", "width": None, "height": None, "alt": "An old bowl"}
    wanted = {str(bowl.pk): gallery, str(variant.pk): gallery, str(bare.pk): [], str(old.pk): [without_size]}
    for key, pictures in wanted.items():
        with subtests.test(key):
            assert api().get(f"/products/{key}").json()["pictures"] == pictures
    listed = {row["id"]: row["pictures"] for row in api().get("/products/").json()["results"]}
    assert listed == {key: pictures for key, pictures in wanted.items() if key != str(variant.pk)}
    assert api().get(f"/products/{bowl.pk}").json()["picture"] == gallery[0]["url"]
    with django_assert_num_queries(3):  # products, variants, pictures
        api().get("/products/")
