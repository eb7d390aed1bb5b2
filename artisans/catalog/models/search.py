from django.db import models

from artisans.catalog.models.product import Product


class SearchDocument(models.Model):
    """The terms that find a product, by field and separated by spaces; `search_index` writes them.

    Migration 0002 adds the full-text index of each database, which follows every write to this table.
    """

    product = models.OneToOneField(Product, models.CASCADE, related_name="search_document")
    title = models.TextField(blank=True)
    labels = models.TextField(blank=True)  # materials, category, artisan and options of variants
    description = models.TextField(blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.title


class SearchTerm(models.Model):
    """A term of the documents with a word to show for it (`potteri`, "pottery") and the best field it was in."""

    term = models.CharField(max_length=40, primary_key=True)
    word = models.CharField(max_length=40)
    field = models.PositiveSmallIntegerField()  # 0 title, 1 labels, 2 description

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.word
