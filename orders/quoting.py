"""What products cost at an address when they are ordered now: the prices, taxes and shipping that apply."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Value
from django.utils import timezone

from artisans.catalog.models import Product
from artisans.core.money import Money, percent_text
from artisans.regions.models import STANDARD, Place
from artisans.regions.selectors import (
    LocalRate,
    LocalTaxes,
    local_taxes,
    tax_rows,
    taxed_areas,
    taxed_countries,
    taxes_at,
    untaxed_areas,
)
from artisans.shipping.choosing import Delivery, ParcelGoods, choose
from artisans.shipping.selectors import methods_at, shipped_areas, shipped_countries, unshipped_areas
from artisans.tax_ids.models import TaxId, TaxIdStatus
from orders.addresses import address_read
from orders.countries import KNOWN
from orders.models import StoreRules
from orders.pricing import PriceInput, Quote, TaxTerms, quote
from orders.problems import LineRequest, Problem, cannot_ship
from orders.statuses import ShippingTax, TaxBy

Wanted = Mapping[UUID, int] | int | None  # keys of shipping methods by artisan, or one for all


class VatIdEffect(StrEnum):
    """What a VAT ID does for an order: REVERSE_CHARGE, or why not."""

    NONE = ""  # there is none
    REVERSE_CHARGE = "reverse_charge"
    DOMESTIC = "domestic"  # of the shop's country, or delivered there
    NOT_OFFERED = "not_offered"  # the tax zone has no reverse charge
    UNCHECKED = "unchecked"  # never, or too long ago
    PENDING = "pending"
    UNAVAILABLE = "unavailable"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an order goes, and the shipping methods that the buyer wants.

    `is_estimate`: no address is known yet, and the chosen country or the shop's own stands for it. `tax_id`: of a
    business.
    """

    place: Place
    wanted: Wanted = None
    is_estimate: bool = False
    tax_id: TaxId | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What products cost at a destination. `unserved`: artisans whose goods are not sold there; they cost nothing.

    `refused`: methods that the buyer wants and that none of the parcels can take.
    """

    quote: Quote
    destination: Destination
    delivery: Delivery = field(default_factory=Delivery)
    unserved: frozenset[UUID] = frozenset()
    refused: frozenset[int] = frozenset()
    vat_id_effect: VatIdEffect = VatIdEffect.NONE

    @property
    def has_prices(self) -> bool:
        """Whether tax and shipping of all products are known."""
        return not self.unserved

    @property
    def chosen(self) -> dict[UUID, int]:
        return {artisan_id: method.id for artisan_id, method in self.delivery.methods.items()}

    @property
    def method_names(self) -> dict[UUID, str]:
        return {artisan_id: method.name for artisan_id, method in self.delivery.methods.items()}


def home(store: StoreRules, country: str = "") -> Destination:
    """The chosen country or the shop's own, before an address is known."""
    return Destination(Place(country or store.country), is_estimate=True)


def destination_of(
    address: Mapping[str, Any], *, store: StoreRules, wanted: Wanted = None, tax_id: TaxId | None = None
) -> Destination:
    """Of a stored address; one that is a single text is only known by its country."""
    found = address_read(address)
    country, region = found.get("country") or store.country, found.get("region", "")
    return Destination(Place(country, region, found.get("postal_code", "")), wanted, tax_id=tax_id)


def offer_products(
    items: Iterable[tuple[Product, int]],
    *,
    store: StoreRules,
    destination: Destination,
    currency: str = "",
) -> Offer:
    """Price products, each with a quantity, by the rules of the store. All are sold in the currency, or in its own."""
    items, currency = list(items), currency or store.currency
    at_home = Place(store.country)
    place = at_home if store.tax_by == TaxBy.ORIGIN else destination.place
    countries = list({*place.countries, *at_home.countries})
    rows = tax_rows(countries, place.postal_prefixes, currency) if items else []
    now = timezone.now()
    taxes, home_taxes = (local_taxes(rows, where, at=now) for where in (place, at_home))
    effect = vat_id_effect(destination, taxes, store)
    goods = goods_by_artisan(items, currency)
    methods = methods_at(destination.place, artisan_ids=goods.keys(), currency=currency) if goods else []
    wanted, step = wanted_by(destination.wanted, goods), taxes.step if taxes else 1
    delivery = choose(methods, goods.values(), step=step, wanted=wanted)
    terms = tax_terms_for(store, taxes, is_reverse_charge=effect == VatIdEffect.REVERSE_CHARGE)
    untaxed = {
        product.artisan_id for product, _quantity in items if terms is None or rate_of(taxes, product) is None
    }
    return Offer(
        quote=quote(
            [
                PriceInput(
                    product.pk,
                    product.artisan_id,
                    price_of(product, currency),
                    quantity,
                    *(rate_of(taxes, product) or (0, "")),
                    home_rate_ppm=(rate_of(home_taxes, product) or (0, ""))[0],
                )
                for product, quantity in items
            ],
            currency=currency,
            shipping=delivery.prices,
            terms=terms or TaxTerms(),
        ),
        destination=destination,
        delivery=delivery,
        unserved=frozenset({*delivery.unserved, *untaxed}),
        refused=refused_of(destination.wanted, delivery),
        vat_id_effect=effect,
    )


