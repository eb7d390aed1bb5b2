"""Handlers for each operation at a provider: make the call and book its outcome.

Each outcome is booked in one transaction, together with the end of its call.
"""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.changes import changes_note
from artisans.core.queue import enqueue_after_commit
from artisans.core.security.redaction import scrub
from artisans.core.security.tokens import order_token
from artisans.core.transactions import atomic_with_retry
from orders.models import Order
from payments.bookkeeping.buyer_facts import buyer_of
from payments.bookkeeping.payments import payment_move
from payments.bookkeeping.provider_calls import (
    is_too_old,
    is_unseen,
    provider_call_claim,
    provider_call_enqueue,
    provider_call_finish,
    provider_call_postpone,
)
from payments.bookkeeping.refunds import refund_finish
from payments.bookkeeping.review_flags import flag_raise
from payments.bookkeeping.saved_methods import customer_renew
from payments.declines import decline_message, not_started, not_taken
from payments.errors import PaymentBusy
from payments.gateway.calls import Answer, CallResult, execute_call
from payments.gateway.connection import execute
from payments.gateway.saved_methods import consent_record, execute_detach, execute_save
from payments.gateway.sync import apply_remote_state
from payments.models import CallState, FlagKind, Operation, Payment, ProviderCall
from payments.models.provider_call import GIVEN_UP
from payments.providers.contract import (
    Breakdown,
    ConfirmRequest,
    CreateRequest,
    DuplicateReference,
    Item,
    ObjectNotFound,
    PaymentProvider,
    RefundRequest,
    Refused,
    RemotePayment,
    RemoteRefund,
    RemoteStatus,
    Unknown,
)
from payments.selectors import object_ids_of, payment_lock
from payments.statuses import OPEN, PaymentStatus

DUPLICATE = "duplicate_reference"


def provider_call_execute(call_id: UUID) -> CallResult[Answer]:
    """Make or repeat an open call with the same idempotency key and book its outcome. Does nothing when
    another worker holds the call."""
    call = provider_call_claim(call_id)
    if call is None:
        return CallResult()
    if is_too_old(call) and call.payment is not None:
        return resolve_expired_call(call)
    return OPERATION_HANDLERS[Operation(call.operation)](call)


def execute_create(call: ProviderCall) -> CallResult[RemotePayment]:
    request = create_request(call, get_call_payment(call))
    if call.operation == Operation.HOSTED:
        result = execute_call(call, lambda provider: provider.create_hosted(request))
    else:
        result = execute_call(call, lambda provider: provider.create(request))
    if result.answer:
        book_object(call, result.answer)
    elif result.refused:
        refuse_create(call, result.refused)
    return result


def execute_confirm(call: ProviderCall) -> CallResult[RemotePayment]:
    payment, method_id = get_call_payment(call), call.secret("method_id")
    request = ConfirmRequest(
        key=call.key,
        object_id=payment.provider_payment_id or "",
        amount=payment.amount,
        payment_id=str(payment.pk),
        return_url=page_url("order_return", payment.order, call),
        method_id=method_id,
        earlier_ids=() if method_id else earlier_ids(call, payment),  # for captures
    )
    result = execute_call(call, lambda provider: confirm_or_read(provider, request))
    if result.answer:
        book_answer(call, result.answer)
    elif result.refused:
        refuse_confirm(call, result.refused)
    return result


def confirm_or_read(provider: PaymentProvider, request: ConfirmRequest) -> RemotePayment:
    """Confirm the payment. A key that only replays an error is given up, which is safe: one object is never
    paid twice, whichever key confirms it."""
    try:
        return provider.confirm(request)
    except Unknown as unknown:
        if not unknown.is_stuck:
            raise
        raise Refused(unknown.code, unknown.detail, remote=provider.read(request.object_id)) from unknown


def execute_cancel(call: ProviderCall) -> CallResult[RemotePayment]:
    result = execute_call(call, lambda provider: cancel_or_refuse(provider, call))
    if result.answer:
        book_answer(call, result.answer)
    elif result.refused:
        refuse_cancel(call, result.refused)
    return result


def cancel_or_refuse(provider: PaymentProvider, call: ProviderCall) -> RemotePayment:
    """Cancel the payment. A key that only replays an error is given up; the next request to cancel uses a new
    one."""
    try:
        return provider.cancel(call.request["object_id"], key=call.key)
    except Unknown as unknown:
        if not unknown.is_stuck:
            raise
        raise Refused(unknown.code, unknown.detail) from unknown


