"""What prevents a cart from being ordered: checked when it is shown, and again under lock when it is placed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.catalog.models import Product
from artisans.catalog.prices import load_prices
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.countries import KNOWN

MAX_QUANTITY = 99


@dataclass(frozen=True, slots=True)
class LineRequest:
    """One requested product. `item_id` identifies it to the buyer; `seen` is the last price shown, None if none was.

    `in_cart`: units in the cart so far, if a change to another quantity is requested.
    """

    item_id: UUID
    product_id: UUID
    quantity: int
    seen: Money | None
    in_cart: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """`code`: price_changed, out_of_stock, not_available, choice_needed, on_holiday, currency_mismatch, cannot_ship.

    `item_id`: empty if the whole cart has it. `fix`: what accepting does; nothing if it is "wait" or "change_address".
    `artisan_id`, `country`: of cannot_ship.
    """

    code: str
    item_id: str
    old: str
    new: str
    fix: str
    message: str
    artisan_id: str = ""
    country: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def find_problems(
    line_requests: Iterable[LineRequest],
    products: Mapping[UUID, Product],
    *,
    currency: str,
    is_offered: bool = True,
) -> list[Problem]:
    """All problems, in the order of the requests. A product missing from `products` is not on sale any more.

    `is_offered`: whether the shop sells in this currency.
    """
    found: list[Problem] = []
    if not is_offered:
        return [currency_gone(currency)]
    load_prices(products.values(), currency)
    left = {pk: product.stock for pk, product in products.items()}
    for line_request in line_requests:
        product, item_id = products.get(line_request.product_id), str(line_request.item_id)
        if product is None:
            text = _("This product is no longer sold.")
            found.append(Problem("not_available", item_id, "", "", "remove", text))
            continue
        if refusal := find_refusal(product, item_id, currency=currency):
            found.append(refusal)
            continue
        available = left[product.pk]
        left[product.pk] = max(0, available - line_request.quantity)
        if line_request.quantity > available:
            found.append(sold_out(line_request, product, available))
        seen, price = line_request.seen, product.price_in(currency)
        if seen and price and seen.currency == currency and seen != price:
            text = _("%(product)s now costs %(price)s (previously %(old_price)s).") % {
                "product": product.name,
                "price": show(price),
                "old_price": show(seen),
            }
            old, new = seen.amount, price.amount
            found.append(Problem("price_changed", item_id, old, new, "accept_price", text))
    return found


def find_refusal(product: Product, item_id: str, *, currency: str) -> Problem | None:
    """Why the product cannot be ordered, whatever its price and stock."""
    names = {"product": product.name, "artisan": product.artisan.name, "currency": currency}
    if not product.is_on_sale:
        text = _("%(product)s is no longer sold.") % names
        return Problem("not_available", item_id, "", "", "remove", text)
    if product.needs_choice:
        options = {"options": ", ".join(product.options)}
        text = _("%(product)s is now sold in variants. Choose again on its page: %(options)s.")
        return Problem("choice_needed", item_id, "", "", "remove", text % (names | options))
    if back_on := product.artisan.on_holiday_until:
        text = _("%(artisan)s is on holiday. %(product)s can be ordered again on %(day)s.")
        day = {"day": date_format(back_on)}
        return Problem("on_holiday", item_id, "", back_on.isoformat(), "wait", text % (names | day))
    if product.price_in(currency) is None:
        text = _("%(product)s is not sold in %(currency)s.") % names
        return Problem("currency_mismatch", item_id, currency, product.currency, "remove", text)
    return None


def currency_gone(currency: str) -> Problem:
    text = _("The shop no longer sells in %(currency)s.") % {"currency": currency}
    return Problem("currency_mismatch", "", currency, "", "switch_currency", text)


def sold_out(line_request: LineRequest, product: Product, available: int) -> Problem:
    in_cart = line_request.quantity if line_request.in_cart is None else line_request.in_cart
    if available:
        values = {"available": available, "product": product.name, "quantity": in_cart}
        text = _("Only %(available)s of %(product)s left; your cart has %(quantity)s.") % values
        if not in_cart:
            text = _("Only %(available)s of %(product)s left.") % values
        fix = "lower_quantity"
    else:
        text = _("%(product)s is sold out.") % {"product": product.name}
        fix = "remove"
    return Problem(
        "out_of_stock", str(line_request.item_id), str(line_request.quantity), str(available), fix, text
    )


def cannot_ship(product: Product, item_id: str, *, country: str) -> Problem:
    """What the artisan of this product sells is not sold to the country."""
    names = {"artisan": product.artisan.name, "country": KNOWN.get(country, country)}
    text = _("%(artisan)s does not ship to this address in %(country)s.") % names
    artisan_id = str(product.artisan_id)
    return Problem("cannot_ship", item_id, "", "", "change_address", text, artisan_id, country)
