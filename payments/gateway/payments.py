"""The life of a payment at a provider. Nothing here runs inside a transaction of the caller.

The provider is called first, then its response is booked (sync.py). Only a definite "cancelled" lets another
payment start or stock be released; "already paid" settles the order; while the outcome is unknown, nothing
changes.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from artisans.core.compiled import compiled
from artisans.core.money import Money
from orders.models import Order
from payments.bookkeeping.attempts import (
    TOO_MANY_DECLINES,
    is_declined_too_often,
    known_attempts,
    too_many_declines,
)
from payments.bookkeeping.buyer_facts import create_call_request
from payments.bookkeeping.holds import renew_order_hold
from payments.bookkeeping.payments import enqueue_create, payment_move
from payments.bookkeeping.provider_alerts import alert_raise, alerts_sync
from payments.bookkeeping.provider_calls import (
    approval_request,
    capture_of_approval,
    is_unseen,
    provider_call_enqueue,
    provider_call_finish,
)
from payments.bookkeeping.review_flags import flag_refresh
from payments.bookkeeping.saved_methods import customer_forget, get_customer_id
from payments.declines import not_started
from payments.errors import (
    AmountMismatch,
    NotConfirmable,
    NothingDue,
    PaymentBusy,
    PaymentDeclined,
    PaymentInProgress,
    ProviderUnavailable,
    StillPayable,
)
from payments.gateway.calls import Answer, CallResult, flag_not_configured
from payments.gateway.connection import can, execute, is_down
from payments.gateway.operations import provider_call_execute
from payments.gateway.sync import payment_apply_remote_state, plan_check
from payments.methods import PaymentMethod
from payments.models import CallState, FlagKind, Operation, Payment, ProviderCall
from payments.models.provider_call import GIVEN_UP
from payments.providers.contract import (
    Action,
    Capability,
    CustomerNotFound,
    ObjectNotFound,
    Refused,
    RemotePayment,
    RemoteStatus,
    Unknown,
)
from payments.selectors import payment_lock
from payments.statuses import OPEN, PaymentStatus

logger = logging.getLogger(__name__)

T = TypeVar("T")
PAYMENT_READS = "payments"
NOT_CHARGED = (RemoteStatus.APPROVED, RemoteStatus.CANCELLED, RemoteStatus.EXPIRED)
MAX_CANCEL_ATTEMPTS = 3  # another request may start a payment between our two steps
OTHERS_SECONDS, OTHERS_PAUSE = 2, 0.05  # to wait for a call that another process makes


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """A payment after a call to the provider. `action`: what the buyer has to do now, if anything.

    `is_whole`: every list of the object could be read.
    """

    payment: Payment
    action: Action | None = None
    refused: Refused | None = None
    is_whole: bool = True


def reload_payment(payment_id: UUID) -> Payment:
    return Payment.objects.select_related("order").get(pk=payment_id)


# ---- operations ------------------------------------------------------------------------------------------------------


def payment_ensure_at_provider(payment: Payment) -> PaymentResult:
    """Create the payment at the provider, after it was committed here.

    Never raises for a provider's error: an unknown outcome is PROCESSING, a refusal is FAILED. If it exists
    already, it is read again; without a response it is returned unchanged and without an action.
    """
    if not payment.is_remote:
        return PaymentResult(payment)
    call = payment.calls.filter(state=CallState.OPEN, refund=None).first() or enqueue_missing_create(
        payment.pk
    )
    if call is not None and call.operation == Operation.RELEASE:  # then a new object can be created
        provider_call_execute(call.pk)
        call = enqueue_missing_create(payment.pk)
    if call is None:
        try:
            return payment_sync(payment.pk, cause="read again")
        except (Refused, Unknown):
            return PaymentResult(reload_payment(payment.pk))
    return execute_payment_call(payment.pk, call)


@transaction.atomic
def enqueue_missing_create(payment_id: UUID) -> ProviderCall | None:
    """The call that creates a new object when the old one was cancelled or expired, or its successor was
    never created."""
    payment, order = payment_lock(payment_id)
    if payment.status not in OPEN or payment.provider_payment_id or not is_amount_due(payment, order):
        return None
    under_way = payment.calls.filter(state=CallState.OPEN, refund=None).first()
    return under_way or enqueue_create(payment, order)


def execute_payment_call(payment_id: UUID, call: ProviderCall) -> PaymentResult:
    call_result = provider_call_execute(call.pk)
    if call_result == CallResult():
        payment_mark_processing(payment_id)
    return build_payment_result(payment_id, call_result)


def build_payment_result(payment_id: UUID, call_result: CallResult[Answer]) -> PaymentResult:
    remote = call_result.refused.remote if call_result.refused else call_result.answer
    payment = reload_payment(payment_id)
    action = remote.action if isinstance(remote, RemotePayment) and payment.status in OPEN else None
    return PaymentResult(payment, action, call_result.refused)


@transaction.atomic
def payment_mark_processing(payment_id: UUID, *, is_forced: bool = False) -> None:
    """Mark a payment with an unknown outcome, so that the buyer does not pay again."""
    payment, _order = payment_lock(payment_id)
    is_open = is_forced or payment.calls.filter(state=CallState.OPEN, refund=None).exists()
    if is_open and payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}:
        payment_move(payment, PaymentStatus.PROCESSING, cause="no response from the provider yet")
        plan_check(payment, news=True)
        payment.save(update_fields=["checks", "next_check_at", "updated_at"])


def payment_sync(payment_id: UUID, *, cause: str, object_id: str = "", approval: str = "") -> PaymentResult:
    """Read the payment from the provider and apply its state; then capture or cancel what is still to be done.

    `object_id`: an earlier object of the payment to read instead. `approval`: what reports that the buyer approved
    just now, BUYER_RETURN or the id of the provider's event; a declined payment is captured again only for an approval
    that was not captured yet. Errors: Refused, Unknown from the provider when it cannot be read; nothing has changed
    then.
    """
    payment = Payment.objects.get(pk=payment_id)
    return payment_sync_loaded(payment, cause=cause, object_id=object_id, approval=approval)


def payment_sync_loaded(
    payment: Payment, *, cause: str, object_id: str = "", approval: str = ""
) -> PaymentResult:
    """The same for a caller that has just read the row. It only says what to read at the provider: the result
    is applied to the row as locked then."""
    if not payment.is_remote:
        return PaymentResult(payment)
    call = open_calls.first(payment.pk)
    if call is not None:
        call_result = finish_open_call(payment, call, approval)
        if not object_id:
            return cancel_if_unwanted(build_payment_result(payment.pk, call_result))
    asked = object_id or payment.provider_payment_id
    if not asked:
        return cancel_if_unwanted(PaymentResult(payment))
    try:
        remote = read_remote_payment(payment, asked)
    except ObjectNotFound:
        return cancel_if_unwanted(PaymentResult(clear_missing_object(payment.pk, asked)))
    payment = payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause=cause)
    is_current = remote.object_id == payment.provider_payment_id
    is_approved = is_current and remote.status == RemoteStatus.APPROVED
    if is_approved and (captured := payment_capture(payment, approval=approval)):
        return cancel_if_unwanted(captured)
    action = remote.action if is_current and payment.status in OPEN else None
    return cancel_if_unwanted(PaymentResult(payment, action=action, is_whole=not any(remote.lists.values())))


def finish_open_call(payment: Payment, call: ProviderCall, approval: str) -> CallResult[Answer]:
    """Execute the call that is open; another process may be doing so."""
    is_capture = call.operation == Operation.CONFIRM
    if is_capture and approval:
        note_approval(payment.pk, approval)
    call_result = provider_call_execute(call.pk)
    if is_capture and call_result == CallResult():
        payment_mark_processing(payment.pk)
    return call_result


@compiled
def open_calls(payment_id: UUID) -> QuerySet[ProviderCall]:
    return ProviderCall.objects.filter(payment=payment_id, state=CallState.OPEN, refund=None).order_by()


def read_remote_payment(payment: Payment, object_id: str) -> RemotePayment:
    """The current object. Parts that cannot be fetched or parsed raise alerts and flags for staff.

    Errors: Refused, Unknown.
    """
    name, known = payment.payment_provider, known_attempts(payment)
    try:
        remote = execute(name, lambda provider: provider.reread(object_id, known_attempts=known))
    except (Refused, Unknown) as error:
        flag_not_configured(payment, error)
        if error.is_forbidden:
            alert_raise(provider=name, part=PAYMENT_READS, detail=str(error))
        elif isinstance(error, Unknown) and error.is_unreadable:
            flag_refresh(payment, FlagKind.UNREADABLE, f"{object_id}: {error}")
        raise
    alerts_sync(name, {PAYMENT_READS: ""} | dict(remote.lists))
    return remote


def is_uncharged(payment: Payment, object_id: str) -> bool:
    """Whether an object of a cancelled payment took no money and can take none any more, as the provider says now.

    False when that is not certain. An approved object is only charged by our capture, which a cancelled payment never
    gets. Money that moved after all is booked.
    """
    try:
        remote = read_remote_payment(payment, object_id)
    except (Refused, Unknown):
        return False
    payment = payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="the buyer came back")
    is_closed = payment.status == PaymentStatus.CANCELLED and not payment.received_minor
    return is_closed and remote.status in NOT_CHARGED and not remote.captures


@transaction.atomic
def clear_missing_object(payment_id: UUID, object_id: str) -> Payment:
    """The provider deleted an unpaid object: the payment can continue with a new one."""
    payment, _order = payment_lock(payment_id)
    if payment.status in OPEN and payment.provider_payment_id == object_id:
        payment.provider_payment_id = None
        plan_check(payment)
        payment.save(update_fields=["provider_payment_id", "checks", "next_check_at", "updated_at"])
        if payment.status == PaymentStatus.PROCESSING:
            payment_move(payment, PaymentStatus.PENDING, cause="not known to the provider")
    return payment


def cancel_if_unwanted(result: PaymentResult) -> PaymentResult:
    """Cancel an open payment at the provider when its order no longer needs it, or after too many declines."""
    payment = result.payment
    if payment.status in OPEN and payment.is_remote and is_declined_too_often(payment):
        payment_cancel_at_provider(payment.pk, cause="declined too often", may_stay_unknown=True)
        return PaymentResult(note_too_many_declines(payment.pk))
    if payment.status in OPEN and payment.order.due_now != payment.outstanding:
        payment_cancel_at_provider(payment.pk, cause="no longer needed by the order", may_stay_unknown=True)
        return PaymentResult(reload_payment(payment.pk))
    return result


@transaction.atomic
def note_too_many_declines(payment_id: UUID) -> Payment:
    """Say on the order's page why the payment was closed; it may have been paid or stayed open instead."""
    payment, _order = payment_lock(payment_id)
    if payment.status == PaymentStatus.CANCELLED:
        payment.failure_reason, payment.failure_code = too_many_declines(), TOO_MANY_DECLINES
        payment.save(update_fields=["failure_reason", "failure_code", "updated_at"])
    return payment