def execute_refund(call: ProviderCall) -> CallResult[RemoteRefund]:
    payment, refund = get_call_payment(call), call.refund
    if refund is None:
        raise TypeError("A refund call without its refund.")
    capture = payment.captures.first()
    request = RefundRequest(
        key=call.key,
        object_id=payment.provider_payment_id or "",
        capture_id=capture.provider_capture_id if capture else "",
        refund_id=str(refund.pk),
        refund_number=refund.refund_number,
        amount=refund.amount,
    )
    result = execute_call(call, lambda provider: provider.refund(request))
    if result.answer:
        book_refund(call, result.answer)
    elif result.refused:
        refuse_refund(call, result.refused)
    return result


OPERATION_HANDLERS: dict[Operation, Callable[[ProviderCall], CallResult[Answer]]] = {
    Operation.CREATE: execute_create,
    Operation.HOSTED: execute_create,
    Operation.CONFIRM: execute_confirm,
    Operation.CANCEL: execute_cancel,
    Operation.RELEASE: execute_cancel,
    Operation.REFUND: execute_refund,
    Operation.SAVE: execute_save,
    Operation.DETACH: execute_detach,
}


def resolve_expired_call(call: ProviderCall) -> CallResult[RemotePayment]:
    """Find out by reading what an expired call did: the provider may have dropped its key, so a repeat could
    act twice.

    A lost create was never shown to a buyer, so nobody can pay it and the buyer may start again much sooner.
    A refund that is not on the provider's list was not made.
    """
    payment = get_call_payment(call)
    if is_unseen(call):
        refuse_create(call, Refused(GIVEN_UP, _("No response in time.")))
        return CallResult()
    if not payment.provider_payment_id:
        mark_call_stuck(call, payment)
        return CallResult()
    try:
        remote = execute(call.provider, lambda provider: provider.read(payment.provider_payment_id or ""))
    except (Refused, Unknown) as error:
        provider_call_postpone(call, error if isinstance(error, Unknown) else Unknown(error.code))
        return CallResult()
    if call.refund is not None:
        mine = next((r for r in remote.refunds if r.reference == str(call.refund_id)), None)
        if mine is None and not remote.is_whole:
            provider_call_postpone(
                call, Unknown("unreadable", _("The refunds cannot be read at the moment."))
            )
            return CallResult()
        if mine is None:
            refuse_refund(call, Refused(GIVEN_UP, _("The provider has no such refund.")))
        else:
            book_refund(call, mine)
    else:
        book_answer(call, remote)
    return CallResult(answer=remote)


def mark_call_stuck(call: ProviderCall, payment: Payment) -> None:
    with transaction.atomic():
        provider_call_finish(
            call, CallState.STUCK, error=_("No response within a day, and no object to read.")
        )
        flag_raise(
            payment,
            FlagKind.STUCK,
            _("%(call)s: no response within a day.") % {"call": call.get_operation_display()},
        )
        changes_note(("payments", payment.created_at))  # why it is lost, if it is


def get_call_payment(call: ProviderCall) -> Payment:
    if call.payment is None:
        raise TypeError(f"{call.operation} without a payment")
    return call.payment


# ---- booking outcomes ------------------------------------------------------------------------------------------------


@transaction.atomic
def book_object(call: ProviderCall, remote: RemotePayment) -> None:
    """Book the object that the provider created as the one that the buyer can pay.

    If it is no longer wanted, its id is kept on the call, so that events about it find their payment, and it
    is cancelled.
    """
    payment, order = payment_lock(get_call_payment(call).pk)
    if provider_call_finish(call, CallState.DONE, object_id=remote.object_id):
        payment.provider_payment_id = remote.object_id
        if payment.user_id:
            former = call.request.get("customer_id", "")
            customer_renew(payment.user_id, call.provider, former=former, current=remote.customer_id)
        if saver := User.objects.filter(pk=call.request.get("saves_for")).first():
            consent_record(payment, saver, remote.object_id, given_at=call.created_at)
        if remote.unprotected:
            flag_raise(
                payment,
                FlagKind.UNPROTECTED,
                _("No seller protection. %(unprotected)s") % {"unprotected": remote.unprotected},
            )
        apply_remote_state(payment, order, remote, cause="made at the provider", actor_name="provider")
    elif ProviderCall.objects.filter(pk=call.pk, object_id="").update(object_id=remote.object_id):
        release_unwanted_object(payment, remote.object_id)


