"""Prices of products in the currencies of the shop: the price at home, or a ProductPrice. Nothing is converted here."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When

from artisans.catalog.models import Product, ProductPrice
from artisans.core.money import MAX_MINOR, Money, exponent_of

Products = TypeVar("Products", bound=Iterable[Product])


def load_prices(products: Products, currency: str, *, with_variants: bool = False) -> Products:
    """Read the prices of these products, for `Product.price_in`, by one statement at most: none at home."""
    rows = [row for product in products for row in (product, *(product.choices if with_variants else ()))]
    unread = [row for row in rows if row.currency != currency and currency not in row.prices_read]
    if unread:
        prices = ProductPrice.objects.filter(product__in={row.pk for row in unread}, currency=currency)
        found = dict(prices.order_by().values_list("product", "price_minor"))
        for row in unread:
            minor = found.get(row.pk)
            row.prices_read[currency] = None if minor is None else Money(minor, currency)
    return products


def own_price(currency: str) -> QuerySet[ProductPrice]:
    return ProductPrice.objects.filter(product=OuterRef("pk"), currency=currency).order_by()


def sold_in(currency: str) -> Q:
    """Products with a price in this currency."""
    return Q(currency=currency) | Q(Exists(own_price(currency)))


def priced_in(currency: str, lowest: Decimal | None, highest: Decimal | None) -> Q:
    """Rows whose price in this currency is in the range, both ends included."""
    found = minor_in(lowest, highest, exponent_of(currency))
    return Q(found, currency=currency) | Q(Exists(own_price(currency).filter(found)))


def minor_in(lowest: Decimal | None, highest: Decimal | None, decimals: int) -> Q:
    found = Q()
    if lowest is not None:
        found &= Q(price_minor__gte=min(MAX_MINOR, -int(-lowest.scaleb(decimals) // 1)))
    if highest is not None:
        found &= Q(price_minor__lte=min(MAX_MINOR, int(highest.scaleb(decimals) // 1)))
    return found


def with_price_order(products: QuerySet[Product], currency: str) -> QuerySet[Product]:
    """With `minor_here`, the price in this currency, to order by."""
    own = Subquery(own_price(currency).values("price_minor"), output_field=BigIntegerField())
    return products.annotate(minor_here=Case(When(currency=currency, then=F("price_minor")), default=own))
