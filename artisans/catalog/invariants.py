"""What is always true of the stock of products (docs/invariants.md)."""

from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from artisans.catalog.models import Product, ProductPrice, StockMove
from artisans.core.invariants import Invariant, one_statement, register_invariants
from artisans.regions.models import ShopCurrency


@one_statement
def find_negative_stock() -> QuerySet[Product, tuple[str, int]]:
    return Product.objects.filter(stock__lt=0).order_by("pk").values_list("name", "stock")


@one_statement
def find_wrong_stock() -> QuerySet[Product, tuple[str, int, int]]:
    """What is available, and what orders hold or have taken, is what was ever counted."""
    moves = StockMove.objects.filter(product=OuterRef("pk")).order_by().values("product")
    moved = Coalesce(Subquery(moves.annotate(sum=Sum("quantity")).values("sum")), 0)
    wrong = Product.objects.annotate(moved=moved).exclude(stock=F("moved")).order_by("pk")
    return wrong.values_list("name", "stock", "moved")


@one_statement
def find_stray_variants() -> QuerySet[Product, tuple[str, str]]:
    """Of another artisan or in another currency than their product, on sale without it, or variants of a variant."""
    same = Q(artisan=F("parent__artisan"), currency=F("parent__currency"), parent__parent=None)
    sold = Q(is_active=False) | Q(parent__is_active=True, archived_at=None)
    variants = Product.objects.filter(parent__isnull=False).exclude(same & sold)
    return variants.order_by("pk").values_list("name", "parent__name")


def off_step(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those whose price is not a multiple of the step of its currency."""
    currency = ShopCurrency.objects.filter(code=OuterRef("currency"))
    stepped = rows.annotate(step=Subquery(currency.values("step_minor")))
    wrong: QuerySet[Any] = stepped.annotate(rest=F("price_minor") % F("step")).filter(rest__gt=0)
    return wrong.order_by("pk")


@one_statement
def find_prices_off_step() -> QuerySet[ProductPrice, tuple[str, int, int]]:
    return off_step(ProductPrice.objects.all()).values_list("product__name", "price_minor", "step")


@one_statement
def find_home_prices_off_step() -> QuerySet[Product, tuple[str, int, int]]:
    return off_step(Product.objects.filter(archived_at=None)).values_list("name", "price_minor", "step")


INVARIANTS = (
    Invariant(
        "stock_not_negative",
        "P11",
        _("No stock is negative."),
        _("The stock of %(row)s is %(stored)s."),
        find_negative_stock,
        tables=(Product,),
        remedy=_("Count the product in the admin, and cancel orders that cannot be delivered."),
    ),
    Invariant(
        "stock_moves",
        "P11",
        _("The stock of a product is the sum of its moves: counts, orders, returns."),
        _("The stock of %(row)s is %(stored)s, but its moves are %(expected)s."),
        find_wrong_stock,
        tables=(Product,),
        remedy=_("Count the product in the admin. Something other than the shop changed its stock."),
    ),
    Invariant(
        "variant_of_product",
        "P11",
        _("A variant belongs to the artisan of its product, and is sold only with it."),
        _("%(row)s does not go with its product %(stored)s."),
        find_stray_variants,
        tables=(Product,),
        remedy=_("Save the product in the admin: its variants then have what it decides."),
    ),
    Invariant(
        "price_steps",
        "P10",
        _("A price in another currency is a multiple of the smallest step of that currency."),
        _("A price of %(row)s is %(stored)s minor units, not a multiple of %(expected)s."),
        find_prices_off_step,
        tables=(ProductPrice,),
        remedy=_("Convert prices again, or ask the artisan to enter another one."),
    ),
    Invariant(
        "home_price_steps",
        "P10",
        _("The price of a product at home is a multiple of the smallest step of its currency."),
        _("The price of %(row)s is %(stored)s minor units, not a multiple of %(expected)s."),
        find_home_prices_off_step,
        tables=(Product,),
        remedy=_("Enter another price."),
    ),
)

register_invariants(*INVARIANTS, reads=(Product, ProductPrice, ShopCurrency, StockMove))
