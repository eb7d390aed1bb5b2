"""Making the calls to a provider and booking how they ended: one carrier per operation.

Each books its outcome in one transaction, together with the end of its call.
"""

import re
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from artisans.core.queue import run_after_commit
from artisans.core.security.tokens import order_token
from orders.addresses import address_read
from orders.models import Order
from payments.bookkeeping.payments import payment_move
from payments.bookkeeping.provider_calls import (
    call_claim,
    call_end,
    call_postpone,
    call_write,
    is_too_old,
    is_unseen,
)
from payments.bookkeeping.refunds import refund_end
from payments.bookkeeping.review_flags import flag
from payments.declines import decline_words, not_started
from payments.errors import PaymentBusy
from payments.gateway.calls import Carried, call_make
from payments.gateway.saved_methods import carry_out_detach, carry_out_save
from payments.gateway.sync import payment_take_over
from payments.models import CallState, FlagKind, Operation, Payment, ProviderCall
from payments.providers.contract import (
    Breakdown,
    ConfirmRequest,
    CreateRequest,
    Item,
    NotThere,
    PaymentProvider,
    RefundRequest,
    Refused,
    RemotePayment,
    RemoteRefund,
    RemoteStatus,
    ShipTo,
    Unknown,
)
from payments.providers.registry import ask
from payments.selectors import payment_lock
from payments.statuses import OPEN, PaymentStatus

SHIP_TO = ("name", "line1", "line2", "city", "region", "postal_code", "country")
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


def call_carry_out(call_id: UUID) -> Carried:
    """Make an open call, or make it again with the same key; book how it went. Nothing when somebody else is at it."""
    call = call_claim(call_id)
    if call is None:
        return Carried()
    if is_too_old(call) and call.payment is not None:
        return carry_out_late(call)
    return CARRIERS[Operation(call.operation)](call)


def carry_out_create(call: ProviderCall) -> Carried:
    payment = call_payment(call)
    request = create_request(call, payment)
    make = "create_hosted" if call.operation == Operation.HOSTED else "create"
    return call_make(
        call,
        lambda provider: getattr(provider, make)(request),
        book=partial(book_object, call),
        refuse=partial(refuse_create, call),
    )


def carry_out_confirm(call: ProviderCall) -> Carried:
    payment = call_payment(call)
    request = ConfirmRequest(
        key=call.key,
        object_id=payment.provider_payment_id or "",
        amount=payment.amount,
        payment_id=str(payment.pk),
        return_url=page_url("order_return", payment.order, call),
        method_id=call.secret("method_id"),
    )
    return call_make(
        call,
        lambda provider: confirm_or_look(provider, request),
        book=partial(book_answer, call),
        refuse=partial(refuse_confirm, call),
    )


def confirm_or_look(provider: PaymentProvider, request: ConfirmRequest) -> RemotePayment:
    """A key that only repeats an error is given up: the same object is never paid twice, whichever key confirms it."""
    try:
        return provider.confirm(request)
    except Unknown as unknown:
        if not unknown.is_stuck:
            raise
        raise Refused(unknown.code, unknown.detail, remote=provider.read(request.object_id)) from unknown


def carry_out_cancel(call: ProviderCall) -> Carried:
    return call_make(
        call,
        lambda provider: cancel_or_give_up(provider, call),
        book=partial(book_answer, call),
        refuse=partial(refuse_cancel, call),
    )


def cancel_or_give_up(provider: PaymentProvider, call: ProviderCall) -> RemotePayment:
    """A key that only repeats an error is given up; the next wish to cancel comes with a new one."""
    try:
        return provider.cancel(call.request["object_id"], key=call.key)
    except Unknown as unknown:
        if not unknown.is_stuck:
            raise
        raise Refused(unknown.code, unknown.detail) from unknown


def carry_out_refund(call: ProviderCall) -> Carried:
    payment, refund = call_payment(call), call.refund
    if refund is None:
        raise TypeError("A refund call without its refund.")  # cannot be: written together
    capture = payment.captures.first()
    request = RefundRequest(
        key=call.key,
        object_id=payment.provider_payment_id or "",
        capture_id=capture.provider_capture_id if capture else "",
        refund_id=str(refund.pk),
        refund_number=refund.refund_number,
        amount=refund.amount,
    )
    return call_make(
        call,
        lambda provider: provider.refund(request),
        book=partial(book_refund, call),
        refuse=partial(refuse_refund, call),
    )


