"""What a product costs where the visitor wants it delivered."""

from typing import Any

from django import template

from artisans.catalog.models import Product
from orders import quoting

register = template.Library()


@register.simple_tag(takes_context=True)
def local_terms(context: Any, product: Product) -> quoting.LocalTerms | None:
    """In the country and currency of the page (context_processors.py)."""
    country, currency = str(context["deliver_to"]), str(context["currency"])
    return quoting.local_terms(product, country, currency, store=context["store"])
