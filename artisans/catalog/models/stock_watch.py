from django.db import models

from artisans.catalog.models.product import Product


class StockWatch(models.Model):
    """When the artisan wants to be told that little of a product is left, and whether they were.

    `threshold`: null for the shop's (settings.LOW_STOCK). `told`: the stock in the last email, null once the stock has
    risen above the threshold.
    """

    product = models.OneToOneField(Product, models.PROTECT, primary_key=True, related_name="stock_watch")
    threshold = models.PositiveIntegerField(null=True)
    told = models.PositiveIntegerField(null=True)

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.product_id}: {self.threshold}"
