"""Which products are low in stock, and which of them the artisan has not been emailed about.

One email when the stock falls to the threshold, one more when it is sold out, and again only after it rose.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from artisans.catalog.models import Artisan, Product, StockMove, StockWatch
from artisans.catalog.models.product import BUYABLE

RECENT = timedelta(days=1)  # what fell longer ago is no news, for example when the shop is upgraded


def low(products: QuerySet[Product]) -> QuerySet[Product]:
    limit = Coalesce(F("stock_watch__threshold"), F("artisan__low_stock"), Value(settings.LOW_STOCK))
    return products.alias(limit=limit).filter(stock__lte=F("limit"))


def artisans_with_falls() -> Iterator[UUID]:
    """Artisans of whose products something was taken recently."""
    moves = StockMove.objects.filter(quantity__lt=0, at__gte=timezone.now() - RECENT).order_by()
    yield from sorted(set(moves.values_list("product__artisan", flat=True)))


def watches_rearm() -> None:
    """Of products whose stock has risen: the artisan gets an email again when it falls."""
    emailed = StockWatch.objects.filter(emailed_stock__isnull=False)
    risen = emailed.alias(
        limit=Coalesce(F("threshold"), F("product__artisan__low_stock"), Value(settings.LOW_STOCK))
    )
    above = risen.filter(product__stock__gt=F("limit"))
    emailed.filter(pk__in=above.values("pk")).update(emailed_stock=None)
    back = emailed.filter(emailed_stock=0, product__stock__gt=0)
    emailed.filter(pk__in=back.values("pk")).update(emailed_stock=1)


@transaction.atomic
def low_stock_take(artisan_id: UUID) -> tuple[Artisan, list[Product]]:
    """The products that the artisan has not been emailed about; they now count as emailed. Locks: the artisan."""
    artisan = Artisan.objects.select_for_update(no_key=True).get(pk=artisan_id)
    fell = StockMove.objects.filter(quantity__lt=0, at__gte=timezone.now() - RECENT).order_by()
    products = Product.objects.filter(
        BUYABLE, artisan=artisan, artisan__is_active=True, is_active=True, pk__in=fell.values("product")
    )
    is_new = Q(stock_watch__emailed_stock__isnull=True) | Q(stock=0, stock_watch__emailed_stock__gt=0)
    found = list(low(products).filter(is_new).order_by("name", "pk"))
    for product in found:
        watch, _is_new = StockWatch.objects.get_or_create(product=product)
        watch.emailed_stock = product.stock
        watch.save(update_fields=["emailed_stock"])
    return artisan, found


@transaction.atomic
def threshold_set(*, product: Product, threshold: int | None) -> StockWatch:
    """None: the artisan's."""
    Product.objects.select_for_update(no_key=True).get(pk=product.pk)
    watch, _is_new = StockWatch.objects.get_or_create(product=product)
    watch.threshold = threshold
    watch.save(update_fields=["threshold"])
    return watch


def artisan_threshold_set(*, artisan: Artisan, threshold: int | None) -> None:
    """Of all their products without a number of their own. None: the shop's."""
    Artisan.objects.filter(pk=artisan.pk).update(low_stock=threshold, updated_at=timezone.now())