def quote_products(items: Iterable[tuple[Product, int]], *, store: StoreRules) -> Quote:
    """What products cost in the shop's own country."""
    return offer_products(items, store=store, destination=home(store)).quote


@dataclass(frozen=True, slots=True)
class LocalTerms:
    """What a product is taxed at, and the least for the delivery of one to a country.

    `tax_country`: whose tax the shown price has or lacks. `price_differs`: the cart shows another price, with the tax
    of the other country.
    """

    tax_country: str
    tax_rate_ppm: int
    shipping: Money
    price_differs: bool

    @property
    def tax_percent(self) -> str:
        return percent_text(self.tax_rate_ppm)


def local_terms(product: Product, country: str, currency: str, *, store: StoreRules) -> LocalTerms | None:
    """Those of a cart with one of the product; None if it is not sold, or cannot be delivered, to all of the country.

    In the product's own currency if it is not sold in the wanted one.
    """
    price = price_of(product, currency)
    offer = offer_products(
        [(product, 1)], store=store, destination=home(store, country), currency=price.currency
    )
    options = (option for group in offer.delivery.groups for option in group.options)
    prices = [option.price_minor for option in options if not option.method.is_pickup]
    if not (offer.has_prices and prices):
        return None
    [line] = offer.quote.lines
    has_home_tax = store.prices_include_tax and not store.gross_fixed  # in the shown price
    tax_country = store.country if has_home_tax or store.tax_by == TaxBy.ORIGIN else country
    return LocalTerms(
        KNOWN.get(tax_country, tax_country),
        line.price_input.home_rate_ppm if has_home_tax else line.tax_rate_ppm,
        Money(min(prices), price.currency),
        price_differs=line.unit_price != price,
    )


def shipping_problems(
    line_requests: Iterable[LineRequest], products: Mapping[UUID, Product], offer: Offer
) -> list[Problem]:
    """One for each artisan who does not ship to the destination, about the first of their products."""
    found: dict[UUID, Problem] = {}
    for line_request in line_requests:
        product = products[line_request.product_id]
        if product.artisan_id in offer.unserved and product.artisan_id not in found:
            problem = cannot_ship(product, str(line_request.item_id), country=offer.destination.place.country)
            found[product.artisan_id] = problem
    return list(found.values())


def served_countries() -> set[str] | None:
    """The codes of the countries that the shop sells to, also to a part of them; None: to all."""
    rows: dict[str, QuerySet[Any]] = {
        "shipped": shipped_areas(),
        "unshipped": unshipped_areas(),
        "taxed": taxed_areas(),
        "untaxed": untaxed_areas(),
        "origin": StoreRules.objects.filter(tax_by=TaxBy.ORIGIN),
    }
    first, *others = (part.order_by().values_list(Value(kind), "country") for kind, part in rows.items())
    countries: dict[str, set[str]] = {kind: set() for kind in rows}
    for kind, country in first.union(*others):
        countries[kind].add(country)
    shipped, unshipped, taxed, untaxed, origin = countries.values()
    found = {
        code
        for code in KNOWN
        if is_covered(code, shipped, but=unshipped)
        and all(is_covered(taxed_by, taxed, but=untaxed) for taxed_by in origin or {code})
    }
    return None if len(found) == len(KNOWN) else found


def is_covered(country: str, areas: Set[str], *, but: Set[str]) -> bool:
    """Whether the areas have the country or a part of it. `but`: countries that are not "everywhere else" ("")."""
    return country in areas or ("" in areas and country not in but)


def serves_country(country: str) -> bool:
    if country not in KNOWN:
        return False
    served = served_countries()
    return served is None or country in served


