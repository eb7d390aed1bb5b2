"""Labels and tones of an order's parcels; a tone is never the only cue."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from artisans.core.money import PPM, Money, half_up
from artisans.core.templatetags.money import percent
from orders.models import Earnings, LineCancellation, OrderLine, Parcel, Shipment, ShipmentCorrection
from orders.shipments import Progress, load_progress, prefetch_shipments, shipments_of
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


def status_text(parcel: Parcel, progress: Progress) -> str:
    """The status of a parcel for people, with what was shipped of it: "Packed, 2 of 3 units shipped"."""
    if parcel.is_on_hold:
        label = str(ParcelInstruction.HOLD.label)
    elif parcel.is_waiting_for_payment:
        label = _("Awaiting payment")
    else:
        label = str(parcel.get_status_display())
    return f"{label}, {progress.text}" if progress.is_partial else label


@dataclass(frozen=True, slots=True)
class ShipmentDisplay:
    """A shipment with the units in it, by name of the item; without any if release 0.1.0 entered it."""

    shipment: Shipment
    items: list[tuple[int, str]]

    @property
    def corrections(self) -> QuerySet[ShipmentCorrection]:
        """What carrier and number were before, for the artisan's page."""
        return self.shipment.corrections.select_related("actor")


class ItemRow(NamedTuple):
    """A line with its units to ship, or that were; of an unshipped parcel also those to leave out because they were
    refunded and are back on sale, and those shipped already. `cancelled`: those that will not be delivered."""

    line: OrderLine
    to_send: int
    left_out: int
    shipped: int
    cancelled: int

    @property
    def amount(self) -> Money:
        """The price of the units to ship, or that were."""
        return self.line.unit_price * self.to_send


@dataclass(frozen=True, slots=True)
class ParcelDisplay:
    """A parcel with its lines and the actions available to its artisan."""

    parcel: Parcel
    lines: list[OrderLine]
    restocked: Mapping[UUID, int] = field(default_factory=dict)  # units by line that are back on sale
    progress: Progress = field(default_factory=Progress)  # of an unshipped parcel
    cancellations: Sequence[LineCancellation] = ()

    @property
    def rows(self) -> list[ItemRow]:
        if self.parcel.status not in PARCELS_UNSHIPPED:
            return [ItemRow(line, line.agreed_quantity, 0, 0, line.cancelled_quantity) for line in self.lines]
        rows = []
        for line in self.lines:
            left = self.progress.left.get(line.pk, line.agreed_quantity)
            out = self.restocked.get(line.pk, 0) - (line.cancelled_quantity - line.lost_quantity)
            rows.append(ItemRow(line, left, out, line.agreed_quantity - out - left, line.cancelled_quantity))
        return rows

    @property
    def earnings(self) -> Earnings:
        return self.parcel.earnings(self.lines)

    @property
    def refunded(self) -> Money:
        """What refunds took of the total besides cancelled items."""
        return self.earnings.refunded - self.parcel.cancelled

    @property
    def fee_percent(self) -> str:
        """The shop's commission: "8.00"."""
        return percent(self.fee_ppm)

    @property
    def fee_ppm(self) -> int:
        """The rate, if it is all that the shop takes of the items; else what the shop takes, as a part of them."""
        parcel, rates = self.parcel, {line.commission_ppm for line in self.lines}
        by_rate = sum(half_up(line.net_minor * (line.commission_ppm or 0), PPM) for line in self.lines)
        of_items = parcel.commission_minor - parcel.shipping_commission_minor
        if None in rates or (len(rates) == 1 and by_rate == of_items):
            return parcel.commission_ppm
        return half_up(of_items * PPM, max(sum(line.net_minor for line in self.lines), 1))

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
    def shipments(self) -> list[ShipmentDisplay]:
        names = {line.pk: line.product_name for line in self.lines}
        return [
            ShipmentDisplay(
                shipment,
                [(row.quantity, names[row.line_id]) for row in shipment.lines.all()]
                if not shipment._state.adding
                else [],
            )
            for shipment in shipments_of(self.parcel)
        ]

    @property
    def has_parts(self) -> bool:
        """Whether it was not, or not yet, shipped as a whole."""
        return self.progress.is_partial or len(self.shipments) > 1

    @property
    def status_label(self) -> str:
        return status_text(self.parcel, self.progress)

    @property
    def status_tone(self) -> Tone:
        if self.parcel.is_on_hold or self.parcel.is_waiting_for_payment:
            return Tone.WARN
        return PARCEL_TONES.get(self.parcel.status, Tone.MUTED)

    @property
    def is_return_expected(self) -> bool:
        return self.parcel.instruction == ParcelInstruction.RETURN

    @property
    def is_unshipped(self) -> bool:
        return self.parcel.status in PARCELS_UNSHIPPED

    @property
    def can_fail(self) -> bool:
        """Whether the artisan can still say that it, or the rest of it, cannot be delivered."""
        return self.is_unshipped

    @property
    def can_ship(self) -> bool:
        is_free = self.parcel.order.can_be_shipped and not self.parcel.is_on_hold
        return self.parcel.status in PARCELS_UNSHIPPED and is_free

    @property
    def has_slip(self) -> bool:
        return has_slip(self.parcel)

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


