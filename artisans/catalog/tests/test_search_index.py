"""Search documents follow the texts of products, and the indexes of the databases follow the documents."""

from importlib import import_module

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from artisans.catalog.models import Category, Product, SearchDocument, SearchTerm
from artisans.catalog.search import Condition, candidates, search, those_with
from artisans.catalog.search_index import FIELDS, documents_lagging, search_index_refresh
from artisans.catalog.selectors import products_on_sale
from artisans.catalog.tests.factories import ArtisanFactory, CategoryFactory, ProductFactory
from artisans.catalog.words import query_words
from tests.html import edit

pytestmark = pytest.mark.django_db


def found(q: str) -> list[str]:
    return [product.name for product in search(products_on_sale(), q).products]


@pytest.mark.parametrize(
    ("field", "value"), [("name", "Blue jug"), ("description", "Blue"), ("materials", "Blue clay")]
)
def test_saving_a_product_updates_its_document(field, value):
    product = ProductFactory.create(name="Red cup", description="Red", materials="Red clay")

    setattr(product, field, value)
    product.save(update_fields=[field])

    assert found("blue") == [product.name]
    assert documents_lagging() == 0


@pytest.mark.parametrize("field", ["name", "craft", "town"])
def test_saving_an_artisan_updates_their_products(field):
    artisan = ArtisanFactory.create()
    ProductFactory.create_batch(3, artisan=artisan)
    other = ProductFactory.create()

    setattr(artisan, field, "Zebra")
    artisan.save(update_fields=[field])

    assert len(found("zebra")) == 3
    assert other.name not in found("zebra")


def test_renaming_a_category_updates_its_products():
    product = ProductFactory.create(name="Cup", category=CategoryFactory.create(name="Old"))

    Category.objects.get().save()
    product.category.name = "Porcelain"
    product.category.save()

    assert (found("porcelain"), found("old")) == (["Cup"], [])


def test_another_artisan_or_category_updates_the_document():
    product = ProductFactory.create(name="Cup", artisan=ArtisanFactory.create(name="Ada"))

    product.artisan = ArtisanFactory.create(name="Grace")
    product.save(update_fields=["artisan"])

    assert (found("grace"), found("ada")) == (["Cup"], [])


def test_changes_in_the_admin_are_found(catalog_client, bowl):
    assert edit(catalog_client, bowl, name="Blue jug").status_code == 302

    assert found("blue jug") == ["Blue jug"]


def test_stock_changes_leave_documents_alone(bowl, django_assert_num_queries):
    with django_assert_num_queries(1):
        bowl.save(update_fields=["stock", "updated_at"])


def test_a_deleted_product_is_in_no_index():
    ProductFactory.create(name="Cup").delete()

    assert found("cup") == []
    assert SearchDocument.objects.count() == 0


def test_refresh_repairs_what_bypassed_the_application(capsys):
    changed, lost, _ = (ProductFactory.create(name=name) for name in ("Red cup", "Jug", "Plate"))
    Product.objects.filter(pk=changed.pk).update(name="Blue cup")
    SearchDocument.objects.filter(product=lost).delete()
    with pytest.raises(CommandError, match="2 products have an outdated search document"):
        call_command("search_index", "--check")

    call_command("search_index")

    assert "3 of 3 products" in capsys.readouterr().out
    assert (found("blue"), found("jug"), found("red")) == (["Blue cup"], ["Jug"], [])
    assert not SearchTerm.objects.filter(term="red").exists()
    assert SearchTerm.objects.filter(term="plate").exists()
    call_command("search_index", "--check")
    assert search_index_refresh() == 0


def test_the_migration_writes_the_documents_of_existing_products():
    migration = import_module("artisans.catalog.migrations.0002_search")
    ProductFactory.create(name="Moss bowl")
    before = list(SearchDocument.objects.values(*FIELDS)), set(SearchTerm.objects.values_list("term", "word"))
    SearchDocument.objects.all().delete()
    SearchTerm.objects.all().delete()

    class CurrentModels:
        get_model = staticmethod(lambda app, name: {m.__name__: m for m in MODELS}[name])

    migration.write_documents(CurrentModels, None)

    assert before == (
        list(SearchDocument.objects.values(*FIELDS)),
        set(SearchTerm.objects.values_list("term", "word")),
    )
    assert found("moss") == ["Moss bowl"]


MODELS = (Product, SearchDocument, SearchTerm)


def test_a_refused_extension_is_explained_in_one_sentence():
    migration = import_module("artisans.catalog.migrations.0002_search")

    class Cursor:
        def execute(self, statement):
            raise DatabaseError("permission denied to create extension\nHINT: …")

    with pytest.raises(CommandError) as error:
        migration.create_extension(Cursor(), "default")
    assert str(error.value) == (
        "PostgreSQL cannot create the extension pg_trgm (permission denied to create extension): have a superuser "
        "run `CREATE EXTENSION pg_trgm;` in this database, then run `migrate` again."
    )


@pytest.mark.parametrize(
    "text", ["", "\N{BOWL WITH SPOON}", "x" * 100_000, "word " * 50_000, " ".join(map(str, range(50_000)))]
)
def test_any_description_can_be_indexed(text):
    ProductFactory.create(name="Cup", description=text)

    assert found("cup") == ["Cup"]


@pytest.mark.postgresql
def test_plans_use_the_indexes(broken_books):
    artisan, category = ArtisanFactory.create(), CategoryFactory.create()
    products = Product.objects.bulk_create(
        Product(artisan=artisan, category=category, slug=f"p-{n}", name=f"Thing {n}", price_minor=1)
        for n in range(10_000)
    )
    SearchDocument.objects.bulk_create(
        SearchDocument(product=product, title=f"thing {n} ") for n, product in enumerate(products)
    )
    SearchTerm.objects.bulk_create(SearchTerm(term=f"term{n}x", word=f"{n}", field=0) for n in range(20_000))
    with connection.cursor() as cursor:
        for index in ("search_document_vector", "search_document_title", "search_term_trigrams"):
            cursor.execute("SELECT gin_clean_pending_list(%s::regclass)", [index])  # as autovacuum does
        cursor.execute("ANALYZE")

    assert "search_document_vector" in search(products_on_sale(), "9999").products.explain()
    in_title = Condition(query_words("9999"), fields=1)
    assert "search_document_title" in those_with(products_on_sale(), in_title).explain()
    assert "Seq Scan" not in candidates("porcelian").explain()


def test_refresh_restores_a_missing_term_of_a_current_document():
    ProductFactory.create(name="Walnut bowl")
    SearchTerm.objects.filter(term="walnut").delete()
    assert search_index_refresh() == 0
    assert SearchTerm.objects.filter(term="walnut").exists()
