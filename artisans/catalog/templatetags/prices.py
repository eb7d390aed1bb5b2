"""Prices of products in the currency that a visitor chose."""

from django import template
from django.utils.translation import gettext as _

from artisans.catalog.models import Product
from artisans.core.templatetags.money import show

register = template.Library()


@register.filter
def price_text(product: Product, currency: str) -> str:
    """What it costs in this currency, "from $12.00" if its variants differ; that at home if it is not sold in it."""
    price = product.price_in(str(currency)) or product.price
    if not product.has_price_range_in(price.currency):
        return show(price)
    return _("from %(price)s") % {"price": show(price)}


@register.filter
def sold_in(product: Product, currency: str) -> bool:
    return product.price_in(str(currency)) is not None
