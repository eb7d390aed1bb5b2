from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.accounts.principals import Principal
from artisans.catalog.models import Product
from artisans.catalog.prices import load_prices
from artisans.catalog.selectors import products_by_id
from artisans.core.compiled import insert, new, upsert
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.idempotency.keys import effect_record
from artisans.core.security.tokens import hash_secret, new_secret
from artisans.regions.currencies import base_currency, is_offered
from artisans.regions.errors import CurrencyNotOffered
from carts.errors import (
    ChoiceNeeded,
    NotEnoughStock,
    NotSoldInCurrency,
    OnHoliday,
    QuantityTooLarge,
    TooManyItems,
    UnknownProduct,
)
from carts.models import Cart, CartItem, CartStatus
from carts.selectors import (
    cart_lock,
    items_in,
    items_of,
    line_requests_of,
    open_cart,
    open_cart_lock,
    sort_items,
)
from orders.problems import MAX_QUANTITY, LineRequest, find_problems

MAX_ITEMS = 100


class OpenedCart(NamedTuple):
    """A cart that was opened. `token` is set once, for a new guest cart."""

    cart: Cart
    token: str
    is_new: bool


def cart_open(principal: Principal, *, currency: str = "") -> OpenedCart:
    """The principal's open cart, or a new one."""
    cart = open_cart(principal)
    if cart is not None:
        return OpenedCart(cart, "", is_new=False)
    currency = currency or base_currency()
    if principal.user is None:
        token = new_secret()
        cart = Cart.objects.create(token_hash=hash_secret(token), currency=currency)
        return OpenedCart(cart, token, is_new=True)
    # Outside of a transaction one INSERT needs none: 4% of the CPU time of an order in three requests.
    is_nested = transaction.get_connection().in_atomic_block
    try:
        with transaction.atomic() if is_nested else nullcontext():
            cart = Cart(user=principal.user, currency=currency)
            insert([cart])
            return OpenedCart(cart, "", is_new=True)
    except IntegrityError:  # another request created it first
        return OpenedCart(Cart.objects.get(user=principal.user, status=CartStatus.OPEN), "", is_new=False)


class FilledCart(NamedTuple):
    """A cart with all its items, as just written. `was_empty`: these are its first."""

    cart: Cart
    items: list[CartItem]
    was_empty: bool = False


def check_can_be_added(wanted: Iterable[UUID], products: Mapping[UUID, Product]) -> None:
    """Errors: UnknownProduct, ChoiceNeeded."""
    if missing := [pk for pk in wanted if pk not in products or not products[pk].is_on_sale]:
        raise UnknownProduct(missing[0])
    if needs_choice := [pk for pk in wanted if products[pk].needs_choice]:
        raise ChoiceNeeded(products[needs_choice[0]])


@transaction.atomic
def cart_items_add(
    *, principal: Principal, cart_id: UUID, adds: Mapping[UUID, int], currency: str = ""
) -> FilledCart:
    """Add items. `adds`: quantities by product. `currency`: what the buyer sees; an empty cart changes to it.

    Errors: NotFound, CartClosed, CurrencyNotOffered, UnknownProduct, ChoiceNeeded, QuantityTooLarge, TooManyItems,
    OnHoliday, NotEnoughStock; then nothing changes.
    """
    cart = cart_lock(principal, cart_id)
    have = {item.product_id: item for item in sort_items(cart, items_in(cart.pk))}
    was_empty = not have
    if was_empty and currency not in {"", cart.currency}:
        cart = cart_currency_set(principal=principal, cart_id=cart_id, currency=currency)
    products = products_by_id([*have, *adds])
    for item in have.values():
        item.product = products[item.product_id]
    check_can_be_added(adds, products)
    wanted = {pk: quantity + (have[pk].quantity if pk in have else 0) for pk, quantity in adds.items()}
    if any(quantity > MAX_QUANTITY for quantity in wanted.values()):
        raise QuantityTooLarge
    if len(have.keys() | wanted.keys()) > MAX_ITEMS:
        raise TooManyItems(MAX_ITEMS)
    in_cart = {pk: item.quantity for pk, item in have.items()}
    check_stock(wanted, products, in_cart=in_cart, currency=cart.currency)
    written = [new_item(cart, products[pk], quantity) for pk, quantity in wanted.items()]
    upsert(
        written,
        unique_fields=["cart", "product"],
        update_fields=["quantity", "seen_price_minor", "seen_currency", "updated_at"],
    )
    for item in written:
        if old := have.get(item.product_id):
            item.pk = old.pk  # the upsert changed the existing row
        have[item.product_id] = item
    effect_record(f"cart:{cart.pk}")
    return FilledCart(cart, list(have.values()), was_empty)


def new_item(cart: Cart, product: Product, quantity: int) -> CartItem:
    item = new(CartItem, cart=cart, product=product, quantity=quantity)
    see_price(item, cart.currency)
    return item


def see_price(item: CartItem, currency: str) -> None:
    """The present price counts as seen; of a product that is not sold in the currency, that at home."""
    price = item.product.price_in(currency) or item.product.price
    item.seen_price_minor, item.seen_currency = price.minor, price.currency


def check_stock(
    wanted: Mapping[UUID, int],
    products: Mapping[UUID, Product],
    *,
    in_cart: Mapping[UUID, int],
    currency: str,
) -> None:
    line_requests = [
        LineRequest(pk, pk, quantity, None, in_cart.get(pk, 0)) for pk, quantity in wanted.items()
    ]
    problems = find_problems(line_requests, products, currency=currency)
    if foreign := [problem for problem in problems if problem.code == "currency_mismatch"]:
        raise NotSoldInCurrency(foreign)
    if away := [problem for problem in problems if problem.code == "on_holiday"]:
        raise OnHoliday(away)
    if problems:
        raise NotEnoughStock(problems)


