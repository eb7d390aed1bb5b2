from django.conf import settings
from django.db import models
from django.db.models import Q

from artisans.catalog.models.artisan import Artisan
from artisans.catalog.models.product import Product
from artisans.catalog.models.stock import CountCause, CountOutcome
from artisans.core.models import BaseModel, choices_constraint


class StockImport(BaseModel):
    """A file of counts: checked when it was uploaded, and applied by the worker once someone has asked for it."""

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="stock_imports")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=100, blank=True)
    cause = models.CharField(max_length=8, choices=CountCause)
    reason = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-created_at", "-id")
        constraints = [
            choices_constraint("cause", CountCause.values, name="stock_import_cause_known"),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(started_at__isnull=False),
                name="stock_import_finished_after_start",
            ),
        ]
        indexes = [
            models.Index(
                fields=["started_at"],
                condition=Q(started_at__isnull=False, finished_at__isnull=True),
                name="stock_import_running",
            )
        ]

    def __str__(self) -> str:
        return f"{self.artisan_id} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_running(self) -> bool:
        return self.started_at is not None and self.finished_at is None


class StockImportRow(models.Model):
    """A line of the file that counts a product. `given`: what it says about the product.

    `outcome` is what to expect when it was uploaded, and what came of it once `is_done`; `problem` and `facts` say why
    (count_problems.py).
    """

    id = models.BigAutoField(primary_key=True)
    stock_import = models.ForeignKey(StockImport, models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField()
    given = models.CharField(max_length=120, blank=True)
    product = models.ForeignKey(Product, models.PROTECT, null=True, related_name="+")
    counted = models.IntegerField(null=True)
    seen_stock = models.IntegerField(null=True)
    last_count = models.BigIntegerField(null=True)
    outcome = models.CharField(max_length=9, choices=CountOutcome)
    problem = models.CharField(max_length=20, blank=True)
    facts = models.JSONField(default=dict)
    is_done = models.BooleanField(default=False)

    class Meta:
        default_permissions = ("view",)
        ordering = ("line",)
        constraints = [
            choices_constraint("outcome", CountOutcome.values, name="stock_import_row_outcome_known"),
            models.UniqueConstraint(fields=["stock_import", "line"], name="stock_import_row_once_per_line"),
            models.UniqueConstraint(
                fields=["stock_import", "product"], name="stock_import_row_once_per_product"
            ),
            models.CheckConstraint(
                condition=Q(outcome=CountOutcome.REFUSED, is_done=True)
                | Q(
                    product__isnull=False, counted__gte=0, seen_stock__isnull=False, last_count__isnull=False
                ),
                name="stock_import_row_counts_a_product",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stock_import_id}:{self.line}"
