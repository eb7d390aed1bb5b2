"""An artisan's stock by API."""

import pytest
from rest_framework.test import APIClient

from artisans.accounts.services import token_create
from artisans.catalog.models import Product, StockMove
from artisans.catalog.services import stock_adjust
from artisans.catalog.tests.factories import ProductFactory
from orders.tests.factories import place
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

WHY = {"cause": "counted", "reason": "shelf"}


def client_with(user, *scopes: str) -> APIClient:
    client = APIClient()
    _row, token = token_create(user=user, name="", scopes=scopes)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.fixture
def client(seller) -> APIClient:
    return client_with(seller, "read", "products")


def body(stock: dict[str, int], counted: int) -> dict[str, int]:
    return {"counted": counted, "seen_stock": stock["stock"], "last_count": stock["last_count"]}


def test_stock_is_listed_counted_once_and_has_a_history(client, bowl, scarf, seller, staff):
    jug = ProductFactory.create(artisan=seller.artisan, name="Jug", stock=0)
    assert {row["name"] for row in client.get("/artisan/stock/").json()["results"]} == {"Moss bowl", "Jug"}
    for query in ("sold_out=true", "low=true", "q=ju"):
        [found] = client.get(f"/artisan/stock/?{query}").json()["results"]
        assert found["id"] == str(jug.pk)
    [plenty] = client.get("/artisan/stock/?low=false").json()["results"]
    assert plenty["id"] == str(bowl.pk)
    seen = client.get(f"/artisan/stock/{bowl.pk}").json()
    place({bowl: 1})
    for _ in range(2):
        answer = client.post(f"/artisan/stock/{bowl.pk}/count", WHY | body(seen, 8))
        assert (answer.status_code, answer.json()["stock"]) == (200, 7)
    stock_adjust(product_id=bowl.pk, counted=6, reason="x", actor=staff)

    refused = client.post(f"/artisan/stock/{bowl.pk}/count", WHY | body(seen, 9))

    assert problem(refused, 409, "stock_changed")["detail"].startswith("The stock has been counted since")
    history = client.get(f"/artisan/stock/{bowl.pk}/history?limit=2").json()
    older = client.get(history["next"]).json()
    lines = [*history["results"], *older["results"]]
    assert [(row["quantity"], row["stock"], row["who"], row["cause"]) for row in lines] == [
        (-1, 6, "The shop", ""),
        (-2, 7, "You", "counted"),
        (-1, 9, "", ""),
    ]
    oldest = client.get(f"/artisan/stock/{bowl.pk}/history?ordering=created").json()["results"]
    assert [row["stock"] for row in oldest] == [9, 7, 6]


def test_several_counts_have_a_result_each(client, bowl, scarf, seller):
    jug = ProductFactory.create(artisan=seller.artisan, stock=2)
    seen = {row["id"]: row for row in client.get("/artisan/stock/").json()["results"]}
    place({jug: 2})
    rows = [
        {"product_id": str(product.pk)} | body(seen.get(str(product.pk), seen[str(bowl.pk)]), counted)
        for product, counted in ((bowl, 4), (jug, 1), (scarf, 4))
    ]

    results = client.post("/artisan/stock/counts", WHY | {"rows": rows}).json()["results"]
    again = client.post("/artisan/stock/counts", WHY | {"rows": rows}).json()["results"]

    assert [(row["outcome"], row["stock"]) for row in results] == [
        ("counted", 4),
        ("conflict", 0),
        ("refused", None),
    ]
    assert again[0]["outcome"] == "repeated"
    assert results[2]["detail"] == "You have no product with this id."
    assert Product.objects.get(pk=scarf.pk).stock == 10
    assert StockMove.objects.filter(kind="adjust").count() == 1
    for wrong in ({"rows": []}, {"rows": rows[:1] * 2}, {"cause": "x"}, {"rows": rows * 20}):
        assert client.post("/artisan/stock/counts", WHY | {"rows": rows} | wrong).status_code == 400


def test_only_with_the_scope_and_only_own_products(client, api, seller, shopper, bowl, scarf):
    answer = client_with(seller, "read", "write").post(f"/artisan/stock/{bowl.pk}/count", {})
    assert problem(answer, 403, "insufficient_scope")["scope"] == "products"
    for address in (f"/artisan/stock/{scarf.pk}", f"/artisan/stock/{scarf.pk}/history"):
        assert client.get(address).status_code == 404
    assert client.post(f"/artisan/stock/{scarf.pk}/count", WHY).status_code == 404
    assert api(shopper).get("/artisan/stock/").json()["results"] == []
