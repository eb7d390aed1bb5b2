"""Applies the provider's state of a payment to ours. The result is the same whoever reads it (return page,
webhook, periodic task, staff), how often, and in which order."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.changes import changes_note
from artisans.core.compiled import compiled
from artisans.core.models import get_or_none, save_columns
from artisans.core.money import Money
from artisans.core.queue import enqueue_after_commit
from artisans.core.transactions import atomic_with_retry
from artisans.ledger.services import fact_book
from artisans.notifications.facts import render_later
from artisans.notifications.services import notifications_enqueue, notifications_together
from orders.mails import order_mail
from orders.models import Order, StoreRules
from orders.refunds import clear_ship_instructions
from orders.selectors import parcels_to_send, store_rules
from orders.services.placing import PlacedOrder, load_placed_order
from orders.statuses import OrderStatus
from payments.bookkeeping.attempts import attempts_record, is_declined_too_often
from payments.bookkeeping.ledger import capture_fact
from payments.bookkeeping.payments import (
    FIRST_CHECK,
    next_refund_check,
    order_settle,
    payment_move,
    payment_recompute_status,
    payment_set_mode,
)
from payments.bookkeeping.provider_calls import provider_call_finish
from payments.bookkeeping.refunds import apply_remote_refunds, recompute_disputed, refund_surplus
from payments.bookkeeping.review_flags import flag_clear, flag_raise, flag_refresh
from payments.declines import decline_message
from payments.gateway.connection import provider
from payments.mails import PaymentMail, method_name
from payments.models import (
    CallState,
    Capture,
    Dispute,
    DisputeTransition,
    FlagKind,
    Operation,
    Payment,
    PaymentFlag,
)
from payments.providers import contract
from payments.providers.contract import PendingReason, RemotePayment, RemoteStatus
from payments.selectors import object_ids_of, payment_lock
from payments.statuses import OPEN, DisputeStatus, PaymentStatus

LONGEST_PAUSE = timedelta(minutes=30)
LONGEST_PAUSE_IN_REVIEW = timedelta(hours=4)  # a review may take days, and an event reports its end
DISPUTE_STATUS_FROM_REMOTE = {  # an unknown status changes nothing
    contract.RemoteDisputeStatus.OPEN: DisputeStatus.OPEN,
    contract.RemoteDisputeStatus.WON: DisputeStatus.WON,
    contract.RemoteDisputeStatus.LOST: DisputeStatus.LOST,
}
STATUS_FROM_REMOTE = {
    RemoteStatus.OPEN: PaymentStatus.PENDING,
    RemoteStatus.PROCESSING: PaymentStatus.PROCESSING,
    RemoteStatus.FAILED: PaymentStatus.FAILED,
    RemoteStatus.CANCELLED: PaymentStatus.CANCELLED,
    RemoteStatus.UNKNOWN: PaymentStatus.PROCESSING,
}


@atomic_with_retry
def payment_apply_remote_state(
    *, payment_id: UUID, remote: RemotePayment, cause: str, actor_name: str = "provider"
) -> Payment:
    """Apply the provider's object to our payment. Never raises: what does not match is flagged and not
    booked.

    Locks: order, payment, products.
    """
    payment, order = payment_lock(payment_id)
    apply_remote_state(payment, order, remote, cause=cause, actor_name=actor_name)
    return payment


def apply_remote_state(
    payment: Payment, order: Order, remote: RemotePayment, *, cause: str, actor_name: str
) -> None:
    """The same for a caller that holds the locks."""
    flags = {kind for (kind,) in open_flags(payment.pk)}
    sync_unreadable_flag(payment, remote, flags)
    foreign = find_foreign_object(payment, remote)
    problem = foreign or find_amount_mismatch(payment, remote)
    if problem:
        flag_raise(payment, FlagKind.MISMATCH, problem)
    if problem and (foreign or not payment.received_minor):
        plan_check(payment)
        payment.save(update_fields=["checks", "next_check_at", "updated_at"])
        return
    if remote.is_live is not None:  # the keys may have been exchanged since the payment was started
        payment_set_mode(payment, order, is_test=not remote.is_live)
    received = payment.received_minor
    with notifications_together():
        apply_remote_amounts(
            payment, order, remote, is_amount_wrong=bool(problem), cause=cause, actor_name=actor_name
        )
    if FlagKind.STUCK in flags and payment.received_minor > received:
        flag_clear(payment, FlagKind.STUCK, _("The provider took the payment later."))


def apply_remote_amounts(
    payment: Payment,
    order: Order,
    remote: RemotePayment,
    *,
    is_amount_wrong: bool,
    cause: str,
    actor_name: str,
) -> None:
    """Book captures, refunds and disputes. For an object with a wrong amount only refunds and disputes of
    money booked before count."""
    before = order.status
    has_declined = attempts_record(payment, order, remote.attempts)
    captures = () if is_amount_wrong else remote.captures
    new_captures = [made for capture in captures if (made := capture_record(payment, capture, actor_name))]
    if not is_amount_wrong:
        update_status_from_remote(payment, remote, cause=cause, actor_name=actor_name)
    if new_captures and (remote.refunds or remote.disputes):  # it was completed before the refund or dispute
        payment_recompute_status(payment, cause=cause, actor=None, actor_name=actor_name)
        if not is_fully_reversed(remote):  # as if the captures had been reported before the refunds
            order_settle(order, cause=cause, actor=None)
    moved = apply_remote_refunds(payment, order, remote.refunds)
    for dispute in remote.disputes:
        moved |= apply_remote_dispute(payment, dispute)
    plan_check(payment, news=bool(new_captures) or moved)
    if has_declined and payment.status in OPEN and is_declined_too_often(payment):  # the check closes it
        payment.next_check_at = timezone.now()
        enqueue_after_commit("payments.check_payment", payment.pk)
    payment_recompute_status(payment, cause=cause, actor=None, actor_name=actor_name)
    if not (new_captures or moved):
        return
    store = store_rules()
    released = order_settle(order, cause=cause, actor=None, store=store)
    if new_captures:
        placed = released or load_placed_order(order)
        mail_captures(new_captures, placed, store, revived=before == OrderStatus.EXPIRED and order.is_alive)
        refund_surplus(payment, order)


def is_fully_reversed(remote: RemotePayment) -> bool:
    """Whether refunds and disputes cover everything captured; then nothing is released to be shipped."""
    back = sum(r.amount.minor for r in remote.refunds if r.status != contract.RemoteRefundStatus.FAILED)
    back += sum(
        d.amount.minor for d in remote.disputes if d.amount and d.status != contract.RemoteDisputeStatus.WON
    )
    return back >= sum(capture.amount.minor for capture in remote.captures)


def sync_unreadable_flag(payment: Payment, remote: RemotePayment, flags: Collection[str]) -> None:
    """Flag parts of the object that cannot be parsed, until they can be; the other parts are booked."""
    if remote.problems:
        flag_refresh(payment, FlagKind.UNREADABLE, "; ".join(map(str, remote.problems)))
    elif FlagKind.UNREADABLE in flags:
        flag_clear(payment, FlagKind.UNREADABLE, _("The provider’s response can be read again."))


@compiled
def open_flags(payment_id: UUID) -> QuerySet[PaymentFlag, tuple[str]]:
    """Their kinds."""
    return PaymentFlag.objects.filter(payment=payment_id, resolved_at=None).order_by().values_list("kind")


def find_foreign_object(payment: Payment, remote: RemotePayment) -> str:
    """Why the object does not belong to this payment; "" when it does. Nothing is booked from such an object."""
    configured = provider(payment.payment_provider)
    is_present = remote.object_id == payment.provider_payment_id
    if not is_present and remote.object_id not in object_ids_of(payment):
        return _("%(object_id)s does not belong to this payment.") % {"object_id": remote.object_id}
    if remote.reference and remote.reference != str(payment.pk):
        return _("%(object_id)s refers to another payment (%(reference)s).") % {
            "object_id": remote.object_id,
            "reference": remote.reference[:60],
        }
    if configured is not None and remote.is_live not in {None, configured.is_live}:
        text = (
            _("%(object_id)s belongs to the provider’s live mode.")
            if remote.is_live
            else _("%(object_id)s belongs to the provider’s test mode.")
        )
        return text % {"object_id": remote.object_id}
    if configured is not None and configured.payee and remote.payee and remote.payee != configured.payee:
        return _("%(object_id)s pays another account (%(payee)s).") % {
            "object_id": remote.object_id,
            "payee": remote.payee[:60],
        }
    return ""


def find_amount_mismatch(payment: Payment, remote: RemotePayment) -> str:
    """Which amount of the object cannot be right for this payment; "" when none. Captures are not booked
    then; refunds and disputes of money booked before are."""
    if remote.amount is not None and remote.amount != payment.amount:
        return _("%(object_id)s is for %(amount)s, the payment for %(our_amount)s.") % {
            "object_id": remote.object_id,
            "amount": remote.amount,
            "our_amount": payment.amount,
        }
    if any(capture.amount.currency != payment.currency for capture in remote.captures):
        return _("%(object_id)s was captured in another currency.") % {"object_id": remote.object_id}
    if Money.total((c.amount for c in remote.captures), payment.currency) > payment.amount:
        return _("More than %(amount)s was captured for %(object_id)s.") % {
            "amount": payment.amount,
            "object_id": remote.object_id,
        }
    return ""


def capture_record(payment: Payment, capture: contract.Capture, actor_name: str) -> Capture | None:
    """Book a capture once; None when it was booked before."""
    fee = capture.fee
    try:
        with transaction.atomic():
            row = Capture.objects.create(
                payment=payment,
                provider=payment.payment_provider,
                provider_capture_id=capture.capture_id,
                currency=capture.amount.currency,
                amount_minor=capture.amount.minor,
                fee_minor=fee.minor if fee and fee.currency == capture.amount.currency else None,
                actor_name=actor_name,
            )
    except IntegrityError:
        booked = get_or_none(payment.captures.filter(provider_capture_id=capture.capture_id))
        if booked is None or booked.amount != capture.amount:
            text = (
                _("%(capture_id)s is for %(amount)s, but was booked here for %(booked)s.")
                if booked
                else _("%(capture_id)s is for %(amount)s, but was booked here for another payment.")
            )
            flag_raise(
                payment,
                FlagKind.MISMATCH,
                text
                % {
                    "capture_id": capture.capture_id,
                    "amount": capture.amount,
                    "booked": booked and booked.amount,
                },
            )
        return None
    payment.received_minor += capture.amount.minor
    fact_book(capture_fact(payment, row), is_new=True)
    return row


def update_status_from_remote(
    payment: Payment, remote: RemotePayment, *, cause: str, actor_name: str
) -> None:
    """Update an open payment from its current object; completion follows from the amounts instead."""
    if payment.status not in OPEN or remote.object_id != payment.provider_payment_id:
        return
    to = STATUS_FROM_REMOTE.get(remote.status)
    is_cancelled = remote.status == RemoteStatus.CANCELLED
    if remote.status == RemoteStatus.EXPIRED or (is_cancelled and finish_release(payment)):
        payment.provider_payment_id = None
        to = PaymentStatus.PENDING if payment.status == PaymentStatus.PROCESSING else None
    if to is None:
        return
    payment.failure_reason, payment.failure_code = "", ""
    payment.in_review = to == PaymentStatus.PROCESSING
    payment.pending_reason, payment.pending_code = remote.pending.value, remote.pending_code[:80]
    flag_waiting_for_shop(payment, remote)
    if to == PaymentStatus.FAILED:
        payment.failure_reason, payment.failure_code = (
            decline_message(remote.decline, payment.payment_method, wallet=wallet_of(remote)),
            remote.decline_code[:80],
        )
        if remote.action is None:  # this object cannot be paid any more; the next try creates a new one
            payment.provider_payment_id = None
    if to != payment.status:
        payment_move(payment, to, cause=cause, actor_name=actor_name)


def finish_release(payment: Payment) -> bool:
    """Whether the current object was cancelled to be replaced, and not by anyone else; this ends the call that did it,
    whose response was lost or is still on its way."""
    calls = payment.calls.filter(operation=Operation.RELEASE, state=CallState.OPEN)
    call = calls.filter(request__object_id=payment.provider_payment_id).first()
    return call is not None and provider_call_finish(call, CallState.DONE)


def wallet_of(remote: RemotePayment) -> str:
    return remote.attempts[-1].wallet if remote.attempts else ""


def flag_waiting_for_shop(payment: Payment, remote: RemotePayment) -> None:
    """A payment that only the shop can release, in its account at the provider, would wait for ever."""
    if remote.pending == PendingReason.SHOP:
        label = payment.get_payment_provider_display()
        text = _("%(label)s holds this payment until the shop acts in its account there (%(code)s).")
        flag_raise(payment, FlagKind.STUCK, text % {"label": label, "code": remote.pending_code})


def plan_check(payment: Payment, *, news: bool = False) -> None:
    """Schedule the next check at the provider: soon while a payment is in progress, none once nothing can
    change."""
    if payment.status not in OPEN or not payment.is_remote:
        payment.checks, payment.next_check_at = 0, next_refund_check(payment)
        return
    payment.checks = 0 if news else payment.checks + 1
    first = FIRST_CHECK[PaymentStatus(payment.status)]
    longest = LONGEST_PAUSE_IN_REVIEW if payment.in_review else LONGEST_PAUSE
    pause = min(longest, first * 2 ** min(payment.checks, 12))
    payment.next_check_at = timezone.now() + pause


# ---- disputes ----------------------------------------------------------------------------------------------------


# Tasks without arguments that apps above start after a dispute has changed; they have a periodic run of their own too.
DISPUTE_TASKS: list[str] = []


def apply_remote_dispute(payment: Payment, remote: contract.RemoteDispute) -> bool:
    """Update a dispute's status and amount, in any order, and deduct it while it is lost. Returns whether
    anything changed."""
    dispute = get_or_none(
        Dispute.objects.filter(
            provider=payment.payment_provider, provider_dispute_id=remote.dispute_id
        ).select_related("payment")
    )
    if dispute is not None and dispute.payment_id != payment.pk:
        detail = _("%(dispute_id)s already belongs to %(payment_number)s and is counted there.") % {
            "dispute_id": remote.dispute_id,
            "payment_number": dispute.payment.payment_number,
        }
        flag_raise(payment, FlagKind.CONFLICT, detail)
        return False
    is_new = dispute is None and remote.amount is not None
    if dispute is None:
        if remote.amount is None:
            return False  # flagged as unreadable: a dispute cannot be stored without an amount
        dispute = dispute_open(payment, remote, remote.amount)
    status = DISPUTE_STATUS_FROM_REMOTE.get(remote.status, DisputeStatus(dispute.status))
    amount = remote.amount or dispute.amount
    if (status, amount) == (dispute.status, dispute.amount):
        return is_new
    if not is_new:  # this response may be older than what we booked, so check again
        enqueue_after_commit("payments.check_payment", payment.pk)
    dispute_move(dispute, status, amount)
    if amount.currency != payment.currency:
        detail = _("%(dispute_id)s is for %(amount)s, in another currency, so it is not counted here.") % {
            "dispute_id": remote.dispute_id,
            "amount": amount,
        }
        flag_refresh(payment, FlagKind.MISMATCH, detail)
    if not recompute_disputed(payment):
        flag_raise(
            payment, FlagKind.CONFLICT, _("Refunds and lost disputes together exceed the amount received.")
        )
    return True


def dispute_open(payment: Payment, remote: contract.RemoteDispute, amount: Money) -> Dispute:
    dispute = Dispute(
        payment=payment,
        provider=payment.payment_provider,
        provider_dispute_id=remote.dispute_id,
        reason=remote.reason[:100],
    )
    dispute_move(dispute, DisputeStatus.OPEN, amount)
    return dispute


def dispute_move(dispute: Dispute, status: DisputeStatus, amount: Money) -> None:
    """Change a dispute and record its amount at that time. The provider decides, so any status may follow any
    other."""
    is_new = dispute._state.adding
    old = "" if is_new else dispute.status
    is_other_amount = is_new or amount != dispute.amount
    dispute.status, dispute.currency, dispute.amount_minor = status, amount.currency, amount.minor
    if is_new:
        dispute.save(force_insert=True)
    else:
        save_columns(dispute, ["status", "currency", "amount_minor"])
    DisputeTransition.objects.create(
        dispute=dispute,
        old=old,
        new=status,
        currency=amount.currency,
        amount_minor=amount.minor,
        cause=f"reported by the provider{f': {amount}' if is_other_amount else ''}",
        actor_name="provider",
    )
    changes_note(("disputes", dispute.created_at))
    for task in DISPUTE_TASKS:
        enqueue_after_commit(task)
    if status == DisputeStatus.LOST:
        clear_ship_instructions(dispute.payment.order)
    if is_other_amount:
        detail = _("%(amount)s disputed: %(reason)s") % {
            "amount": amount,
            "reason": dispute.reason or _("no reason given"),
        }
        flag_refresh(dispute.payment, FlagKind.DISPUTE, detail)


def mail_captures(captures: list[Capture], placed: PlacedOrder, store: StoreRules, *, revived: bool) -> None:
    """Email the buyer about each capture, once, with text that fits its effect on the order."""
    order, lines = placed.order, placed.lines
    for capture in captures:
        amount = capture.amount
        if not order.is_alive:
            message = order_mail(
                PaymentMail.LATE_PAYMENT, order, lines=lines, store=store, key=str(capture.pk), amount=amount
            )
        elif order.owed.surplus:
            message = order_mail(
                PaymentMail.OVERPAID,
                order,
                lines=lines,
                store=store,
                key=str(capture.pk),
                amount=amount,
                surplus=order.owed.surplus,
            )
        else:
            message = order_mail(
                PaymentMail.PAYMENT_RECEIVED,
                order,
                lines=lines,
                store=store,
                key=str(capture.pk),
                amount=amount,
                method=render_later(method_name, method=capture.payment.payment_method),
                revived=revived,
                to_send=parcels_to_send(order, placed.parcels),
            )
        notifications_enqueue(message)
