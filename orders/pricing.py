"""Prices of an order: pure arithmetic over rows already read. The only place where totals are computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from artisans.core.money import Money


@dataclass(frozen=True, slots=True)
class PriceInput:
    """A product with a quantity and its current price."""

    product_id: UUID
    artisan_id: UUID
    unit_price: Money
    quantity: int


@dataclass(frozen=True, slots=True)
class PricedLine:
    price_input: PriceInput
    line_total: Money
    tax: Money


@dataclass(frozen=True, slots=True)
class PricedParcel:
    """One artisan's part: `lines` index the quote's lines; the four amounts add up over parcels to the quote's."""

    artisan_id: UUID
    lines: tuple[int, ...]
    subtotal: Money
    tax: Money
    shipping: Money

    @property
    def total(self) -> Money:
        return self.subtotal + self.tax + self.shipping


@dataclass(frozen=True, slots=True)
class Quote:
    lines: tuple[PricedLine, ...]
    parcels: tuple[PricedParcel, ...]
    subtotal: Money
    tax: Money
    shipping: Money
    tax_rate_ppm: int

    @property
    def total(self) -> Money:
        return self.subtotal + self.tax + self.shipping


def quote(price_inputs: Iterable[PriceInput], *, currency: str, tax_rate_ppm: int, shipping: Money) -> Quote:
    """Price the lines: tax per line, rounded half up; one flat shipping fee, split over parcels by subtotal.

    Units: `tax_rate_ppm` in millionths (100000 is 10%). No lines cost nothing, shipping included.
    """
    lines = tuple(
        PricedLine(
            price_input, (net := price_input.unit_price * price_input.quantity), net.share(tax_rate_ppm)
        )
        for price_input in price_inputs
    )
    shipping = shipping if lines else Money(0, currency)
    return Quote(
        lines=lines,
        parcels=tuple(parcels(lines, shipping)),
        subtotal=Money.total((line.line_total for line in lines), currency),
        tax=Money.total((line.tax for line in lines), currency),
        shipping=shipping,
        tax_rate_ppm=tax_rate_ppm,
    )


def parcels(lines: Sequence[PricedLine], shipping: Money) -> Iterable[PricedParcel]:
    of_artisan: dict[UUID, list[int]] = {}
    for place, line in enumerate(lines):
        of_artisan.setdefault(line.price_input.artisan_id, []).append(place)
    if not of_artisan:
        return
    subtotals = [
        Money.total((lines[i].line_total for i in places), shipping.currency)
        for places in of_artisan.values()
    ]
    shares = shipping.allocate([subtotal.minor for subtotal in subtotals])
    for (artisan_id, places), subtotal, share in zip(of_artisan.items(), subtotals, shares, strict=True):
        tax = Money.total((lines[i].tax for i in places), shipping.currency)
        yield PricedParcel(artisan_id, tuple(places), subtotal, tax, share)
