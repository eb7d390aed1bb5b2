"""Places an order with its payment, from a cart or a list of products, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from artisans.accounts.principals import Principal
from artisans.catalog.models import Product
from artisans.catalog.services import products_lock_for_order
from artisans.core.compiled import compiled_update, inserts_together
from artisans.core.idempotency.keys import effect_record
from artisans.core.money import MAX_MINOR, rate_text
from artisans.core.transactions import atomic_with_retry
from artisans.regions.currencies import is_offered
from artisans.tax_ids.selectors import tax_id_named
from carts.fingerprint import quote_fingerprint
from carts.models import Cart, CartStatus
from carts.selectors import cart_lock, items_lock, line_requests_of
from orders.errors import (
    AmountTooLarge,
    CheckoutBlocked,
    EmptyOrder,
    QuoteChanged,
    ShippingMethodNotOffered,
    ShopNotOpen,
)
from orders.hold_policy import WantedUnits
from orders.holds import OpenHolds, holds_check, holds_lock
from orders.models import Order, StoreRules
from orders.problems import LineRequest, find_problems
from orders.quoting import Offer, Wanted, destination_of, offer_products, shipping_problems
from orders.services.placing import Buyer, PlacedOrder, load_placed_order, order_place
from payments.bookkeeping.holds import compute_hold, hold_kind
from payments.lifecycle.start import free_order_confirm, payment_start
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.selectors import latest_payment


@dataclass(frozen=True, slots=True)
class Assertions:
    """Figures that the client expects. They never affect prices; a difference stops the order."""

    total: Decimal | None = None
    tax_rate: Decimal | None = None
    shipping_cost: Decimal | None = None
    currency: str | None = None
    fingerprint: str | None = None

    def check(self, offer: Offer) -> None:
        """Errors: QuoteChanged with the first figure that differs."""
        quote = offer.quote
        currency = quote.currency
        pairs: tuple[tuple[str, Decimal | None, Decimal], ...] = (
            ("shipping_cost", self.shipping_cost, quote.shipping.as_decimal()),
            ("amount", self.total, quote.total.as_decimal()),
        )
        if self.currency is not None and self.currency != currency:
            raise QuoteChanged(field="currency", sent=self.currency, now=currency)
        rates = [rate_text(rate_ppm) for rate_ppm in quote.rates_ppm]
        if self.tax_rate is not None and [self.tax_rate] != [*map(Decimal, rates)]:
            raise QuoteChanged(
                field="tax_rate", sent=format(self.tax_rate, "f"), now=", ".join(rates), rates=rates
            )
        for name, sent, now in pairs:
            if sent is not None and sent != now:
                raise QuoteChanged(field=name, sent=format(sent, "f"), now=format(now, "f"))
        if self.fingerprint is not None and self.fingerprint != (now_shown := quote_fingerprint(offer)):
            raise QuoteChanged(field="fingerprint", sent=self.fingerprint, now=now_shown)


@compiled_update
def cart_ordered(cart_id: UUID, order_id: UUID, at: datetime) -> tuple[QuerySet[Cart], dict[str, Any]]:
    values = {"status": CartStatus.ORDERED, "order": order_id, "draft": {}, "updated_at": at}
    return Cart.objects.filter(pk=cart_id), values


@dataclass(frozen=True, slots=True)
class Checkout:
    """The result of a checkout. `is_new` is false if the cart had been ordered before."""

    placed: PlacedOrder
    payment: Payment | None
    is_new: bool


@atomic_with_retry
def cart_checkout(
    *,
    principal: Principal,
    cart_id: UUID,
    buyer: Buyer,
    method: PaymentMethod,
    assertions: Assertions,
    store: StoreRules,
    provider: str = "",
    shipping: Wanted = None,
) -> Checkout:
    """Order the cart. A cart becomes at most one order: if it was ordered before, that order is returned.

    Parcels without a method in `shipping` go by the cheapest.

    Errors: CartClosed if it was merged into another, ShopNotOpen, NotFound, EmptyOrder, CheckoutBlocked with
    problems, QuoteChanged, TooManyOpenOrders, TooManyUnitsHeld, MethodNotOffered, ShippingMethodNotOffered; nothing
    is written then. Locks: cart, limits of the buyer, products.
    """
    cart = cart_lock(principal, cart_id, may_be_ordered=True)
    if cart.status == CartStatus.ORDERED:
        return load_checkout(cart)
    holds = holds_lock(buyer=buyer, kind=hold_kind(method))
    items = items_lock(cart)
    with inserts_together():
        placed = place(
            line_requests_of(items),
            {item.product_id: item.product for item in items},
            holds=holds,
            method=method,
            store=store,
            assertions=assertions,
            shipping=shipping,
            currency=cart.currency,
        )
        payment = start_payment(placed, method=method, store=store, provider=provider)
    cart_ordered(cart.pk, placed.order.pk, timezone.now())
    effect_record(f"order:{placed.order.pk}")
    return Checkout(placed, payment, is_new=True)


@atomic_with_retry
def order_create(
    *,
    line_requests: Sequence[LineRequest],
    buyer: Buyer,
    method: PaymentMethod | None,
    assertions: Assertions,
    store: StoreRules,
    provider: str = "",
    shipping: Wanted = None,
) -> Checkout:
    """Order products in one call, without a cart; without a method, stock is held 30 minutes for a payment.
    It is in the currency that the client names, if the shop sells in it.

    Errors: as cart_checkout, without those of carts. Locks: limits of the buyer, products.
    """
    holds = holds_lock(buyer=buyer, kind=hold_kind(method))
    with inserts_together():
        placed = place(
            line_requests,
            products_lock_for_order(line_request.product_id for line_request in line_requests),
            holds=holds,
            method=method,
            store=store,
            assertions=assertions,
            shipping=shipping,
            currency=order_currency(assertions, store),
        )
        payment = start_payment(placed, method=method, store=store, provider=provider)
    effect_record(f"order:{placed.order.pk}")
    return Checkout(placed, payment, is_new=True)


def start_payment(
    placed: PlacedOrder, *, method: PaymentMethod | None, store: StoreRules, provider: str
) -> Payment | None:
    """The payment of an order that was just placed; None if there is nothing to pay, or no method was chosen."""
    if not placed.order.total_minor:
        free_order_confirm(placed, store=store)
        return None
    if method is None:
        return None
    return payment_start(placed, method=method, store=store, is_held=True, provider=provider)


def order_currency(assertions: Assertions, store: StoreRules) -> str:
    """The one that the client names, if the shop sells in it."""
    named = assertions.currency or store.currency
    return named if is_offered(named, base=store.currency) else store.currency


def place(
    line_requests: Sequence[LineRequest],
    products: dict[UUID, Product],
    *,
    holds: OpenHolds,
    method: PaymentMethod | None,
    store: StoreRules,
    assertions: Assertions,
    shipping: Wanted,
    currency: str,
) -> PlacedOrder:
    """Check the requests against the locked products and place the order with the hold of its payment method.

    Since they are locked, order_place finds the stock that was checked here.
    """
    buyer = holds.buyer
    if not store.has_contact:
        raise ShopNotOpen
    if not line_requests:
        raise EmptyOrder
    is_known = is_offered(currency, base=store.currency)
    if problems := find_problems(line_requests, products, currency=currency, is_offered=is_known):
        raise CheckoutBlocked(problems)
    prices = {pk: product.price_in(currency) or product.price for pk, product in products.items()}
    offer = offer_products(
        [(products[w.product_id], w.quantity) for w in line_requests],
        store=store,
        destination=destination_of(
            buyer.shipping_address, store=store, wanted=shipping, tax_id=tax_id_named(buyer.vat_id)
        ),
        currency=currency,
    )
    if problems := shipping_problems(line_requests, products, offer):
        raise CheckoutBlocked(problems) if store.is_open else ShopNotOpen
    if offer.quote.total.minor > MAX_MINOR:
        raise AmountTooLarge
    assertions.check(offer)
    if offer.refused:
        raise ShippingMethodNotOffered
    wanted = [
        WantedUnits(w.product_id, w.quantity, prices[w.product_id].minor, products[w.product_id].stock)
        for w in line_requests
    ]
    is_short = holds_check(holds, wanted=wanted, currency=currency)
    hold = compute_hold(method, is_known_buyer=buyer.is_known, placed_at=timezone.now(), is_short=is_short)
    return order_place(
        quote=offer.quote,
        products=products,
        buyer=buyer,
        store=store,
        pay_by=hold.pay_by,
        expires_at=hold.expires_at,
        shipping_methods=offer.delivery.methods,
        tax_id=offer.destination.tax_id,
    )


def load_checkout(cart: Cart) -> Checkout:
    return checkout_of(Order.objects.get(cart=cart))


def checkout_of(order: Order) -> Checkout:
    """The result of an earlier checkout, read again."""
    return Checkout(load_placed_order(order), latest_payment(order), is_new=False)