def payment_capture(payment: Payment, *, approval: str) -> PaymentResult | None:
    """Capture the payment that the buyer approved, if the order still needs its amount; otherwise the caller cancels
    it. None when it was declined after this approval already."""
    try:
        with transaction.atomic():
            locked, order = payment_lock(payment.pk)
            if locked.status not in OPEN or not is_amount_due(locked, order):
                return PaymentResult(locked)
            call = capture_of_approval(locked, approval)
            if locked.status == PaymentStatus.FAILED and (call is not None or not approval):
                return None
            if call is None or call.state != CallState.OPEN:
                request = {"token_version": order.token_version} | approval_request(locked, approval)
                call = provider_call_enqueue(Operation.CONFIRM, payment=locked, request=request)
    except PaymentBusy:
        payment_mark_processing(payment.pk)
        return PaymentResult(reload_payment(payment.pk))
    return execute_payment_call(payment.pk, call)


@transaction.atomic
def note_approval(payment_id: UUID, approval: str) -> None:
    """Remember that a capture that is under way is of this approval."""
    payment, _order = payment_lock(payment_id)
    capture_of_approval(payment, approval)


def is_amount_due(payment: Payment, order: Order) -> bool:
    """Whether the order needs what the payment charges, no more and no less; the caller holds the locks."""
    return bool(order.due_now) and order.due_now == payment.outstanding


