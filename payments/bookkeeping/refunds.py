"""Refunds through a provider. The amount is reserved before the call and released only by a definite refusal."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.services import units_restocked
from artisans.core.changes import changes_note
from artisans.core.money import Money
from artisans.core.queue import enqueue_after_commit
from artisans.core.state import check_transition
from artisans.core.transactions import atomic_with_retry
from artisans.ledger.services import fact_book
from artisans.notifications.services import notifications_enqueue
from orders.mails import order_mail
from orders.models import Order
from orders.refunds import clear_ship_instructions, count_refunded_units, lines_restock
from orders.selectors import store_rules
from orders.services.parcels import parcels_recompute_shipped
from orders.statuses import CommissionOnRefund
from payments.bookkeeping.ledger import disputes_fact, refund_fact
from payments.bookkeeping.movement_facts import conversions_book
from payments.bookkeeping.payments import next_refund_check, order_settle, payment_recompute_status
from payments.bookkeeping.provider_calls import provider_call_enqueue
from payments.bookkeeping.refund_amounts import Parts, goods_minor_in
from payments.bookkeeping.review_flags import flag_raise
from payments.mails import PaymentMail
from payments.models import (
    Bearer,
    FlagKind,
    Operation,
    Payment,
    PaymentRefund,
    RefundDecision,
    RefundLine,
    RefundOrigin,
    RefundTransition,
)
from payments.providers import contract
from payments.selectors import balance_after_refunds, payment_lock, refund_due
from payments.statuses import REFUND_TRANSITIONS, DisputeStatus, RefundStatus

R = RefundStatus
STATUS_FROM_REMOTE = {
    contract.RemoteRefundStatus.PENDING: R.PROCESSING,
    contract.RemoteRefundStatus.SUCCEEDED: R.COMPLETED,
    contract.RemoteRefundStatus.FAILED: R.FAILED,
    contract.RemoteRefundStatus.UNKNOWN: R.PROCESSING,  # the money may be gone, so it stays reserved
}
HOLDS = (R.REQUESTED, R.PROCESSING)
PENDING = RefundDecision.PENDING


def refund_surplus(payment: Payment, order: Order) -> None:
    """Refund at once what a late or second payment brought in above the amount due. The caller holds the
    locks."""
    minor = refund_due(order, payment)
    if not minor or payment.disputes.filter(status=DisputeStatus.OPEN).exists():
        return
    reason = (
        _("The order was already paid.")
        if order.is_alive
        else _("The order was closed before the payment arrived.")
    )
    refund_enqueue(payment, Money(minor, payment.currency), reason=reason, origin=RefundOrigin.SYSTEM)
    payment.save(update_fields=["refund_reserved_minor", "updated_at"])


def refund_enqueue(
    payment: Payment,
    amount: Money,
    *,
    reason: str,
    origin: RefundOrigin,
    actor: User | None = None,
    parts: Parts | None = None,
    retry_of: PaymentRefund | None = None,
    borne_by: Bearer = Bearer.ARTISAN,
) -> PaymentRefund:
    """Write a refund and its call, and reserve its amount on the payment instance, which the caller saves.

    A refund by staff is sent by the request that decides on it (refund_send), an automatic one by the worker.
    """
    order = payment.order
    goods = goods_minor_in(order, parts) if parts else 0
    refund = PaymentRefund.objects.create(
        payment=payment,
        origin=origin,
        currency=amount.currency,
        amount_minor=amount.minor,
        goodwill_minor=balance_after_refunds(order).split_goodwill(amount.minor, goods=goods),
        shipping_minor=parts.shipping.minor if parts else 0,
        restock=parts.restock if parts else False,
        borne_by=borne_by,
        keeps_commission=keeps_commission(),
        reason=reason[:300],
        retry_of=retry_of,
        actor=actor,
    )
    if parts:
        refund_lines_create(refund, parts)
    RefundTransition.objects.create(
        refund=refund,
        new=refund.status,
        cause=reason[:300] or "the order was cancelled",
        actor_name=actor.email if actor else "system",
    )
    payment.refund_reserved_minor += amount.minor
    call = provider_call_enqueue(Operation.REFUND, payment=payment, refund=refund)
    if origin == RefundOrigin.SYSTEM:
        enqueue_after_commit("payments.execute_call", call.pk)
    return refund


def refund_create(
    payment: Payment,
    amount: Money,
    *,
    reason: str,
    origin: RefundOrigin,
    actor: User,
    parts: Parts | None = None,
    retry_of: PaymentRefund | None = None,
    borne_by: Bearer = Bearer.ARTISAN,
) -> PaymentRefund:
    """Write a refund that a member of staff decided on, save its reserved amount and record it in the audit
    log."""
    refund = refund_enqueue(
        payment,
        amount,
        reason=reason,
        origin=origin,
        actor=actor,
        parts=parts,
        retry_of=retry_of,
        borne_by=borne_by,
    )
    payment.save(update_fields=["refund_reserved_minor", "updated_at"])
    data = {"amount": str(amount), "refund": refund.refund_number}
    audit_record(actor=actor, action=Action.REFUND_OPEN, target=payment, data=data)
    return refund


def keeps_commission() -> bool:
    """Whether the shop keeps its commission on what is refunded from now on."""
    return store_rules().commission_on_refund == CommissionOnRefund.KEPT


def refund_lines_create(refund: PaymentRefund, parts: Parts) -> None:
    """Record which units the refund is for."""
    RefundLine.objects.bulk_create(
        RefundLine(
            refund=refund,
            order_line=part.line,
            quantity=part.quantity,
            currency=part.amount.currency,
            amount_minor=part.amount.minor,
        )
        for part in parts.lines
    )
    count_refunded_units({part.line.pk: part.quantity for part in parts.lines})


def refund_restock(refund: PaymentRefund, order: Order) -> None:
    """Put the refunded units back on sale, each unit once, even if an earlier failed refund already restocked
    it. The caller holds the order's lock."""
    lines = list(refund.lines.select_related("order_line__parcel"))
    of_line = [line.order_line_id for line in lines]
    counts = Q(refund__status=R.COMPLETED, refund__restock=True) | Q(refund=refund)
    due = RefundLine.objects.filter(counts, order_line__in=of_line).order_by().values_list("order_line")
    wanted = dict(due.annotate(Sum("quantity")))
    back = units_restocked(of_line)
    for line in lines:  # what artisans could not deliver went back on sale without a refund
        unsent = line.order_line.cancelled_quantity - line.order_line.lost_quantity
        back[line.order_line_id] = back.get(line.order_line_id, 0) - unsent
    missing = {line: wanted[line] - back.get(line, 0) for line in of_line}
    lines_restock(
        order,
        {line.pk: (line.order_line, min(line.quantity, missing[line.order_line_id])) for line in lines},
        reason=f"refund {refund.refund_number}",
    )
    parcels_recompute_shipped(order, actor=refund.actor)


