from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from artisans.accounts.principals import Principal
from artisans.catalog.models import Artisan, Product
from artisans.catalog.prices import load_prices
from artisans.catalog.selectors import ORDER_COLUMNS
from artisans.core.compiled import compiled
from artisans.core.errors import NotFound
from artisans.core.models import get_or_none, is_uuid
from artisans.core.money import Money, percent_text
from artisans.regions.currencies import base_currency, is_offered
from artisans.tax_ids.selectors import tax_id_named
from carts.errors import CartClosed
from carts.models import Cart, CartItem, CartStatus
from orders.countries import KNOWN
from orders.models import StoreRules
from orders.pricing import Quote, RateSum
from orders.problems import MAX_QUANTITY, LineRequest, Problem, find_problems
from orders.quoting import Destination, Offer, destination_of, home, offer_products, shipping_problems


def carts_visible_to(principal: Principal) -> QuerySet[Cart]:
    """The user's carts, or the cart of the guest token; never both."""
    if principal.user is not None:
        return Cart.objects.filter(user=principal.user)
    if principal.cart_hash:
        return Cart.objects.filter(token_hash=principal.cart_hash)
    return Cart.objects.none()


@compiled
def open_carts_of_user(user_id: UUID) -> QuerySet[Cart]:
    return Cart.objects.filter(user=user_id, status=CartStatus.OPEN).order_by()


def open_cart(principal: Principal) -> Cart | None:
    if principal.user is not None:
        return open_carts_of_user.first(principal.user.pk)
    return get_or_none(carts_visible_to(principal).filter(status=CartStatus.OPEN))


@compiled
def carts_of_user_locked(user_id: UUID, cart_id: UUID) -> QuerySet[Cart]:
    return (
        Cart.objects.filter(user=user_id, pk=cart_id).select_for_update(of=("self",), no_key=True).order_by()
    )


@compiled
def carts_of_guest_locked(token_hash: str, cart_id: UUID) -> QuerySet[Cart]:
    carts = Cart.objects.filter(token_hash=token_hash, pk=cart_id)
    return carts.select_for_update(of=("self",), no_key=True).order_by()


def open_cart_lock(principal: Principal) -> Cart | None:
    """The open cart, locked until the transaction ends; None if another request closes it while this one waits."""
    carts = carts_visible_to(principal).filter(status=CartStatus.OPEN)
    return get_or_none(carts.select_for_update(of=("self",), no_key=True))


def cart_lock(principal: Principal, cart_id: UUID, *, may_be_ordered: bool = False) -> Cart:
    """The cart, locked until the transaction ends. Errors: NotFound if it is not the principal's, CartClosed."""
    cart = None
    if principal.user is not None:
        cart = carts_of_user_locked.first(principal.user.pk, cart_id)
    elif principal.cart_hash:
        cart = carts_of_guest_locked.first(principal.cart_hash, cart_id)
    if cart is None:
        raise NotFound(_("Cart not found."))
    if cart.status == CartStatus.MERGED or (cart.status == CartStatus.ORDERED and not may_be_ordered):
        raise CartClosed(is_merged=cart.status == CartStatus.MERGED)
    return cart


@compiled
def items_in(cart_id: UUID) -> QuerySet[CartItem]:
    """Without their products."""
    return CartItem.objects.filter(cart=cart_id).order_by()


@compiled
def items_with_products(cart_id: UUID) -> QuerySet[CartItem]:
    items = CartItem.objects.filter(cart=cart_id)
    return items.select_related("product__artisan", "product__parent").order_by()


@compiled
def items_with_locked_products(cart_id: UUID) -> QuerySet[CartItem]:
    items = CartItem.objects.filter(cart=cart_id).select_related("product__artisan", "product__parent")
    items = items.only(
        "created_at",
        "cart",
        "quantity",
        "seen_price_minor",
        "seen_currency",
        *(f"product__{name}" for name in ORDER_COLUMNS),
    )
    return items.select_for_update(of=("product",), no_key=True).order_by("product_id")


def items_of(cart: Cart) -> list[CartItem]:
    """The items with product and artisan, in the order in which they were added."""
    return sort_items(cart, items_with_products(cart.pk))


def items_lock(cart: Cart) -> list[CartItem]:
    """The items of a locked cart, with their products locked as products_lock_for_order does."""
    return sort_items(cart, items_with_locked_products(cart.pk))


def sort_items(cart: Cart, items: Iterable[CartItem]) -> list[CartItem]:
    """The items of this cart by the time of adding."""
    found = sorted(items, key=lambda item: (item.created_at, item.pk))
    for item in found:
        item.cart = cart
    return found


def subtotal_of(cart: Cart, items: Sequence[CartItem]) -> Money:
    """The subtotal at current prices, without tax and shipping; items not sold in its currency are left out."""
    prices = ((item.product.price_in(cart.currency), item.quantity) for item in items)
    return Money.total((price * quantity for price, quantity in prices if price), cart.currency)


def problems_of(cart: Cart, items: Sequence[CartItem]) -> list[Problem]:
    """What prevents the cart from being ordered."""
    products = {item.product_id: item.product for item in items}
    is_home = all(product.currency == cart.currency for product in products.values())
    is_known = is_home or is_offered(cart.currency, base=base_currency())
    return find_problems(line_requests_of(items), products, currency=cart.currency, is_offered=is_known)


def line_requests_of(items: Sequence[CartItem]) -> list[LineRequest]:
    return [LineRequest(item.pk, item.product_id, item.quantity, item.seen_price) for item in items]


