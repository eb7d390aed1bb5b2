"""How much stock unknown buyers may reserve without paying (docs/adr/0011-limits-on-unpaid-orders.md).

A buyer is known if they have confirmed a mailbox. Pure functions over counts; `orders.holds` reads the counts and
holds the locks.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from uuid import UUID


class HoldKind(Enum):
    """How the order will be paid: ONLINE at a provider or not chosen yet, CASH on delivery, with its own limits."""

    ONLINE = "online"
    OFFLINE = "offline"
    CASH = "cash"


class Cap(Enum):
    """Of one network: units of a product, units and value in all. Of all networks: the share of a product."""

    PRODUCT = "product"
    UNITS = "units"
    VALUE = "value"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """The caps. `value`: minor units. `share`: percent of the units of a product, rounded up.

    `short_factor`: online orders may hold so many times the caps of a network, for a short time.
    """

    product: int
    units: int
    value: int
    share: int
    short_factor: int

    @property
    def short(self) -> "HoldLimits":
        """The caps including short holds; of a product, half of the remaining share is open to them."""
        return replace(
            self,
            product=self.product * self.short_factor,
            units=self.units * self.short_factor,
            value=self.value * self.short_factor,
            share=(100 + self.share) // 2,
        )


@dataclass(frozen=True, slots=True)
class WantedUnits:
    """A line of the order to be placed. `on_sale`: the product's stock without this order. Price in minor units."""

    product_id: UUID
    quantity: int
    unit_price: int
    on_sale: int


@dataclass(frozen=True, slots=True)
class HeldUnits:
    """A line of an unpaid order. `ends_at`: None if it does not expire. `value`: minor units.

    `is_own`: from the network of the unknown buyer who orders; of a known buyer, always.
    """

    product_id: UUID
    quantity: int
    value: int
    ends_at: datetime | None
    is_own: bool


@dataclass(frozen=True, slots=True)
class Excess:
    """The cap that an order would exceed. `ends_at`: when it would fit; None if waiting does not help."""

    cap: Cap
    limit: int
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`excess`: why the order is refused. `is_short`: held for a short time only."""

    is_short: bool = False
    excess: Excess | None = None


def decide(
    wanted: Sequence[WantedUnits],
    held: Collection[HeldUnits],
    *,
    kind: HoldKind,
    is_known: bool,
    limits: HoldLimits,
) -> Decision:
    """Whether the buyer may hold these units.

    `held`: of an unknown buyer, what unknown buyers hold already; of a known one, what they hold themselves. What
    others hold never counts for a known buyer, and online methods are never refused to them.
    """
    if is_known and kind is HoldKind.CASH:
        return Decision()
    if is_known:
        excess = find_excess(wanted, held, replace(limits.short, share=100))
        is_online = kind is HoldKind.ONLINE
        return Decision(is_short=is_online and excess is not None, excess=None if is_online else excess)
    excess = find_excess(wanted, held, limits)
    if excess is None:
        return Decision()
    if kind is not HoldKind.ONLINE:
        return Decision(excess=excess)
    beyond = find_excess(wanted, held, limits.short)
    return Decision(is_short=beyond is None, excess=beyond)


def find_excess(
    wanted: Sequence[WantedUnits], held: Collection[HeldUnits], limits: HoldLimits
) -> Excess | None:
    found = exceeded_cap(wanted, held, limits)
    if found is None:
        return None
    for end in sorted({hold.ends_at for hold in held if hold.ends_at is not None}):
        if exceeded_cap(wanted, held, limits, at=end) is None:
            return Excess(*found, ends_at=end)
    return Excess(*found, ends_at=None)


def exceeded_cap(
    wanted: Sequence[WantedUnits],
    held: Collection[HeldUnits],
    limits: HoldLimits,
    *,
    at: datetime | None = None,
) -> tuple[Cap, int] | None:
    """The first cap that is exceeded, with its limit. `at`: without the holds that have ended by then."""
    lasting = [hold for hold in held if at is None or hold.ends_at is None or hold.ends_at > at]
    own = [hold for hold in lasting if hold.is_own]
    if any(units_of(line, own) + line.quantity > limits.product for line in wanted):
        return Cap.PRODUCT, limits.product
    if sum(hold.quantity for hold in own) + sum(line.quantity for line in wanted) > limits.units:
        return Cap.UNITS, limits.units
    # one unit may cost more than the cap, and is for sale to unknown buyers all the same
    most = max(limits.value, *(line.unit_price for line in wanted))
    if sum(hold.value for hold in own) + sum(line.quantity * line.unit_price for line in wanted) > most:
        return Cap.VALUE, most
    for line in wanted:
        share = -(-(line.on_sale + units_of(line, held)) * limits.share // 100)
        if units_of(line, lasting) + line.quantity > share:
            return Cap.SHARE, share
    return None


def units_of(line: WantedUnits, held: Collection[HeldUnits]) -> int:
    return sum(hold.quantity for hold in held if hold.product_id == line.product_id)
