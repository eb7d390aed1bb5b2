"""What artisans and staff do with a parcel."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.services import stock_return
from artisans.core.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from artisans.notifications.services import notifications_enqueue
from orders.errors import AlreadyCorrected, AlreadyShipped, NotCancellable, NotReleased, ParcelOnHold
from orders.mails import OrderMail, list_units, order_mail
from orders.models import Order, OrderLine, Parcel, Shipment, ShipmentCorrection, ShipmentLine
from orders.selectors import carrier_listed, lines_by_parcel, order_lock, order_products_lock, store_rules
from orders.services.moves import order_recompute_status, parcel_move
from orders.services.placing import stock_lines
from orders.shipments import Progress, is_partly_shipped, progress_of, shipments_of
from orders.statuses import PARCELS_SHIPPED, PARCELS_UNSHIPPED, ParcelStatus


def parcel_lock(parcel_id: UUID) -> tuple[Parcel, Order]:
    """The parcel, after locking its order; one lock per order keeps its parcels consistent."""
    order_id = Parcel.objects.values_list("order_id", flat=True).get(pk=parcel_id)
    order = order_lock(order_id)
    return Parcel.objects.select_related("artisan").get(pk=parcel_id), order


def check_can_be_shipped(parcel: Parcel, order: Order) -> None:
    """Errors: NotReleased while unpaid, ParcelOnHold if it was refunded and staff have not decided yet."""
    if not order.can_be_shipped:
        raise NotReleased
    if parcel.is_on_hold:
        raise ParcelOnHold


@transaction.atomic
def parcel_start(*, parcel_id: UUID, actor: User) -> Parcel:
    """The artisan starts making the parcel; the buyer can no longer cancel.

    Errors: NotReleased, ParcelOnHold, IllegalTransition.
    """
    parcel, order = parcel_lock(parcel_id)
    check_can_be_shipped(parcel, order)
    parcel_move(parcel, ParcelStatus.STARTED, cause="started", actor=actor)
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    return parcel


@transaction.atomic
def parcel_ship(
    *,
    parcel_id: UUID,
    carrier: str,
    tracking: str,
    actor: User,
    units: Mapping[UUID, int] | None = None,
    seen: int | None = None,
) -> Parcel:
    """The artisan hands a parcel, or a part of it, to the carrier; the buyer gets an email for each shipment.

    `units`: how many of each order line; all that are left if not given. The parcel is shipped with its last unit.
    `seen`: the number of its shipments when the actor loaded the page.

    Errors: NotReleased, ParcelOnHold, IllegalTransition, AlreadyShipped, InvalidInput.
    """
    parcel, order = parcel_lock(parcel_id)
    check_can_be_shipped(parcel, order)
    if parcel.status not in PARCELS_UNSHIPPED:
        raise IllegalTransition(old=parcel.status, new=ParcelStatus.SHIPPED)
    number = parcel.shipments.count() + 1
    if seen is not None and seen != number - 1:
        raise AlreadyShipped
    lines = lines_by_parcel(order)
    own = lines[parcel.pk]
    progress = progress_of(own)
    shipped = check_units(own, progress, units)
    listed = carrier_listed(carrier)
    carrier = listed.name if listed else carrier
    shipment = Shipment.objects.create(
        parcel=parcel,
        number=number,
        carrier=carrier,
        tracking=tracking,
        listed_carrier=listed,
        shipped_by=actor,
    )
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, line=line, quantity=quantity) for line, quantity in shipped
    )
    parcel.carrier, parcel.tracking = carrier, tracking
    if parcel.status in {ParcelStatus.NEW, ParcelStatus.STARTED}:
        parcel_move(parcel, ParcelStatus.PACKED, cause="packed", actor=actor)
    progress = progress_of(own)
    if progress.left_units:
        parcel.save(update_fields=["carrier", "tracking", "updated_at"])
    else:
        parcel_move(parcel, ParcelStatus.SHIPPED, cause="handed to the carrier", actor=actor)
    order_recompute_status(order, actor=actor)
    data = {"to": parcel.status, "shipment": number, "units": sum(quantity for _line, quantity in shipped)}
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data=data)
    about = {
        "number": parcel.number,
        "artisan_name": parcel.artisan.name,
        "lines": list_units(shipped),
        "carrier": carrier,
        "tracking": tracking,
        "to_follow": progress.left_units,
    }
    notifications_enqueue(
        order_mail(
            OrderMail.PARCEL_SHIPPED,
            order,
            lines=[line for part in lines.values() for line in part],
            store=store_rules(),
            key=str(shipment.pk),
            parcel=about,
        )
    )
    return parcel


@transaction.atomic
def shipment_correct(
    *, parcel_id: UUID, number: int, carrier: str, tracking: str, actor: User, seen: int | None = None
) -> Parcel:
    """Correct the carrier or tracking number of a shipment.

    The old ones are kept, and the buyer gets an email unless the parcel has arrived.

    `seen`: how often they had been corrected when the actor loaded the page. Errors: NotFound, AlreadyCorrected.
    """
    parcel, order = parcel_lock(parcel_id)
    found = [one for one in shipments_of(parcel) if one.number == number]
    if not found:
        raise NotFound(_("Shipment not found."))
    [shipment] = found
    lines = lines_by_parcel(order)
    if shipment._state.adding:
        shipment_store(shipment, lines[parcel.pk])
    listed = carrier_listed(carrier)
    carrier = listed.name if listed else carrier
    if (shipment.carrier, shipment.tracking) == (carrier, tracking):
        return parcel
    if seen is not None and seen != shipment.corrections.count():
        raise AlreadyCorrected
    ShipmentCorrection.objects.create(
        shipment=shipment, carrier=shipment.carrier, tracking=shipment.tracking, actor=actor
    )
    shipment.carrier, shipment.tracking, shipment.listed_carrier = carrier, tracking, listed
    shipment.save(update_fields=["carrier", "tracking", "listed_carrier", "updated_at"])
    if number == parcel.shipments.count():
        parcel.carrier, parcel.tracking = carrier, tracking
        parcel.save(update_fields=["carrier", "tracking", "updated_at"])
    audit_record(actor=actor, action=Action.SHIPMENT_CORRECT, target=parcel, data={"shipment": number})
    if parcel.status in {ParcelStatus.PACKED, ParcelStatus.SHIPPED}:
        about = {
            "number": parcel.number,
            "artisan_name": parcel.artisan.name,
            "lines": list_units((row.line, row.quantity) for row in shipment.lines.select_related("line")),
            "carrier": carrier,
            "tracking": tracking,
        }
        all_lines = [line for part in lines.values() for line in part]
        key = f"{shipment.pk}:{shipment.corrections.count()}"
        kind, store = OrderMail.SHIPMENT_CORRECTED, store_rules()
        notifications_enqueue(order_mail(kind, order, lines=all_lines, store=store, key=key, parcel=about))
    return parcel


def shipment_store(shipment: Shipment, lines: list[OrderLine]) -> None:
    """Store a shipment of release 0.1.0, with all units that are in no other."""
    moved = shipment.parcel.transitions.filter(new=ParcelStatus.SHIPPED).order_by("-id").first()
    if moved is not None:
        shipment.shipped_at = moved.at
    shipment.listed_carrier = carrier_listed(shipment.carrier)
    left = progress_of(lines).left
    Shipment.objects.bulk_create([shipment])
    ShipmentLine.objects.bulk_create(
        ShipmentLine(shipment=shipment, line=line, quantity=left[line.pk]) for line in lines if left[line.pk]
    )


def check_units(
    lines: list[OrderLine], progress: Progress, units: Mapping[UUID, int] | None
) -> list[tuple[OrderLine, int]]:
    """Which units of the lines are meant, of those left to ship. Errors: InvalidInput."""
    if units is None:
        return [(line, progress.left[line.pk]) for line in lines if progress.left[line.pk]]
    if units.keys() - progress.left.keys():
        raise InvalidInput(_("This line does not belong to the parcel."))
    for line in lines:
        if (quantity := units.get(line.pk, 0)) > (left := progress.left[line.pk]):
            text = ngettext(
                "You entered %(quantity)s × %(name)s, but %(left)s is left to ship. Nothing was saved.",
                "You entered %(quantity)s × %(name)s, but %(left)s are left to ship. Nothing was saved.",
                left,
            )
            raise InvalidInput(text % {"quantity": quantity, "name": line.product_name, "left": left})
    if not any(units.values()):
        raise InvalidInput(_("Enter the quantity of at least one item."))
    return [(line, units[line.pk]) for line in lines if units.get(line.pk)]


def parcels_recompute_shipped(order: Order, *, actor: User | None) -> None:
    """Mark partly shipped parcels as shipped once nothing of them is left, because the rest was refunded and restocked.

    The caller holds the order's lock.
    """
    partly = order.parcels.filter(status=ParcelStatus.PACKED, shipments__isnull=False).distinct()
    lines = lines_by_parcel(order) if (parcels := list(partly)) else {}
    for parcel in parcels:
        if not progress_of(lines[parcel.pk]).left_units:
            parcel_move(parcel, ParcelStatus.SHIPPED, cause="nothing is left to ship", actor=actor)
    if parcels:
        order_recompute_status(order, actor=actor)


@transaction.atomic
def parcel_deliver(*, parcel_id: UUID, actor: User) -> Parcel:
    """Mark the parcel as delivered. Errors: IllegalTransition unless it was shipped."""
    parcel, order = parcel_lock(parcel_id)
    parcel_move(parcel, ParcelStatus.DELIVERED, cause="delivered", actor=actor)
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    return parcel


@transaction.atomic
def parcel_report_cash(*, parcel_id: UUID, actor: User) -> Parcel:
    """The artisan reports that the cash for this parcel was collected; staff record the payment later.

    Errors: Conflict unless the parcel was shipped for cash on delivery and not reported yet.
    """
    parcel, order = parcel_lock(parcel_id)
    parcel.order = order
    if parcel.is_gone:
        raise Conflict(_("This parcel was returned or cancelled; there is no cash to collect."))
    if not order.balance_due:
        raise Conflict(_("This order is paid; there is no cash to collect."))
    if not order.collects_cash:
        raise Conflict(_("This order is not cash on delivery; do not collect cash for it."))
    if (cash := parcel.cash_to_collect) is None:
        raise Conflict(_("The cash for this parcel was already recorded; there is nothing to report."))
    if parcel.status not in PARCELS_SHIPPED:
        raise Conflict(_("Ship the parcel first; cash is collected on delivery."))
    if parcel.cash_reported_at is not None:
        at = date_format(timezone.localtime(parcel.cash_reported_at), "DATETIME_FORMAT")
        raise Conflict(_("The cash was already reported on %(time)s.") % {"time": at})
    parcel.cash_reported_at, parcel.cash_reported_by = timezone.now(), actor
    parcel.save(update_fields=["cash_reported_at", "cash_reported_by", "updated_at"])
    audit_record(actor=actor, action=Action.CASH_REPORT, target=parcel, data={"amount": str(cash)})
    return parcel


def parcel_cancel(
    parcel: Parcel, *, order: Order, lines: list[OrderLine], cause: str, actor: User | None
) -> None:
    """Cancel a parcel and return its stock; the caller settles the order.

    Errors: NotCancellable once a part of it was shipped.
    """
    if is_partly_shipped(parcel):
        shipped = progress_of(lines).text
        raise NotCancellable(
            _(
                "Parcel %(number)s cannot be cancelled: %(shipped)s. Its artisan can say which of the other units "
                "cannot be delivered."
            )
            % {"number": parcel.number, "shipped": shipped}
        )
    order_products_lock(order)
    parcel_end(parcel, ParcelStatus.CANCELLED, order=order, cause=cause, actor=actor)
    stock_return(
        lines=stock_lines(lines), reason=f"cancelled {order.order_number}", stock_round=order.stock_round
    )


def parcel_mark_returned(
    parcel: Parcel,
    *,
    order: Order,
    lines: list[OrderLine],
    restock: Mapping[UUID, int],
    cause: str,
    actor: User | None,
) -> None:
    """Mark the parcel as returned and restock the given units of its lines."""
    order_products_lock(order)
    parcel_end(parcel, ParcelStatus.RETURNED, order=order, cause=cause, actor=actor)
    stock_return(
        lines=stock_lines(lines),
        reason=f"returned {order.order_number}",
        stock_round=order.stock_round,
        at_most=restock,
    )


def parcel_end(parcel: Parcel, to: ParcelStatus, *, order: Order, cause: str, actor: User | None) -> None:
    """Mark the parcel as cancelled or returned, and subtract its amount from what the order costs."""
    parcel_move(parcel, to, cause=cause, actor=actor)
    order.cancelled_minor += parcel.agreed_total_minor
    order.save(update_fields=["cancelled_minor", "updated_at"])