@transaction.atomic
def release_object(payment_id: UUID) -> None:
    """Give up the current object of an open payment; the buyer's next visit creates a new one."""
    payment, _order = payment_lock(payment_id)
    if payment.status in OPEN and payment.provider_payment_id:
        release_unwanted_object(payment, payment.provider_payment_id)


def release_unwanted_object(payment: Payment, object_id: str) -> None:
    """Cancel an object that no buyer was shown, so that an order has one payable object at a time."""
    try:
        call = provider_call_enqueue(Operation.RELEASE, payment=payment, request={"object_id": object_id})
    except PaymentBusy:
        return  # a call about the payment's current object is open and takes precedence
    enqueue_after_commit("payments.execute_call", call.pk)


@transaction.atomic
def book_answer(call: ProviderCall, remote: RemotePayment) -> None:
    payment, order = payment_lock(get_call_payment(call).pk)
    provider_call_finish(call, CallState.DONE, object_id="")
    is_gone = remote.status in {RemoteStatus.CANCELLED, RemoteStatus.EXPIRED}
    if call.operation == Operation.RELEASE and is_gone and payment.status in OPEN:
        clear_provider_object(call, payment)
        return
    cause = call.request.get("cause") or call.get_operation_display()
    apply_remote_state(payment, order, remote, cause=cause, actor_name=call.request.get("actor", "system"))
    if call.operation == Operation.CANCEL and is_gone and payment.status in OPEN:
        payment_move(payment, PaymentStatus.CANCELLED, cause=cause)


def clear_provider_object(call: ProviderCall, payment: Payment) -> None:
    """Detach the released object from the payment, unless the payment already has another one because this
    response was repeated."""
    if payment.provider_payment_id == call.request["object_id"]:
        payment.provider_payment_id = None
        payment.save(update_fields=["provider_payment_id", "updated_at"])
        if payment.status == PaymentStatus.PROCESSING:  # the buyer could not pay while it stays so
            payment_move(payment, PaymentStatus.PENDING, cause="replaced at the provider")


@atomic_with_retry
def book_refund(call: ProviderCall, remote: RemoteRefund) -> None:
    provider_call_finish(call, CallState.DONE)
    if call.refund_id:
        refund_finish(refund_id=call.refund_id, remote=remote)


def failure_reason(payment: Payment, refused: Refused) -> str:
    """For the buyer; "" unless the payment was declined."""
    return decline_message(refused.decline, payment.payment_method) if refused.decline else ""


@transaction.atomic
def refuse_create(call: ProviderCall, refused: Refused) -> None:
    """Nothing payable was created, or the saved card was declined. The buyer can choose again."""
    payment, order = payment_lock(get_call_payment(call).pk)
    object_id = refused.remote.object_id if refused.remote else ""
    if not provider_call_finish(call, CallState.REFUSED, object_id=object_id, error=error_of(refused)):
        return
    if refused.decline is None and refused.code != GIVEN_UP:
        flag_refused(payment, refused)
    if refused.remote is not None:
        payment.provider_payment_id = object_id
        apply_remote_state(payment, order, refused.remote, cause="refused", actor_name="provider")
    elif payment.status in {PaymentStatus.PENDING, PaymentStatus.PROCESSING}:
        payment.failure_reason = failure_reason(payment, refused) or not_started()
        payment.failure_code = refused.code[:80]
        payment_move(payment, PaymentStatus.FAILED, cause=f"refused: {refused.code}", actor_name="provider")


@transaction.atomic
def refuse_confirm(call: ProviderCall, refused: Refused) -> None:
    """A declined payment fails, with the reason for the buyer. So does an approved payment that is refused for
    another reason: it would be refused again, so it is flagged for staff. If a method that a client named is
    refused, the payment does not change."""
    payment, order = payment_lock(get_call_payment(call).pk)
    provider_call_finish(call, CallState.REFUSED, error=error_of(refused))
    if refused.remote is not None:
        apply_remote_state(payment, order, refused.remote, cause="refused", actor_name="provider")
    is_capture = not call.secret("method_id") and not isinstance(refused, ObjectNotFound)
    if is_capture and refused.decline is None:
        flag_refused(payment, refused)
    is_failed = is_capture or refused.decline is not None
    if is_failed and payment.status in {PaymentStatus.PENDING, PaymentStatus.PROCESSING}:
        payment.failure_reason = failure_reason(payment, refused) or not_taken()
        payment.failure_code = refused.code[:80]
        payment_move(payment, PaymentStatus.FAILED, cause=f"refused: {refused.code}", actor_name="provider")
    elif payment.status in OPEN:
        payment.next_check_at = timezone.now()
        payment.save(update_fields=["next_check_at", "updated_at"])


