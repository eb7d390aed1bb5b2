"""Prices in other currencies: entered by artisans, or converted by staff for artisans who accept that."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.artisan_states import artisan_lock
from artisans.catalog.models import Artisan, PriceOrigin, Product, ProductPrice
from artisans.catalog.models.product import BUYABLE
from artisans.catalog.product_rows import prices_follow, product_change_lock, write_prices
from artisans.catalog.product_versions import ProductChanged, digest, digests_of
from artisans.catalog.services import products_lock
from artisans.core.errors import InvalidInput
from artisans.core.idempotency.keys import effect_record
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.regions.conversion import PriceSteps, convert_price
from artisans.regions.currencies import rates_of_sheet
from artisans.regions.models import RateSheet, Rounding, ShopCurrency

PriceKey: TypeAlias = tuple[UUID, str]  # a product or variant, and a currency

T = TypeVar("T")

CHUNK = 200  # products that are locked together


class InvalidPrice(InvalidInput):
    """A price in another currency cannot be saved; nothing was saved."""

    code = "invalid_price"


# ---- prices of artisans ----------------------------------------------------------------------------------------


def currencies_for(product: Product) -> list[ShopCurrency]:
    """What the shop sells in besides the currency of the product."""
    return list(ShopCurrency.objects.filter(is_active=True).exclude(code=product.currency))


def prices_of(products: Iterable[Product]) -> dict[PriceKey, ProductPrice]:
    rows = ProductPrice.objects.filter(product__in=[product.pk for product in products])
    return {(row.product_id, row.currency): row for row in rows.select_related("sheet")}


def price_version(prices: Mapping[PriceKey, ProductPrice]) -> str:
    """The prices as they are now. Opaque to clients."""
    return ".".join(f"{name_of(key)}:{digest(row.price_minor)}" for key, row in sorted(prices.items()))


def name_of(key: PriceKey) -> str:
    return f"{key[0].hex[:12]}{key[1]}"


@transaction.atomic
def prices_change(
    *,
    artisan: Artisan,
    product_id: UUID,
    actor: User,
    prices: Mapping[PriceKey, int | None],
    version: str,
) -> Product:
    """Enter prices of a product, or of its variants, in other currencies; None: not sold in that one.

    Prices that are as in the `version` that the person saw stay as they are now. Errors: NotFound, WorkshopClosed,
    InvalidPrice, ProductChanged if someone else, or a conversion, changed one of them too. Locks: artisan, product
    and variants.
    """
    product, variants = product_change_lock(artisan, product_id)
    rows = {row.pk: row for row in (variants if product.needs_choice else [product])}
    check_prices(rows, prices, {currency.code: currency for currency in currencies_for(product)})
    stored, seen = prices_of(rows.values()), digests_of(version)

    def was_seen(key: PriceKey, minor: int | None) -> bool:
        return seen.get(name_of(key)) == (None if minor is None else digest(minor))

    now = {key: row.price_minor if (row := stored.get(key)) else None for key in prices}
    changed = {key: minor for key, minor in prices.items() if not was_seen(key, minor) and minor != now[key]}
    if conflict := next((key for key in changed if not was_seen(key, now[key])), None):
        present = stored.get(conflict)
        text = show(present.price) if present else _("not sold in %(currency)s") % {"currency": conflict[1]}
        raise ProductChanged(rows[conflict[0]].name, {"price_minor": text})
    for (pk, currency), minor in changed.items():
        write_price(pk, currency, minor)
    if changed:
        prices_follow(product, variants)
        entries = [
            {"product": str(key[0]), "currency": key[1], "old": now[key], "new": minor}
            for key, minor in changed.items()
        ]
        audit_record(actor=actor, action=Action.PRICES_CHANGE, target=product, data={"prices": entries})
    effect_record(f"product:{product.pk}")
    return product


def check_prices(
    rows: Mapping[UUID, Product],
    prices: Mapping[PriceKey, int | None],
    currencies: Mapping[str, ShopCurrency],
) -> None:
    """Errors: InvalidPrice."""
    for (pk, code), minor in prices.items():
        if pk not in rows:
            raise InvalidPrice(_("Prices are those of a product without options, or of its variants."))
        currency = currencies.get(code)
        if currency is None:
            raise InvalidPrice(_("The shop does not sell in %(currency)s.") % {"currency": code[:10]})
        if minor is not None and (minor <= 0 or minor % currency.step_minor):
            raise InvalidPrice(
                _("%(product)s: enter a multiple of %(step)s.")
                % {"product": rows[pk].name, "step": show(Money(currency.step_minor, code))}
            )


def write_price(pk: UUID, currency: str, minor: int | None) -> None:
    rows = ProductPrice.objects.filter(product=pk, currency=currency)
    if minor is None:
        rows.delete()
        return
    write_prices([ProductPrice(product_id=pk, currency=currency, price_minor=minor)])


# ---- conversion ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """What is converted: all products of artisans who accept it, or those of one artisan, or in a category."""

    artisan_id: UUID | None = None
    category_id: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A converted price. `old`: None without one yet; `is_manual`: it was entered, and stays."""

    product: Product
    old: Money | None
    new: Money
    is_manual: bool

    @property
    def is_change(self) -> bool:
        return not self.is_manual and self.old != self.new

    @property
    def difference(self) -> Money | None:
        return self.new - self.old if self.old else None