@transaction.atomic
def cart_item_set(*, principal: Principal, cart_id: UUID, item_id: UUID, quantity: int) -> Cart:
    """Set the quantity of one item; 0 removes it.

    Errors: NotFound, CartClosed, InvalidInput, QuantityTooLarge; for a larger quantity OnHoliday, NotEnoughStock.
    """
    cart = cart_lock(principal, cart_id)
    item = cart.items.select_related("product__artisan", "product__parent").filter(pk=item_id).first()
    if item is None:
        raise NotFound(_("This item is no longer in the cart."))
    if quantity < 0:
        raise InvalidInput(_("The quantity must be a whole number, zero or more."))
    if quantity > MAX_QUANTITY:
        raise QuantityTooLarge
    if quantity == 0:
        item.delete()
    else:
        if quantity > item.quantity:
            check_stock(
                {item.product_id: quantity},
                {item.product_id: item.product},
                in_cart={item.product_id: item.quantity},
                currency=cart.currency,
            )
        item.quantity = quantity
        item.save(update_fields=["quantity", "updated_at"])
    return cart


@transaction.atomic
def cart_accept(*, principal: Principal, cart_id: UUID) -> Cart:
    """Accept current prices, lower quantities to the stock, and remove what cannot be bought any more.

    Products of workshops on holiday stay as they are.
    """
    cart, base = cart_lock(principal, cart_id), base_currency()
    if not is_offered(cart.currency, base=base):
        switch_currency(cart, base)
    for item in items_of(cart):
        [line_request] = line_requests_of([item])
        fixes = {
            p.fix
            for p in find_problems([line_request], {item.product_id: item.product}, currency=cart.currency)
        }
        if "remove" in fixes:
            item.delete()
        elif fixes - {"wait", "change_address"}:
            item.quantity = min(item.quantity, item.product.stock)
            see_price(item, cart.currency)
            item.save(update_fields=["quantity", "seen_price_minor", "seen_currency", "updated_at"])
    return cart


@transaction.atomic
def cart_currency_set(*, principal: Principal, cart_id: UUID, currency: str) -> Cart:
    """Change the currency of a cart. Its items get the prices in it as seen; one without is a problem of the cart.

    Repeating it changes nothing. Errors: NotFound, CartClosed, CurrencyNotOffered. Locks: cart.
    """
    cart = cart_lock(principal, cart_id)
    if not is_offered(currency, base=base_currency()):
        raise CurrencyNotOffered(currency)
    if cart.currency != currency:
        switch_currency(cart, currency)
    return cart


def switch_currency(cart: Cart, currency: str) -> None:
    """The caller has locked the cart."""
    items = items_of(cart)
    load_prices([item.product for item in items], currency)
    for item in items:
        see_price(item, currency)
    CartItem.objects.bulk_create(
        items,
        update_conflicts=True,
        unique_fields=["cart", "product"],
        update_fields=["seen_price_minor", "seen_currency", "updated_at"],
    )
    cart.currency = currency
    cart.save(update_fields=["currency", "updated_at"])


@transaction.atomic
def cart_draft_save(*, principal: Principal, cart_id: UUID, answers: Mapping[str, object]) -> Cart:
    """Save checkout answers; later answers replace earlier ones of the same name."""
    cart = cart_lock(principal, cart_id)
    cart.draft = cart.draft | dict(answers)
    cart.save(update_fields=["draft", "updated_at"])
    return cart


class MergedCarts(NamedTuple):
    """`found`: the names of the products that were in the user's cart before, if the guest's had any too."""

    guest_cart: Cart
    cart: Cart
    found: list[str]


@transaction.atomic
def cart_merge(*, guest: Principal, user: User) -> MergedCarts | None:
    """Merge the guest's cart into the user's at sign-in; quantities add up to at most the cart's limits.

    The currency of the user's cart stays; a new or an empty one is in that of the account or else of the guest's cart.
    None if the guest has no open cart: another tab may have merged or ordered it. Locks: guest's cart, user's cart.
    """
    guest_cart = open_cart_lock(guest)
    if guest_cart is None:
        return None
    owner = Principal(user=user)
    own = user.currency if user.currency and is_offered(user.currency, base=base_currency()) else ""
    while (cart := open_cart_lock(owner)) is None:  # again if it is ordered before it is locked
        cart_open(owner, currency=own or guest_cart.currency)
    have = {item.product_id: item for item in cart.items.select_related("product")}
    added, wanted = items_of(guest_cart), own or guest_cart.currency
    if added and not have and cart.currency != wanted and is_offered(wanted, base=base_currency()):
        switch_currency(cart, wanted)
    load_prices([item.product for item in added], cart.currency)
    for item in added:
        kept = have.get(item.product_id)
        if kept is None:
            item.cart = cart
            if guest_cart.currency != cart.currency:
                see_price(item, cart.currency)
            item.save(update_fields=["cart", "seen_price_minor", "seen_currency", "updated_at"])
        else:
            kept.quantity = min(MAX_QUANTITY, kept.quantity + item.quantity)
            kept.save(update_fields=["quantity", "updated_at"])
    cart.draft = cart.draft | guest_cart.draft
    cart.save(update_fields=["draft", "updated_at"])
    guest_cart.status = CartStatus.MERGED
    guest_cart.save(update_fields=["status", "updated_at"])
    found = [item.product.name for item in have.values()] if added else []
    return MergedCarts(guest_cart, cart, found)
