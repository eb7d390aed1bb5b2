"""Choosing and changing an order's payment method."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.core.changes import changes_note
from artisans.core.idempotency.keys import effect_record
from orders.models import Order
from orders.selectors import order_lock, store_rules
from orders.services.placing import load_placed_order
from payments.bookkeeping.attempts import closed_providers, too_many_declines
from payments.bookkeeping.holds import renew_order_hold
from payments.bookkeeping.payments import enqueue_create, payment_move
from payments.errors import AmountMismatch, MethodNotOffered, NothingDue, StillPayable
from payments.gateway.payments import (
    PaymentResult,
    is_uncharged,
    payment_ensure_at_provider,
    payment_replace_at_provider,
    run_after_cancelling,
)
from payments.lifecycle.offer import is_closed_after_declines
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import CallState, Operation, Payment
from payments.selectors import object_ids_of, open_payment, payments_of
from payments.statuses import PaymentStatus


@dataclass(frozen=True, slots=True)
class MethodChange:
    """The payment to continue with, what the buyer has to do, and whether the payment is new."""

    result: PaymentResult
    is_new: bool

    @property
    def payment(self) -> Payment:
        return self.result.payment


def payment_choose_method(
    *,
    order_id: UUID,
    method: PaymentMethod,
    actor: User | None,
    amount: Decimal | None = None,
    currency: str | None = None,
    provider: str = "",
) -> MethodChange:
    """Pay an order by this method: the open payment of the same method, or a new one that replaces another.

    `amount` and `currency` only assert what the client expects. An open payment at a provider is cancelled
    there before another one starts; the new one is created there before this returns. `provider`: the one
    that the request names. Errors: NothingDue, MethodNotOffered, AmountMismatch, PaymentInProgress,
    TooManyOpenOrders, TooManyUnitsHeld.
    """
    choose = partial(
        choose_method_locked,
        order_id=order_id,
        method=method,
        actor=actor,
        amount=amount,
        currency=currency,
        provider=provider,
    )
    payment, is_new = run_after_cancelling(choose, cause=f"{method.label} instead", actor="buyer")
    result = payment_ensure_at_provider(payment)
    if result.payment.status == PaymentStatus.FAILED and result.payment.is_remote and result.action is None:
        # a declined object may not be payable any more
        result = payment_replace_at_provider(payment.pk, Operation.CREATE)
    return MethodChange(result, is_new)


@transaction.atomic
def choose_method_locked(
    *,
    order_id: UUID,
    method: PaymentMethod,
    actor: User | None,
    amount: Decimal | None,
    currency: str | None,
    provider: str,
) -> tuple[Payment, bool]:
    """The decision, in one transaction. Errors: StillPayable as well. Locks: order, payment."""
    order = order_lock(order_id)
    due = order.due_now
    if not due:
        raise NothingDue
    believed = due.as_decimal() if amount is None else amount
    if believed != due.as_decimal() or currency not in {None, due.currency}:
        raise AmountMismatch(sent=f"{believed:f} {currency or due.currency}", due=due)
    current = open_payment(order)
    if current is not None:
        current.order = order
    if current is not None and current.outstanding == due and is_same_way(current, method, provider):
        try_again(current, order, actor)
        return current, False
    check_may_change(order, method)
    if current is not None and current.is_remote:
        raise StillPayable(current.pk)
    if current is not None:
        payment_move(
            current, PaymentStatus.CANCELLED, cause=f"{method.label} instead", actor=actor, actor_name="buyer"
        )
    payment = payment_start(
        load_placed_order(order), method=method, store=store_rules(), actor=actor, provider=provider
    )
    effect_record(f"payment:{payment.pk}")
    earlier = order.payments.exclude(pk=payment.pk).values_list("created_at", flat=True)
    changes_note(*(("payments", started_at) for started_at in earlier))  # they were replaced
    return payment, True


def is_same_way(payment: Payment, method: PaymentMethod, provider: str) -> bool:
    """Whether the payment already goes this way; a method that names no provider stays with the payment's."""
    return payment.payment_method == method and provider in {"", payment.payment_provider}


def check_may_change(order: Order, method: PaymentMethod) -> None:
    """Errors: NothingDue, MethodNotOffered for cash on delivery once the order was released."""
    if not order.may_change_method:
        raise NothingDue
    if is_closed_after_declines(method, closed_providers(order)):
        raise MethodNotOffered(too_many_declines())
    if order.released_at is not None and method == PaymentMethod.CASH_ON_DELIVERY:
        raise MethodNotOffered(
            _("Cash on delivery can only be chosen at checkout. Please choose another payment method.")
        )


def try_again(payment: Payment, order: Order, actor: User | None) -> None:
    """Continue with the same payment: a rejected offline payment is reopened, one at a provider keeps its
    object."""
    if payment.is_remote:
        under_way = payment.calls.filter(state=CallState.OPEN, refund=None).exists()
        if not payment.provider_payment_id and not under_way:
            enqueue_create(payment, order)
            renew_order_hold(order, PaymentMethod(payment.payment_method))
    elif payment.status == PaymentStatus.FAILED:
        payment.failure_reason = ""
        payment_move(payment, PaymentStatus.PENDING, cause="tried again", actor=actor, actor_name="buyer")
        renew_order_hold(order, PaymentMethod(payment.payment_method))


def is_replaced_uncharged(order: Order, object_ids: Collection[str]) -> bool:
    """Whether one of these objects belongs to a payment that another method has replaced, and was not charged.

    Each such object is read from its provider. False unless that confirms it.
    """
    payments = payments_of(order)
    replaced = (
        payment
        for payment in payments[1:]
        if payment.status == PaymentStatus.CANCELLED and payment.payment_method != payments[0].payment_method
    )
    return any(
        is_uncharged(payment, object_id)
        for payment in replaced
        for object_id in object_ids_of(payment).intersection(object_ids)
    )
