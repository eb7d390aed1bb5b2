from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import (
    Application,
    Artisan,
    CommissionRate,
    PictureState,
    Product,
    ProductPicture,
    ProductState,
)
from artisans.catalog.models.product import BUYABLE, ShownPicture
from artisans.catalog.prices import minor_in, priced_in, sold_in, with_price_order
from artisans.catalog.search import (
    NEAR,
    FoundProducts,
    Words,
    best_first,
    search,
    search_words,
    sorted_by,
)
from artisans.catalog.statuses import ApplicationStatus, ArtisanState
from artisans.core.compiled import compiled
from artisans.core.money import EXPONENTS

MATERIALS_FROM, MATERIALS_OFFERED = 200, 20  # products that are read, and materials that are named
BEST_MATCH = "match"
SORTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    BEST_MATCH: (_("Relevance"), ()),
    "new": (_("Newest"), ("-created_at", "slug")),
    "price": (_("Price: low to high"), ("price_minor", "slug")),
    "-price": (_("Price: high to low"), ("-price_minor", "slug")),
    "name": (_("Name"), ("name", "slug")),
}
STATES = {
    ProductState.DRAFT.value: Q(is_active=False, archived_at=None, off_sale_reason=""),
    ProductState.TAKEN_OFF.value: Q(archived_at=None) & ~Q(off_sale_reason=""),
    ProductState.PUBLISHED.value: Q(is_active=True),
    ProductState.ARCHIVED.value: Q(archived_at__isnull=False),
}

ON_SALE = Q(is_active=True, artisan__is_active=True)


def products_on_sale() -> QuerySet[Product]:
    """Also products that are bought as one of their variants, and these variants."""
    with_product = Q(parent=None) | Q(parent__is_active=True)
    return Product.objects.filter(ON_SALE, with_product).select_related("artisan", "category")


def with_choices(products: QuerySet[Product]) -> QuerySet[Product]:
    return products.prefetch_related("variants")


def products_listed() -> QuerySet[Product]:
    """What lists of the shop show: products on sale, each once, with its variants."""
    products = Product.objects.filter(ON_SALE, parent=None)
    return with_choices(products.select_related("artisan", "category"))


def own_products(artisan: Artisan, *, q: str = "", state: str = "") -> QuerySet[Product]:
    """The artisan's products in any state, or in one, each with its variants; those that `q` or a SKU finds."""
    rows = Product.objects.filter(artisan=artisan)
    products = rows.filter(STATES.get(state, Q()), parent=None)
    if q:
        with_sku = rows.filter(sku__istartswith=q)
        found = Q(pk__in=search(products, q).products.order_by().values("pk")) | Q(sku__istartswith=q)
        products = products.filter(found | Q(pk__in=with_sku.filter(parent__isnull=False).values("parent")))
    return with_choices(products.select_related("artisan", "category", "tax_class"))


def in_stock() -> Q:
    """Products that can be bought now, or one of their variants."""
    return takes_orders() & bought_as(Q(stock__gt=0))


def bought_as(condition: Q) -> Q:
    """Products that satisfy the condition themselves or, if they are bought as one of their variants, with one of
    these."""
    variants = Product.objects.filter(condition, parent=OuterRef("pk"), is_active=True)
    return Q(BUYABLE, condition) | Q(~BUYABLE, Exists(variants))


def priced(lowest: Decimal | None, highest: Decimal | None) -> Q:
    """Rows whose price is in this range, both ends included, each in its own currency."""
    by_decimals = {2: ~Q(currency__in=EXPONENTS)}
    for decimals in {*EXPONENTS.values()}:
        by_decimals[decimals] = Q(currency__in=[c for c, number in EXPONENTS.items() if number == decimals])
    return reduce(
        or_, (which & minor_in(lowest, highest, decimals) for decimals, which in by_decimals.items())
    )


def narrowed(
    products: QuerySet[Product],
    *,
    price_min: Decimal | None = None,
    price_max: Decimal | None = None,
    material: str = "",
    only_in_stock: bool = False,
    currency: str = "",
) -> QuerySet[Product]:
    """Products with one price that satisfies all: in the range, and to be bought now. `material`: each of its words is
    part of the materials. `currency`: only what is sold in it, by prices in it; without one, by the prices at home."""
    row = Q(stock__gt=0) if only_in_stock else Q()
    if currency:
        products = products.filter(sold_in(currency))
    if price_min is not None or price_max is not None:
        row &= priced_in(currency, price_min, price_max) if currency else priced(price_min, price_max)
    elif currency and row:
        row &= sold_in(currency)
    if row:
        products = products.filter(bought_as(row))
    if only_in_stock:
        products = products.filter(takes_orders())
    for word in material.replace(",", " ").split():
        products = products.filter(materials__icontains=word)
    return products


def counts_by_category(products: QuerySet[Product]) -> dict[int, int]:
    """How many of the products are directly in each category; those with none are left out."""
    rows = products.order_by().values_list("category_id").annotate(Count("pk"))
    return dict(rows)


def materials_offered(products: QuerySet[Product]) -> list[str]:
    """The most frequent materials of the newest products, to choose from."""
    texts = products.order_by("-created_at", "slug").values_list("materials", flat=True)[:MATERIALS_FROM]
    found = Counter(name for text in texts for part in text.split(",") if (name := part.strip().capitalize()))
    return sorted(name for name, _count in found.most_common(MATERIALS_OFFERED))


