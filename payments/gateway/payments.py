"""A payment that a provider takes, from its start to its end. Nothing here runs inside a transaction of the caller.

The provider is asked first, then its answer is booked (record.py). Only a definite "cancelled" lets another payment
begin or stock go; "paid already" settles; as long as nobody knows, everything is kept as it is.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from artisans.core.models import get_or_none
from orders.models import Order
from payments.bookkeeping.holds import set_order_hold
from payments.bookkeeping.payments import enqueue_create, payment_move
from payments.bookkeeping.provider_alerts import alert_raise, alerts_sync
from payments.bookkeeping.provider_calls import is_unseen, provider_call_enqueue, provider_call_finish
from payments.bookkeeping.review_flags import flag_refresh
from payments.declines import not_started
from payments.errors import (
    NotConfirmable,
    NothingDue,
    PaymentBusy,
    PaymentDeclined,
    PaymentInProgress,
    ProviderUnavailable,
    StillPayable,
)
from payments.gateway.calls import CallResult
from payments.gateway.operations import provider_call_execute
from payments.gateway.sync import payment_apply_remote_state, plan_check
from payments.methods import PaymentMethod
from payments.models import CallState, FlagKind, Operation, Payment, PaymentMethodInfo, ProviderCall
from payments.providers.contract import (
    Action,
    Capability,
    NotThere,
    Refused,
    RemotePayment,
    RemoteStatus,
    Unknown,
)
from payments.providers.registry import can, execute, is_down
from payments.selectors import payment_lock
from payments.statuses import OPEN, PaymentStatus

logger = logging.getLogger(__name__)

T = TypeVar("T")
PAYMENT_READS = "payments"
MAX_CANCEL_ATTEMPTS = 3  # somebody else may begin another payment between our two steps, but not for ever


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """Where a payment stands after the provider was asked. `action`: what the buyer has to do now, if anything.

    `is_whole`: every list beside the object could be had.
    """

    payment: Payment
    action: Action | None = None
    refused: Refused | None = None
    is_whole: bool = True


def reload_payment(payment_id: UUID) -> Payment:
    return Payment.objects.select_related("order").get(pk=payment_id)


# ---- what people and jobs do -----------------------------------------------------------------------------------------


def payment_ensure_at_provider(payment: Payment, *, method: PaymentMethodInfo | None = None) -> PaymentResult:
    """Let the provider make what the buyer can pay, right after the payment was written and committed.

    Never raises for the provider's sake: unknown is PROCESSING, refused is FAILED. Made earlier, it is read again;
    without an answer it is as it was, and there is no action.
    """
    if not payment.is_remote:
        return PaymentResult(payment)
    call = payment.calls.filter(state=CallState.OPEN, refund=None).first() or enqueue_missing_create(
        payment.pk
    )
    if call is None:
        try:
            return payment_sync(payment.pk, cause="asked again")
        except (Refused, Unknown):
            return PaymentResult(reload_payment(payment.pk))
    call_result = provider_call_execute(call.pk)
    if call_result.answer is None and call_result.refused is None:
        payment_mark_processing(payment.pk)
    return build_payment_result(payment.pk, call_result)


@transaction.atomic
def enqueue_missing_create(payment_id: UUID) -> ProviderCall | None:
    """The call for a new object, where the old one is gone (closed, expired, or its maker died before the next)."""
    payment, order = payment_lock(payment_id)
    if payment.status not in OPEN or payment.provider_payment_id or not order.balance_due:
        return None
    under_way = payment.calls.filter(state=CallState.OPEN, refund=None).first()
    return under_way or enqueue_create(payment, order)


def build_payment_result(payment_id: UUID, call_result: CallResult) -> PaymentResult:
    remote = call_result.answer if isinstance(call_result.answer, RemotePayment) else None
    if call_result.refused is not None:
        remote = call_result.refused.remote
    payment = reload_payment(payment_id)
    action = remote.action if remote and payment.status in OPEN else None
    return PaymentResult(payment, action=action, refused=call_result.refused)


@transaction.atomic
def payment_mark_processing(payment_id: UUID, *, is_forced: bool = False) -> None:
    """Nobody knows how a call went, or what the buyer did there: until somebody does, the buyer must not pay again."""
    payment, _ = payment_lock(payment_id)
    is_open = is_forced or payment.calls.filter(state=CallState.OPEN, refund=None).exists()
    if is_open and payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}:
        payment_move(payment, PaymentStatus.PROCESSING, cause="no answer from the provider yet")
        plan_check(payment, news=True)
        payment.save(update_fields=["checks", "next_check_at", "updated_at"])


def payment_sync(
    payment_id: UUID, *, cause: str, object_id: str = "", has_agreed: bool = False
) -> PaymentResult:
    """Ask the provider how a payment stands and apply the truth; finish what is ours to do.

    `object_id`: an earlier object of the payment, when the question is about that one. `has_agreed`: the buyer agreed
    just now; a payment that was declined is captured again then only.
    Errors: Refused, Unknown from the provider when it cannot be read; nothing has changed then.
    """
    payment = Payment.objects.get(pk=payment_id)
    if not payment.is_remote:
        return PaymentResult(payment)
    call = get_or_none(payment.calls.filter(state=CallState.OPEN, refund=None))
    if call is not None:
        call_result = provider_call_execute(call.pk)
        if (
            call.operation == Operation.CONFIRM and call_result == CallResult()
        ):  # another process lets the money move
            payment_mark_processing(payment_id)
        if not object_id:
            return cancel_if_unwanted(build_payment_result(payment_id, call_result))
    asked = object_id or payment.provider_payment_id
    if not asked:
        return cancel_if_unwanted(PaymentResult(payment))
    try:
        remote = read_remote_payment(payment, asked)
    except NotThere:
        return cancel_if_unwanted(PaymentResult(clear_missing_object(payment_id, asked)))
    payment = payment_apply_remote_state(payment_id=payment_id, remote=remote, cause=cause)
    is_agreed = has_agreed or payment.status != PaymentStatus.FAILED
    if remote.status == RemoteStatus.APPROVED and is_agreed and payment.status in OPEN:
        return cancel_if_unwanted(payment_capture(payment))
    action = (
        remote.action if payment.status in OPEN and remote.object_id == payment.provider_payment_id else None
    )
    return cancel_if_unwanted(PaymentResult(payment, action=action, is_whole=not any(remote.lists.values())))


def read_remote_payment(payment: Payment, object_id: str) -> RemotePayment:
    """The object as it is now. What of it cannot be had or read is put on the staff's lists.

    Errors: Refused, Unknown.
    """
    name = payment.payment_provider
    try:
        remote = execute(name, lambda provider: provider.read(object_id))
    except (Refused, Unknown) as error:
        if error.is_forbidden:
            alert_raise(provider=name, part=PAYMENT_READS, detail=str(error))
        elif isinstance(error, Unknown) and error.is_unreadable:
            flag_refresh(payment, FlagKind.UNREADABLE, f"{object_id}: {error}")
        raise
    alerts_sync(name, {PAYMENT_READS: ""} | dict(remote.lists))
    return remote


@transaction.atomic
def clear_missing_object(payment_id: UUID, object_id: str) -> Payment:
    """The provider let an object go that nobody paid: the payment goes on with another one, if the buyer wants to."""
    payment, _ = payment_lock(payment_id)
    if payment.status in OPEN and payment.provider_payment_id == object_id:
        payment.provider_payment_id = None
        plan_check(payment)
        payment.save(update_fields=["provider_payment_id", "checks", "next_check_at", "updated_at"])
        if payment.status == PaymentStatus.PROCESSING:
            payment_move(payment, PaymentStatus.PENDING, cause="not known to the provider")
    return payment


def cancel_if_unwanted(result: PaymentResult) -> PaymentResult:
    """An open payment that its order does not want any more is taken back at the provider."""
    payment = result.payment
    if payment.status in OPEN and payment.order.balance_due != payment.outstanding:
        payment_cancel_at_provider(payment.pk, cause="the order needs it no more", may_stay_unknown=True)
        return PaymentResult(reload_payment(payment.pk))
    return result


def payment_capture(payment: Payment) -> PaymentResult:
    """The buyer agreed at the provider: take the money, once, if the order still wants it."""
    try:
        with transaction.atomic():
            locked, order = payment_lock(payment.pk)
            if locked.status not in OPEN or not order.balance_due:
                return PaymentResult(locked)
            call = provider_call_enqueue(Operation.CONFIRM, payment=locked, request=build_call_request(order))
    except PaymentBusy:
        payment_mark_processing(payment.pk)
        return PaymentResult(reload_payment(payment.pk))
    return execute_payment_call(payment.pk, call)


def execute_payment_call(payment_id: UUID, call: ProviderCall) -> PaymentResult:
    call_result = provider_call_execute(call.pk)
    if call_result.answer is None and call_result.refused is None:
        payment_mark_processing(payment_id)
    return build_payment_result(payment_id, call_result)


def build_call_request(order: Order, **more: object) -> dict[str, object]:
    return {"token_version": order.token_version, **more}


def payment_confirm(payment_id: UUID, *, method_id: str) -> PaymentResult:
    """Pay with a method that the provider knows (its token, or a saved one). Asked again after success: no effect.

    A refusal that is no decline (a method that the provider does not know) comes back as `refused`.
    Errors: NotConfirmable, PaymentBusy, ProviderUnavailable, PaymentDeclined with the words for the buyer.
    """
    payment = reload_payment(payment_id)
    if payment.status not in OPEN:
        return PaymentResult(payment)
    if not payment.is_remote or not can(payment.payment_provider, Capability.CONFIRM):
        raise NotConfirmable("This payment is not confirmed by a call; follow its next_action.")
    if is_down(payment.payment_provider):
        raise ProviderUnavailable(payment.get_payment_provider_display())
    with transaction.atomic():
        locked, order = payment_lock(payment_id)
        if locked.status not in OPEN:
            return PaymentResult(locked)
        if not order.balance_due:
            raise NothingDue
        if not locked.provider_payment_id:
            raise PaymentBusy
        call = provider_call_enqueue(
            Operation.CONFIRM,
            payment=locked,
            request=build_call_request(order, method_id=method_id, actor="buyer"),
        )
    result = execute_payment_call(payment_id, call)
    decline = result.refused.decline if result.refused else None
    if decline is not None and result.payment.status == PaymentStatus.FAILED:
        message = result.payment.failure_reason or not_started()
        raise PaymentDeclined(message, payment_id=str(payment_id), group=decline.value)
    return result


def payment_replace_at_provider(
    payment_id: UUID, operation: Operation, *, request: dict[str, object] | None = None
) -> PaymentResult:
    """Go on with a new object of the same payment: the provider's hosted page, or back to the element on ours.

    The present object is closed first, so that two can never be paid. Errors: PaymentBusy, PaymentUnderWay, NothingDue.
    """
    with transaction.atomic():
        payment, order = payment_lock(payment_id)
        if payment.status not in OPEN or not order.balance_due:
            raise NothingDue
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
            return PaymentResult(payment)  # it was paid meanwhile
        if payment.provider_payment_id:
            raise PaymentInProgress
        call = provider_call_enqueue(
            operation, payment=payment, request=build_call_request(order, **(request or {}))
        )
        set_order_hold(order, PaymentMethod(payment.payment_method))
    return execute_payment_call(payment_id, call)


def payment_cancel_at_provider(
    payment_id: UUID, *, cause: str, actor: str = "system", may_stay_unknown: bool = False
) -> None:
    """Make sure that an open payment can never be paid any more, or learn that it is paid.

    `may_stay_unknown`: leave an unknown outcome to the sweep instead of raising.
    Errors: PaymentUnderWay while nobody knows; nothing may be closed or begun then.
    """
    under_way = reload_payment(payment_id).calls.filter(state=CallState.OPEN, refund=None).first()
    if under_way is not None:
        provider_call_execute(under_way.pk)
    call = enqueue_cancel(payment_id, cause=cause, actor=actor)
    if call is not None:
        provider_call_execute(call.pk)
    if not may_stay_unknown and reload_payment(payment_id).status in OPEN:
        raise PaymentInProgress


@transaction.atomic
def enqueue_cancel(payment_id: UUID, *, cause: str, actor: str) -> ProviderCall | None:
    """The call that takes it back; None when there is nothing to take back, or another call comes first.

    What is being made and was not shown to anybody is not waited for: its answer, if one comes, finds no call.
    """
    payment, order = payment_lock(payment_id)
    if payment.status not in OPEN:
        return None
    under_way = payment.calls.filter(state=CallState.OPEN, refund=None).first()
    if under_way is not None and not is_unseen(under_way):
        return None
    if under_way is not None:
        provider_call_finish(under_way, CallState.REFUSED, error=f"Not waited for: {cause}")
    if not payment.provider_payment_id:
        payment_move(payment, PaymentStatus.CANCELLED, cause=cause, actor_name=actor)
        return None
    request = build_call_request(order, object_id=payment.provider_payment_id, cause=cause[:300], actor=actor)
    return provider_call_enqueue(Operation.CANCEL, payment=payment, request=request)


def run_after_cancelling(operation: Callable[[], T], *, cause: str, actor: str = "system") -> T:
    """Do what needs an order without a payable object: when one is in the way, take it back first.

    Errors: PaymentUnderWay while its outcome is not known.
    """
    for _ in range(MAX_CANCEL_ATTEMPTS):
        try:
            return operation()
        except StillPayable as found:
            payment_cancel_at_provider(found.payment_id, cause=cause, actor=actor)
    raise PaymentInProgress


def payment_action(payment: Payment) -> Action | None:
    """What the buyer has to do now, read from the provider: secrets are kept nowhere.

    Errors: ProviderUnavailable.
    """
    if not payment.is_remote or payment.status not in OPEN:
        return None
    try:
        return payment_sync(payment.pk, cause="asked by the buyer").action
    except (Refused, Unknown):
        raise ProviderUnavailable(payment.get_payment_provider_display()) from None


def payments_due() -> list[UUID]:
    """Payments whose provider is to be asked now, the longest waiting first."""
    due = Payment.objects.filter(next_check_at__lte=timezone.now())
    return list(due.order_by("next_check_at").values_list("pk", flat=True)[:100])


def payment_check(payment_id: UUID) -> None:
    """The sweep's question; a provider that cannot answer is asked again later, as everything that brings no news."""
    wait = 0
    try:
        payment_sync(payment_id, cause="checked by the shop")
    except Unknown as unknown:
        wait = unknown.retry_after
    except Refused as refused:
        logger.warning("payment_unreadable", extra={"payment": str(payment_id), "why": refused.code})
    finally:
        postpone_check(payment_id, wait=wait)


@transaction.atomic
def postpone_check(payment_id: UUID, *, wait: int) -> None:
    """Whatever happened, the payment leaves the head of the queue. `wait`: seconds that the provider asked for."""
    payment, _ = payment_lock(payment_id)
    if payment.next_check_at is None or payment.next_check_at > timezone.now():
        return
    plan_check(payment)
    if payment.next_check_at is not None:
        payment.next_check_at += timedelta(seconds=wait)
    payment.save(update_fields=["checks", "next_check_at", "updated_at"])