def check_amount(payment: Payment, order: Order, shown: Money | None) -> None:
    """Refuse to charge anything but what is due, and what the buyer was `shown` if that is known; the caller holds the
    locks. Errors: NothingDue, AmountMismatch."""
    if not order.due_now:
        raise NothingDue
    charged = payment.outstanding if shown is None else shown
    if charged != order.due_now or not is_amount_due(payment, order):
        raise AmountMismatch(sent=charged.amount, due=order.due_now)


def payment_confirm(payment_id: UUID, *, method_id: str, shown: Money | None = None) -> PaymentResult:
    """The same once more with a new object if the provider no longer has the customer of this one."""
    result = confirm_once(payment_id, method_id=method_id, shown=shown)
    if result.refused is not None and result.refused.is_forbidden:
        raise ProviderUnavailable(result.payment.get_payment_provider_display())
    if not isinstance(result.refused, CustomerNotFound):
        return result
    payment = result.payment
    if payment.user_id and (customer_id := get_customer_id(payment.user_id, payment.payment_provider)):
        customer_forget(payment.user_id, payment.payment_provider, customer_id)
    payment_replace_at_provider(payment_id, Operation.CREATE)
    return confirm_once(payment_id, method_id=method_id, shown=shown)


def confirm_once(payment_id: UUID, *, method_id: str, shown: Money | None) -> PaymentResult:
    """Pay with a payment method that the provider knows (a token or a saved one). Repeating it after success
    has no effect.

    `shown`: the amount that the buyer was shown. A refusal that is not a decline (an unknown method) is returned as
    `refused`. Errors: NotConfirmable, PaymentBusy, NothingDue, AmountMismatch, ProviderUnavailable, PaymentDeclined
    with a message for the buyer.
    """
    with transaction.atomic():
        payment, order = payment_lock(payment_id)
        if payment.status not in OPEN:
            return PaymentResult(payment)
        if not payment.is_remote or not can(payment.payment_provider, Capability.CONFIRM):
            raise NotConfirmable(
                _("This payment cannot be confirmed through the API. Follow its next_action.")
            )
        if is_down(payment.payment_provider):
            raise ProviderUnavailable(payment.get_payment_provider_display())
        check_amount(payment, order, shown)
        if not payment.provider_payment_id:
            raise PaymentBusy
        call = provider_call_enqueue(
            Operation.CONFIRM,
            payment=payment,
            request={"token_version": order.token_version, "method_id": method_id, "actor": "buyer"}
            | approval_request(payment, ""),
        )
    result = execute_payment_call(payment_id, call)
    decline = result.refused.decline if result.refused else None
    if decline is not None and result.payment.status == PaymentStatus.FAILED:
        message = result.payment.failure_reason or not_started()
        raise PaymentDeclined(message, payment_id=str(payment_id), group=decline.value)
    return result


