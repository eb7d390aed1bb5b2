"""What of a parcel was shipped, and what is left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from django.db.models import Sum, prefetch_related_objects
from django.utils.translation import gettext as _

from artisans.catalog.services import units_restocked
from orders.models import OrderLine, Parcel, Shipment, ShipmentLine
from orders.selectors import shipments_loaded
from orders.statuses import PARCELS_WITH_SHIPMENTS, ParcelStatus

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Progress:
    """How many units of a parcel were shipped, of those to be shipped at all. `left`: the rest, by order line."""

    shipped: int = 0
    left: Mapping[UUID, int] = field(default_factory=dict)

    @property
    def left_units(self) -> int:
        return sum(self.left.values())

    @property
    def is_partial(self) -> bool:
        return self.shipped > 0 and self.left_units > 0

    @property
    def text(self) -> str:
        """For people: "2 of 3 units shipped"; empty unless a part was shipped."""
        numbers = {"shipped": self.shipped, "total": self.shipped + self.left_units}
        return _("%(shipped)s of %(total)s units shipped") % numbers if self.is_partial else ""


def units_shipped(order_lines: Sequence[UUID]) -> dict[UUID, int]:
    """By order line."""
    rows = ShipmentLine.objects.filter(line__in=order_lines).order_by()
    return dict(rows.values_list("line").annotate(Sum("quantity")))


def progress_of(lines: Sequence[OrderLine]) -> Progress:
    """For all lines of an unshipped parcel."""
    return load_progress({None: lines})[None]


def load_progress(lines_by_key: Mapping[K, Sequence[OrderLine]]) -> dict[K, Progress]:
    """The same for several parcels in two queries. Units that were put back on sale, or are lost, are not shipped."""
    keys = [line.pk for lines in lines_by_key.values() for line in lines]
    shipped, back = (units_shipped(keys), units_restocked(keys)) if keys else ({}, {})
    return {
        key: Progress(
            sum(shipped.get(line.pk, 0) for line in lines),
            {
                line.pk: max(
                    0, line.quantity - line.lost_quantity - back.get(line.pk, 0) - shipped.get(line.pk, 0)
                )
                for line in lines
            },
        )
        for key, lines in lines_by_key.items()
    }


def prefetch_shipments(parcels: Iterable[Parcel]) -> None:
    """Load the shipments of these parcels, without a query if none can have any."""
    prefetch_related_objects(
        [parcel for parcel in parcels if parcel.status in PARCELS_WITH_SHIPMENTS], shipments_loaded()
    )


def shipments_of(parcel: Parcel) -> list[Shipment]:
    """The parcel's shipments, without a query for parcels that have none.

    One that release 0.1.0 entered on the parcel only is added, unsaved and without lines.
    """
    if parcel.status not in PARCELS_WITH_SHIPMENTS:
        return []
    found = list(parcel.shipments.all())
    known = {(shipment.carrier, shipment.tracking) for shipment in found}
    is_named = parcel.carrier or parcel.tracking
    if is_named and (parcel.carrier, parcel.tracking) not in known:
        found.append(
            Shipment(parcel=parcel, number=len(found) + 1, carrier=parcel.carrier, tracking=parcel.tracking)
        )
    return found


def is_partly_shipped(parcel: Parcel) -> bool:
    """Whether an unshipped parcel has shipments, so that it cannot be cancelled any more."""
    return parcel.status == ParcelStatus.PACKED and parcel.shipments.exists()
