"""The search documents of products: built from their texts in one function, and written when a text changes."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeAlias

from django.db import transaction
from django.db.models import QuerySet

from artisans.catalog.models import Product, SearchDocument, SearchTerm
from artisans.catalog.words import index_terms

FIELDS = ("title", "labels", "description")
# The columns that documents are built from, by model.
SOURCES = {
    "product": {
        *("name", "materials", "description", "artisan", "artisan_id", "category", "category_id"),
        *("option_1", "option_2", "option_3", "archived_at"),
    },
    "artisan": {"name", "craft", "town"},
    "category": {"name", "parent", "parent_id"},
}
BATCH = 500

Terms: TypeAlias = dict[str, dict[str, str]]  # by field: the terms, each with a word to show for it


def document_terms(product: Any) -> Terms:
    artisan = product.artisan
    choices = (option for variant in product.choices for option in variant.options)
    categories = (category.name for category in product.category.lineage)
    labels = (product.materials, *categories, artisan.name, artisan.craft, artisan.town, *choices)
    texts = (product.name, "\n".join(labels), product.description)
    return {field: index_terms(text) for field, text in zip(FIELDS, texts, strict=True)}


def document_columns(terms: Terms) -> dict[str, str]:
    """Each term is followed by a space."""
    return {field: "".join(f"{term} " for term in found) for field, found in terms.items()}


def with_texts(products: QuerySet[Product]) -> QuerySet[Product]:
    """With all rows that their documents are built from."""
    return products.select_related("artisan", "category__parent__parent").prefetch_related("variants")


@transaction.atomic
def documents_write(products: QuerySet[Product], known: dict[str, int] | None = None) -> int:
    """Bring the documents of these products up to date. Returns how many were not.

    `known`: the stored terms with their fields, if the caller has read them all; new ones are added to it.
    """
    # before the products: what is saved in between is newer than it, and written again
    stored = {
        row.pop("product"): row
        for row in SearchDocument.objects.filter(product__in=products.order_by().values("pk")).values(
            "product", *FIELDS
        )
    }
    found = {product.pk: document_terms(product) for product in with_texts(products).order_by("pk")}
    columns = {pk: document_columns(terms) for pk, terms in found.items()}
    lagging = [pk for pk in columns if stored.get(pk) != columns[pk]]
    SearchDocument.objects.bulk_create(
        [SearchDocument(product_id=pk, **columns[pk]) for pk in lagging],
        update_conflicts=True,
        unique_fields=["product"],
        update_fields=FIELDS,
    )
    # a full run also restores terms that an earlier one deleted while a product with them was saved
    words = best_fields(found[pk] for pk in (lagging if known is None else found))
    terms_add(words, stored_terms(words) if known is None else known)
    return len(lagging)


def best_fields(documents: Iterable[Terms]) -> dict[str, tuple[int, str]]:
    """By term: the first field that has it, and the word to show."""
    words: dict[str, tuple[int, str]] = {}
    for fields in documents:
        for field, found in enumerate(fields.values()):
            for term, word in found.items():
                words[term] = min(words.get(term, (field, word)), (field, word))
    return words


def stored_terms(words: Collection[str]) -> dict[str, int]:
    rows = SearchTerm.objects.values_list("term", "field")
    return {term: field for terms in chunks(sorted(words)) for term, field in rows.filter(term__in=terms)}


def terms_add(
    words: dict[str, tuple[int, str]], known: dict[str, int], model: type[SearchTerm] = SearchTerm
) -> None:
    """In the order of the terms: two transactions that add the same ones wait for each other in turn."""
    new = [term for term in sorted(words) if words[term][0] < known.get(term, len(FIELDS))]
    model.objects.bulk_create(
        [model(term=term, field=words[term][0], word=words[term][1]) for term in new],
        update_conflicts=True,
        unique_fields=["term"],
        update_fields=["field", "word"],
    )
    known.update({term: words[term][0] for term in new})


def search_index_refresh(report: Callable[[int], None] = lambda done: None) -> int:
    """Bring all documents up to date and forget terms that no product has. Returns how many documents were not.

    Runs beside the open shop. `report` is called with the number of products done.
    """
    known, written, done = dict(SearchTerm.objects.values_list("term", "field")), 0, 0
    unused = set(known)
    for products in batches():
        written += documents_write(products, known)
        for texts in SearchDocument.objects.filter(product__in=products.values("pk")).values_list(*FIELDS):
            unused.difference_update(*(text.split() for text in texts))
            done += 1
        report(done)
    for terms in chunks(sorted(unused)):
        SearchTerm.objects.filter(term__in=terms).delete()
    return written


def documents_lagging() -> int:
    """How many products have no document or an outdated one. Reads only."""
    return sum(
        not is_current(product)
        for products in batches()
        for product in with_texts(products).select_related("search_document")
    )


def is_current(product: Product) -> bool:
    document = getattr(product, "search_document", None)
    columns = document_columns(document_terms(product))
    return document is not None and columns == {field: getattr(document, field) for field in FIELDS}


def batches() -> Iterator[QuerySet[Product]]:
    """All products, by ranges of keys: a prepared statement with hundreds of keys may get a bad plan."""
    for keys in chunks(list(Product.objects.order_by("pk").values_list("pk", flat=True))):
        yield Product.objects.filter(pk__gte=keys[0], pk__lte=keys[-1]).order_by()


def chunks(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
