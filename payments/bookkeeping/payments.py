"""The state of payments. Locks are taken in this order: order, payment."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.utils import timezone

from artisans.accounts.models import User
from artisans.core.changes import changes_note
from artisans.core.compiled import compiled
from artisans.core.queue import enqueue_after_commit
from artisans.core.state import check_transition
from orders.models import Order, StoreRules
from orders.refunds import hold_refunded_parcels
from orders.services.placing import PlacedOrder
from orders.services.settlement import order_apply_settlement
from orders.statuses import OrderStatus
from payments.bookkeeping.attempts import challenges_abandon
from payments.bookkeeping.buyer_facts import create_call_request
from payments.bookkeeping.earnings import order_earnings_book
from payments.bookkeeping.provider_calls import provider_call_enqueue
from payments.bookkeeping.saved_methods import get_customer_id
from payments.models import (
    Dispute,
    Operation,
    Payment,
    PaymentRefund,
    PaymentTransition,
    ProviderCall,
    RefundOrigin,
)
from payments.selectors import payments_of, refund_sums
from payments.statuses import (
    OPEN,
    PAYMENT_TRANSITIONS,
    SETTLED,
    DisputeStatus,
    PaymentStatus,
    RefundStatus,
)

FIRST_CHECK = {  # at the provider; each further one waits twice as long
    PaymentStatus.PENDING: timedelta(seconds=60),
    PaymentStatus.FAILED: timedelta(seconds=120),
    PaymentStatus.PROCESSING: timedelta(seconds=4),
}
REFUND_CHECK = timedelta(hours=1)


def enqueue_create(payment: Payment, order: Order) -> ProviderCall:
    """Enqueue the call that creates the payment at the provider; it runs after commit."""
    request = create_call_request(order)
    if payment.user_id and (customer_id := get_customer_id(payment.user_id, payment.payment_provider)):
        request["customer_id"] = customer_id
    payment.next_check_at = timezone.now() + FIRST_CHECK[PaymentStatus.PENDING]
    payment.save(update_fields=["next_check_at", "updated_at"])
    return provider_call_enqueue(Operation.CREATE, payment=payment, request=request)


IMMUTABLE_FIELDS = frozenset(
    ("id", "created_at", "payment_number", "order", "user", "payment_method", "payment_provider", "currency")
)


def payment_move(
    payment: Payment, to: PaymentStatus, *, cause: str, actor: User | None = None, actor_name: str = "system"
) -> None:
    """Change a payment's status, checked against PAYMENT_TRANSITIONS, and record who changed it and why."""
    check_transition(PAYMENT_TRANSITIONS, PaymentStatus(payment.status), to)
    PaymentTransition.objects.create(
        payment=payment,
        old=payment.status,
        new=to,
        cause=cause[:300],
        actor_name=actor.email if actor else actor_name,
    )
    now = timezone.now()
    payment.status = to
    payment.in_review = payment.in_review and to == PaymentStatus.PROCESSING
    if not payment.in_review:
        payment.pending_reason, payment.pending_code = "", ""
    if to not in OPEN:
        payment.checks, payment.next_check_at = 0, next_refund_check(payment)
    payment.processed_at = payment.processed_at or now
    if to == PaymentStatus.CANCELLED and payment.is_remote:
        challenges_abandon(payment, is_over=True)
    if to == PaymentStatus.COMPLETED:
        payment.failure_reason, payment.failure_code = "", ""
        payment.completed_at = payment.completed_at or now
    payment_save(payment)


def payment_save(payment: Payment) -> None:
    """Save all fields that change during a payment's life, and note it for the figures. The caller holds its lock."""
    columns = [field.name for field in payment._meta.concrete_fields if field.name not in IMMUTABLE_FIELDS]
    payment.save(update_fields=columns)
    changes_note(
        ("payments", payment.created_at), ("settled", payment.completed_at), ("settled", timezone.now())
    )


def payment_set_mode(payment: Payment, order: Order, *, is_test: bool) -> None:
    """Note whether it moves test money; the caller saves it. The order has the mode of its latest payment. Costs
    statements only when keys were exchanged, or are of both modes."""
    if payment.is_test != is_test:
        payment.is_test = is_test
        times = payment.attempts.order_by().values_list("tried_at", "decided_at")
        changes_note(*(("attempts", at) for row in times for at in row))
    if order.is_test != is_test:
        order.is_test = is_test
        order.save(update_fields=["is_test", "updated_at"])
        changes_note(("orders", order.created_at), ("settled", order.paid_at))


def next_refund_check(payment: Payment) -> datetime | None:
    """When to check a closed payment at the provider: None unless a refund is in progress."""
    is_under_way = payment.is_remote and payment.refund_reserved_minor > 0
    return timezone.now() + REFUND_CHECK if is_under_way else None