def load_displays(parcels: Sequence[Parcel], lines: Mapping[UUID, list[OrderLine]]) -> list[ParcelDisplay]:
    """With what was shipped of each, in the same number of queries for any number of parcels."""
    prefetch_shipments(parcels)
    packed = [parcel.pk for parcel in parcels if parcel.status == ParcelStatus.PACKED]
    progress = load_progress({key: lines.get(key, []) for key in packed})
    rows = load_cancellations([line for parcel in parcels for line in lines.get(parcel.pk, [])])
    return [
        ParcelDisplay(
            parcel,
            lines.get(parcel.pk, []),
            progress=progress.get(parcel.pk, Progress()),
            cancellations=rows.get(parcel.pk, ()),
        )
        for parcel in parcels
    ]


def load_cancellations(lines: Iterable[OrderLine]) -> dict[UUID, list[LineCancellation]]:
    """What will not be delivered of these lines, by parcel; without a query if that is nothing."""
    found: dict[UUID, list[LineCancellation]] = {}
    if some := [line.pk for line in lines if line.cancelled_quantity]:
        for row in LineCancellation.objects.filter(line__in=some).select_related("line", "actor"):
            found.setdefault(row.line.parcel_id, []).append(row)
    return found


@dataclass(frozen=True, slots=True)
class PackingSlip:
    """What goes into one box: no amounts, because the recipient may not be the buyer."""

    parcel: Parcel
    items: list[tuple[int, str]]


def load_slips(parcels: Sequence[Parcel], *, shipment: str = "") -> list[PackingSlip]:
    """Of each parcel what is left to ship or, once all was shipped, what that was; or the units of that shipment.

    None of parcels without a slip (has_slip), except of their shipments.
    """
    prefetch_shipments(parcels)
    lines = {parcel.pk: list(parcel.lines.all()) for parcel in parcels}
    unshipped = [parcel.pk for parcel in parcels if parcel.status in PARCELS_UNSHIPPED]
    progress = load_progress({key: lines[key] for key in unshipped})
    slips = []
    for parcel in parcels:
        made = shipments_of(parcel)
        chosen = [one for one in made if str(one.number) == shipment and not one._state.adding]
        if not chosen and not has_slip(parcel):
            continue
        units: Mapping[UUID, int]
        if chosen:
            units = units_of(chosen)
        elif parcel.pk in progress:
            units = progress[parcel.pk].left
        elif made and not any(one._state.adding for one in made):
            units = units_of(made)
        else:  # release 0.1.0 shipped it whole
            units = {line.pk: line.agreed_quantity for line in lines[parcel.pk]}
        items = [(units[line.pk], line.product_name) for line in lines[parcel.pk] if units.get(line.pk)]
        slips.append(PackingSlip(parcel, items))
    return slips


def has_slip(parcel: Parcel) -> bool:
    """Whether it may be packed now, or was shipped: not if it is cancelled, on hold or unpaid."""
    if parcel.status in PARCELS_UNSHIPPED:
        return parcel.order.can_be_shipped and not parcel.is_on_hold
    return parcel.status != ParcelStatus.CANCELLED


def units_of(shipments: Sequence[Shipment]) -> Counter[UUID]:
    """By order line."""
    units: Counter[UUID] = Counter()
    for shipment in shipments:
        units.update({row.line_id: row.quantity for row in shipment.lines.all()})
    return units
