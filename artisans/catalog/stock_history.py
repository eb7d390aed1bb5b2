"""An artisan's stock as they see it: their products, and what changed the stock of one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from artisans.catalog.models import Artisan, Product, StockMove
from artisans.catalog.models.product import BUYABLE


class HistoryLine(NamedTuple):
    """A move, and the stock after it."""

    move: StockMove
    stock: int


class HistoryPage(NamedTuple):
    """Newest first. `older` and `newer`: keys next to which the next pages begin, None if there is none."""

    lines: list[HistoryLine]
    older: int | None = None
    newer: int | None = None


def stock_products(artisan: Artisan) -> QuerySet[Product]:
    """What the artisan has in stock: products without options, and variants of those with them.

    Orders from before the options may have returned units to the product itself: it is there while it has some.
    """
    return Product.objects.filter(BUYABLE | Q(stock__gt=0), artisan=artisan)


def products_named(products: QuerySet[Product], q: str) -> QuerySet[Product]:
    return products.filter(Q(name__icontains=q) | Q(sku__istartswith=q)) if q else products


def moves_of(product: Product) -> QuerySet[StockMove]:
    return StockMove.objects.filter(product=product).select_related("actor").order_by("-id")


def stock_after(product: Product, move: int) -> int:
    """The stock after the move with this key, or before all moves; read in one statement."""
    later = StockMove.objects.filter(product=OuterRef("pk"), id__gt=move).order_by().values("product")
    moved = Coalesce(Subquery(later.annotate(sum=Sum("quantity")).values("sum")), 0)
    stock: int = Product.objects.values_list(F("stock") - moved, flat=True).get(pk=product.pk)
    return stock


def with_stock(product: Product, moves: Sequence[StockMove]) -> list[HistoryLine]:
    """Moves that follow each other, newest first, each with the stock after it."""
    lines = []
    stock = stock_after(product, moves[0].pk) if moves else 0
    for move in moves:
        lines.append(HistoryLine(move, stock))
        stock -= move.quantity
    return lines


def history_page(
    product: Product, *, before: int | None = None, after: int | None = None, size: int
) -> HistoryPage:
    """The moves next to a key: older ones `before` it, or newer ones `after` it; the newest without either."""
    rows = moves_of(product)
    if after is not None:
        found = list(rows.filter(id__gt=after).order_by("id")[: size + 1])
        shown, has_more = found[:size][::-1], len(found) > size
        newer, older = shown[0].pk if has_more else None, shown[-1].pk if shown else None
    else:
        found = list((rows if before is None else rows.filter(id__lt=before))[: size + 1])
        shown, has_more = found[:size], len(found) > size
        newer = shown[0].pk if shown and before is not None else None
        older = shown[-1].pk if has_more else None
    return HistoryPage(with_stock(product, shown), older, newer)


def history_lines(product: Product) -> Iterator[HistoryLine]:
    """All moves, oldest first."""
    stock = stock_after(product, 0)
    for move in moves_of(product).order_by("id").iterator():
        stock += move.quantity
        yield HistoryLine(move, stock)
