"""Status changes of orders and parcels: checked against the transition tables and recorded."""

from collections.abc import Sequence

from artisans.accounts.models import User
from artisans.core.changes import changes_note
from artisans.core.state import check_transition
from orders.models import Order, OrderTransition, Parcel, ParcelTransition
from orders.statuses import (
    ORDER_TRANSITIONS,
    ORDERS_CLOSED,
    PARCEL_TRANSITIONS,
    PARCELS_ENDED,
    PARCELS_SHIPPED,
    OrderStatus,
    ParcelInstruction,
    ParcelStatus,
    order_status_of,
)


def order_move(
    order: Order,
    to: OrderStatus,
    *,
    cause: str,
    actor: User | None = None,
    actor_name: str = "system",
    extra_fields: Sequence[str] = (),
) -> None:
    """Change an order's status along the transition table and record who changed it and why.

    `extra_fields`: further fields of the order that the caller changed.
    """
    check_transition(ORDER_TRANSITIONS, OrderStatus(order.status), to)
    if (order.status in ORDERS_CLOSED) != (to in ORDERS_CLOSED):  # what became of its payments, too
        payments = order.payments.values_list("created_at", flat=True)
        changes_note(("orders", order.created_at), *(("payments", started_at) for started_at in payments))
    OrderTransition.objects.create(
        order=order,
        old=order.status,
        new=to,
        cause=cause[:300],
        actor_name=actor.email if actor else actor_name,
    )
    order.status = to
    order.save(update_fields=["status", "updated_at", *extra_fields])


def parcel_move(parcel: Parcel, to: ParcelStatus, *, cause: str, actor: User | None) -> None:
    check_transition(PARCEL_TRANSITIONS, ParcelStatus(parcel.status), to)
    ParcelTransition.objects.create(
        parcel=parcel,
        old=parcel.status,
        new=to,
        cause=cause[:300],
        actor_name=actor.email if actor else "system",
    )
    parcel.status = to
    if to in PARCELS_ENDED or (to in PARCELS_SHIPPED and parcel.instruction != ParcelInstruction.RETURN):
        parcel.instruction = ParcelInstruction.NONE
    parcel.save(update_fields=["status", "instruction", "carrier", "tracking", "updated_at"])


def order_recompute_status(order: Order, *, actor: User | None) -> None:
    """Derive the status of a confirmed order from its parcels."""
    to = order_status_of([ParcelStatus(s) for s in order.parcels.values_list("status", flat=True)])
    if to != order.status:
        order_move(order, to, cause="status of its parcels", actor=actor)
