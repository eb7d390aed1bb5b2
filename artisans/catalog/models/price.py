from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.product import Product
from artisans.core.models import currency_constraint
from artisans.core.money import Money
from artisans.regions.models import RateSheet


class PriceOrigin(models.TextChoices):
    MANUAL = "manual", _("Entered")
    CONVERTED = "converted", _("Converted")


class ProductPrice(models.Model):
    """The price of a product in a currency other than its own; without one it is not sold in that currency.

    A converted price names the `sheet` of its exchange rate and the price that was converted (`from_minor`).
    """

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3)
    price_minor = models.BigIntegerField()
    origin = models.CharField(max_length=9, choices=PriceOrigin, default=PriceOrigin.MANUAL)
    sheet = models.ForeignKey(RateSheet, models.PROTECT, null=True, related_name="+", db_index=False)
    from_minor = models.BigIntegerField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        default_permissions = ("view",)
        permissions = (("convert_prices", _("Can convert prices into other currencies")),)
        verbose_name = _("price in another currency")
        verbose_name_plural = _("prices in other currencies")
        ordering = ("product_id", "currency")
        constraints = [
            models.UniqueConstraint(fields=["product", "currency"], name="product_price_once_per_currency"),
            currency_constraint("product_price_currency_iso"),
            models.CheckConstraint(condition=Q(price_minor__gt=0), name="product_price_of_list_positive"),
            models.CheckConstraint(
                condition=Q(origin="converted", sheet__isnull=False, from_minor__isnull=False)
                | Q(origin="manual", sheet__isnull=True, from_minor__isnull=True),
                name="product_price_converted_names_its_sheet",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.price}"

    @property
    def price(self) -> Money:
        return Money.stored(self.price_minor, self.currency)

    @property
    def converted_from(self) -> Money | None:
        """The price at home that was converted."""
        return None if self.from_minor is None else Money.stored(self.from_minor, self.product.currency)