@dataclass(frozen=True, slots=True)
class SummaryLine:
    id: UUID
    product: Product
    quantity: int
    unit_price: Money
    line_total: Money
    max_quantity: int
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class SummaryGroup:
    """The items of one artisan."""

    artisan: Artisan
    lines: list[SummaryLine]
    subtotal: Money
    shipping: Money
    tax: Money
    total: Money


@dataclass(frozen=True, slots=True)
class CartSummary:
    """The cart at current prices. Items that prevent an order are included and listed in `problems`."""

    cart: Cart | None
    lines: list[SummaryLine]
    groups: list[SummaryGroup]
    problems: list[Problem]
    subtotal: Money
    tax: Money
    shipping: Money
    total: Money
    offer: Offer

    @property
    def quote(self) -> Quote:
        return self.offer.quote

    @property
    def is_estimate(self) -> bool:
        """Whether tax and shipping are those of the chosen country or the shop's own, as no address is known."""
        return self.offer.destination.is_estimate

    @property
    def country(self) -> str:
        """The name of the country whose tax and shipping are shown."""
        code = self.offer.destination.place.country
        return KNOWN.get(code, code)

    @property
    def has_prices(self) -> bool:
        return self.offer.has_prices

    @property
    def discount(self) -> Money:
        return self.quote.discount

    @property
    def shipping_discount(self) -> Money:
        return self.quote.shipping_discount

    @property
    def prices_include_tax(self) -> bool:
        return self.quote.prices_include_tax

    @property
    def is_reverse_charge(self) -> bool:
        return self.quote.is_reverse_charge

    @property
    def vat_id_effect(self) -> str:
        return self.offer.vat_id_effect

    @property
    def vat_id(self) -> str:
        tax_id = self.offer.destination.tax_id
        return tax_id.value if tax_id else ""

    @property
    def rates(self) -> tuple[RateSum, ...]:
        return self.quote.rates

    @property
    def tax_percent(self) -> str:
        """The rate of all items; empty if they have several."""
        rate_ppm = self.quote.tax_rate_ppm
        return "" if rate_ppm is None else percent_text(rate_ppm)

    @property
    def count(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def is_empty(self) -> bool:
        return not self.lines

    @property
    def can_checkout(self) -> bool:
        return bool(self.lines) and not self.problems


def summarize(
    cart: Cart | None,
    items: Sequence[CartItem],
    store: StoreRules,
    destination: Destination | None = None,
    *,
    country: str = "",
) -> CartSummary:
    """Price the items in the cart's currency. Products not sold in it are problems and left out of the sums.

    By default for the address in the cart's draft; before there is one, for the chosen `country` or the shop's own.
    """
    currency = cart.currency if cart else store.currency
    products = {item.product_id: item.product for item in items}
    is_known = is_offered(currency, base=store.currency)
    load_prices(products.values(), currency)
    problems = find_problems(line_requests_of(items), products, currency=currency, is_offered=is_known)
    prices = {pk: product.price_in(currency) for pk, product in products.items()}
    priced = [item for item in items if prices[item.product_id]]
    destination = destination or (drafted_destination(cart, store, country) if cart else home(store, country))
    offer = offer_products(
        [(item.product, item.quantity) for item in priced],
        store=store,
        destination=destination,
        currency=currency,
    )
    if not destination.is_estimate:
        problems += shipping_problems(line_requests_of(priced), products, offer)
    total = offer.quote
    # Where the buyer owes the tax, quoted prices are without it.
    quoted = {item.pk: line for item, line in zip(priced, total.lines, strict=True)}
    shown = {
        item.pk: quoted[item.pk].unit_price if item.pk in quoted else item.product.price for item in items
    }
    lines = {
        item.pk: SummaryLine(
            id=item.pk,
            product=item.product,
            quantity=item.quantity,
            unit_price=shown[item.pk],
            line_total=quoted[item.pk].line_total if item.pk in quoted else shown[item.pk] * item.quantity,
            max_quantity=min(MAX_QUANTITY, max(item.product.stock, item.quantity)),
            problems=[problem for problem in problems if problem.item_id == str(item.pk)],
        )
        for item in items
    }
    groups = [
        SummaryGroup(
            artisan=priced[part.lines[0]].product.artisan,
            lines=[lines[priced[place].pk] for place in part.lines],
            subtotal=part.subtotal,
            shipping=part.shipping,
            tax=part.tax,
            total=part.total,
        )
        for part in total.parcels
    ]
    return CartSummary(
        cart=cart,
        lines=list(lines.values()),
        groups=groups,
        problems=problems,
        subtotal=total.subtotal,
        tax=total.tax,
        shipping=total.shipping,
        total=total.total,
        offer=offer,
    )


def drafted_destination(cart: Cart, store: StoreRules, country: str = "") -> Destination:
    """Where the answers of the checkout so far send the cart."""
    draft = cart.draft if isinstance(cart.draft, dict) else {}
    if not isinstance(draft.get("shipping"), dict):
        return home(store, country)
    tax_id = tax_id_named(str(draft.get("vat_id") or ""))
    return destination_of(draft["shipping"], store=store, wanted=drafted_methods(draft), tax_id=tax_id)


def drafted_methods(draft: dict[str, Any]) -> dict[UUID, int]:
    """The chosen shipping methods by artisan. Shape in the draft: keys of methods by the text of the artisan's key.

    Never raises, whatever is stored.
    """
    chosen = draft.get("delivery")
    rows = chosen.items() if isinstance(chosen, dict) else ()
    return {UUID(artisan_id): pk for artisan_id, pk in rows if is_uuid(artisan_id) and isinstance(pk, int)}