def apply_remote_refunds(payment: Payment, order: Order, remotes: Iterable[contract.RemoteRefund]) -> bool:
    """Apply the provider's refunds of a payment, ours first. Returns whether anything changed.

    The caller holds the locks, saves the payment and settles the order.
    """
    moved = False
    for remote in sorted(remotes, key=is_foreign):
        moved |= apply_remote_refund(payment, order, remote)
    return moved


def is_foreign(remote: contract.RemoteRefund) -> bool:
    return not remote.reference


def apply_remote_refund(payment: Payment, order: Order, remote: contract.RemoteRefund) -> bool:
    refund = find_refund(payment, remote)
    if refund is None:
        return refund_import(payment, order, remote)
    if refund.provider_refund_id is None:
        refund.provider_refund_id = remote.refund_id
        refund.save(update_fields=["provider_refund_id", "updated_at"])
    if remote.amount != refund.amount:
        detail = _("%(refund_id)s is for %(amount)s, %(refund_number)s for %(our_amount)s.") % {
            "refund_id": remote.refund_id,
            "amount": remote.amount,
            "refund_number": refund.refund_number,
            "our_amount": refund.amount,
        }
        flag_raise(payment, FlagKind.MISMATCH, detail)
    to = next_refund_status(refund, remote)
    if refund.status == to or (refund.status, to) == (R.COMPLETED, R.PROCESSING):
        return False
    if refund.status == R.FAILED and not can_reopen(refund, payment):
        flag_raise(
            payment,
            FlagKind.CONFLICT,
            _("%(refund_number)s failed here, but %(refund_id)s did not.")
            % {"refund_number": refund.refund_number, "refund_id": remote.refund_id},
        )
        return False
    if refund.status == R.FAILED:  # this response may be older than what we booked, so check again
        enqueue_after_commit("payments.check_payment", payment.pk)
    refund_move(refund, payment, order, to, cause=remote.reason or "reported by the provider")
    return True


