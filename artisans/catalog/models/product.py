from typing import NamedTuple

from django.core.files.storage import default_storage
from django.db import models
from django.db.models import F, Q, Value
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models.artisan import Artisan
from artisans.catalog.models.category import Category
from artisans.core.models import BaseModel, currency_constraint
from artisans.core.money import Money
from artisans.core.validators import validate_currency
from artisans.regions.models import TaxClass

MAX_LEAD_DAYS = 365
# Rows that can be bought themselves: not products that are bought as one of their variants.
BUYABLE = Q(parent__isnull=False) | Q(option_1="")
WIDEST_IN_LISTS = 640
FEW = 3  # units, of which buyers read how many are left


class ProductState(models.TextChoices):
    """Follows from `is_active` and `archived_at`; not stored."""

    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    TAKEN_OFF = "taken_off", _("Taken off sale by the shop")
    ARCHIVED = "archived", _("Archived")


class ShownPicture(NamedTuple):
    """The attributes of an `img`; `webp` is the `srcset` of a `source` before it, for browsers that know WebP."""

    url: str
    srcset: str = ""
    width: int = 0
    height: int = 0
    webp: str = ""


def shown_picture(name: str, sizes: dict[str, list[int]], *, at_most: int = 0) -> ShownPicture:
    """Of the file `name` with copies of these sizes, which count for nothing if the file itself is not among them.

    `at_most`: the width of the largest copy wanted; 0 for all.
    """
    url = default_storage.url
    if name not in sizes:
        return ShownPicture(url(name))
    wanted = {file: size for file, size in sizes.items() if not at_most or size[0] <= at_most} or sizes
    webp, others = (
        sorted(
            (width, file) for file, (width, _height) in wanted.items() if file.endswith(".webp") == is_webp
        )
        for is_webp in (True, False)
    )
    best = (others or webp)[-1][1]
    texts = [", ".join(f"{url(file)} {width}w" for width, file in files) for files in (webp, others)]
    width, height = sizes[best]
    return ShownPicture(url(best), texts[1] or texts[0], width, height, webp=texts[0] if others else "")


