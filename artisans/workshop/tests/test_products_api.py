"""An artisan's products by API."""

import pytest

from artisans.accounts.services import token_create
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import CategoryFactory, ProductFactory
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

URL = "/artisan/products/"


@pytest.fixture
def body():
    CategoryFactory.create(slug="pots")
    return {"name": "Mug", "category": "pots", "price": "20.00", "sku": "M-1", "stock": 4, "care": "By hand"}


def test_product_goes_from_draft_to_archive(api, seller, body):
    client = api(seller)

    made = client.post(URL, body, headers={"Idempotency-Key": "one"})
    again = client.post(URL, body, headers={"Idempotency-Key": "one"})
    product = made.json()
    own = f"{URL}{product['id']}/"
    variants = {
        "version": product["version"],
        "options": ["Size"],
        "variants": [{"options": [size], "price": "25.00", "stock": 2} for size in "SL"],
    }

    assert (made.status_code, again.json()) == (201, product)
    assert (product["state"], product["price"], product["stock"], product["care"]) == (
        "draft",
        "20.00",
        4,
        "By hand",
    )
    assert client.get("/products/").json()["results"] == []
    whole = client.post(f"{own}variants/", variants).json()
    assert (whole["stock"], whole["price"], [v["name"] for v in whole["variants"]]) == (
        4,
        "25.00",
        ["Mug (S)", "Mug (L)"],
    )
    assert client.post(f"{own}publish/").json()["state"] == "published"
    [small, _large] = whole["variants"]
    change = {key: small[key] for key in ("id", "version", "options")} | {
        "price": "26.00",
        "is_archived": True,
    }
    sent = {"version": whole["version"], "options": ["Size"], "variants": [change]}
    assert len(client.post(f"{own}variants/", sent).json()["variants"]) == 1
    assert client.post(f"{own}duplicate/").status_code == 201
    assert client.post(f"{own}archive/").json()["state"] == "archived"
    assert client.get(own).json()["state"] == "archived"
    assert [row["name"] for row in client.get(f"{URL}?state=draft").json()["results"]] == ["Mug (copy)"]
    assert [row["id"] for row in client.get(f"{URL}?q=M-1").json()["results"]] == [product["id"]]


def test_change_names_the_version_that_was_read(api, seller, body):
    client = api(seller)
    product = client.post(URL, body).json()
    own = f"{URL}{product['id']}"
    client.patch(own, {"version": product["version"], "price": "21.00"})

    refused = problem(
        client.patch(own, {"version": product["version"], "price": "22.00"}), 409, "product_changed"
    )
    kept = client.patch(own, {"version": product["version"], "name": "Cup"}).json()

    assert refused["changes"] == [{"field": "price", "now": "$21.00"}]
    assert (kept["name"], kept["price"]) == ("Cup", "21.00")
    assert client.patch(own, {"version": kept["version"], "price": "22.00"}).json()["price"] == "22.00"


def test_names_of_options_that_others_changed_are_kept_or_named(api, seller, body):
    client = api(seller)
    product = client.post(URL, body).json()
    own = f"{URL}{product['id']}/variants"
    one = {"options": ["S"], "price": "1.00"}
    first = client.post(own, {"version": product["version"], "options": ["Size"], "variants": [one]}).json()
    client.post(own, {"version": first["version"], "options": ["Format"], "variants": []})

    refused = problem(
        client.post(own, {"version": first["version"], "options": ["Measure"], "variants": []}),
        409,
        "product_changed",
    )
    kept = client.post(
        own, {"version": first["version"], "options": ["Size"], "variants": [one | {"options": ["L"]}]}
    ).json()

    assert refused["changes"] == [{"field": "options", "now": "Format"}]
    assert kept["options"] == ["Format"]
    assert len(kept["variants"]) == 2


def test_wrong_bodies_are_refused(api, seller, body):
    client = api(seller)
    product = client.post(URL, body).json()
    own = f"{URL}{product['id']}/"
    one = {"options": ["S"], "price": "1.00"}
    names = {"version": product["version"], "options": ["Size"]}

    for change, code in (
        ({"price": "0"}, "invalid_input"),
        ({"price": "1.001"}, "invalid_input"),
        ({"category": "nothing"}, "invalid_input"),
        ({"name": "x" * 121}, "validation_error"),
        ({"lead_days": 0}, "validation_error"),
        ({"state": "published"}, "validation_error"),
    ):
        problem(client.post(URL, body | change), 400, code)
    problem(client.post(URL, body), 409, "sku_taken")
    problem(client.patch(own, {"price": "1.00"}), 400, "validation_error")
    for variants, code in (
        ([one, one], "invalid_variant"),
        ([one | {"options": ["S", "Blue"]}], "invalid_variant"),
        ([one | {"id": product["id"], "stock": 3}], "invalid_variant"),
        ([one | {"options": []}], "validation_error"),
    ):
        problem(client.post(f"{own}variants", names | {"variants": variants}), 400, code)
    problem(client.post(f"{own}variants", {"options": ["Size"], "variants": [one]}), 400, "validation_error")
    client.post(f"{own}variants", names | {"variants": [one | {"is_archived": True}]})
    problem(client.post(f"{own}publish"), 409, "no_variants")


def test_products_need_their_scope_and_a_workshop(api, seller, shopper, staff, other_seller, body):
    others = ProductFactory.create(artisan=other_seller.artisan)
    reads = api()
    reads.credentials(
        HTTP_AUTHORIZATION=f"Bearer {token_create(user=seller, name='', scopes=['read', 'write'])[1]}"
    )

    problem(reads.post(URL, body), 403, "insufficient_scope")
    assert reads.get(URL).status_code == 200
    problem(api(staff).post(URL, body), 404, "not_found")
    assert api(shopper).get(URL).json()["results"] == []
    for action in ("publish", "archive", "duplicate"):
        problem(api(seller).post(f"{URL}{others.pk}/{action}"), 404)
    assert Product.objects.count() == 1
