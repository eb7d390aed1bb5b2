"""Prices of an order: pure arithmetic over rows already read. The only place where totals are computed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from artisans.core.money import PPM, Money, allocate, half_up, percent_text


@dataclass(frozen=True, slots=True)
class PriceInput:
    """A product with a quantity, its current price, and the tax on it.

    Units: rates in millionths (100000 is 10%), amounts in minor units. `home_rate_ppm` is the rate in the shop's own
    country. `subsidy_minor` is the part of the discount that the shop pays for.
    """

    product_id: UUID
    artisan_id: UUID
    unit_price: Money
    quantity: int
    tax_rate_ppm: int
    tax_name: str = ""
    home_rate_ppm: int = 0
    discount_minor: int = 0
    subsidy_minor: int = 0


@dataclass(frozen=True, slots=True)
class TaxTerms:
    """How the tax of an order is computed.

    `prices_include_tax`: prices, shipping and discounts are given with their tax. `gross_fixed`: such prices are the
    same everywhere; else they change with the rate, from the one at home. `is_rounded_per_document`: tax is rounded
    once for each rate of the order, else for each line. `shipping_rate_ppm`: None if shipping is taxed at the rates
    of the goods. `is_reverse_charge`: the buyer owes the tax, and pays prices without it. `step`: all amounts are
    multiples of it, in minor units. `shipping_tax_name`: what buyers read beside the tax of `shipping_rate_ppm`.
    """

    prices_include_tax: bool = False
    gross_fixed: bool = True
    is_rounded_per_document: bool = False
    shipping_rate_ppm: int | None = 0
    shipping_tax_name: str = ""
    is_reverse_charge: bool = False
    subsidy_is_taxed: bool = False
    step: int = 1

    @property
    def includes_tax(self) -> bool:
        """Whether what the buyer pays includes tax."""
        return self.prices_include_tax and not self.is_reverse_charge

    @property
    def removes_tax(self) -> bool:
        return self.prices_include_tax and self.is_reverse_charge

    def tax_on(self, minor: int, rate_ppm: int) -> int:
        """The tax on an amount, or in it."""
        whole = PPM + rate_ppm if self.includes_tax else PPM
        return half_up(minor * rate_ppm, whole, self.step)

    def payable(self, minor: int, rate_ppm: int) -> int:
        """The amount, without its tax under reverse charge."""
        return half_up(minor * PPM, PPM + rate_ppm, self.step) if self.removes_tax else minor


@dataclass(frozen=True, slots=True)
class PricedLine:
    """`line_total` is before the discount; `tax` is included in both, or added to them."""

    price_input: PriceInput
    prices_include_tax: bool
    unit_price: Money
    line_total: Money
    discount: Money
    subsidy: Money
    tax_rate_ppm: int
    tax: Money

    @property
    def net(self) -> Money:
        """What the line sells for, without tax."""
        sold = self.line_total - self.discount + self.subsidy
        return sold - self.tax if self.prices_include_tax else sold


@dataclass(frozen=True, slots=True)
class PricedParcel:
    """One artisan's part: `lines` index the quote's lines; the amounts add up over parcels to the quote's.

    `tax` is that of the lines and of the shipping.
    """

    artisan_id: UUID
    lines: tuple[int, ...]
    prices_include_tax: bool
    subtotal: Money
    discount: Money
    subsidy: Money
    shipping: Money
    shipping_discount: Money
    shipping_tax: Money
    tax: Money

    @property
    def tax_added(self) -> Money:
        """The tax that prices do not include."""
        return Money(0, self.tax.currency) if self.prices_include_tax else self.tax

    @property
    def shipping_net(self) -> Money:
        """Shipping without its discount and tax."""
        sold = self.shipping - self.shipping_discount
        return sold - self.shipping_tax if self.prices_include_tax else sold

    @property
    def total(self) -> Money:
        charged = self.subtotal - self.discount + self.shipping - self.shipping_discount
        return charged + self.tax_added


@dataclass(frozen=True, slots=True)
class RateSum:
    """The tax of one rate, of lines and shipping. `name` is that of the first line with this rate."""

    rate_ppm: int
    name: str
    tax: Money

    @property
    def percent(self) -> str:
        return percent_text(self.rate_ppm)


@dataclass(frozen=True, slots=True)
class Quote:
    """`rates`: those of the lines, and of shipping if it is taxed. `tax_rate_ppm`: the rate of all lines; None if they
    have several."""

    lines: tuple[PricedLine, ...]
    parcels: tuple[PricedParcel, ...]
    rates: tuple[RateSum, ...]
    currency: str
    prices_include_tax: bool
    is_reverse_charge: bool
    step: int

    @property
    def rates_ppm(self) -> list[int]:
        return sorted({line.tax_rate_ppm for line in self.lines})

    @property
    def tax_rate_ppm(self) -> int | None:
        return self.rates_ppm[0] if len(self.rates_ppm) == 1 else None

    @property
    def subtotal(self) -> Money:
        return Money.total((part.subtotal for part in self.parcels), self.currency)

    @property
    def discount(self) -> Money:
        return Money.total((part.discount for part in self.parcels), self.currency)

    @property
    def shipping(self) -> Money:
        return Money.total((part.shipping for part in self.parcels), self.currency)

    @property
    def shipping_discount(self) -> Money:
        return Money.total((part.shipping_discount for part in self.parcels), self.currency)

    @property
    def tax(self) -> Money:
        return Money.total((part.tax for part in self.parcels), self.currency)

    @property
    def tax_added(self) -> Money:
        return Money.total((part.tax_added for part in self.parcels), self.currency)

    @property
    def total(self) -> Money:
        return Money.total((part.total for part in self.parcels), self.currency)


@dataclass(slots=True)
class Taxable:
    """An amount of one rate: of a line, or a part of a parcel's shipping. All amounts in minor units."""

    base: int
    rate_ppm: int
    tax: int = 0


