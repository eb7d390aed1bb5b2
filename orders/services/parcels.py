"""What artisans and staff do with a parcel."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.services import stock_return
from artisans.core.errors import Conflict
from artisans.notifications.services import notifications_enqueue
from orders.errors import NotReleased, ParcelOnHold
from orders.mails import OrderMail, order_mail
from orders.models import Order, OrderLine, Parcel
from orders.refunds import units_to_ship
from orders.selectors import lines_by_parcel, order_lock, order_products_lock, store_rules
from orders.services.moves import order_recompute_status, parcel_move
from orders.services.placing import stock_lines
from orders.statuses import PARCELS_SHIPPED, ParcelStatus


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
def parcel_ship(*, parcel_id: UUID, carrier: str, tracking: str, actor: User) -> Parcel:
    """The artisan hands the parcel to the carrier. Errors: NotReleased, ParcelOnHold, IllegalTransition."""
    parcel, order = parcel_lock(parcel_id)
    check_can_be_shipped(parcel, order)
    if parcel.status in {ParcelStatus.NEW, ParcelStatus.STARTED}:
        parcel_move(parcel, ParcelStatus.PACKED, cause="packed", actor=actor)
    parcel.carrier, parcel.tracking = carrier, tracking
    parcel_move(parcel, ParcelStatus.SHIPPED, cause="handed to the carrier", actor=actor)
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    lines = lines_by_parcel(order)
    about = {
        "number": parcel.number,
        "artisan_name": parcel.artisan.name,
        "lines": units_to_ship(lines[parcel.pk]),
        "carrier": carrier,
        "tracking": tracking,
    }
    all_lines = [line for part in lines.values() for line in part]
    notifications_enqueue(
        order_mail(
            OrderMail.PARCEL_SHIPPED,
            order,
            lines=all_lines,
            store=store_rules(),
            key=str(parcel.pk),
            parcel=about,
        )
    )
    return parcel


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
    """Cancel a parcel and return its stock; the caller settles the order."""
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
    order.cancelled_minor += parcel.total_minor
    order.save(update_fields=["cancelled_minor", "updated_at"])