def error_of(refused: Refused) -> str:
    return f"{DUPLICATE}: {refused}" if isinstance(refused, DuplicateReference) else str(refused)


def flag_refused(payment: Payment, refused: Refused) -> None:
    """Staff have to see a refusal that no buyer can do anything about, such as a restricted account."""
    detail = _("The provider refused the payment: %(reason)s") % {"reason": refused}
    flag_raise(payment, FlagKind.STUCK, scrub(detail)[:300])


@transaction.atomic
def refuse_cancel(call: ProviderCall, refused: Refused) -> None:
    """An object that the provider does not know cannot be paid; any other refusal is flagged for review."""
    payment = payment_lock(get_call_payment(call).pk)[0]
    if not provider_call_finish(call, CallState.REFUSED, error=str(refused)):
        return
    if not isinstance(refused, ObjectNotFound):
        flag_raise(
            payment, FlagKind.STUCK, _("The provider refused to cancel: %(code)s") % {"code": refused.code}
        )
    elif payment.status in OPEN and call.operation == Operation.CANCEL:
        payment_move(payment, PaymentStatus.CANCELLED, cause="not known to the provider")
    elif payment.status in OPEN:
        clear_provider_object(call, payment)


@atomic_with_retry
def refuse_refund(call: ProviderCall, refused: Refused) -> None:
    provider_call_finish(call, CallState.REFUSED, error=str(refused))
    if call.refund_id:
        refund_finish(refund_id=call.refund_id, remote=None, refusal=f"refused: {refused.code}")


# ---- building requests -----------------------------------------------------------------------------------------------


def page_url(name: str, order: Order, call: ProviderCall) -> str:
    """The absolute URL of one of our pages, for the provider; the same for every repeat of the call."""
    token = order_token(order.pk, call.request.get("token_version", 1))
    return f"{settings.SITE_URL}{reverse(f'payments:{name}', args=[token])}"


def create_request(call: ProviderCall, payment: Payment) -> CreateRequest:
    order, stored = payment.order, call.request
    ship_to, email = buyer_of(call, order)
    return CreateRequest(
        key=call.key,
        payment_id=str(payment.pk),
        order_number=order.order_number,
        amount=payment.amount,
        return_url=page_url("order_return", order, call),
        cancel_url=page_url("order_cancelled_at_provider", order, call),
        breakdown=breakdown(order) if payment.amount == order.total else None,
        ship_to=ship_to,
        customer_id=stored.get("customer_id", ""),
        method_id=call.secret("method_id"),
        save=stored.get("save", False),
        expires_at=parse_datetime(stored.get("expires_at", "")),
        email=email,
        requested_at=call.created_at,
        earlier_ids=earlier_ids(call, payment),
        attempt=duplicates_before(call, payment),
        is_repeat=call.tries > 1,
    )


def has_earlier(call: ProviderCall) -> bool:
    """Whether the payment has earlier calls, as found when this one was claimed."""
    return getattr(call, "has_earlier", True)


def earlier_ids(call: ProviderCall, payment: Payment) -> tuple[str, ...]:
    """The ids of other objects of this payment."""
    if not has_earlier(call):
        return ()
    return tuple(sorted(object_ids_of(payment) - {payment.provider_payment_id or ""}))


def duplicates_before(call: ProviderCall, payment: Payment) -> int:
    """How many objects of this payment were refused as duplicates before the call; the same for every repeat."""
    if not has_earlier(call):
        return 0
    refused = payment.calls.filter(state=CallState.REFUSED, error__startswith=DUPLICATE)
    return refused.filter(created_at__lt=call.created_at).count()


def breakdown(order: Order) -> Breakdown:
    lines = tuple(Item(line.product_name, line.quantity, line.unit_price) for line in order.lines.all())
    return Breakdown(
        lines,
        subtotal=order.subtotal,
        tax=order.tax_added,
        shipping=order.shipping,
        discount=order.discount,
        shipping_discount=order.shipping_discount,
    )
