"""One table of queries and what they find, for every database: search_table.txt."""

from pathlib import Path

import pytest

from artisans.catalog import search as search_module
from artisans.catalog.models import Artisan, Category
from artisans.catalog.search import best_first, search, search_near
from artisans.catalog.selectors import products_on_sale
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory
from artisans.catalog.words import query_words

pytestmark = pytest.mark.django_db

TABLE = Path(__file__).parent / "search_table.txt"
ITEMS, QUERIES = (
    [line for line in part.splitlines() if line.strip() and not line.startswith("# ")]
    for part in TABLE.read_text().split("== Items ==")[1].split("== Queries ==")
)
FEW = (1, 3)
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
    names = [product.name for product in best_first(products_on_sale(), result.words)]
    if names:
        return f"({result.corrected}) " * bool(result.corrected) + "; ".join(names)
    near = [product.name for product in search_near(products_on_sale(), result.words).products]
    return f"~ {'; '.join(near)}" if near else "-"


def test_queries_find_what_the_table_says(shop, subtests):
    for query, expected in ROWS:
        with subtests.test(query):
            assert answer(query) == expected.strip()


def test_of_very_many_products_the_best_are_found(shop, monkeypatch):
    queries = [query for query, _ in ROWS[::4]]
    rankings = {query: best_first(products_on_sale(), query_words(query)).keys for query in queries}
    assert max(map(len, rankings.values())) > max(FEW)

    for most in FEW:
        monkeypatch.setattr(search_module, "MOST_RESULTS", most)
        for query, keys in rankings.items():
            assert best_first(products_on_sale(), query_words(query)).keys == keys[:most], query


def test_products_removed_since_they_were_found_are_left_out(shop):
    products = best_first(products_on_sale(), query_words("bowl"))
    removed, *others = products
    removed.is_active = False
    removed.save()

    assert [*products] == products[:] == others
    assert products[1] == others[0]
    with pytest.raises(IndexError):
        products[0]