def payment_recompute_status(
    payment: Payment, *, cause: str, actor: User | None, actor_name: str = "system"
) -> None:
    """Derive a payment's status from the amounts received and refunded."""
    kept = payment.net_received_minor
    if payment.status in SETTLED:
        if kept >= payment.amount_minor:
            to = PaymentStatus.COMPLETED
        else:
            to = PaymentStatus.PARTIALLY_REFUNDED if kept else PaymentStatus.REFUNDED
    elif kept >= payment.amount_minor:
        to = PaymentStatus.COMPLETED
    else:
        to = PaymentStatus(payment.status)
    if to == payment.status:
        payment_save(payment)
    else:
        payment_move(payment, to, cause=cause, actor=actor, actor_name=actor_name)


def order_settle(
    order: Order, *, cause: str, actor: User | None, store: StoreRules | None = None
) -> PlacedOrder | None:
    """Apply the totals of all payments to the order; cancel or reduce an open payment that is no longer
    needed in full, so that nobody pays twice.

    Returns the order with its lines and parcels if this released it.
    """
    payments, before = payments_of(order), sums_of(order)
    released = order_apply_settlement(
        order,
        received=sum(payment.received_minor for payment in payments),
        refunded=sum(payment.refunded_minor + payment.disputed_minor for payment in payments),
        refunds=refund_sums(order, payments, statuses=[RefundStatus.COMPLETED]),
        held=held_minor(order, payments),
        cause=cause,
        actor=actor,
        store=store,
    )
    for payment in payments:
        if payment.status in OPEN:
            adjust_open_payment(payment, order, cause=cause, actor=actor)
    if released is None:
        hold_refunded_parcels(
            order,
            reserved=sum(payment.refund_reserved_minor for payment in payments),
            outside=external_returns_minor(order, payments),
        )
    # What was refunded can be for something else than before, with the same sums, and units can have been cancelled.
    has_moved = sums_of(order) != before or order.refunded_minor > 0 or order.cancelled_minor > 0
    order_earnings_book(order, placed=released, has_moved=has_moved)
    return released


def sums_of(order: Order) -> tuple[int, ...]:
    """What came in and went back, as the order has it."""
    return (
        order.received_minor,
        order.refunded_minor,
        order.goods_refunded_minor,
        order.goodwill_minor,
        order.unassigned_minor,
    )


def held_minor(order: Order, payments: list[Payment]) -> int:
    """Minor units of the received money that are being refunded or disputed; they do not confirm an order. An
    order that expired and had a refund stays closed even if that refund fails, because the buyer was
    notified."""
    paid = [payment for payment in payments if payment.received_minor]
    if not paid or order.released_at is not None:
        return 0
    if order.status == OrderStatus.EXPIRED and PaymentRefund.objects.filter(payment__in=paid).exists():
        return sum(payment.received_minor for payment in paid)
    ids = {payment.pk for payment in paid}
    disputed = sum(minor for payment_id, minor in open_disputes(order.pk) if payment_id in ids)
    return disputed + sum(payment.refund_reserved_minor for payment in paid)


@compiled
def open_disputes(order_id: UUID) -> QuerySet[Dispute, tuple[UUID, int]]:
    disputes = Dispute.objects.filter(payment__order=order_id, status=DisputeStatus.OPEN)
    return disputes.order_by().values_list("payment_id", "amount_minor")


def external_returns_minor(order: Order, payments: Sequence[Payment]) -> int:
    """Minor units that left outside the shop and name no items: refunds made at the provider, and lost
    disputes."""
    refunds = PaymentRefund.objects.filter(payment__order=order, origin=RefundOrigin.PROVIDER, lines=None)
    refunded = refunds.exclude(status=RefundStatus.FAILED).aggregate(sum=Sum("amount_minor"))["sum"] or 0
    return int(refunded + sum(payment.disputed_minor for payment in payments))


def adjust_open_payment(payment: Payment, order: Order, *, cause: str, actor: User | None) -> None:
    """Reduce or cancel an open offline payment after money arrived by another payment."""
    if payment.is_remote:
        if payment.outstanding != order.due_now:  # checking it cancels it at the provider
            payment.next_check_at = timezone.now()
            payment.save(update_fields=["next_check_at", "updated_at"])
            enqueue_after_commit("payments.check_payment", payment.pk)
        return
    amount = payment.net_received_minor + order.due_now.minor
    if amount == 0 or not order.is_alive:
        payment_move(payment, PaymentStatus.CANCELLED, cause=f"not needed: {cause}", actor=actor)
    elif amount < payment.amount_minor:
        payment.amount_minor = amount
        payment_recompute_status(payment, cause=cause, actor=actor)
    if payment.status in OPEN and not order.due_now:
        payment_move(payment, PaymentStatus.CANCELLED, cause="the order is paid without it", actor=actor)