CARRIERS = {
    Operation.CREATE: carry_out_create,
    Operation.HOSTED: carry_out_create,
    Operation.CONFIRM: carry_out_confirm,
    Operation.CANCEL: carry_out_cancel,
    Operation.RELEASE: carry_out_cancel,
    Operation.REFUND: carry_out_refund,
    Operation.SAVE: carry_out_save,
    Operation.DETACH: carry_out_detach,
}


def carry_out_late(call: ProviderCall) -> Carried:
    """The provider may have forgotten the key by now: asking again could do it twice, so only reading is left.

    What a lost create made was never shown to a buyer, so nobody can pay it, and the buyer may begin anew much sooner.
    A refund that is not on the provider's list was not made.
    """
    payment = call_payment(call)
    if is_unseen(call):
        refuse_create(call, Refused("given_up", "No answer in time."))
        return Carried()
    if not payment.provider_payment_id:
        call_stuck(call, payment)
        return Carried()
    try:
        remote = ask(call.provider, lambda provider: provider.read(payment.provider_payment_id or ""))
    except (Refused, Unknown) as error:
        call_postpone(call, error if isinstance(error, Unknown) else Unknown(error.code))
        return Carried()
    if call.refund is not None:
        mine = next((r for r in remote.refunds if r.reference == str(call.refund_id)), None)
        if mine is None and not remote.is_whole:
            call_postpone(call, Unknown("unreadable", "Whether it was refunded cannot be seen now."))
            return Carried()
        if mine is None:
            refuse_refund(call, Refused("given_up", "The provider does not know of it."))
        else:
            book_refund(call, mine)
    else:
        book_answer(call, remote)
    return Carried(answer=remote)


def call_stuck(call: ProviderCall, payment: Payment) -> None:
    with transaction.atomic():
        call_end(call, CallState.STUCK, error="No answer within a day, and nothing to read it from.")
        flag(payment, FlagKind.STUCK, f"{call.get_operation_display()}: no answer within a day.")


def call_payment(call: ProviderCall) -> Payment:
    if call.payment is None:
        raise TypeError(f"{call.operation} without a payment")  # cannot be: written together
    return call.payment


# ---- booking their outcomes ------------------------------------------------------------------------------------------


@transaction.atomic
def book_object(call: ProviderCall, remote: RemotePayment) -> None:
    """The provider made an object: from now on it is what the buyer can pay.

    When nobody waited for it any more it is remembered, so that what the provider tells of it finds its payment, and
    closed.
    """
    payment, order = payment_lock(call_payment(call).pk)
    if call_end(call, CallState.DONE, object_id=remote.object_id):
        payment.provider_payment_id = remote.object_id
        if remote.unprotected:
            flag(payment, FlagKind.UNPROTECTED, f"No seller protection. {remote.unprotected}")
        payment_take_over(payment, order, remote, cause="made at the provider", actor_name="provider")
    elif ProviderCall.objects.filter(pk=call.pk, object_id="").update(object_id=remote.object_id):
        close_unwanted(payment, remote.object_id)


def close_unwanted(payment: Payment, object_id: str) -> None:
    """No buyer was shown this object, so nobody pays it; still, one order has one object that could be paid."""
    try:
        call = call_write(Operation.RELEASE, payment=payment, request={"object_id": object_id})
    except PaymentBusy:
        return  # the payment goes on with another object, which comes first
    run_after_commit("payments.carry_out", call.pk)


@transaction.atomic
def book_answer(call: ProviderCall, remote: RemotePayment) -> None:
    payment, order = payment_lock(call_payment(call).pk)
    call_end(call, CallState.DONE, object_id="")
    is_gone = remote.status in {RemoteStatus.CANCELLED, RemoteStatus.EXPIRED}
    if call.operation == Operation.RELEASE and is_gone and payment.status in OPEN:
        let_go(call, payment)
        return
    cause = call.request.get("cause") or call.get_operation_display()
    payment_take_over(payment, order, remote, cause=cause, actor_name=call.request.get("actor", "system"))
    if call.operation == Operation.CANCEL and is_gone and payment.status in OPEN:
        payment_move(payment, PaymentStatus.CANCELLED, cause=cause)


def let_go(call: ProviderCall, payment: Payment) -> None:
    """The payment goes on with another object; it has that already when this answer comes after its own repetition."""
    if payment.provider_payment_id == call.request["object_id"]:
        payment.provider_payment_id = None
        payment.save(update_fields=["provider_payment_id", "updated_at"])


