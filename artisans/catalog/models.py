from typing import NamedTuple

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Value
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from artisans.core.append_only import AppendOnlyModel
from artisans.core.models import BaseModel, choices_constraint, currency_constraint
from artisans.core.money import Money
from artisans.core.validators import validate_currency


class FeeTaxTreatment(models.TextChoices):
    """How the shop's commission is taxed for an artisan."""

    DOMESTIC = "domestic", _("Domestic: the shop adds its tax")
    REVERSE_CHARGE = "reverse_charge", _("Reverse charge: the artisan owes the tax")
    OUTSIDE = "outside", _("Outside the scope of the tax")


class Artisan(BaseModel):
    """A seller: one workshop with its own page."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="artisan"
    )
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    email = models.EmailField(help_text=_("Receives notifications of new orders."))
    craft = models.CharField(max_length=60)
    town = models.CharField(max_length=80)
    story = models.TextField(blank=True)
    portrait = models.ImageField(upload_to="artisans/", blank=True)
    commission_ppm = models.PositiveIntegerField(
        "commission",
        default=0,
        help_text=_("The shop’s share of the subtotal, in millionths: 100000 is 10%."),
    )
    fee_tax_treatment = models.CharField(
        _("tax on commission"),
        max_length=14,
        choices=FeeTaxTreatment,
        default=FeeTaxTreatment.DOMESTIC,
        db_default=FeeTaxTreatment.DOMESTIC,
        help_text=_("Whether the shop adds tax to its commission. Applies to new orders only."),
    )
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)
        permissions = [
            ("change_artisan_access", _("Can change who acts for an artisan and where orders are sent")),
            ("change_commission", _("Can change artisans’ commission")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(commission_ppm__lte=1_000_000), name="artisan_commission_at_most_all"
            ),
            choices_constraint(
                "fee_tax_treatment", FeeTaxTreatment.values, name="artisan_fee_tax_treatment_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60, unique=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "name")
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class CommissionRate(AppendOnlyModel):
    """What the shop takes of an artisan's sales, from `valid_from` on; no `artisan` or no `category` means all of them.

    Only starts are stored, and a rate is never changed: the next one ends it. The most exact rate applies
    (orders/commission.py). With `is_end` it says that from then on the next less exact one does. `minimum`, `cap` and
    `fixed` are amounts per parcel; with `on_shipping` the shop takes its share of the shipping too. `made_by` is null
    for rates copied from `Artisan.commission_ppm`.
    """

    id = models.BigAutoField(primary_key=True)
    artisan = models.ForeignKey(Artisan, models.PROTECT, null=True, blank=True, related_name="rates")
    category = models.ForeignKey(Category, models.PROTECT, null=True, blank=True, related_name="rates")
    currency = models.CharField(max_length=3)
    is_end = models.BooleanField(default=False)
    rate_ppm = models.PositiveIntegerField(default=0)
    minimum_minor = models.BigIntegerField(default=0)
    cap_minor = models.BigIntegerField(null=True, blank=True)
    fixed_minor = models.BigIntegerField(default=0)
    on_shipping = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-valid_from", "-id")
        constraints = [
            models.CheckConstraint(condition=Q(rate_ppm__lte=1_000_000), name="commission_rate_at_most_all"),
            models.CheckConstraint(
                condition=Q(minimum_minor__gte=0, fixed_minor__gte=0), name="commission_rate_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(cap_minor__isnull=True) | Q(cap_minor__gte=F("minimum_minor")),
                name="commission_rate_cap_at_least_minimum",
            ),
            models.CheckConstraint(
                condition=Q(is_end=False)
                | Q(
                    Q(artisan__isnull=False) | Q(category__isnull=False),
                    rate_ppm=0,
                    minimum_minor=0,
                    cap_minor__isnull=True,
                    fixed_minor=0,
                    on_shipping=False,
                ),
                name="commission_rate_end_takes_nothing",
            ),
            currency_constraint("commission_rate_currency_iso"),
            models.UniqueConstraint(
                fields=["currency", "valid_from"],
                condition=Q(artisan__isnull=True, category__isnull=True),
                name="commission_rate_one_start_of_store",
            ),
            models.UniqueConstraint(
                fields=["category", "currency", "valid_from"],
                condition=Q(artisan__isnull=True),
                name="commission_rate_one_start_of_category",
            ),
            models.UniqueConstraint(
                fields=["artisan", "currency", "valid_from"],
                condition=Q(category__isnull=True),
                name="commission_rate_one_start_of_artisan",
            ),
            models.UniqueConstraint(
                fields=["artisan", "category", "currency", "valid_from"],
                name="commission_rate_one_start_of_artisan_in_category",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.artisan or '*'} / {self.category or '*'}"


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


class SearchDocument(models.Model):
    """The terms that find a product, by field and separated by spaces; `search_index` writes them.

    Migration 0002 adds the full-text index of each database, which follows every write to this table.
    """

    product = models.OneToOneField(Product, models.CASCADE, related_name="search_document")
    title = models.TextField(blank=True)
    labels = models.TextField(blank=True)  # materials, category and artisan
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


class StockMoveKind(models.TextChoices):
    TAKE = "take", _("Ordered")
    RETURN = "return", _("Order cancelled or expired")
    RESTOCK = "restock", _("Returned with a refund")
    ADJUST = "adjust", _("Stock count")


class StockMove(AppendOnlyModel):
    """One change of a product's stock. An order line takes once and returns once; a refund line restocks once."""

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, models.PROTECT, related_name="stock_moves")
    kind = models.CharField(max_length=7, choices=StockMoveKind)
    quantity = models.IntegerField(help_text=_("Negative for sales."))
    order_line = models.UUIDField(null=True, blank=True)
    refund_line = models.UUIDField(null=True, blank=True)
    round = models.PositiveSmallIntegerField(
        default=0, help_text=_("How often a late payment reopened the order.")
    )
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        default_permissions = ("view",)
        ordering = ("-id",)
        constraints = [
            choices_constraint("kind", StockMoveKind.values, name="stock_move_kind_known"),
            models.UniqueConstraint(
                fields=["order_line", "kind", "round"],
                condition=Q(order_line__isnull=False) & ~Q(kind=StockMoveKind.RESTOCK),
                name="stock_move_once_per_line_and_kind",
            ),
            models.UniqueConstraint(
                fields=["refund_line"],
                condition=Q(refund_line__isnull=False),
                name="stock_move_once_per_refund_line",
            ),
            models.CheckConstraint(
                condition=Q(kind=StockMoveKind.RESTOCK, refund_line__isnull=False, order_line__isnull=False)
                | (~Q(kind=StockMoveKind.RESTOCK) & Q(refund_line__isnull=True)),
                name="stock_move_restock_names_its_refund",
            ),
            models.CheckConstraint(condition=~Q(quantity=0), name="stock_move_moves_something"),
        ]
        indexes = [
            models.Index(
                fields=["order_line"], condition=Q(kind=StockMoveKind.RESTOCK), name="stock_move_restocks"
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+d} {self.product_id}"
