"""Labels and tones of an order's parcels; a tone is never the only cue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.utils.translation import gettext as _

from artisans.core.money import PPM, half_up
from artisans.core.templatetags.money import percent
from orders.models import Earnings, OrderLine, Parcel
from orders.statuses import PARCELS_SHIPPED, PARCELS_UNSHIPPED, ParcelInstruction, ParcelStatus


class Tone(StrEnum):
    INFO = "info"
    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    MUTED = "muted"


PARCEL_TONES: dict[str, Tone] = {
    ParcelStatus.NEW: Tone.INFO,
    ParcelStatus.STARTED: Tone.INFO,
    ParcelStatus.PACKED: Tone.INFO,
    ParcelStatus.SHIPPED: Tone.OK,
    ParcelStatus.DELIVERED: Tone.OK,
    ParcelStatus.CANCELLED: Tone.MUTED,
    ParcelStatus.RETURNED: Tone.MUTED,
}


@dataclass(frozen=True, slots=True)
class ParcelDisplay:
    """A parcel with its lines and the actions available to its artisan."""

    parcel: Parcel
    lines: list[OrderLine]
    restocked: Mapping[UUID, int] = field(default_factory=dict)  # refunded and restocked units by line

    @property
    def rows(self) -> list[tuple[OrderLine, int, int]]:
        """Each line with the units to ship, and the units to leave out of an unshipped parcel."""
        out = self.restocked if self.parcel.status in PARCELS_UNSHIPPED else {}
        return [(line, line.quantity - out.get(line.pk, 0), out.get(line.pk, 0)) for line in self.lines]

    @property
    def earnings(self) -> Earnings:
        return self.parcel.earnings(self.lines)

    @property
    def fee_percent(self) -> str:
        """The shop's commission: "8.00"."""
        return percent(self.fee_ppm)

    @property
    def fee_ppm(self) -> int:
        """The rate, if it is all that the shop takes of the items; else what the shop takes, as a part of them."""
        parcel, rates = self.parcel, {line.commission_ppm for line in self.lines}
        by_rate = sum(half_up(line.line_total_minor * (line.commission_ppm or 0), PPM) for line in self.lines)
        of_items = parcel.commission_minor - parcel.shipping_commission_minor
        if None in rates or (len(rates) == 1 and by_rate == of_items):
            return parcel.commission_ppm
        return half_up(of_items * PPM, parcel.subtotal_minor)

    @property
    def takes_of_shipping(self) -> bool:
        """Whether a part of the shop's commission is of the delivery."""
        return self.parcel.shipping_commission_minor > 0

    @property
    def fee_tax_percent(self) -> str:
        return percent(self.parcel.commission_tax_ppm)

    @property
    def phone(self) -> str:
        """The buyer's phone number for the carrier; empty if they gave none."""
        return self.parcel.order.shipping_phone

    @property
    def artisan_name(self) -> str:
        return self.parcel.artisan.name

    @property
    def status_label(self) -> str:
        if self.parcel.is_on_hold:
            return str(ParcelInstruction.HOLD.label)
        if self.parcel.is_waiting_for_payment:
            return _("Awaiting payment")
        return str(self.parcel.get_status_display())

    @property
    def status_tone(self) -> Tone:
        if self.parcel.is_on_hold or self.parcel.is_waiting_for_payment:
            return Tone.WARN
        return PARCEL_TONES.get(self.parcel.status, Tone.MUTED)

    @property
    def is_return_expected(self) -> bool:
        return self.parcel.instruction == ParcelInstruction.RETURN

    @property
    def can_ship(self) -> bool:
        is_free = self.parcel.order.can_be_shipped and not self.parcel.is_on_hold
        return self.parcel.status in PARCELS_UNSHIPPED and is_free

    @property
    def can_start(self) -> bool:
        return self.can_ship and self.parcel.status == ParcelStatus.NEW

    @property
    def can_return(self) -> bool:
        return self.parcel.status in PARCELS_SHIPPED

    @property
    def can_deliver(self) -> bool:
        return self.parcel.status == ParcelStatus.SHIPPED

    @property
    def collects_cash(self) -> bool:
        """Whether the artisan collects cash on delivery."""
        return self.parcel.cash_to_collect is not None

    @property
    def can_report_cash(self) -> bool:
        return (
            self.collects_cash
            and self.parcel.status in PARCELS_SHIPPED
            and self.parcel.cash_reported_at is None
        )
