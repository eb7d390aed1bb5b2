"""Lists of parcels for their artisans: filters, search, and which one to do first."""

from datetime import timedelta

from django.db.models import (
    DateTimeField,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from artisans.core.numbers import split_number
from orders.models import OrderLine, Parcel, Shipment
from orders.statuses import PARCELS_SHIPPED, PARCELS_UNSHIPPED, ParcelInstruction, ParcelStatus


class ParcelList(TextChoices):
    TO_SHIP = "to_ship", _("To ship")
    PARTLY = "partly", _("Partly shipped")
    WAITING = "waiting", _("On hold or unpaid")
    SENT = "sent", _("Shipped")
    DELIVERED = "delivered", _("Delivered")
    RETURNS = "returns", _("Returns")
    CANCELLED = "cancelled", _("Cancelled")
    ALL = "all", _("All")


UNSHIPPED = Q(status__in=PARCELS_UNSHIPPED)
IS_WAITING = Q(instruction=ParcelInstruction.HOLD) | Q(order__payment_withdrawn_at__isnull=False)
HAS_SHIPMENT = Exists(Shipment.objects.filter(parcel=OuterRef("pk")))
CONDITIONS: dict[str, Q] = {
    ParcelList.TO_SHIP: UNSHIPPED & ~IS_WAITING,
    ParcelList.PARTLY: Q(HAS_SHIPMENT, status=ParcelStatus.PACKED),
    ParcelList.WAITING: UNSHIPPED & IS_WAITING,
    ParcelList.SENT: Q(status__in=PARCELS_SHIPPED),
    ParcelList.DELIVERED: Q(status=ParcelStatus.DELIVERED),
    ParcelList.RETURNS: Q(status=ParcelStatus.RETURNED) | Q(instruction=ParcelInstruction.RETURN),
    ParcelList.CANCELLED: Q(status=ParcelStatus.CANCELLED),
    ParcelList.ALL: Q(),
}
OLDEST_FIRST = (ParcelList.TO_SHIP, ParcelList.PARTLY, ParcelList.WAITING)


def parcels_listed(rows: QuerySet[Parcel], name: str) -> QuerySet[Parcel]:
    """The parcels of a list, with `promised_at`; what is still to be shipped begins with the oldest promise."""
    found = with_promise(rows.filter(CONDITIONS[name]))
    return found.order_by(F("promised_at"), "pk") if name in OLDEST_FIRST else found


def with_promise(rows: QuerySet[Parcel]) -> QuerySet[Parcel]:
    """`promised_at`: when it was released, and as many days later as its slowest item takes to be made."""
    lines = OrderLine.objects.filter(parcel=OuterRef("pk")).order_by().values("parcel")
    days = Coalesce(
        Subquery(lines.annotate(days=Max("product__lead_days")).values("days")),
        0,
        output_field=IntegerField(),
    )
    lead = ExpressionWrapper(days * Value(timedelta(days=1)), DurationField())
    return rows.annotate(
        lead_days=days,
        promised_at=ExpressionWrapper(F("order__released_at") + lead, DateTimeField()),
    )


def parcels_found(rows: QuerySet[Parcel], term: str) -> QuerySet[Parcel]:
    """By the begin of an order number, a tracking number, or a part of the recipient's name."""
    term = term.replace("\x00", "").strip()  # which PostgreSQL refuses
    if not term:
        return rows
    order_number, _number = split_number(term.removeprefix("#"))
    of_shipment = Exists(Shipment.objects.filter(parcel=OuterRef("pk"), tracking__iexact=term))
    found = Q(tracking__iexact=term) | Q(of_shipment) | Q(order__shipping_address__name__icontains=term)
    if order_number:
        found |= Q(order__order_number__startswith=order_number)
    return rows.filter(found)


def parcel_next(rows: QuerySet[Parcel], *, after: Parcel | None = None) -> Parcel | None:
    """The parcel to do first, but not the one that was just open."""
    found = parcels_listed(rows, ParcelList.TO_SHIP)
    return (found.exclude(pk=after.pk) if after else found).first()
