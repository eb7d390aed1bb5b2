"""Orders as the checkout creates them: quoted, stock reserved, written by the service."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from artisans.accounts.models import User
from artisans.catalog.models import Product
from artisans.catalog.services import products_lock
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.money import Money
from artisans.regions.models import ShopCurrency
from artisans.regions.tests.factories import LONG_AGO, tax_rate, tax_zone
from artisans.shipping.models import ShippingRate
from artisans.shipping.tests.factories import shipping_zone
from artisans.tax_ids.models import TaxId
from orders.models import StoreRules
from orders.pricing import PriceInput, Quote, TaxTerms
from orders.pricing import quote as quote_prices
from orders.selectors import store_rules
from orders.services.placing import Buyer, PlacedOrder, order_place

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 Pier Road",
    "line2": "",
    "city": "Astoria",
    "region": "OR",
    "postal_code": "97103",
    "country": "US",
    "phone": "+1 503 555 0123",
}

RULES: dict[str, Any] = {
    "name": "Artisans Alley",
    "support_email": "help@example.test",
    "tax_rate_ppm": 100_000,
    "shipping_minor": 599,
    "tax_is_set": True,
    "shipping_is_set": True,
    "account_holder": "Artisans Alley Co.",
    "account_iban": "DE89 3704 0044 0532 0130 00",
    "account_bic": "COBADEFFXXX",
    "account_bank": "Alley Bank",
    "check_payee": "Artisans Alley Co.",
    "check_address": "1 Alley Lane\nPortland, OR 97201",
}


def store_of(**changes: Any) -> StoreRules:
    """The one row of store rules: 10 % tax, 5.99 shipping everywhere, a bank account, an address for checks."""
    store = StoreRules.objects.update_or_create(pk=1, defaults=RULES | changes)[0]
    places_of(store)
    return store


def places_of(store: StoreRules) -> None:
    """One tax zone and one shipping zone for everywhere, with the figures that the columns have for release 0.1.0."""
    currency = store.currency
    ShopCurrency.objects.get_or_create(code=currency)
    if store.tax_is_set:
        zone = tax_zone("Everywhere", ("",))
        last = zone.rates.first()
        if last is None or last.rate_ppm != store.tax_rate_ppm:
            start = last.valid_from + timedelta(microseconds=1) if last else LONG_AGO
            tax_rate(zone, store.tax_rate_ppm, start=start, name="")
    if store.shipping_is_set:
        zone = shipping_zone("Everywhere", ("",))
        method = zone.methods.get_or_create(artisan=None, name="Standard")[0]
        price = {"price_minor": store.shipping_minor}
        ShippingRate.objects.update_or_create(method=method, currency=currency, defaults=price)


VALID_TAX_ID = TaxId(value="DE136695976", country="DE", status="verified")  # not stored


def buyer_of(user: User | None = None, **changes: Any) -> Buyer:
    email = user.email if user else "guest@example.test"
    return Buyer(
        **{"email": email, "shipping_address": ADDRESS, "billing_address": ADDRESS, "user": user} | changes
    )


def quoted(
    items: Mapping[Product, int],
    *,
    tax_rate_ppm: int = 100_000,
    shipping: int = 599,
    terms: TaxTerms | None = None,
) -> Quote:
    price_inputs = [
        PriceInput(p.pk, p.artisan_id, p.price, quantity, tax_rate_ppm) for p, quantity in items.items()
    ]
    currency = next(iter(items)).currency
    return quote_prices(price_inputs, currency=currency, shipping=Money(shipping, currency), terms=terms)


def quoted_free(items: Iterable[tuple[Product, int]]) -> Quote:
    """All prices are taken off, and the shipping."""
    price_inputs = [
        PriceInput(p.pk, p.artisan_id, p.price, quantity, 100_000, discount_minor=p.price_minor * quantity)
        for p, quantity in items
    ]
    return quote_prices(price_inputs, currency="USD", shipping=Money(599, "USD"), shipping_discount=599)


def place(
    items: Mapping[Product, int] | None = None,
    *,
    user: User | None = None,
    quote: Quote | None = None,
    **changes: Any,
) -> PlacedOrder:
    """An order without a payment, held for half an hour; by default one unit for a total of 99.99."""
    items = items or {ProductFactory.create(): 1}
    if quote and quote.is_reverse_charge:
        changes = {"company": "Blau GmbH", "vat_id": VALID_TAX_ID.value} | changes
    return order_place(
        quote=quote or quoted(items),
        products=products_lock(product.pk for product in items),
        buyer=buyer_of(user, **changes),
        store=store_rules(),
        expires_at=timezone.now() + timedelta(minutes=30),
        tax_id=VALID_TAX_ID if quote and quote.is_reverse_charge else None,
    )