def next_refund_status(refund: PaymentRefund, remote: contract.RemoteRefund) -> RefundStatus:
    """The status to which the provider's status maps; an unknown one counts as processing."""
    if remote.status == contract.RemoteRefundStatus.UNKNOWN and refund.status != R.REQUESTED:
        return R(refund.status)
    return STATUS_FROM_REMOTE[remote.status]


def can_reopen(refund: PaymentRefund, payment: Payment) -> bool:
    """Whether the amount and units of a failed refund are still available."""
    lines = refund.lines.select_related("order_line")
    are_free = all(line.quantity <= line.order_line.refundable_quantity for line in lines)
    return are_free and refund.amount <= payment.refundable


def find_refund(payment: Payment, remote: contract.RemoteRefund) -> PaymentRefund | None:
    """Our refund by the provider's id, or by the reference that we sent with it."""
    own = {str(refund.pk): refund for refund in payment.refunds.all()}
    known = next((r for r in own.values() if r.provider_refund_id == remote.refund_id), None)
    return known or own.get(remote.reference)


def refund_import(payment: Payment, order: Order, remote: contract.RemoteRefund) -> bool:
    """Book a refund that was made at the provider; what it means for an open order awaits a staff decision."""
    status = STATUS_FROM_REMOTE[remote.status]
    if status == R.FAILED:
        return False
    if remote.amount.currency != payment.currency:
        detail = _("%(refund_id)s is for %(amount)s, in another currency, so it is not counted here.") % {
            "refund_id": remote.refund_id,
            "amount": remote.amount,
        }
        flag_raise(payment, FlagKind.MISMATCH, detail)
        return False
    if (
        remote.amount > payment.refundable
    ):  # one of our refunds is in progress and will be refused, which frees the amount
        flag_raise(
            payment,
            FlagKind.CONFLICT,
            _("%(refund_id)s for %(amount)s exceeds what is left of the payment.")
            % {"refund_id": remote.refund_id, "amount": remote.amount},
        )
        return False
    refund = PaymentRefund.objects.create(
        payment=payment,
        origin=RefundOrigin.PROVIDER,
        decision=PENDING if order.is_alive else RefundDecision.NOT_NEEDED,
        currency=remote.amount.currency,
        amount_minor=remote.amount.minor,
        keeps_commission=keeps_commission(),
        reason=(remote.reason or "refunded at the provider")[:300],
        provider_refund_id=remote.refund_id,
    )
    RefundTransition.objects.create(
        refund=refund, new=refund.status, cause="made at the provider", actor_name="provider"
    )
    payment.refund_reserved_minor += remote.amount.minor
    clear_ship_instructions(order)
    refund_move(refund, payment, order, status, cause="made at the provider")
    return True


