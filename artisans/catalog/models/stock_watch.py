from django.db import models

from artisans.catalog.models.product import Product


class StockWatch(models.Model):
    """An artisan's low-stock threshold of a product, and the stock in the last email about it.

    `threshold`: null for the artisan's (`Artisan.low_stock`). `emailed_stock`: null once the stock has
    risen above the threshold.
    """

    product = models.OneToOneField(Product, models.PROTECT, primary_key=True, related_name="stock_watch")
    threshold = models.PositiveIntegerField(null=True)
    emailed_stock = models.PositiveIntegerField(null=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.product_id}: {self.threshold}"