@dataclass(slots=True)
class ParcelPrices:
    """A parcel while it is priced. `places` of its lines; `shipping` by rate."""

    artisan_id: UUID
    places: list[int]
    shipping: int
    shipping_discount: int
    shipping_taxables: list[Taxable]


def quote(
    price_inputs: Iterable[PriceInput],
    *,
    currency: str,
    shipping: Money | Mapping[UUID, int],
    shipping_discount: int = 0,
    terms: TaxTerms | None = None,
) -> Quote:
    """Price the lines: tax per line, rounded half up; shipping by artisan, or one fee split over parcels by subtotal.

    Unless the terms say otherwise, tax is added to prices, and shipping is not taxed. No lines cost nothing, shipping
    included. `shipping_discount` in minor units.
    """
    terms = terms or TaxTerms()
    wanted = list(price_inputs)
    amounts = [line_amounts(price_input, terms) for price_input in wanted]
    taxables = [
        Taxable(total - discount + (subsidy if terms.subsidy_is_taxed else 0), price_input.tax_rate_ppm)
        for price_input, (_unit, total, discount, subsidy) in zip(wanted, amounts, strict=True)
    ]
    totals = [total for _unit, total, _discount, _subsidy in amounts]
    parts = parcels(wanted, totals, shipping, shipping_discount, terms)
    add_tax([*taxables, *(row for part in parts for row in part.shipping_taxables)], terms)

    def money(minor: int) -> Money:
        return Money(minor, currency)

    lines = tuple(
        PricedLine(
            price_input=price_input,
            prices_include_tax=terms.includes_tax,
            unit_price=money(unit),
            line_total=money(total),
            discount=money(discount),
            subsidy=money(subsidy),
            tax_rate_ppm=0 if terms.is_reverse_charge else price_input.tax_rate_ppm,
            tax=money(taxable.tax),
        )
        for price_input, (unit, total, discount, subsidy), taxable in zip(
            wanted, amounts, taxables, strict=True
        )
    )
    priced = []
    for part in parts:
        own = [lines[place] for place in part.places]
        shipping_tax = money(sum(row.tax for row in part.shipping_taxables))
        priced.append(
            PricedParcel(
                artisan_id=part.artisan_id,
                lines=tuple(part.places),
                prices_include_tax=terms.includes_tax,
                subtotal=Money.total((line.line_total for line in own), currency),
                discount=Money.total((line.discount for line in own), currency),
                subsidy=Money.total((line.subsidy for line in own), currency),
                shipping=money(part.shipping),
                shipping_discount=money(part.shipping_discount),
                shipping_tax=shipping_tax,
                tax=Money.total((line.tax for line in own), currency) + shipping_tax,
            )
        )
    return Quote(
        lines=lines,
        parcels=tuple(priced),
        rates=tuple(rate_sums(lines, parts, terms, currency)),
        currency=currency,
        prices_include_tax=terms.includes_tax,
        is_reverse_charge=terms.is_reverse_charge,
        step=terms.step,
    )