def refund_move(
    refund: PaymentRefund, payment: Payment, order: Order, to: RefundStatus, *, cause: str
) -> None:
    """Change a refund's status, and the payment's totals with it (the caller saves the payment)."""
    old = R(refund.status)
    check_transition(REFUND_TRANSITIONS, old, to)
    RefundTransition.objects.create(refund=refund, old=old, new=to, cause=cause[:300], actor_name="provider")
    was_completed_at = refund.processed_at if old == R.COMPLETED else None
    refund.status, refund.processed_at = to, timezone.now()
    minor = refund.amount_minor
    payment.refund_reserved_minor += minor * ((to in HOLDS) - (old in HOLDS))
    payment.refunded_minor += minor * ((to == R.COMPLETED) - (old == R.COMPLETED))
    if R.COMPLETED in {old, to}:
        fact_book(refund_fact(payment, refund))
        changes_note(
            ("refunds", was_completed_at), ("refunds", refund.processed_at), ("settled", payment.completed_at)
        )
    if old == R.FAILED:
        refund.failure_reason = ""
        count_refunded_units({line.order_line_id: line.quantity for line in refund.lines.all()})
        if refund.origin == RefundOrigin.PROVIDER and order.is_alive:
            refund.decision = PENDING
    if to == R.COMPLETED:
        mail_refund(PaymentMail.REFUND_COMPLETED, refund, order)
    elif to == R.FAILED:
        refund.failure_reason = cause[:300]
        refund.decision = RefundDecision.NOT_NEEDED if refund.decision == PENDING else refund.decision
        refund_release(refund, payment, order, was_notified=old == R.COMPLETED)
    refund.save(update_fields=["status", "processed_at", "failure_reason", "decision", "updated_at"])
    if to == R.COMPLETED and refund.restock and refund.origin != RefundOrigin.PROVIDER:
        refund_restock(refund, order)


def refund_release(refund: PaymentRefund, payment: Payment, order: Order, *, was_notified: bool) -> None:
    """Release the amount and units of a failed refund and flag it for review. Restocked units stay on sale."""
    count_refunded_units({line.order_line_id: -line.quantity for line in refund.lines.all()})
    recompute_disputed(payment)
    detail = _("%(refund_number)s for %(amount)s: %(failure_reason)s") % {
        "refund_number": refund.refund_number,
        "amount": refund.amount,
        "failure_reason": refund.failure_reason,
    }
    flag_raise(payment, FlagKind.REFUND_FAILED, detail)
    if was_notified:
        mail_refund(PaymentMail.REFUND_FAILED, refund, order)


def recompute_disputed(payment: Payment) -> bool:
    """Deduct lost disputes from what refunds left (on the instance). Returns False if not all of it could be
    deducted.

    A dispute in another currency is not counted: its cost in the payment's currency is unknown.
    """
    counted = payment.disputes.filter(status=DisputeStatus.LOST, currency=payment.currency)
    lost = counted.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    left = payment.received_minor - payment.refunded_minor - payment.refund_reserved_minor
    before, payment.disputed_minor = payment.disputed_minor, min(lost, left)
    if payment.disputed_minor != before:
        fact_book(disputes_fact(payment))
        conversions_book([payment.pk])
    return bool(lost <= left)


@atomic_with_retry
def refund_finish(*, refund_id: UUID, remote: contract.RemoteRefund | None, refusal: str = "") -> None:
    """Book the response to our refund call: the provider's refund, or its refusal."""
    refund = PaymentRefund.objects.get(pk=refund_id)
    payment, order = payment_lock(refund.payment_id)
    cause = _("%(refund_number)s at the provider") % {"refund_number": refund.refund_number}
    if remote is not None:
        moved = apply_remote_refund(payment, order, remote)
    else:
        refund.refresh_from_db()  # it may have changed before the lock
        moved = refund.status in HOLDS
        if moved:
            refund_move(refund, payment, order, R.FAILED, cause=refusal or "refused by the provider")
    if not moved:
        return
    payment.next_check_at = next_refund_check(payment)
    payment_recompute_status(payment, cause=cause, actor=None)
    order_settle(order, cause=cause, actor=None)
    if remote is None:  # the provider may have refused because of refunds that we do not know of
        payment.next_check_at = timezone.now()
        payment.save(update_fields=["next_check_at", "updated_at"])


def mail_refund(kind: str, refund: PaymentRefund, order: Order) -> None:
    """Notify the buyer once a refund has completed, and if a completed one fails later."""
    notifications_enqueue(
        order_mail(
            kind,
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            key=str(refund.pk),
            amount=refund.amount,
            number=refund.refund_number,
            provider=refund.payment.get_payment_provider_display(),
            reason=refund.reason if refund.origin != RefundOrigin.PROVIDER else "",
        )
    )