@transaction.atomic
def book_refund(call: ProviderCall, remote: RemoteRefund) -> None:
    call_end(call, CallState.DONE)
    if call.refund_id:
        refund_end(refund_id=call.refund_id, remote=remote)


@transaction.atomic
def refuse_create(call: ProviderCall, refused: Refused) -> None:
    """Nothing to pay was made, or the saved card was declined. The buyer can choose again."""
    payment, order = payment_lock(call_payment(call).pk)
    object_id = refused.remote.object_id if refused.remote else ""
    if not call_end(call, CallState.REFUSED, object_id=object_id, error=str(refused)):
        return
    if refused.remote is not None:
        payment.provider_payment_id = object_id
        payment_take_over(payment, order, refused.remote, cause="refused", actor_name="provider")
    elif payment.status in {PaymentStatus.PENDING, PaymentStatus.PROCESSING}:
        payment.failure_reason = decline_words(refused.decline) if refused.decline else not_started()
        payment.failure_code = refused.code[:80]
        payment_move(payment, PaymentStatus.FAILED, cause=f"refused: {refused.code}", actor_name="provider")


@transaction.atomic
def refuse_confirm(call: ProviderCall, refused: Refused) -> None:
    payment, order = payment_lock(call_payment(call).pk)
    call_end(call, CallState.REFUSED, error=str(refused))
    if refused.remote is not None:
        payment_take_over(payment, order, refused.remote, cause="refused", actor_name="provider")
    if refused.decline is not None and payment.status in {PaymentStatus.PENDING, PaymentStatus.PROCESSING}:
        payment.failure_reason, payment.failure_code = decline_words(refused.decline), refused.code[:80]
        payment_move(payment, PaymentStatus.FAILED, cause=f"refused: {refused.code}", actor_name="provider")
    elif payment.status in OPEN:
        payment.next_check_at = timezone.now()
        payment.save(update_fields=["next_check_at", "updated_at"])


@transaction.atomic
def refuse_cancel(call: ProviderCall, refused: Refused) -> None:
    """What the provider does not know cannot be paid; any other refusal is for a person."""
    payment, _ = payment_lock(call_payment(call).pk)
    call_end(call, CallState.REFUSED, error=str(refused))
    if not isinstance(refused, NotThere):
        flag(payment, FlagKind.STUCK, f"It cannot be cancelled: {refused.code}")
    elif payment.status in OPEN and call.operation == Operation.CANCEL:
        payment_move(payment, PaymentStatus.CANCELLED, cause="not known to the provider")
    elif payment.status in OPEN:
        let_go(call, payment)


@transaction.atomic
def refuse_refund(call: ProviderCall, refused: Refused) -> None:
    call_end(call, CallState.REFUSED, error=str(refused))
    if call.refund_id:
        refund_end(refund_id=call.refund_id, remote=None, refusal=f"refused: {refused.code}")


# ---- what a call asks ------------------------------------------------------------------------------------------------


def page_url(name: str, order: Order, call: ProviderCall) -> str:
    """An address of ours for the provider; the same for every repetition of the call."""
    token = order_token(order.pk, call.request.get("token_version", 1))
    return f"{settings.SITE_URL}{reverse(f'payments:{name}', args=[token])}"


def create_request(call: ProviderCall, payment: Payment) -> CreateRequest:
    order, told = payment.order, call.request
    return CreateRequest(
        key=call.key,
        payment_id=str(payment.pk),
        order_number=order.order_number,
        amount=payment.amount,
        return_url=page_url("order_return", order, call),
        cancel_url=page_url("order_cancelled_there", order, call),
        breakdown=breakdown(order) if payment.amount == order.total else None,
        ship_to=ship_to(order),
        customer_id=told.get("customer_id", ""),
        method_id=call.secret("method_id"),
        save=told.get("save", False),
        expires_at=order.expires_at if call.operation == Operation.HOSTED else None,
    )


def ship_to(order: Order) -> ShipTo | None:
    """None for an address that is one text, or lacks what every provider wants. Never raises."""
    known = address_read(order.shipping_address)
    fields = {name: " ".join(str(known.get(name, "")).split()) for name in SHIP_TO}
    if known.get("text") or not (fields["name"] and fields["line1"] and COUNTRY.fullmatch(fields["country"])):
        return None
    return ShipTo(**fields)


def breakdown(order: Order) -> Breakdown:
    lines = tuple(Item(line.product_name, line.quantity, line.unit_price) for line in order.lines.all())
    return Breakdown(lines, subtotal=order.subtotal, tax=order.tax, shipping=order.shipping)
