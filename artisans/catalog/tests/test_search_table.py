"""One table of queries and what they find, for every database: search_table.txt."""

from pathlib import Path

import pytest

from artisans.catalog.models import Artisan, Category
from artisans.catalog.search import search, search_near
from artisans.catalog.selectors import products_on_sale
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db

TABLE = Path(__file__).parent / "search_table.txt"
ITEMS, QUERIES = (
    [line for line in part.splitlines() if line.strip() and not line.startswith("# ")]
    for part in TABLE.read_text().split("== Items ==")[1].split("== Queries ==")
)
ROWS = [line.rsplit(" | ", 1) for line in QUERIES]


@pytest.fixture(scope="module")
def shop(module_db):
    for line in reversed(ITEMS):
        name, maker, kind, materials, description = (cell.strip() for cell in line.split("|"))
        artisan = Artisan.objects.filter(name=maker).first()
        category = Category.objects.filter(name=kind).first()
        ProductFactory.create(
            name=name,
            artisan=artisan or ArtisanFactory.create(name=maker, craft="", town=""),
            category=category or CategoryFactory.create(name=kind),
            materials=materials,
            description=description,
        )


def unescaped(query: str) -> str:
    return query.replace("\\\\", "\x1a").replace("\\0", "\0").replace("\\t", "\t").replace("\x1a", "\\")


def answer(query: str) -> str:
    result = search(products_on_sale(), unescaped(query))
    names = [product.name for product in result.products]
    if names:
        return f"({result.corrected}) " * bool(result.corrected) + "; ".join(names)
    near = [product.name for product in search_near(products_on_sale(), result.words)]
    return f"~ {'; '.join(near)}" if near else "-"


@pytest.mark.parametrize(("query", "expected"), ROWS, ids=[query[:40] for query, _ in ROWS])
def test_query_finds_what_the_table_says(shop, query, expected):
    assert answer(query) == expected.strip()