def price_of(product: Product, currency: str) -> Money:
    """Of a product that is sold in the currency."""
    return product.price_in(currency) or product.price


def untaxed_classes() -> dict[str, list[str]]:
    """Codes of tax classes of products on sale that have no rate in a country that is shipped to; "" for all others.

    Countries of which only parts are taxed are left out.
    """
    on_sale = Product.objects.filter(is_active=True).order_by()
    used = dict(on_sale.values_list("tax_class", "tax_class__code").distinct())
    rules = StoreRules.objects.filter(shipping_tax=ShippingTax.CLASS)
    used |= dict(rules.values_list("shipping_tax_class", "shipping_tax_class__code"))
    origin = StoreRules.objects.filter(tax_by=TaxBy.ORIGIN).values_list("country", flat=True).first()
    found, taxed = {}, taxed_countries()
    for country in sorted(shipped_countries()):
        taxed_by = origin or country
        taxes = taxes_at(Place(taxed_by))
        rates = taxes.rates if taxes else {}
        missing = sorted(code or STANDARD for pk, code in used.items() if pk not in rates)
        if missing and (taxes is not None or taxed_by not in taxed):
            found[country] = missing
    return found


def goods_by_artisan(items: Iterable[tuple[Product, int]], currency: str) -> dict[UUID, ParcelGoods]:
    found: dict[UUID, ParcelGoods] = {}
    for product, quantity in items:
        before = found.get(product.artisan_id, ParcelGoods(product.artisan_id, 0, 0))
        found[product.artisan_id] = ParcelGoods(
            product.artisan_id,
            before.weight_g + product.weight_g * quantity,
            before.goods_minor + price_of(product, currency).minor * quantity,
        )
    return found


def rate_of(taxes: LocalTaxes | None, product: Product) -> tuple[int, str] | None:
    """Rate and name; None if the product is not sold there."""
    rate = taxes and taxes.rates.get(product.tax_class_id)
    return (rate.rate_ppm, rate.name) if rate else None


def wanted_by(wanted: Wanted, goods: Iterable[UUID]) -> Mapping[UUID, int]:
    return dict.fromkeys(goods, wanted) if isinstance(wanted, int) else wanted or {}


def refused_of(wanted: Wanted, delivery: Delivery) -> frozenset[int]:
    """One method for all is refused if no parcel takes it; one for an artisan, if their parcel does not."""
    taken = {artisan_id: method.id for artisan_id, method in delivery.methods.items()}
    if isinstance(wanted, int):
        return frozenset({wanted} - set(taken.values()))
    return frozenset(pk for artisan_id, pk in (wanted or {}).items() if taken.get(artisan_id) != pk)


def vat_id_effect(destination: Destination, taxes: LocalTaxes | None, store: StoreRules) -> VatIdEffect:
    """What the buyer's VAT ID does. In its own country the shop charges its tax, whatever the zone there says."""
    tax_id = destination.tax_id
    if tax_id is None:
        return VatIdEffect.NONE
    if store.country in {tax_id.country, destination.place.country}:
        return VatIdEffect.DOMESTIC
    if taxes is None or not taxes.has_reverse_charge or store.tax_by != TaxBy.DESTINATION:
        return VatIdEffect.NOT_OFFERED
    if tax_id.is_verified:
        return VatIdEffect.REVERSE_CHARGE
    is_late = tax_id.asked_at is None or tax_id.status == TaxIdStatus.VERIFIED
    return VatIdEffect.UNCHECKED if is_late else VatIdEffect(tax_id.status)


def tax_terms_for(store: StoreRules, taxes: LocalTaxes | None, *, is_reverse_charge: bool) -> TaxTerms | None:
    """None if shipping has a tax class without a rate there: the shop does not sell there."""
    shipping: LocalRate | None = LocalRate(0, "")
    if store.shipping_tax == ShippingTax.CLASS:
        shipping = taxes.rates.get(store.shipping_tax_class_id) if taxes else None
    if shipping is None:
        return None
    return TaxTerms(
        prices_include_tax=store.prices_include_tax,
        is_reverse_charge=is_reverse_charge,
        gross_fixed=store.gross_fixed,
        is_rounded_per_document=taxes is not None and taxes.is_rounded_per_document,
        shipping_rate_ppm=None if store.shipping_tax == ShippingTax.GOODS else shipping.rate_ppm,
        shipping_tax_name=shipping.name,
        subsidy_is_taxed=store.subsidy_is_taxed,
        step=taxes.step if taxes else 1,
    )
