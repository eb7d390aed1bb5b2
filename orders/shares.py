"""Who gets which part of a parcel's amounts, as frozen when the order was placed."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from artisans.core.money import allocate
from orders.statuses import TaxRemitter

if TYPE_CHECKING:
    from orders.models import OrderLine, Parcel


class Shares(NamedTuple):
    """Parts of an amount, in minor units: the artisan's, the shop's commission, the tax on it, and sales tax that the
    shop remits."""

    net: int = 0
    commission: int = 0
    commission_tax: int = 0
    remitted_tax: int = 0

    @property
    def total(self) -> int:
        return sum(self)

    @classmethod
    def sum(cls, parts: "Iterable[Shares]") -> Self:
        return cls(*map(sum, zip(*parts, strict=True)))

    def plus(self, other: "Shares") -> Self:
        return type(self)(*(mine + its for mine, its in zip(self, other, strict=True)))

    def minus(self, other: "Shares") -> Self:
        return type(self)(*(mine - its for mine, its in zip(self, other, strict=True)))


def frozen_shares(parcel: "Parcel", lines: Sequence["OrderLine"]) -> list[Shares]:
    """The shares of each of the parcel's lines with its tax, and last those of its shipping.

    A parcel placed by release 0.1.0 has one commission for all: it is spread over the lines by their totals.
    """
    if any(line.commission_minor is None for line in lines):
        parts = allocate(parcel.commission_minor, [line.line_total_minor for line in lines])
        fees = [(minor, 0, 0) for minor in parts]
    else:
        fees = [
            (line.commission_minor or 0, line.commission_tax_minor or 0, line.remitted_tax_minor or 0)
            for line in lines
        ]
    totals = [line.charged_minor for line in lines]
    remitted = parcel.shipping_tax_minor if parcel.tax_remitter == TaxRemitter.SHOP else 0
    fees.append((parcel.shipping_commission_minor, parcel.shipping_commission_tax_minor, remitted))
    totals.append(parcel.shipping_charged_minor)
    return [Shares(total - sum(fee), *fee) for total, fee in zip(totals, fees, strict=True)]
