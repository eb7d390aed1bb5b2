"""The end of an order that nobody paid. The open payment goes first: only what cannot be paid any more is closed."""

from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput
from artisans.notifications.services import notifications_queue
from orders.errors import NotCancellable, NotReleased
from orders.mails import order_mail
from orders.models import Order, Parcel
from orders.selectors import is_own_order, is_owner, lines_by_parcel, order_lock, store_rules
from orders.services import (
    order_cancel_parcels,
    order_close,
    order_follow_parcels,
    parcel_cancel,
    parcel_lock,
)
from orders.statuses import OrderStatus, ParcelStatus
from payments.errors import NoPermission, OwnOrder, PaymentUnderWay, StillPayable
from payments.money_notes import closed_note, parcel_note
from payments.selectors import open_payment
from payments.services.payments import order_settle, payment_move
from payments.services.remote import after_withdrawing
from payments.statuses import PaymentStatus


def order_cancel(*, order_id: UUID, reason: str, actor: User) -> Order:
    """The buyer cancels while nothing is paid; staff with the permission until shipping.

    Idempotent: a cancelled order stays as it is. Errors: NotCancellable, NoPermission, OwnOrder, PaymentUnderWay.
    """
    cancel = partial(order_cancel_now, order_id=order_id, reason=reason, actor=actor)
    return after_withdrawing(cancel, cause="the order is cancelled", actor=actor.email)


@transaction.atomic
def order_cancel_now(*, order_id: UUID, reason: str, actor: User) -> Order:
    """The same when no provider can be paid any more. Errors: StillPayable as well. Locks: order, payment, products."""
    order = order_lock(order_id)
    if order.status == OrderStatus.CANCELLED:
        return order
    may_cancel = actor.is_staff and actor.has_perm("orders.cancel_order")
    is_staff = may_cancel and not is_own_order(
        order, actor
    )  # staff cancel their own orders as any buyer does
    if not (is_staff or is_owner(order, actor)):
        raise OwnOrder if may_cancel else NoPermission("cancel this order")
    if not is_staff and (order.received_minor or not buyer_may_cancel(order)):
        raise NotCancellable("This order is paid or on its way; write to us and we will sort it out.")
    cause = reason.strip() or "cancelled by the buyer"
    void_open_payment(order, cause=cause, actor=actor)
    if order.status == OrderStatus.PENDING:
        order_close(order, OrderStatus.CANCELLED, cause=cause, actor=actor)
    elif order.status in {OrderStatus.CONFIRMED, OrderStatus.PROCESSING}:
        order_cancel_parcels(order, cause=cause, actor=actor)
        order_settle(order, cause=cause, actor=actor)
    else:
        raise NotCancellable(f"An order that is {order.get_status_display().lower()} cannot be cancelled.")
    notifications_queue(
        order_mail(
            "order_cancelled",
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            reason=cause,
            money_note=closed_note(order),
        )
    )
    return order


@transaction.atomic
def parcel_cannot_deliver(*, parcel_id: UUID, reason: str, actor: User) -> Parcel:
    """The artisan cannot send this parcel: it is cancelled, its stock comes back, and the buyer is told why.

    Its money is owed no more; what was paid of it is `order.to_return` for staff. The last parcel ends the order.
    Errors: NotReleased, InvalidInput without a reason, IllegalTransition once it is on its way.
    Locks: order, payment, products.
    """
    parcel, order = parcel_lock(parcel_id)
    if (
        order.status == OrderStatus.PENDING or not order.is_alive
    ):  # its artisans do not know of it, or know its end
        raise NotReleased
    if not reason.strip():
        raise InvalidInput("Give the reason; the buyer reads it.")
    cause = f"cannot be delivered: {reason.strip()}"
    lines, before = lines_by_parcel(order), order.balance
    parcel_cancel(parcel, order=order, lines=lines[parcel.pk], cause=cause, actor=actor)
    order_follow_parcels(order, actor=actor)
    order_settle(order, cause=cause, actor=actor)
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data={"to": parcel.status})
    about = {
        "number": parcel.number,
        "artisan_name": parcel.artisan.name,
        "lines": [{"name": line.product_name, "quantity": line.quantity} for line in lines[parcel.pk]],
    }
    notifications_queue(
        order_mail(
            "parcel_not_coming",
            order,
            lines=[line for part in lines.values() for line in part],
            store=store_rules(),
            key=str(parcel.pk),
            parcel=about,
            reason=reason.strip(),
            money_note=parcel_note(order, before),
        )
    )
    return parcel


def buyer_may_cancel(order: Order) -> bool:
    """Unpaid, and no artisan has started on it."""
    if order.received_minor:
        return False
    if order.status == OrderStatus.PENDING:
        return True
    started = order.parcels.exclude(status__in=[ParcelStatus.NEW, ParcelStatus.CANCELLED])
    return order.status == OrderStatus.CONFIRMED and not started.exists()


def order_expire(*, order_id: UUID) -> bool:
    """Close an order whose hold is over and give its stock back. Says whether it was closed now.

    The open payment is taken back at its provider first: an order that turns out to be paid is not closed, and while
    nobody knows, it is kept. Money received in part stays listed as to be returned.
    """
    try:
        return after_withdrawing(partial(order_expire_now, order_id=order_id), cause="the order expired")
    except PaymentUnderWay:
        return False


@transaction.atomic
def order_expire_now(*, order_id: UUID) -> bool:
    """The same when no provider can be paid any more. Errors: StillPayable. Locks: order, payment, products."""
    order = order_lock(order_id)
    if order.status != OrderStatus.PENDING or order.expires_at is None or order.expires_at > timezone.now():
        return False
    void_open_payment(order, cause="the order expired", actor=None)
    order_close(order, OrderStatus.EXPIRED, cause="not paid in time")
    notifications_queue(
        order_mail(
            "order_expired",
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            key=str(order.stock_round),
            received=order.to_return if order.to_return else "",
            money_note=closed_note(order) if order.received else "",
        )
    )
    return True


def orders_due_to_expire() -> list[UUID]:
    due = Order.objects.filter(status=OrderStatus.PENDING, expires_at__lte=timezone.now())
    return list(due.order_by("expires_at").values_list("pk", flat=True)[:500])


def void_open_payment(order: Order, *, cause: str, actor: User | None) -> None:
    """Nothing of the order can be paid any more. A payment by hand has no other side that would have to agree.

    Errors: StillPayable for a payment that has one.
    """
    payment = open_payment(order)
    if payment is None:
        return
    if payment.is_remote:
        raise StillPayable(payment.pk)
    payment_move(payment, PaymentStatus.CANCELLED, cause=cause, actor=actor)