def payment_replace_at_provider(
    payment_id: UUID,
    operation: Operation,
    *,
    request: dict[str, object] | None = None,
    shown: Money | None = None,
) -> PaymentResult:
    """Replace the provider's object of a payment: by its hosted page, or by one for the card form on our
    page.

    The current object is cancelled first, so that two can never be paid. `shown`: the amount that the buyer was shown,
    for an object that is charged at once. A payment whose amount is not due any more gets no new object.
    Errors: PaymentBusy, PaymentInProgress, NothingDue, AmountMismatch.
    """
    with transaction.atomic():
        payment, order = payment_lock(payment_id)
        if payment.status not in OPEN:
            raise NothingDue
        check_amount(payment, order, shown)
        present = payment.provider_payment_id
        call = (
            provider_call_enqueue(Operation.RELEASE, payment=payment, request={"object_id": present})
            if present
            else None
        )
    if call is not None:
        provider_call_execute(call.pk)
    with transaction.atomic():
        payment, order = payment_lock(payment_id)
        if payment.status not in OPEN:
            return PaymentResult(payment)  # it has been paid in the meantime
        if payment.provider_payment_id:
            raise PaymentInProgress
        check_amount(payment, order, shown)
        renew_order_hold(order, PaymentMethod(payment.payment_method))
        request = create_call_request(order) | (request or {})
        if operation == Operation.HOSTED and order.expires_at:
            request["expires_at"] = order.expires_at.isoformat()  # the hold may change before a repeat
        call = provider_call_enqueue(operation, payment=payment, request=request)
    return execute_payment_call(payment_id, call)


def payment_cancel_at_provider(
    payment_id: UUID, *, cause: str, actor: str = "system", may_stay_unknown: bool = False
) -> None:
    """Make sure that an open payment can no longer be paid, or find out that it was paid.

    `may_stay_unknown`: leave an unknown outcome to the periodic task instead of raising. Errors:
    PaymentInProgress while the outcome is unknown; nothing may be closed or started then.
    """
    under_way = reload_payment(payment_id).calls.filter(state=CallState.OPEN, refund=None).first()
    if under_way is not None:
        provider_call_execute(under_way.pk)
    call = enqueue_cancel(payment_id, cause=cause, actor=actor)
    if call is not None:
        provider_call_execute(call.pk)
    if not may_stay_unknown and stays_open(payment_id):
        raise PaymentInProgress


