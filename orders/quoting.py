"""What products cost when they are ordered now: the prices, taxes and shipping that apply."""

from collections.abc import Iterable

from artisans.catalog.models import Product
from orders.models import StoreRules
from orders.pricing import PriceInput, Quote, TaxTerms, quote
from orders.statuses import ShippingTax


def quote_products(items: Iterable[tuple[Product, int]], *, store: StoreRules) -> Quote:
    """Price products, each with a quantity, by the rules of the store. All are in its currency."""
    terms = tax_terms_for(store)
    return quote(
        [
            PriceInput(
                product.pk,
                product.artisan_id,
                product.price,
                quantity,
                tax_rate_ppm=store.tax_rate_ppm,
                home_rate_ppm=store.tax_rate_ppm,
            )
            for product, quantity in items
        ],
        currency=store.currency,
        shipping=store.shipping,
        terms=terms,
    )


def net_price(product: Product, *, store: StoreRules) -> int:
    """The price without tax at home, in minor units."""
    terms, minor = tax_terms_for(store), product.price_minor
    return minor - terms.tax_on(minor, store.tax_rate_ppm) if terms.includes_tax else minor


def tax_terms_for(store: StoreRules) -> TaxTerms:
    return TaxTerms(
        prices_include_tax=store.prices_include_tax,
        gross_fixed=store.gross_fixed,
        shipping_rate_ppm=None if store.shipping_tax == ShippingTax.GOODS else 0,
        subsidy_is_taxed=store.subsidy_is_taxed,
    )
