from typing import NamedTuple

from django.db import models
from django.db.models import Q, Value
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.artisan import Artisan
from artisans.core.models import BaseModel, currency_constraint
from artisans.core.money import Money
from artisans.core.validators import validate_currency


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class ShownPicture(NamedTuple):
    """The attributes of an `img`."""

    url: str
    srcset: str = ""
    width: int = 0
    height: int = 0


class Product(BaseModel):
    """A product. `stock` is what can be bought now; every change of it has a StockMove.

    `picture_sizes`: width and height of the picture and of smaller copies by file name (pictures.py); those of another
    picture, which was replaced, count for nothing.
    """

    artisan = models.ForeignKey(Artisan, models.PROTECT, related_name="products")
    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    materials = models.CharField(max_length=160, blank=True)
    dimensions = models.CharField(max_length=80, blank=True)
    picture = models.ImageField(upload_to="products/", blank=True)
    picture_sizes = models.JSONField(default=dict, db_default=Value({}, models.JSONField()), editable=False)
    picture_alt = models.CharField("what the picture shows", max_length=200, blank=True)
    price_minor = models.BigIntegerField(
        "price, in minor units", help_text=_("8545 is 85.45 in a currency with two decimals.")
    )
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
    stock = models.IntegerField(default=0)
    is_active = models.BooleanField("on sale", default=True)

    class Meta:
        ordering = ("-created_at", "slug")
        constraints = [
            models.CheckConstraint(condition=Q(stock__gte=0), name="product_stock_not_negative"),
            models.CheckConstraint(condition=Q(price_minor__gt=0), name="product_price_positive"),
            currency_constraint("product_currency_iso"),
        ]
        indexes = [models.Index(fields=["is_active", "price_minor"], name="product_by_price")]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Money:
        return Money.stored(self.price_minor, self.currency)

    @cached_property
    def shown_picture(self) -> "ShownPicture | None":
        """None without a picture, and a picture without a `srcset` if its sizes are not known."""
        if not self.picture:
            return None
        url = self.picture.storage.url
        if self.picture.name not in self.picture_sizes:
            return ShownPicture(url(self.picture.name))
        by_width = sorted(self.picture_sizes.items(), key=lambda pair: pair[1])
        srcset = ", ".join(f"{url(name)} {width}w" for name, (width, _height) in by_width)
        return ShownPicture(url(self.picture.name), srcset, *self.picture_sizes[self.picture.name])

    @property
    def is_on_sale(self) -> bool:
        return self.is_active and self.artisan.is_active