def stays_open(payment_id: UUID) -> bool:
    """Whether the payment is still open, after waiting a moment for another process that is making its call. If its
    cancellation were not waited for, the order could be left without a payment."""
    until = time.monotonic() + OTHERS_SECONDS
    while reload_payment(payment_id).status in OPEN:
        if not is_call_made_elsewhere(payment_id) or time.monotonic() > until:
            return True
        time.sleep(OTHERS_PAUSE)
    return False


def is_call_made_elsewhere(payment_id: UUID) -> bool:
    """For the first time; one whose outcome is unknown takes longer."""
    calls = ProviderCall.objects.filter(payment=payment_id, refund=None, state=CallState.OPEN)
    return calls.filter(lease_until__gt=timezone.now(), error="").exists()


@transaction.atomic
def enqueue_cancel(payment_id: UUID, *, cause: str, actor: str) -> ProviderCall | None:
    """The call that cancels it; None when there is nothing to cancel, or another call has to finish first.

    A create whose result was never shown to the buyer is not waited for: a late response finds its call
    closed.
    """
    payment, _order = payment_lock(payment_id)
    if payment.status not in OPEN:
        return None
    under_way = payment.calls.filter(state=CallState.OPEN, refund=None).first()
    if under_way is not None and not is_unseen(under_way):
        return None
    if under_way is not None:
        provider_call_finish(under_way, CallState.REFUSED, error=_("Abandoned: %(cause)s") % {"cause": cause})
        if under_way.error:  # of a try without a usable response
            payment.failure_code = payment.failure_code or GIVEN_UP
    if not payment.provider_payment_id:
        payment_move(payment, PaymentStatus.CANCELLED, cause=cause, actor_name=actor)
        return None
    request = {"object_id": payment.provider_payment_id, "cause": cause[:300], "actor": actor}
    return provider_call_enqueue(Operation.CANCEL, payment=payment, request=request)


def run_after_cancelling(operation: Callable[[], T], *, cause: str, actor: str = "system") -> T:
    """Run an operation on an order that must not have a payable object; when it has one, cancel that first.

    The operation is tried after the last cancellation too: the order would be left without a payment otherwise.
    Errors: PaymentInProgress while the outcome of a cancellation is unknown, or others keep opening payments.
    """
    for _attempt in range(MAX_CANCEL_ATTEMPTS):
        try:
            return operation()
        except StillPayable as found:
            payment_cancel_at_provider(found.payment_id, cause=cause, actor=actor)
    try:
        return operation()
    except StillPayable:
        raise PaymentInProgress from None


def payment_action(payment: Payment) -> Action | None:
    """What the buyer has to do now, read from the provider because secrets are not stored.

    Errors: ProviderUnavailable.
    """
    if not payment.is_remote or payment.status not in OPEN:
        return None
    try:
        return payment_sync(payment.pk, cause="requested by the buyer").action
    except (Refused, Unknown):
        raise ProviderUnavailable(payment.get_payment_provider_display()) from None


def payments_due() -> list[UUID]:
    """Payments that are due for a check at their provider, the longest overdue first."""
    return list(checks_due().order_by("next_check_at").values_list("pk", flat=True)[:100])


def checks_due() -> QuerySet[Payment]:
    return Payment.objects.filter(next_check_at__lte=timezone.now())


def payment_check(payment_id: UUID) -> None:
    """Check a payment at its provider, for the periodic task; without a response or a change it is checked
    again later."""
    wait = 0
    try:
        payment_sync(payment_id, cause="checked by the periodic task")
    except Unknown as unknown:
        wait = unknown.retry_after
    except Refused as refused:
        logger.warning("payment_unreadable", extra={"payment": str(payment_id), "why": refused.code})
    finally:
        postpone_check(payment_id, wait=wait)


@transaction.atomic
def postpone_check(payment_id: UUID, *, wait: int) -> None:
    """Move the payment away from the head of the queue. `wait`: seconds, from the provider's Retry-After."""
    payment, _order = payment_lock(payment_id)
    if payment.next_check_at is None or payment.next_check_at > timezone.now():
        return
    plan_check(payment)
    if payment.next_check_at is not None:
        payment.next_check_at += timedelta(seconds=wait)
    payment.save(update_fields=["checks", "next_check_at", "updated_at"])