def takes_orders() -> Q:
    """Products of workshops that are not on holiday (`Artisan.on_holiday_until`)."""
    today = timezone.localdate()
    has_ended = Q(artisan__back_on__isnull=True) | Q(artisan__back_on__lte=today)
    return has_ended | Q(artisan__holiday_from__isnull=False, artisan__holiday_from__gt=today)


# What a cart and an order need of a product. Reading all columns of product, artisan and parent takes 0.6 ms more for
# five lines, 4% of an order in one call.
ORDER_COLUMNS = (
    *("artisan", "category", "name", "price_minor", "currency", "stock", "is_active", "parent__is_active"),
    *("tax_class", "weight_g"),
    *("option_1", "option_2", "option_3"),
    *(f"artisan__{name}" for name in ("slug", "name", "email", "is_active", "holiday_from", "back_on")),
    *(f"artisan__{name}" for name in ("commission_ppm", "fee_tax_treatment")),
)


@compiled
def products_with_artisans(ids: list[UUID]) -> QuerySet[Product]:
    products = Product.objects.filter(pk__any=ids).select_related("artisan", "parent")
    return products.only(*ORDER_COLUMNS).order_by()


def products_by_id(ids: Iterable[UUID]) -> dict[UUID, Product]:
    """The products with their artisans, and variants with their products, on sale or not, with the columns that an
    order needs. Missing ids are left out."""
    return {product.pk: product for product in products_with_artisans(list(set(ids)))}


@compiled
def commission_rates(currency: str, artisan_ids: list[UUID]) -> QuerySet[CommissionRate]:
    """All rates of these artisans and those of all artisans, also former and future ones."""
    of_anybody = Q(artisan=None) | Q(artisan__pk__any=artisan_ids)
    return CommissionRate.objects.filter(of_anybody, currency=currency).order_by()


def sorts_offered(q: str) -> list[str]:
    """The default first: the best match of a search, else the newest."""
    return [value for value in SORTS if q or value != BEST_MATCH]


@dataclass(frozen=True, slots=True)
class ProductList:
    """What the shop's list shows. A search shows at most MOST_RESULTS; `words` and `corrected`: see search_words.
    `everywhere`: what it would show of all categories, in no order and without the search."""

    products: QuerySet[Product] | FoundProducts
    everywhere: QuerySet[Product]
    words: Words = ()
    corrected: str = ""


def products_found(
    *, q: str = "", categories: Collection[int] = (), artisan: str = "", sort: str = "", **filters: Any
) -> ProductList:
    """The products of the shop's list; every filter is optional, and an unknown sort order is the default.

    `categories`: keys, of which a product has one. `filters`: see `narrowed`.
    """
    everywhere = narrowed(products_listed(), **filters)
    if artisan:
        everywhere = everywhere.filter(artisan__slug=artisan)
    listed = everywhere.filter(category__in=categories) if categories else everywhere
    offered = sorts_offered(q)
    order = SORTS[sort if sort in offered else offered[0]][1]
    if (currency := filters.get("currency")) and order[:1] in {("price_minor",), ("-price_minor",)}:
        listed = with_price_order(listed, currency)
        order = (order[0].replace("price_minor", "minor_here"), *order[1:])
    if not q:
        return ProductList(listed.order_by(*order), everywhere)
    words, corrected = search_words(products_listed(), q)
    found = sorted_by(listed, words, order) if order else best_first(listed, words)
    return ProductList(found, everywhere, words, corrected)


def pictures_ready() -> QuerySet[ProductPicture]:
    return ProductPicture.objects.filter(state=PictureState.READY).order_by("position")


def pictures_shown(product: Product) -> list[ProductPicture]:
    """The gallery of a product's page."""
    return list(pictures_ready().filter(product=product))


def with_pictures(products: QuerySet[Product]) -> QuerySet[Product]:
    """With their galleries, of variants that of their product, for `gallery_of`."""
    names = ("pictures", "parent__pictures")
    return products.prefetch_related(*(Prefetch(name, pictures_ready()) for name in names))


def gallery_of(product: Product) -> list[tuple[ShownPicture, str]]:
    """The pictures in their order, each with its text. Release 0.1.0 stored one without a gallery."""
    pictures = (product.parent or product).pictures.all()
    first = [(product.large_picture, product.picture_alt)] if product.large_picture else []
    return [(picture.shown, picture.alt) for picture in pictures] or first


def products_new() -> QuerySet[Product]:
    """The newest that can be bought now."""
    return products_listed().filter(in_stock())[:NEAR]


def artisans_open() -> QuerySet[Artisan]:
    return Artisan.objects.filter(is_active=True)


def artisans_newest() -> QuerySet[Artisan]:
    return artisans_open().order_by("-created_at", "pk")


def applications_to_decide() -> QuerySet[Application]:
    return Application.objects.filter(status=ApplicationStatus.SUBMITTED)


def in_state(artisans: QuerySet[Artisan], state: ArtisanState) -> QuerySet[Artisan]:
    """As `Artisan.state`."""
    match state:
        case ArtisanState.ACTIVE:
            return artisans.filter(is_active=True)
        case ArtisanState.SUSPENDED:
            deactivated = Q(stored_state__in=[ArtisanState.ACTIVE, ArtisanState.SUSPENDED])
            return artisans.filter(deactivated, is_active=False)
        case _:
            return artisans.filter(stored_state=state)
