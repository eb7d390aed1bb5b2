"""Closing an unpaid order and cancelling a paid one; revoking its links."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.services import stock_return
from artisans.notifications.services import notifications_enqueue
from orders.errors import NotCancellable
from orders.mails import OrderMail, parcel_mail
from orders.models import Order
from orders.selectors import lines_by_parcel, order_lock, store_rules
from orders.services.moves import order_move, order_recompute_status
from orders.services.parcels import parcel_cancel
from orders.services.placing import load_placed_order, stock_lines
from orders.shipments import is_partly_shipped
from orders.statuses import PARCELS_ENDED, PARCELS_SHIPPED, OrderStatus


def order_close(
    order: Order, to: OrderStatus, *, cause: str, actor: User | None = None, actor_name: str = "system"
) -> None:
    """Close an unpaid order as CANCELLED or EXPIRED and return its stock.

    The caller has made sure that none of its payments can still succeed. Errors: IllegalTransition.
    """
    order_move(order, to, cause=cause, actor=actor, actor_name=actor_name)
    lines = list(order.lines.all())
    stock_return(
        lines=stock_lines(lines),
        reason=f"{to.label.lower()} {order.order_number}",
        stock_round=order.stock_round,
    )
    action = Action.ORDER_EXPIRE if to == OrderStatus.EXPIRED else Action.ORDER_CANCEL
    audit_record(actor=actor, action=action, target=order, data={"cause": cause}, actor_name=actor_name)


def order_cancel_parcels(order: Order, *, cause: str, actor: User | None) -> None:
    """Cancel all open parcels of a confirmed order and return their stock.

    Errors: NotCancellable once a parcel has shipped.
    """
    parcels = [parcel for parcel in load_placed_order(order).parcels if parcel.status not in PARCELS_ENDED]
    if any(parcel.status in PARCELS_SHIPPED or is_partly_shipped(parcel) for parcel in parcels):
        raise NotCancellable(_("A parcel of this order has already shipped."))
    of_parcel, store, kind = lines_by_parcel(order), store_rules(), OrderMail.PARCEL_CANCELLED
    for parcel in parcels:
        lines = of_parcel[parcel.pk]
        parcel_cancel(parcel, order=order, lines=lines, cause=cause, actor=actor)
        notifications_enqueue(parcel_mail(kind, parcel, order=order, lines=lines, store=store, reason=cause))
    order_recompute_status(order, actor=actor)
    audit_record(actor=actor, action=Action.ORDER_CANCEL, target=order, data={"cause": cause})


@transaction.atomic
def order_links_revoke(*, order_id: UUID, actor: User) -> None:
    """Revoke all links to the order sent so far; the next email contains a new one."""
    order = order_lock(order_id)
    order.token_version += 1
    order.save(update_fields=["token_version", "updated_at"])
    audit_record(actor=actor, action=Action.LINK_REVOKE, target=order)
