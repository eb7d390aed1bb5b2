from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Artisan, Product

SORTS = {
    "new": (_("Newest"), ("-created_at", "slug")),
    "price": (_("Price: low to high"), ("price_minor", "slug")),
    "-price": (_("Price: high to low"), ("-price_minor", "slug")),
    "name": (_("Name"), ("name", "slug")),
}


def products_on_sale() -> QuerySet[Product]:
    return Product.objects.filter(is_active=True, artisan__is_active=True).select_related(
        "artisan", "category"
    )


def products_by_id(ids: Iterable[UUID]) -> dict[UUID, Product]:
    """The products with their artisans, on sale or not. Missing ids are left out."""
    found = Product.objects.filter(pk__in=set(ids)).select_related("artisan")
    return {product.pk: product for product in found.order_by()}


def products_found(
    *, q: str = "", category: str = "", artisan: str = "", sort: str = "new"
) -> QuerySet[Product]:
    """The products of the shop's list; every filter is optional, and an unknown sort order is newest first."""
    found = products_on_sale()
    for word in q.split()[:8]:
        found = found.filter(
            Q(name__icontains=word)
            | Q(description__icontains=word)
            | Q(materials__icontains=word)
            | Q(artisan__name__icontains=word)
        )
    if category:
        found = found.filter(category__slug=category)
    if artisan:
        found = found.filter(artisan__slug=artisan)
    return found.order_by(*SORTS.get(sort, SORTS["new"])[1])


def artisans_open() -> QuerySet[Artisan]:
    return Artisan.objects.filter(is_active=True)
