"""Cancelling and expiring orders. The open payment is cancelled first, because only an order that cannot be
paid any more may be closed; what was paid is refunded."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.approvals.errors import ApprovalPending, NobodyElse
from artisans.audit.services import Action, audit_record
from artisans.core.errors import IllegalTransition, InvalidInput
from artisans.core.money import Money
from artisans.core.queue import enqueue_after_commit
from artisans.core.transactions import atomic_with_retry
from artisans.notifications.services import notifications_enqueue
from orders.errors import NotCancellable, NotReleased, UnitsChanged
from orders.mails import order_mail
from orders.models import Order, Parcel
from orders.selectors import is_own_order, is_owner, lines_by_parcel, order_lock, store_rules
from orders.services.cancellations import units_cancel
from orders.services.closing import order_cancel_parcels, order_close
from orders.services.moves import order_recompute_status, parcel_move
from orders.services.parcels import check_units, parcel_cancel, parcel_lock
from orders.shipments import progress_of
from orders.statuses import PARCELS_UNSHIPPED, OrderStatus, ParcelDecision, ParcelStatus
from payments.bookkeeping.money_notes import closed_note
from payments.bookkeeping.payments import order_settle, payment_move
from payments.bookkeeping.refund_amounts import refunded_by_line
from payments.bookkeeping.refunds import refund_create
from payments.bookkeeping.second_person import refund_approval_request, refund_needs_approval
from payments.errors import AlreadyRecorded, NoPermission, OwnOrder, PaymentInProgress, StillPayable
from payments.gateway.payments import run_after_cancelling
from payments.lifecycle.parcels import parcel_mails, parcels_decide, units_agreed
from payments.mails import PaymentMail
from payments.models import CallState, Payment, RefundOrigin
from payments.providers.registry import PROVIDERS
from payments.selectors import open_payment, refund_due
from payments.statuses import OPEN, DisputeStatus, PaymentStatus

STAFF, SYSTEM = RefundOrigin.STAFF, RefundOrigin.SYSTEM


def order_cancel(
    *,
    order_id: UUID,
    reason: str,
    actor: User,
    parcels: Collection[UUID] | None = None,
    refund: bool = False,
    seen_minor: int | None = None,
) -> Order:
    """Cancel an order, or some of its parcels: the items go back on sale, and buyer and artisans are emailed.

    Buyers cancel the whole order until an artisan has started, and are refunded at once. Staff with the
    permission cancel until it ships; `refund` also sends the refund. Offline payments are listed as refunds
    due. `seen_minor`: the net amount received when the actor loaded the page.

    Idempotent: a cancelled order is left as it is. Errors: NotCancellable, NoPermission, OwnOrder,
    PaymentInProgress, AlreadyRecorded.
    """
    cancel = partial(
        order_cancel_locked,
        order_id=order_id,
        reason=reason,
        actor=actor,
        parcels=parcels,
        refund=refund,
        seen_minor=seen_minor,
    )
    return run_after_cancelling(cancel, cause="the order is cancelled", actor=actor.email)


@atomic_with_retry
def order_cancel_locked(
    *,
    order_id: UUID,
    reason: str,
    actor: User,
    parcels: Collection[UUID] | None,
    refund: bool,
    seen_minor: int | None,
) -> Order:
    """The same once no provider holds a payable object. Errors: StillPayable as well. Locks: order, payment,
    products."""
    order = order_lock(order_id)
    if order.status == OrderStatus.CANCELLED:
        return order
    is_staff = check_may_cancel(order, actor, refund=refund, is_whole=parcels is None)
    kept = order.received_minor - order.refunded_minor
    if seen_minor is not None and seen_minor != kept:
        raise AlreadyRecorded(
            _("The net amount received has changed to %(kept)s. Nothing was changed. Reload the page.")
            % {"kept": order.money(kept)}
        )
    cause = reason.strip() or ("cancelled by the shop" if is_staff else "cancelled by the buyer")
    if parcels is not None:
        parcels_decide(order, dict.fromkeys(parcels, ParcelDecision.CANCEL), cause=cause, actor=actor)
    else:
        order_end(order, cause=cause, actor=actor, reason=reason.strip())
    if refund or not is_staff:
        refund_due_payments(order, reason=reason.strip(), actor=actor, origin=STAFF if is_staff else SYSTEM)
    return order


def order_end(order: Order, *, cause: str, actor: User, reason: str) -> None:
    """Cancel the whole order. `reason`: for the buyer's email, "" if none was given. Errors: StillPayable,
    NotCancellable."""
    cancel_open_payment(order, cause=cause, actor=actor)
    if order.status == OrderStatus.PENDING:
        order_close(order, OrderStatus.CANCELLED, cause=cause, actor=actor)
    elif order.status in {OrderStatus.CONFIRMED, OrderStatus.PROCESSING}:
        order_cancel_parcels(order, cause=cause, actor=actor)
    else:
        raise NotCancellable(
            _("An order that is %(status)s cannot be cancelled.")
            % {"status": order.get_status_display().lower()}
        )
    order_settle(order, cause=cause, actor=actor)
    notifications_enqueue(
        order_mail(
            PaymentMail.ORDER_CANCELLED,
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            reason=reason,
            money_note=closed_note(order),
        )
    )


def check_may_cancel(order: Order, actor: User, *, refund: bool, is_whole: bool) -> bool:
    """Whether the actor cancels as staff. Errors: OwnOrder, NoPermission, NotCancellable."""
    may_cancel = actor.is_staff and actor.has_perm("orders.cancel_order")
    if may_cancel and not is_own_order(order, actor):
        if refund and not actor.has_perm("payments.refund"):
            raise NoPermission
        return True
    if not is_owner(order, actor):  # staff cancel their own orders as buyers
        raise OwnOrder if may_cancel else NoPermission
    if not (is_whole and buyer_may_cancel(order)):
        raise NotCancellable(
            _("An artisan has already started on this order, or it has shipped. Please contact us.")
        )
    return False


def refund_due_payments(order: Order, *, reason: str, actor: User, origin: RefundOrigin) -> None:
    """Refund through the providers what is due to the buyer; the worker makes the calls. The caller holds the
    order's lock.

    What cannot be refunded now (offline, disputed, another call is open) stays listed as due, as does what
    needs a second person's approval, which is requested here.
    """
    payments = Payment.objects.select_for_update(of=("self",), no_key=True).filter(order=order)
    to_approve = []
    for payment in payments.order_by("created_at"):
        minor = refund_due(order, payment) if payment.is_remote else 0
        is_disputed = payment.disputes.filter(status=DisputeStatus.OPEN).exists()
        if not minor or is_disputed or payment.calls.filter(state=CallState.OPEN).exists():
            continue
        payment.order, amount = order, Money(minor, payment.currency)
        if origin == STAFF and refund_needs_approval(order, more=minor):
            to_approve.append((payment, amount))
            continue
        refund_now(payment, amount, reason=reason, actor=actor, origin=origin)
    for payment, amount in to_approve:
        with suppress(ApprovalPending, NobodyElse):
            refund_approval_request(
                payment, amount, reason=reason or _("The order was cancelled."), actor=actor
            )


def refund_now(payment: Payment, amount: Money, *, reason: str, actor: User, origin: RefundOrigin) -> None:
    refund = refund_create(payment, amount, reason=reason, origin=origin, actor=actor)
    if origin == STAFF:  # automatic refunds are in progress already
        enqueue_after_commit("payments.execute_call", refund.calls.get().pk)


@atomic_with_retry
def parcel_cannot_deliver(
    *,
    parcel_id: UUID,
    reason: str,
    actor: User,
    units: Mapping[UUID, int] | None = None,
    restock: bool = True,
    seen: int | None = None,
) -> Parcel:
    """Cancel a parcel, or some units of it, that the artisan cannot ship; the buyer is emailed the reason.

    `units`: how many of each order line; without them the whole parcel, unless a part of it was shipped. Units of which
    the rest is shipped stop being charged, with their tax; the parcel's shipping only with its last unit, if none was
    shipped: then it is cancelled. `restock`: they exist and go back on sale. `seen`: how many units were left to ship
    when the actor loaded the page.

    The amount is no longer due; what was paid of it becomes `order.refund_due` for staff. Cancelling the last
    parcel cancels the order. Errors: NotReleased, InvalidInput, IllegalTransition once it was shipped, NotCancellable,
    UnitsChanged. Locks: order, payment, products.
    """
    parcel, order = parcel_lock(parcel_id)
    if (
        order.status == OrderStatus.PENDING or not order.is_alive
    ):  # its artisans were not notified of it, or know that it ended
        raise NotReleased
    if not reason.strip():
        raise InvalidInput(_("Enter a reason. It is shown to the buyer."))
    if parcel.status not in PARCELS_UNSHIPPED:
        raise IllegalTransition(old=parcel.status, new=ParcelStatus.CANCELLED)
    cause, before = f"cannot be delivered: {reason.strip()}", order.balance
    lines = lines_by_parcel(order)[parcel.pk]
    progress = progress_of(lines)
    if seen is not None and seen != progress.left_units:
        raise UnitsChanged(progress.left_units)
    chosen = check_units(lines, progress, units) or units_agreed(lines)
    rows = []
    if units is not None or not (restock or progress.shipped):
        rows = units_cancel(
            parcel,
            chosen,
            order=order,
            refunds=refunded_by_line(order),
            restock=restock,
            reason=reason.strip(),
            actor=actor,
        )
        progress = progress_of(lines)
    is_over = not rows or not (progress.left_units or progress.shipped)
    if is_over:
        parcel_cancel(parcel, order=order, lines=lines, cause=cause, actor=actor)
    elif not progress.left_units:
        parcel_move(parcel, ParcelStatus.SHIPPED, cause="nothing is left to ship", actor=actor)
    order_recompute_status(order, actor=actor)
    order_settle(order, cause=cause, actor=actor)
    data = {"to": parcel.status, "cancelled": sum(quantity for _line, quantity in chosen)}
    audit_record(actor=actor, action=Action.PARCEL_MOVE, target=parcel, data=data)
    parcel_mails(
        parcel,
        order,
        chosen,
        kinds=(PaymentMail.BUYER_PARCEL_CANCELLED if is_over else PaymentMail.UNITS_CANCELLED, ""),
        before=before,
        reason=reason.strip(),
        key=str(rows[0].pk) if rows and not is_over else "",
        to_follow=progress.left_units,
    )
    return parcel


def buyer_may_cancel(order: Order) -> bool:
    """Buyers may cancel until an artisan has started, whether or not the order is paid."""
    if order.status == OrderStatus.PENDING:
        return True
    started = order.parcels.exclude(status__in=[ParcelStatus.NEW, ParcelStatus.CANCELLED])
    return order.status == OrderStatus.CONFIRMED and not started.exists()


def order_expire(*, order_id: UUID) -> bool:
    """Expire an order whose hold has ended and restore its stock. Returns whether it was closed now.

    The open payment is cancelled at its provider first: an order that turns out to be paid is not closed, and
    one with an unknown outcome is kept. Partial payments stay listed as refunds due.
    """
    try:
        return run_after_cancelling(
            partial(order_expire_locked, order_id=order_id), cause="the order expired"
        )
    except PaymentInProgress:
        return False


@atomic_with_retry
def order_expire_locked(*, order_id: UUID) -> bool:
    """The same once no provider holds a payable object. Errors: StillPayable. Locks: order, payment,
    products."""
    order = order_lock(order_id)
    if order.status != OrderStatus.PENDING or order.expires_at is None or order.expires_at > timezone.now():
        return False
    cancel_open_payment(order, cause="the order expired", actor=None)
    order_close(order, OrderStatus.EXPIRED, cause="not paid in time")
    notifications_enqueue(
        order_mail(
            PaymentMail.ORDER_EXPIRED,
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            key=str(order.stock_round),
            received=order.refund_due if order.refund_due else "",
            money_note=closed_note(order) if order.received else "",
        )
    )
    return True


def orders_due_to_expire(*, is_remote: bool | None = None) -> list[UUID]:
    """Overdue orders, the longest overdue first. `is_remote`: only those whose payment a provider has to cancel
    first, or only the others."""
    return list(orders_overdue(is_remote=is_remote).order_by("expires_at").values_list("pk", flat=True)[:500])


def orders_overdue(*, is_remote: bool | None = None) -> QuerySet[Order]:
    due = Order.objects.filter(status=OrderStatus.PENDING, expires_at__lte=timezone.now())
    offline = [facts.name for facts in PROVIDERS if facts.page is None]
    payments = Payment.objects.filter(order=OuterRef("pk"), status__in=OPEN)
    in_review = payments.filter(in_review=True, next_check_at__gt=timezone.now())
    due = due.exclude(Exists(in_review))  # nothing is known of it before its next check
    at_provider = Exists(payments.exclude(payment_provider__in=offline))
    if is_remote is not None:
        due = due.filter(at_provider if is_remote else ~at_provider)
    return due


def cancel_open_payment(order: Order, *, cause: str, actor: User | None) -> None:
    """Cancel the order's open payment here.

    Errors: StillPayable for a payment at a provider, which has to be cancelled there first.
    """
    payment = open_payment(order)
    if payment is None:
        return
    if payment.is_remote:
        raise StillPayable(payment.pk)
    payment_move(payment, PaymentStatus.CANCELLED, cause=cause, actor=actor)
