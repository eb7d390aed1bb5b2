"""How the money of an order is split between its artisans and the shop: pure arithmetic over rows already read.

All amounts are minor units and never negative: what refunds give back is computed as positive amounts, then
subtracted. `allocate` rounds so that no part exceeds its share, and everything given back is exactly everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID

from artisans.core.money import allocate
from orders.shares import Shares


class Back(NamedTuple):
    """An amount that refunds give back: with the shop's commission on it, and without."""

    with_commission: int = 0
    without_commission: int = 0

    @property
    def total(self) -> int:
        return sum(self)

    def plus(self, other: "Back") -> Self:
        return type(self)(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING = Back()


@dataclass(frozen=True, slots=True)
class Item:
    """An order line or a parcel's shipping. `refunded`: by refunds that name it; `by_shop`: by those that the shop
    bears; `cancelled`: the amount of units that will not be delivered."""

    shares: Shares
    refunded: Back = NOTHING
    by_shop: int = 0
    cancelled: int = 0

    @property
    def left(self) -> int:
        return max(0, self.shares.total - self.cancelled - self.refunded.total - self.by_shop)

    def give_back(self, back: Back) -> Shares:
        """What cancelled units and then refunds take from each share. Cancelled units are not sold: the shop keeps no
        commission on them."""
        cancelled = Shares(*spread(self.cancelled, self.shares))
        return cancelled.plus(give_back(self.shares.minus(cancelled), back))


@dataclass(frozen=True, slots=True)
class ParcelMoney:
    """A parcel of an order. `goodwill`: its part of what was refunded as goodwill and artisans bear."""

    parcel_id: UUID
    artisan_id: UUID
    items: tuple[Item, ...]
    goodwill: Back = NOTHING

    @property
    def left(self) -> int:
        """What remains after refunds that name its items and after goodwill."""
        return max(0, sum(item.left for item in self.items) - self.goodwill.total)


@dataclass(frozen=True, slots=True)
class ParcelSplit:
    """`shares`: as agreed; `returned`: what refunds and cancelled units took back of them; `by_shop`: refunded, and the
    shop bears it."""

    parcel_id: UUID
    artisan_id: UUID
    shares: Shares
    returned: Shares
    by_shop: int

    @property
    def remaining(self) -> Shares:
        return self.shares.minus(self.returned)


@dataclass(frozen=True, slots=True)
class OrderSplit:
    """`goodwill`: refunded beyond what artisans give back, at the shop's expense."""

    parcels: tuple[ParcelSplit, ...]
    goodwill: int


def split_order(
    parcels: Sequence[ParcelMoney], *, worth: int, unassigned: int, goodwill_of_shop: int
) -> OrderSplit:
    """Split what earned parcels brought in.

    `worth`: of all active parcels, without what refunds name. `unassigned`: what was taken from them by refunds and
    disputes that name nothing; spread over what is left of each. `goodwill_of_shop`: goodwill that no artisan bears,
    or that was given for parcels which have ended since; it is limited to what the buyer keeps.
    """
    shared = spread(unassigned, [parcel.left for parcel in parcels])
    splits = [split_parcel(parcel, minor) for parcel, minor in zip(parcels, shared, strict=True)]
    given = sum(parcel.goodwill.total for parcel in parcels) + sum(shared)
    taken = sum(minor for _split, minor in splits)
    goodwill = min(goodwill_of_shop + given - taken, max(0, worth - taken))
    return OrderSplit(tuple(split for split, _taken in splits), goodwill)


def split_parcel(parcel: ParcelMoney, unassigned: int) -> tuple[ParcelSplit, int]:
    """The split, and how much of goodwill and of `unassigned` could be taken from it."""
    lefts = [item.left for item in parcel.items]
    usual = spread(parcel.goodwill.with_commission + unassigned, lefts)
    lefts = [left - minor for left, minor in zip(lefts, usual, strict=True)]
    kept = spread(parcel.goodwill.without_commission, lefts)
    returned = Shares()
    for item, more, more_kept in zip(parcel.items, usual, kept, strict=True):
        returned = returned.plus(item.give_back(item.refunded.plus(Back(more, more_kept))))
    shares = Shares.sum(item.shares for item in parcel.items)
    by_shop = sum(item.by_shop for item in parcel.items)
    return ParcelSplit(parcel.parcel_id, parcel.artisan_id, shares, returned, by_shop), sum(usual) + sum(kept)


def spread(minor: int, lefts: Sequence[int]) -> list[int]:
    """Spread an amount over what is left of each, at most all of it."""
    minor = min(minor, sum(lefts))
    return allocate(minor, lefts) if minor else [0] * len(lefts)


def give_back(shares: Shares, back: Back) -> Shares:
    """What refunds take from each share, in proportion. Commission that the shop keeps is taken last."""
    returned = Shares(*spread(back.with_commission, shares))
    left = shares.minus(returned)
    without = spread(back.without_commission, (left.net, left.remitted_tax))
    rest = spread(back.without_commission - sum(without), (left.commission, left.commission_tax))
    return returned.plus(Shares(without[0], rest[0], rest[1], without[1]))
