"""When the store rules want a second person for money that staff move (StoreRules.second_person_above_minor)."""

from django.db.models import Sum

from artisans.accounts.models import User
from artisans.approvals.errors import SecondPersonRequired
from artisans.core.money import Money
from orders.models import Order
from orders.selectors import store_rules
from payments.models import PaymentRefund, Receipt, RefundOrigin
from payments.statuses import RefundStatus


def receipt_approval_check(order: Order, *, actor: User, approved_by: User | None) -> None:
    """Errors: SecondPersonRequired when what people recorded for the order, this receipt included, passes the limit.

    Parts are added up, or a large amount would pass in small ones. The caller holds the order's lock and has written
    the receipt in the transaction that this error undoes, so that every other refusal comes first.
    """
    recorded = Receipt.objects.filter(payment__order=order, actor__isnull=False, reversal=None)
    check(order, recorded.aggregate(sum=Sum("amount_minor"))["sum"] or 0, actor, approved_by)


def refund_approval_check(order: Order, amount: Money, *, actor: User, approved_by: User | None) -> None:
    """The same for what staff refund, through a provider or offline, before this `amount` is written."""
    refunded = PaymentRefund.objects.filter(payment__order=order, origin=RefundOrigin.STAFF)
    live = refunded.exclude(status=RefundStatus.FAILED)
    earlier = live.aggregate(sum=Sum("amount_minor"))["sum"] or 0
    check(order, earlier + amount.minor, actor, approved_by)


def check(order: Order, minor: int, actor: User, approved_by: User | None) -> None:
    limit = store_rules().second_person_above
    is_approved = approved_by is not None and approved_by.pk != actor.pk
    if limit is None or is_approved:
        return
    if order.currency != limit.currency or minor > limit.minor:
        raise SecondPersonRequired
