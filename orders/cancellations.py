"""What units cost that an artisan cannot deliver. Pure; amounts are minor units and never negative (docs/adr/0018)."""

from dataclasses import dataclass

from artisans.core.money import half_up
from orders.models import OrderLine


@dataclass(frozen=True, slots=True)
class LineRefunds:
    """Refunds that name a line, without failed ones. `unsent`: units that they neither put back on sale nor, as it
    seems, were sent: refunds are taken to be for what the buyer has before what is still to come."""

    minor: int = 0
    unsent: int = 0


@dataclass(frozen=True, slots=True)
class CancelledUnits:
    """`minor`: their price with tax. `refunded` of them had been refunded before, with `refunded_minor`."""

    quantity: int
    minor: int
    refunded: int = 0
    refunded_minor: int = 0


def price_units(line: OrderLine, quantity: int, refunds: LineRefunds) -> CancelledUnits:
    """What `quantity` more units of the line cost. In any number of steps, and together with refunds of other units,
    all units cost exactly what the line costs."""
    before = line.uncharged_quantity
    known = line.refunded_quantity - line.cancelled_refunded_quantity
    new_refunds = max(0, refunds.minor - line.cancelled_refunded_minor)
    unsent = min(quantity, known, refunds.unsent - line.cancelled_refunded_quantity)
    refunded = max(0, unsent, quantity - (line.quantity - before))
    refunded_minor = half_up(new_refunds * refunded, known) if refunded else 0
    so_far = line.cancelled_minor + new_refunds
    minor = max(0, line.value_minor(before + quantity - refunded) - so_far) + refunded_minor
    left = line.charged_minor - line.cancelled_minor
    if line.cancelled_quantity + quantity == line.quantity:
        minor = left
    minor = min(minor, left)
    return CancelledUnits(quantity, minor, refunded, min(refunded_minor, minor))
