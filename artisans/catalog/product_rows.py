"""The rows of products and their variants: locks, what variants have from their product, and rules of both."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Concat, StrIndex
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from artisans.catalog.artisan_states import artisan_lock, check_not_closed
from artisans.catalog.models import Artisan, PriceOrigin, Product, ProductPrice
from artisans.catalog.product_versions import plain_value, stored_value
from artisans.catalog.services import last_counts, products_lock
from artisans.catalog.stock_history import stock_after
from artisans.core.errors import Conflict, NotFound
from artisans.core.models import save_columns
from artisans.core.money import Money
from artisans.core.texts import shortened
from artisans.regions.currencies import check_steps

MAX_OPTIONS = 3
MAX_NAME = 120
COPIED = (
    "category_id",
    "currency",
    "lead_days",
    "weight_g",
    "tax_class_id",
    "picture",
    "picture_sizes",
    "picture_alt",
)  # to its variants


class SkuTaken(Conflict):
    """Another product of the workshop has this SKU."""

    code = "sku_taken"
    remedy = "Use another SKU, or change that of the other product."

    def __init__(self, sku: str, name: str) -> None:
        super().__init__(
            _("The SKU %(sku)s belongs to %(product)s. Use another one.") % {"sku": sku, "product": name}
        )


def own(artisan: Artisan, product: Product) -> Product:
    if product.artisan_id != artisan.pk or product.parent_id:
        raise NotFound(_("Product not found."))
    return product


def product_lock(artisan: Artisan, product_id: UUID) -> tuple[Product, list[Product]]:
    """An artisan's product and its variants, archived ones too, oldest first. Errors: NotFound."""
    artisan_lock(artisan.pk)
    rows = Product.objects.filter(Q(pk=product_id) | Q(parent=product_id), artisan=artisan)
    locked = products_lock(rows.values_list("pk", flat=True))
    product = locked.pop(product_id, None)
    if product is None:
        raise NotFound(_("Product not found."))
    return own(artisan, product), sorted(
        locked.values(), key=lambda variant: (variant.created_at, variant.slug)
    )


def product_change_lock(artisan: Artisan, product_id: UUID) -> tuple[Product, list[Product]]:
    """As product_lock. Errors: NotFound, WorkshopClosed."""
    product, variants = product_lock(artisan, product_id)
    check_not_closed(product.artisan)
    return product, variants


def new_product(artisan: Artisan, pk: UUID, *, name: str, **values: Any) -> Product:
    slug = f"{slugify(name)[:40].strip('-') or 'item'}-{pk.hex[:8]}"
    return Product(id=pk, artisan=artisan, slug=slug, name=name, is_active=False, **values)


def set_values(product: Product, values: Mapping[str, Any]) -> None:
    for field, value in values.items():
        if field == "options":
            product.option_1, product.option_2, product.option_3 = padded(value)
        elif field == "is_archived":
            product.archived_at = timezone.now() if value else None
            product.is_active = product.is_active and not value
        else:
            setattr(product, field, value)


def padded(options: Sequence[str]) -> list[str]:
    return [*options, *[""] * (MAX_OPTIONS - len(options))]


def variants_stray() -> QuerySet[Product]:
    """Variants that do not follow their product, because release 0.1.0 changed it alone."""
    of_product = Concat("parent__name", Value(" ("))
    variants = Product.objects.filter(parent__isnull=False).alias(place=StrIndex("name", of_product))
    same = {field: F(f"parent__{field}") for field in ("category_id", "currency", "picture", "picture_alt")}
    return variants.exclude(
        Q(is_active=F("parent__is_active")) | Q(is_active=False, archived_at__isnull=False), place=1, **same
    )


def variants_follow(product: Product, variants: Iterable[Product]) -> None:
    """Copy to the variants what they have from their product."""
    for variant in variants:
        values = {field: getattr(product, field) for field in COPIED} | {
            "picture": product.picture.name or "",
            "name": variant_name(product.name, variant.options),
            "is_active": product.is_active and variant.archived_at is None,
        }
        changed = [field for field, value in values.items() if getattr(variant, field) != value]
        set_values(variant, {field: values[field] for field in changed})
        save_columns(variant, changed)


def price_follow(product: Product, variants: Iterable[Product]) -> None:
    """The price of a product with options, for lists, is the lowest of its current variants."""
    lowest = min((variant.price_minor for variant in variants if not variant.archived_at), default=0)
    if lowest and lowest != product.price_minor:
        product.price_minor = lowest
        save_columns(product, ["price_minor"])


def prices_follow(product: Product, variants: Iterable[Product]) -> None:
    """In each currency, a product with options costs what the cheapest of its current variants does, for lists."""
    if not product.needs_choice:
        return
    current = [variant.pk for variant in variants if not variant.archived_at]
    lowest: dict[str, ProductPrice] = {}
    for row in ProductPrice.objects.filter(product__in=current).order_by("-price_minor"):
        lowest[row.currency] = row
    ProductPrice.objects.filter(product=product).exclude(currency__in=lowest).delete()
    copied = ("currency", "price_minor", "origin", "sheet_id", "from_minor")
    write_prices(
        [
            ProductPrice(product=product, **{name: getattr(row, name) for name in copied})
            for row in lowest.values()
        ]
    )


def write_prices(prices: Sequence[ProductPrice]) -> None:
    """In place of those that the products have in the same currencies."""
    ProductPrice.objects.bulk_create(
        prices,
        update_conflicts=True,
        unique_fields=["product", "currency"],
        update_fields=["price_minor", "origin", "sheet", "from_minor", "updated_at"],
    )


def copy_prices(copies: Mapping[UUID, Product]) -> None:
    """For copies of products, by the key of the original: the prices that were entered."""
    entered = ProductPrice.objects.filter(product__in=copies, origin=PriceOrigin.MANUAL)
    ProductPrice.objects.bulk_create(
        ProductPrice(product=copies[row.product_id], currency=row.currency, price_minor=row.price_minor)
        for row in entered
    )


def variant_name(name: str, options: Sequence[str]) -> str:
    """The name in carts and orders, such as "Moss bowl (Large, Green)"."""
    values = f" ({', '.join(options)})"
    return shortened(name, MAX_NAME - len(values)) + values


def is_as_entered(product: Product, values: Mapping[str, Any], *, stock: int) -> bool:
    """Whether it was made of the same form before, whatever was sold since."""
    counted = stock_after(product, last_counts([product.pk])[product.pk])
    return counted == stock and all(
        stored_value(product, field) == plain_value(field, value) for field, value in values.items()
    )


def check_home_price(product: Product, changed: Mapping[str, Any]) -> None:
    """Errors: InvalidInput for a price that is not a multiple of the step of its currency."""
    if "price_minor" in changed:
        check_steps([Money(changed["price_minor"], product.currency)])


def check_skus(artisan: Artisan, skus: Iterable[str], *, except_for: Collection[UUID]) -> None:
    """Errors: SkuTaken by another product of the artisan, or if one is there twice."""
    wanted = [sku for sku in skus if sku]
    others = Product.objects.filter(artisan=artisan, sku__in=wanted).exclude(pk__in=except_for)
    if other := others.first():
        raise SkuTaken(other.sku, other.name)
    if twice := next((sku for sku in wanted if wanted.count(sku) > 1), ""):
        raise SkuTaken(twice, _("another variant"))
