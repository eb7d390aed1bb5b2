"""When money moved by staff needs a second person's approval (StoreRules.second_person_above_minor)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.approvals.kinds import Payload
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_request
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from orders.models import Order
from orders.selectors import store_rules
from payments.bookkeeping.seen import order_seen
from payments.models import Payment, PaymentRefund, Receipt, RefundOrigin
from payments.statuses import RefundStatus

RECEIPT, RETURN, REFUND = "receipt_record", "money_return", "refund_open"  # kinds of approval requests


def receipt_approval_check(order: Order, *, actor: User, approved_by: User | None) -> None:
    """Errors: SecondPersonRequired when the receipts recorded by staff for the order, this one included,
    exceed the limit.

    Receipts are added up, because a large amount could otherwise be split into small ones. The caller holds
    the order's lock and has written the receipt in the transaction that this error rolls back, so that every
    other check runs first.
    """
    recorded = Receipt.objects.filter(payment__order=order, actor__isnull=False, reversal=None)
    received = recorded.aggregate(sum=Sum("amount_minor", default=0))["sum"]
    check_second_person(order.money(received), actor=actor, approved_by=approved_by)


def refund_approval_check(order: Order, *, actor: User, approved_by: User | None) -> None:
    """The same for refunds by staff, through a provider or offline."""
    check_second_person(order.money(refunded_by_staff(order)), actor=actor, approved_by=approved_by)


def refund_needs_approval(order: Order, *, more: int) -> bool:
    """Whether staff need a second person to refund this many minor units more."""
    return is_above_limit(order.money(refunded_by_staff(order) + more))


def refunded_by_staff(order: Order) -> int:
    refunds = PaymentRefund.objects.filter(payment__order=order, origin=RefundOrigin.STAFF)
    return refunds.exclude(status=RefundStatus.FAILED).aggregate(sum=Sum("amount_minor"))["sum"] or 0


def check_second_person(amount: Money | None, *, actor: User, approved_by: User | None) -> None:
    """Errors: SecondPersonRequired, if the amount is above the limit and nobody else has approved it."""
    is_approved = approved_by is not None and approved_by.pk != actor.pk
    if not is_approved and is_above_limit(amount):
        raise SecondPersonRequired


def is_above_limit(amount: Money | None) -> bool:
    """A limit in another currency cannot be compared, so every amount counts as above it, as does None: what has no
    amount."""
    limit = store_rules().second_person_above
    return limit is not None and (
        amount is None or amount.currency != limit.currency or amount.minor > limit.minor
    )


def refund_approval_request(
    payment: Payment,
    amount: Money,
    *,
    reason: str,
    actor: User,
    details: Sequence[tuple[str, str]] = (),
    **payload: Any,
) -> ApprovalRequest:
    """Request the approval of a refund through a provider. Errors: those of approval_request."""
    return request_approval(
        REFUND,
        payment,
        title=_("Refund %(amount)s of order %(order_number)s")
        % {"amount": show(amount), "order_number": payment.order.order_number},
        details=[(_("Refund"), show(amount)), *details, (_("Reason"), reason)],
        payload={"amount": money_out(amount), "reason": reason, "units": None, "parcels": {}} | payload,
        actor=actor,
    )


def request_approval(
    kind: str,
    payment: Payment,
    *,
    title: str,
    details: list[tuple[str, str]],
    payload: Payload,
    actor: User,
) -> ApprovalRequest:
    """Request the approval of an action on this payment. Errors: those of approval_request."""
    order = payment.order
    facts = [
        (_("Order"), f"{order.order_number}, {order.email}"),
        (_("Payment"), f"{payment.payment_number} ({show(payment.amount)})"),
        (_("Previously received"), show(payment.received)),
        (_("Previously refunded"), show(payment.refunded)),
    ]
    about = {"payment": str(payment.pk), "order": str(order.pk), "seen": order_seen(order)}
    return approval_request(
        kind, target=payment, title=title, details=facts + details, payload=about | payload, actor=actor
    )


def payment_of(payment_id: UUID | str) -> Payment:
    return Payment.objects.select_related("order").get(pk=payment_id)


def money_out(amount: Money) -> list[object]:
    return [amount.minor, amount.currency]


def money_in(stored: list[Any]) -> Money:
    minor, currency = stored
    return Money(minor, currency)
