"""Choosing how an order is paid, and changing one's mind."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction

from artisans.accounts.models import User
from artisans.core.idempotency.keys import effect_record
from orders.models import Order
from orders.selectors import order_lock, store_rules
from orders.services import placed_of
from payments.bookkeeping.holds import hold_for
from payments.bookkeeping.payments import intend_create, payment_move
from payments.errors import AmountMismatch, MethodNotOffered, NothingDue, StillPayable
from payments.gateway.payments import Reached, after_withdrawing, payment_reach, payment_use
from payments.lifecycle.start import payment_start
from payments.methods import PaymentMethod
from payments.models import CallState, Operation, Payment
from payments.selectors import open_payment
from payments.statuses import PaymentStatus


@dataclass(frozen=True, slots=True)
class Chosen:
    """The payment to go on with, what the buyer has to do, and whether the payment is a new one."""

    reached: Reached
    is_new: bool

    @property
    def payment(self) -> Payment:
        return self.reached.payment


def payment_choose(
    *,
    order_id: UUID,
    method: PaymentMethod,
    actor: User | None,
    amount: Decimal | None = None,
    currency: str | None = None,
) -> Chosen:
    """Pay an order by this method: the open payment of the same method, or a new one in place of another.

    `amount` and `currency` only assert what the client believes. A payment at a provider is taken back there before
    another one begins; the new one is made there before this returns.
    Errors: NothingDue, MethodNotOffered, AmountMismatch, PaymentUnderWay.
    """
    choose = partial(
        choose_now, order_id=order_id, method=method, actor=actor, amount=amount, currency=currency
    )
    payment, is_new = after_withdrawing(choose, cause=f"{method.label} instead", actor="buyer")
    reached = payment_reach(payment)
    if (
        reached.payment.status == PaymentStatus.FAILED
        and reached.payment.is_remote
        and reached.action is None
    ):
        reached = payment_use(
            payment.pk, Operation.CREATE
        )  # what was declined leads nowhere; the next try anew
    return Chosen(reached, is_new)


@transaction.atomic
def choose_now(
    *, order_id: UUID, method: PaymentMethod, actor: User | None, amount: Decimal | None, currency: str | None
) -> tuple[Payment, bool]:
    """The decision, in one transaction. Errors: StillPayable as well. Locks: order, payment."""
    order = order_lock(order_id)
    due = order.balance_due
    if not due:
        raise NothingDue
    believed = due.as_decimal() if amount is None else amount
    if believed != due.as_decimal() or currency not in {None, due.currency}:
        raise AmountMismatch(sent=f"{believed:f} {currency or due.currency}", due=due)
    current = open_payment(order)
    if current is not None:
        current.order = order
    if current is not None and current.payment_method == method and current.missing == due:
        try_again(current, order, actor)
        return current, False
    check_may_change(order, method)
    if current is not None and current.is_remote:
        raise StillPayable(current.pk)
    if current is not None:
        payment_move(
            current, PaymentStatus.CANCELLED, cause=f"{method.label} instead", actor=actor, actor_name="buyer"
        )
    payment = payment_start(placed_of(order), method=method, store=store_rules(), actor=actor)
    effect_record(f"payment:{payment.pk}")
    return payment, True


def check_may_change(order: Order, method: PaymentMethod) -> None:
    """Errors: NothingDue, MethodNotOffered for cash on delivery once the order was released."""
    if not order.may_change_method:
        raise NothingDue
    if order.released_at is not None and method == PaymentMethod.CASH_ON_DELIVERY:
        raise MethodNotOffered(
            "Cash on delivery is chosen when an order is placed; please choose another way to pay."
        )


def try_again(payment: Payment, order: Order, actor: User | None) -> None:
    """The same payment goes on: after a refusal by hand anew, at a provider with the object that it has."""
    if payment.is_remote:
        under_way = payment.calls.filter(state=CallState.OPEN, refund=None).exists()
        if not payment.provider_payment_id and not under_way:
            intend_create(payment, order)
            hold_for(order, PaymentMethod(payment.payment_method))
    elif payment.status == PaymentStatus.FAILED:
        payment.failure_reason = ""
        payment_move(payment, PaymentStatus.PENDING, cause="tried again", actor=actor, actor_name="buyer")
        hold_for(order, PaymentMethod(payment.payment_method))