class Product(BaseModel):
    """A product. `stock` is what can be bought now; every change of it has a StockMove.

    A product with options (`option_1` to `option_3`: "Size", "Colour") is bought as one of its `variants`: products
    with this `parent` and a value for each option ("Large", "Blue"). Category, currency, lead time, picture and
    whether it is published are the product's and copied to its variants, whose names are composed (product_rows.py).
    `is_active`: published. `off_sale_reason`: why staff took it off sale, for its artisan; only staff end that.
    `lead_days`: made to order in so many days; null: ready to ship.
    `picture`, `picture_sizes` and `picture_alt` are a copy of the first ProductPicture (pictures.py), for lists; sizes
    of another picture, which release 0.1.0 replaced, count for nothing.
    `price_minor` and `currency` are the price at home; a ProductPrice each holds those in other currencies.
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
    archived_at = models.DateTimeField(null=True, editable=False)
    off_sale_reason = models.CharField(max_length=300, blank=True, default="", db_default="", editable=False)
    sku = models.CharField("SKU", max_length=60, blank=True, default="", db_default="")
    care = models.CharField(max_length=300, blank=True, default="", db_default="")
    lead_days = models.PositiveSmallIntegerField(
        _("made to order in (days)"), null=True, blank=True, help_text=_("Empty: ready to ship.")
    )
    tax_class = models.ForeignKey(
        TaxClass,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        help_text=_("Empty: standard."),
    )
    weight_g = models.PositiveIntegerField(_("weight in grams"), default=0, db_default=0)
    # its index is that of product_options_unique_in_parent
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, editable=False, db_index=False, related_name="variants"
    )
    option_1 = models.CharField(max_length=40, default="", db_default="", editable=False)
    option_2 = models.CharField(max_length=40, default="", db_default="", editable=False)
    option_3 = models.CharField(max_length=40, default="", db_default="", editable=False)

    class Meta:
        ordering = ("-created_at", "slug")
        constraints = [
            models.CheckConstraint(condition=Q(stock__gte=0), name="product_stock_not_negative"),
            models.CheckConstraint(condition=Q(price_minor__gt=0), name="product_price_positive"),
            currency_constraint("product_currency_iso"),
            models.CheckConstraint(
                condition=Q(archived_at__isnull=True) | Q(is_active=False),
                name="product_archived_is_not_published",
            ),
            models.CheckConstraint(
                condition=Q(off_sale_reason="") | Q(is_active=False),
                name="product_taken_off_is_not_published",
            ),
            models.CheckConstraint(
                condition=Q(lead_days__isnull=True) | Q(lead_days__gte=1, lead_days__lte=MAX_LEAD_DAYS),
                name="product_lead_days_in_range",
            ),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="product_not_variant_of_itself"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(option_1=""), name="product_variant_has_option"
            ),
            models.CheckConstraint(
                condition=Q(option_2="", option_3="") | (~Q(option_1="") & ~Q(option_2="")),
                name="product_options_without_gaps",
            ),
            models.UniqueConstraint(
                fields=["parent", "option_1", "option_2", "option_3"],
                condition=Q(parent__isnull=False),
                name="product_options_unique_in_parent",
            ),
            models.UniqueConstraint(
                fields=["artisan", "sku"], condition=~Q(sku=""), name="product_sku_unique_in_artisan"
            ),
        ]
        indexes = [
            models.Index(fields=["is_active", "price_minor"], name="product_by_price"),
            models.Index(fields=["is_active", "name"], name="product_by_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Money:
        return Money.stored(self.price_minor, self.currency)

    @cached_property
    def prices_read(self) -> dict[str, Money | None]:
        """By currency, None if it has none; lists read those of all products at once (load_prices)."""
        return {}

    def price_in(self, currency: str) -> Money | None:
        """What it costs in this currency; None if it is not sold in it. Never converted."""
        if currency == self.currency:
            return self.price
        if currency not in self.prices_read:
            row = self.prices.filter(currency=currency).first()
            self.prices_read[currency] = row.price if row else None
        return self.prices_read[currency]

    @property
    def options(self) -> tuple[str, ...]:
        """The names of its options; of a variant, their values."""
        return tuple(option for option in (self.option_1, self.option_2, self.option_3) if option)

    @property
    def needs_choice(self) -> bool:
        """Whether not this row but one of its variants is bought."""
        return self.parent_id is None and bool(self.option_1)

    @cached_property
    def choices(self) -> list["Product"]:
        """Its variants that are not archived, oldest first. Lists read them for all products at once (with_choices)."""
        if not self.needs_choice:
            return []
        current = [variant for variant in self.variants.all() if variant.archived_at is None]
        return sorted(current, key=lambda variant: (variant.created_at, variant.slug))

    @property
    def available(self) -> int:
        """Units that can be bought now, of all variants together."""
        return sum(variant.stock for variant in self.choices) if self.needs_choice else self.stock

    @property
    def availability(self) -> str:
        """Whether and when a buyer gets it, in words: the same in lists, on its page and in the cart."""
        if back_on := self.artisan.on_holiday_until:
            return gettext("Back on %(day)s") % {"day": date_format(back_on)}
        units, days = self.available, self.lead_days
        if units == 0:
            return gettext("Sold out")
        if days and days % 7 == 0:
            weeks = days // 7
            return ngettext(
                "Made to order, ready in %(count)s week", "Made to order, ready in %(count)s weeks", weeks
            ) % {"count": weeks}
        if days:
            return ngettext(
                "Made to order, ready in %(count)s day", "Made to order, ready in %(count)s days", days
            ) % {"count": days}
        if units > FEW:
            return gettext("In stock")
        return ngettext("Only %(count)s left", "Only %(count)s left", units) % {"count": units}

    @property
    def can_be_bought(self) -> bool:
        """Now; if it has options, one of its variants."""
        return self.available > 0 and not self.artisan.on_holiday_until

    @property
    def is_scarce(self) -> bool:
        return not self.lead_days and self.available <= FEW

    @property
    def has_price_range(self) -> bool:
        return self.has_price_range_in(self.currency)

    def has_price_range_in(self, currency: str) -> bool:
        """Whether its variants cost different amounts in this currency."""
        prices = {price for variant in self.choices if (price := variant.price_in(currency))}
        return self.needs_choice and len(prices) > 1

    @property
    def state(self) -> "ProductState":
        if self.archived_at:
            return ProductState.ARCHIVED
        if self.off_sale_reason:
            return ProductState.TAKEN_OFF
        return ProductState.PUBLISHED if self.is_active else ProductState.DRAFT

    @cached_property
    def shown_picture(self) -> "ShownPicture | None":
        """In lists, where pictures are small. None without a picture, and one without a `srcset` if its sizes are not
        known."""
        name = str(self.picture)
        return shown_picture(name, self.picture_sizes, at_most=WIDEST_IN_LISTS) if name else None

    @property
    def large_picture(self) -> "ShownPicture | None":
        """On a page of its own."""
        return shown_picture(str(self.picture), self.picture_sizes) if self.picture else None

    @property
    def is_on_sale(self) -> bool:
        """A variant only with its product, which release 0.1.0 takes off sale alone."""
        return self.is_active and self.artisan.is_active and (self.parent is None or self.parent.is_active)