def steps_of(currency: ShopCurrency) -> PriceSteps:
    return PriceSteps(
        currency.code,
        currency.price_step_minor,
        currency.price_charm_minor,
        rounds_up=currency.rounding == Rounding.UP,
    )


def products_to_convert(currency: str, sheet: RateSheet, scope: Scope) -> QuerySet[Product]:
    """Of artisans who accept converted prices in the currency, if the sheet has the rate of the price at home."""
    products = Product.objects.filter(
        BUYABLE,
        archived_at=None,
        currency__in=[code for code in rates_of_sheet(sheet) if code != currency],
        artisan__in=artisans_accepting(currency),
    )
    if scope.artisan_id:
        products = products.filter(artisan=scope.artisan_id)
    if scope.category_id:
        products = products.filter(category=scope.category_id)
    return products.order_by("artisan_id", "name", "pk")


def artisans_accepting(currency: str) -> list[UUID]:
    """Who accepts converted prices in the currency. Few list some, and SQLite cannot search in lists."""
    artisans = Artisan.objects.exclude(converted_currencies=[]).only("converted_currencies")
    return [artisan.pk for artisan in artisans if currency in artisan.accepted_currencies]


def proposals(currency: ShopCurrency, sheet: RateSheet, products: Iterable[Product]) -> Iterator[Proposal]:
    """For these products, which `products_to_convert` found."""
    rates, steps = rates_of_sheet(sheet), steps_of(currency)
    if currency.code not in rates:
        raise InvalidInput(_("There is no exchange rate for %(currency)s.") % {"currency": currency.code})
    for part in chunks_of(products):
        stored = {
            row.product_id: row
            for row in ProductPrice.objects.filter(product__in=[p.pk for p in part], currency=currency.code)
        }
        for product in part:
            row = stored.get(product.pk)
            new = convert_price(
                product.price, steps, rate_from=rates[product.currency], rate_to=rates[currency.code]
            )
            yield Proposal(
                product, row.price if row else None, new, row is not None and row.origin == PriceOrigin.MANUAL
            )


def chunks_of(rows: Iterable[T]) -> Iterator[list[T]]:
    left = iter(rows)
    while part := list(islice(left, CHUNK)):
        yield part


def digest_of(found: Sequence[Proposal]) -> str:
    """What a person saw: the price of each product, as it was and as it would become."""
    text = "\n".join(f"{each.product.pk} {each.old} {each.new} {each.is_manual}" for each in found)
    return hashlib.sha256(text.encode()).hexdigest()


class Converted:
    """How many prices were written, and how many products someone changed meanwhile so that they were left out."""

    def __init__(self) -> None:
        self.written = self.skipped = 0


def prices_convert(
    *, currency: ShopCurrency, sheet: RateSheet, found: Sequence[Proposal], actor: User
) -> Converted:
    """Write the converted prices that a person saw, in parts, each in a transaction of its own.

    Prices that were entered are never touched, also those entered meanwhile. A product whose price at home changed
    meanwhile is left out. Repeating it changes nothing. Locks: artisan, products.
    """
    done = Converted()
    changes = [each for each in found if each.is_change]
    by_artisan: dict[UUID, list[Proposal]] = {}
    for each in changes:
        by_artisan.setdefault(each.product.artisan_id, []).append(each)
    for artisan_id, of_artisan in by_artisan.items():
        for part in chunks_of(of_artisan):
            written = convert_part(currency, sheet, artisan_id, part, actor)
            done.written += written
            done.skipped += len(part) - written
    return done


@transaction.atomic
def convert_part(
    currency: ShopCurrency, sheet: RateSheet, artisan_id: UUID, part: Sequence[Proposal], actor: User
) -> int:
    artisan = artisan_lock(artisan_id)
    parents = {each.product.parent_id for each in part if each.product.parent_id}
    wanted = {each.product.pk: each.new for each in part}
    family = Product.objects.filter(parent__in=parents).values_list("pk", flat=True)
    locked = products_lock({*wanted, *parents, *family})
    accepts = currency.code in artisan.accepted_currencies
    rows = [locked[pk] for pk in wanted if pk in locked and accepts]
    now = proposals(currency, sheet, [row for row in rows if row.currency != currency.code])
    right = [each for each in now if each.is_change and each.new == wanted[each.product.pk]]
    write_prices(
        [
            ProductPrice(
                product=each.product,
                currency=currency.code,
                price_minor=each.new.minor,
                origin=PriceOrigin.CONVERTED,
                sheet=sheet,
                from_minor=each.product.price_minor,
            )
            for each in right
        ]
    )
    for parent in parents:
        prices_follow(locked[parent], [row for row in locked.values() if row.parent_id == parent])
    if right:
        data: dict[str, Any] = {
            "currency": currency.code,
            "sheet": str(sheet),
            "sheet_id": sheet.pk,
            "count": len(right),
        }
        audit_record(actor=actor, action=Action.PRICES_CONVERT, target=artisan, data=data)
    return len(right)
