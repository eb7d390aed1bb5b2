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

from artisans.core.models import only_row
from orders.models import Order
from payments.bookkeeping.holds import hold_for
from payments.bookkeeping.payments import intend_create, payment_move
from payments.bookkeeping.provider_alerts import alert_raise, alerts_follow
from payments.bookkeeping.provider_calls import call_end, call_write, is_unseen
from payments.bookkeeping.review_flags import flag_anew
from payments.declines import not_started
from payments.errors import (
    NotConfirmable,
    NothingDue,
    PaymentBusy,
    PaymentDeclined,
    PaymentUnderWay,
    ProviderUnavailable,
    StillPayable,
)
from payments.gateway.calls import Carried
from payments.gateway.operations import call_carry_out
from payments.gateway.sync import payment_record, plan_check
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
from payments.providers.registry import ask, can, is_down
from payments.selectors import payment_lock
from payments.statuses import OPEN, PaymentStatus

logger = logging.getLogger(__name__)

T = TypeVar("T")
READING = "payments"
WITHDRAWALS = 3  # somebody else may begin another payment between our two steps, but not for ever


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a payment stands after the provider was asked. `action`: what the buyer has to do now, if anything.

    `is_whole`: every list beside the object could be had.
    """

    payment: Payment
    action: Action | None = None
    refused: Refused | None = None
    is_whole: bool = True


def fresh(payment_id: UUID) -> Payment:
    return Payment.objects.select_related("order").get(pk=payment_id)


# ---- what people and jobs do -----------------------------------------------------------------------------------------


def payment_reach(payment: Payment, *, method: PaymentMethodInfo | None = None) -> Reached:
    """Let the provider make what the buyer can pay, right after the payment was written and committed.

    Never raises for the provider's sake: unknown is PROCESSING, refused is FAILED. Made earlier, it is read again;
    without an answer it is as it was, and there is no action.
    """
    if not payment.is_remote:
        return Reached(payment)
    call = payment.calls.filter(state=CallState.OPEN, refund=None).first() or begin_anew(payment.pk)
    if call is None:
        try:
            return payment_sync(payment.pk, cause="asked again")
        except (Refused, Unknown):
            return Reached(fresh(payment.pk))
    carried = call_carry_out(call.pk)
    if carried.answer is None and carried.refused is None:
        payment_wait(payment.pk)
    return reached_by(payment.pk, carried)


@transaction.atomic
def begin_anew(payment_id: UUID) -> ProviderCall | None:
    """The call for a new object, where the old one is gone (closed, expired, or its maker died before the next)."""
    payment, order = payment_lock(payment_id)
    if payment.status not in OPEN or payment.provider_payment_id or not order.balance_due:
        return None
    under_way = payment.calls.filter(state=CallState.OPEN, refund=None).first()
    return under_way or intend_create(payment, order)


def reached_by(payment_id: UUID, carried: Carried) -> Reached:
    remote = carried.answer if isinstance(carried.answer, RemotePayment) else None
    if carried.refused is not None:
        remote = carried.refused.remote
    payment = fresh(payment_id)
    action = remote.action if remote and payment.status in OPEN else None
    return Reached(payment, action=action, refused=carried.refused)


@transaction.atomic
def payment_wait(payment_id: UUID, *, even_without_call: bool = False) -> None:
    """Nobody knows how a call went, or what the buyer did there: until somebody does, the buyer must not pay again."""
    payment, _ = payment_lock(payment_id)
    is_open = even_without_call or payment.calls.filter(state=CallState.OPEN, refund=None).exists()
    if is_open and payment.status in {PaymentStatus.PENDING, PaymentStatus.FAILED}:
        payment_move(payment, PaymentStatus.PROCESSING, cause="no answer from the provider yet")
        plan_check(payment, news=True)
        payment.save(update_fields=["checks", "next_check_at", "updated_at"])


def payment_sync(payment_id: UUID, *, cause: str, object_id: str = "", has_agreed: bool = False) -> Reached:
    """Ask the provider how a payment stands and apply the truth; finish what is ours to do.

    `object_id`: an earlier object of the payment, when the question is about that one. `has_agreed`: the buyer agreed
    just now; a payment that was declined is captured again then only.
    Errors: Refused, Unknown from the provider when it cannot be read; nothing has changed then.
    """
    payment = Payment.objects.get(pk=payment_id)
    if not payment.is_remote:
        return Reached(payment)
    call = only_row(payment.calls.filter(state=CallState.OPEN, refund=None))
    if call is not None:
        carried = call_carry_out(call.pk)
        if (
            call.operation == Operation.CONFIRM and carried == Carried()
        ):  # another process lets the money move
            payment_wait(payment_id)
        if not object_id:
            return finish(reached_by(payment_id, carried))
    asked = object_id or payment.provider_payment_id
    if not asked:
        return finish(Reached(payment))
    try:
        remote = read_at_provider(payment, asked)
    except NotThere:
        return finish(Reached(object_forgotten(payment_id, asked)))
    payment = payment_record(payment_id=payment_id, remote=remote, cause=cause)
    is_agreed = has_agreed or payment.status != PaymentStatus.FAILED
    if remote.status == RemoteStatus.APPROVED and is_agreed and payment.status in OPEN:
        return finish(payment_capture(payment))
    action = (
        remote.action if payment.status in OPEN and remote.object_id == payment.provider_payment_id else None
    )
    return finish(Reached(payment, action=action, is_whole=not any(remote.lists.values())))


def read_at_provider(payment: Payment, object_id: str) -> RemotePayment:
    """The object as it is now. What of it cannot be had or read is put on the staff's lists.

    Errors: Refused, Unknown.
    """
    name = payment.payment_provider
    try:
        remote = ask(name, lambda provider: provider.read(object_id))
    except (Refused, Unknown) as error:
        if error.is_forbidden:
            alert_raise(provider=name, part=READING, detail=str(error))
        elif isinstance(error, Unknown) and error.is_unreadable:
            flag_anew(payment, FlagKind.UNREADABLE, f"{object_id}: {error}")
        raise
    alerts_follow(name, {READING: ""} | dict(remote.lists))
    return remote


@transaction.atomic
def object_forgotten(payment_id: UUID, object_id: str) -> Payment:
    """The provider let an object go that nobody paid: the payment goes on with another one, if the buyer wants to."""
    payment, _ = payment_lock(payment_id)
    if payment.status in OPEN and payment.provider_payment_id == object_id:
        payment.provider_payment_id = None
        plan_check(payment)
        payment.save(update_fields=["provider_payment_id", "checks", "next_check_at", "updated_at"])
        if payment.status == PaymentStatus.PROCESSING:
            payment_move(payment, PaymentStatus.PENDING, cause="not known to the provider")
    return payment


def finish(reached: Reached) -> Reached:
    """An open payment that its order does not want any more is taken back at the provider."""
    payment = reached.payment
    if payment.status in OPEN and payment.order.balance_due != payment.missing:
        payment_withdraw(payment.pk, cause="the order needs it no more", is_patient=True)
        return Reached(fresh(payment.pk))
    return reached


def payment_capture(payment: Payment) -> Reached:
    """The buyer agreed at the provider: take the money, once, if the order still wants it."""
    try:
        with transaction.atomic():
            locked, order = payment_lock(payment.pk)
            if locked.status not in OPEN or not order.balance_due:
                return Reached(locked)
            call = call_write(Operation.CONFIRM, payment=locked, request=request_of(order))
    except PaymentBusy:
        payment_wait(payment.pk)
        return Reached(fresh(payment.pk))
    return carried_on(payment.pk, call)


def carried_on(payment_id: UUID, call: ProviderCall) -> Reached:
    carried = call_carry_out(call.pk)
    if carried.answer is None and carried.refused is None:
        payment_wait(payment_id)
    return reached_by(payment_id, carried)


def request_of(order: Order, **more: object) -> dict[str, object]:
    return {"token_version": order.token_version, **more}


def payment_confirm(payment_id: UUID, *, method_id: str) -> Reached:
    """Pay with a method that the provider knows (its token, or a saved one). Asked again after success: no effect.

    A refusal that is no decline (a method that the provider does not know) comes back as `refused`.
    Errors: NotConfirmable, PaymentBusy, ProviderUnavailable, PaymentDeclined with the words for the buyer.
    """
    payment = fresh(payment_id)
    if payment.status not in OPEN:
        return Reached(payment)
    if not payment.is_remote or not can(payment.payment_provider, Capability.CONFIRM):
        raise NotConfirmable("This payment is not confirmed by a call; follow its next_action.")
    if is_down(payment.payment_provider):
        raise ProviderUnavailable(payment.get_payment_provider_display())
    with transaction.atomic():
        locked, order = payment_lock(payment_id)
        if locked.status not in OPEN:
            return Reached(locked)
        if not order.balance_due:
            raise NothingDue
        if not locked.provider_payment_id:
            raise PaymentBusy
        call = call_write(
            Operation.CONFIRM, payment=locked, request=request_of(order, method_id=method_id, actor="buyer")
        )
    reached = carried_on(payment_id, call)
    decline = reached.refused.decline if reached.refused else None
    if decline is not None and reached.payment.status == PaymentStatus.FAILED:
        words = reached.payment.failure_reason or not_started()
        raise PaymentDeclined(words, payment_id=str(payment_id), group=decline.value)
    return reached


def payment_use(
    payment_id: UUID, operation: Operation, *, request: dict[str, object] | None = None
) -> Reached:
    """Go on with a new object of the same payment: the provider's hosted page, or back to the element on ours.

    The present object is closed first, so that two can never be paid. Errors: PaymentBusy, PaymentUnderWay, NothingDue.
    """
    with transaction.atomic():
        payment, order = payment_lock(payment_id)
        if payment.status not in OPEN or not order.balance_due:
            raise NothingDue
        present = payment.provider_payment_id
        call = (
            call_write(Operation.RELEASE, payment=payment, request={"object_id": present})
            if present
            else None
        )
    if call is not None:
        call_carry_out(call.pk)
    with transaction.atomic():
        payment, order = payment_lock(payment_id)
        if payment.status not in OPEN:
            return Reached(payment)  # it was paid meanwhile
        if payment.provider_payment_id:
            raise PaymentUnderWay
        call = call_write(operation, payment=payment, request=request_of(order, **(request or {})))
        hold_for(order, PaymentMethod(payment.payment_method))
    return carried_on(payment_id, call)


def payment_withdraw(
    payment_id: UUID, *, cause: str, actor: str = "system", is_patient: bool = False
) -> None:
    """Make sure that an open payment can never be paid any more, or learn that it is paid.

    `is_patient`: leave an unknown outcome to the sweep instead of raising.
    Errors: PaymentUnderWay while nobody knows; nothing may be closed or begun then.
    """
    under_way = fresh(payment_id).calls.filter(state=CallState.OPEN, refund=None).first()
    if under_way is not None:
        call_carry_out(under_way.pk)
    call = intend_cancel(payment_id, cause=cause, actor=actor)
    if call is not None:
        call_carry_out(call.pk)
    if not is_patient and fresh(payment_id).status in OPEN:
        raise PaymentUnderWay


@transaction.atomic
def intend_cancel(payment_id: UUID, *, cause: str, actor: str) -> ProviderCall | None:
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
        call_end(under_way, CallState.REFUSED, error=f"Not waited for: {cause}")
    if not payment.provider_payment_id:
        payment_move(payment, PaymentStatus.CANCELLED, cause=cause, actor_name=actor)
        return None
    told = request_of(order, object_id=payment.provider_payment_id, cause=cause[:300], actor=actor)
    return call_write(Operation.CANCEL, payment=payment, request=told)


def after_withdrawing(act: Callable[[], T], *, cause: str, actor: str = "system") -> T:
    """Do what needs an order without a payable object: when one is in the way, take it back first.

    Errors: PaymentUnderWay while its outcome is not known.
    """
    for _ in range(WITHDRAWALS):
        try:
            return act()
        except StillPayable as found:
            payment_withdraw(found.payment_id, cause=cause, actor=actor)
    raise PaymentUnderWay


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
        check_again_later(payment_id, wait=wait)


@transaction.atomic
def check_again_later(payment_id: UUID, *, wait: int) -> None:
    """Whatever happened, the payment leaves the head of the queue. `wait`: seconds that the provider asked for."""
    payment, _ = payment_lock(payment_id)
    if payment.next_check_at is None or payment.next_check_at > timezone.now():
        return
    plan_check(payment)
    if payment.next_check_at is not None:
        payment.next_check_at += timedelta(seconds=wait)
    payment.save(update_fields=["checks", "next_check_at", "updated_at"])