def rate_sums(
    lines: Sequence[PricedLine], parts: Sequence[ParcelPrices], terms: TaxTerms, currency: str
) -> Iterable[RateSum]:
    taxes, names = defaultdict[int, int](int), dict[int, str]()
    for line in lines:
        taxes[line.tax_rate_ppm] += line.tax.minor
        names.setdefault(line.tax_rate_ppm, line.price_input.tax_name)
    for row in (row for part in parts for row in part.shipping_taxables if row.tax):
        taxes[row.rate_ppm] += row.tax
        names.setdefault(row.rate_ppm, terms.shipping_tax_name)
    for rate_ppm in sorted(taxes):
        yield RateSum(rate_ppm, names.get(rate_ppm, ""), Money(taxes[rate_ppm], currency))


def line_amounts(price_input: PriceInput, terms: TaxTerms) -> tuple[int, int, int, int]:
    """Unit price, line total, discount and subsidy, in minor units, as the buyer pays them.

    Under reverse charge the tax is taken out of the line's total, so that the unit price is rounded.
    """
    price, quantity = price_input.unit_price.minor, price_input.quantity
    rate, home = price_input.tax_rate_ppm, price_input.home_rate_ppm
    if terms.removes_tax:
        included = rate if terms.gross_fixed else home
        total, discount, subsidy = (
            terms.payable(minor, included)
            for minor in (price * quantity, price_input.discount_minor, price_input.subsidy_minor)
        )
        return half_up(total, quantity), total, discount, subsidy
    if terms.prices_include_tax and not terms.gross_fixed:
        price = half_up(price * (PPM + rate), PPM + home, terms.step)
    return price, price * quantity, price_input.discount_minor, price_input.subsidy_minor


def parcels(
    wanted: Sequence[PriceInput],
    totals: Sequence[int],
    shipping: Money | Mapping[UUID, int],
    shipping_discount: int,
    terms: TaxTerms,
) -> list[ParcelPrices]:
    """Split the lines by artisan, and one shipping fee by their `totals` as the buyer sees them."""
    of_artisan: dict[UUID, list[int]] = {}
    for place, price_input in enumerate(wanted):
        of_artisan.setdefault(price_input.artisan_id, []).append(place)
    if not of_artisan:
        return []
    weights = [sum(totals[place] for place in places) for places in of_artisan.values()]
    if isinstance(shipping, Money):
        shares = allocate(shipping.minor, weights, terms.step)
    else:
        shares = [shipping.get(artisan_id, 0) for artisan_id in of_artisan]
    discounts = allocate(shipping_discount, shares, terms.step)
    priced = []
    for (artisan_id, places), share, discount in zip(of_artisan.items(), shares, discounts, strict=True):
        rates = shipping_weights([(wanted[place].tax_rate_ppm, totals[place]) for place in places], terms)
        parts = allocate(share, list(rates.values()), terms.step)
        off = allocate(discount, parts, terms.step)
        paid = [terms.payable(part, rate) for rate, part in zip(rates, parts, strict=True)]
        less = [terms.payable(part, rate) for rate, part in zip(rates, off, strict=True)]
        taxables = [Taxable(part - minus, rate) for rate, part, minus in zip(rates, paid, less, strict=True)]
        priced.append(ParcelPrices(artisan_id, places, sum(paid), sum(less), taxables))
    return priced


def shipping_weights(goods: Iterable[tuple[int, int]], terms: TaxTerms) -> dict[int, int]:
    """The rates of a parcel's shipping with their weights. `goods`: rate and total of each line."""
    if terms.shipping_rate_ppm is not None:
        return {terms.shipping_rate_ppm: 1}
    weights: dict[int, int] = {}
    for rate, total in goods:
        weights[rate] = weights.get(rate, 0) + total
    return weights


def add_tax(taxables: Sequence[Taxable], terms: TaxTerms) -> None:
    """Set the tax of each. Rounded per document, a rate's tax goes back to its amounts by largest remainder."""
    if terms.is_reverse_charge:
        return
    if not terms.is_rounded_per_document:
        for row in taxables:
            row.tax = terms.tax_on(row.base, row.rate_ppm)
        return
    of_rate: dict[int, list[Taxable]] = {}
    for row in taxables:
        of_rate.setdefault(row.rate_ppm, []).append(row)
    for rate_ppm, rows in of_rate.items():
        bases = [row.base for row in rows]
        taxes = allocate(terms.tax_on(sum(bases), rate_ppm), bases, terms.step)
        for row, tax in zip(rows, taxes, strict=True):
            row.tax = tax
