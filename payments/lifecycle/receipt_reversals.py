"""Reversing a receipt: the money never arrived, or belongs to another payment. Nothing is refunded."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.changes import changes_note
from artisans.core.errors import Conflict, InvalidInput
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.core.transactions import atomic_with_retry
from artisans.ledger.services import fact_book
from artisans.notifications.facts import fact_renderer, render_later
from artisans.notifications.services import notifications_enqueue
from orders.mails import order_mail
from orders.models import Order
from orders.selectors import store_rules
from orders.services.settlement import order_suspend
from orders.statuses import PARCELS_UNSHIPPED, CashHolder
from payments.bookkeeping.ledger import receipt_fact
from payments.bookkeeping.payments import (
    order_settle,
    payment_move,
    payment_recompute_status,
    payment_save,
)
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.errors import AlreadyRecorded, ReceiptSpent
from payments.lifecycle.cash import parcel_count_cash
from payments.lifecycle.instructions import instructions_for_mail
from payments.mails import PaymentMail
from payments.methods import SPECS, PaymentMethod
from payments.models import (
    CashDepositLine,
    DepositStatus,
    Payment,
    Receipt,
    ReceiptReversal,
    ReversalReason,
)
from payments.selectors import cash_left, cash_on_hand, open_payment, payment_lock
from payments.statuses import SETTLED, PaymentStatus


@atomic_with_retry
def receipt_reverse(
    *, receipt_id: UUID, reason: ReversalReason, actor: User, note: str = ""
) -> ReceiptReversal:
    """Deduct this receipt from the amount received. It is not a refund: the order is unpaid again, and
    parcels that have not shipped are held.

    The reference can be used again, to record the money where it belongs; cash for a parcel is outstanding again.
    The buyer is emailed the reason; artisans of unshipped parcels are emailed to wait until the payment arrives.

    Errors: NoPermission, OwnOrder, AlreadyRecorded, InvalidInput, ReceiptSpent, Conflict for cash that was
    deposited. Locks: order, payment.
    """
    payment, order = payment_lock(Receipt.objects.values_list("payment_id", flat=True).get(pk=receipt_id))
    check_staff_permission(actor, "payments.approve_manual", order)
    receipt = Receipt.objects.select_related("parcel").get(pk=receipt_id)
    if (before := get_or_none(ReceiptReversal.objects.filter(receipt=receipt))) is not None:
        raise AlreadyRecorded(
            _("This receipt was already reversed by %(actor)s on %(time)s.")
            % {
                "actor": before.actor_name,
                "time": date_format(timezone.localtime(before.created_at), "DATETIME_FORMAT"),
            }
        )
    if reason not in ReversalReason.values:
        raise InvalidInput(
            _("The reason must be one of %(values)s.") % {"values": ", ".join(ReversalReason.values)}
        )
    check_not_deposited(receipt)
    gone = payment.refunded_minor + payment.refund_reserved_minor + payment.disputed_minor
    if payment.received_minor - receipt.amount_minor < gone or is_paid_back_in_cash(receipt, payment):
        raise ReceiptSpent(receipt.amount, returned=Money(gone, payment.currency))
    reversal = ReceiptReversal.objects.create(
        receipt=receipt, reason=reason, note=note.strip()[:200], actor=actor, actor_name=actor.email
    )
    cause = _("%(amount)s (%(bank_reference)s) reversed: %(reason)s") % {
        "amount": receipt.amount,
        "bank_reference": receipt.bank_reference,
        "reason": reversal.get_reason_display(),
    }
    was_paid = not order.balance_due
    payment.received_minor -= receipt.amount_minor
    if receipt.parcel:
        parcel_count_cash(receipt.parcel, -receipt.amount_minor)
    fact_book(receipt_fact(payment, receipt, reversed_at=reversal.created_at))
    changes_note(("settled", receipt.created_at))
    payment_reopen(payment, order, cause=cause, actor=actor)
    order_settle(order, cause=cause, actor=actor)
    raise_open_payment(order)
    if was_paid and order.balance_due and order.released_at is not None:
        withhold(payment, order)
    audit_record(
        actor=actor,
        action=Action.RECEIPT_REVERSE,
        target=payment,
        data={"amount": str(receipt.amount), "reason": reason, "note": reversal.note},
    )
    mail_reversal(reversal, receipt, payment, order)
    return reversal


def is_paid_back_in_cash(receipt: Receipt, payment: Payment) -> bool:
    """Whether the shop, without the cash of this receipt, would have paid back cash that it never had."""
    is_with_shop = cash_on_hand(CashHolder.SHOP).filter(pk=receipt.pk).exists()
    return is_with_shop and receipt.amount > cash_left(payment)


def check_not_deposited(receipt: Receipt) -> None:
    """Errors: Conflict if its cash came to the bank account."""
    lines = CashDepositLine.objects.filter(receipt=receipt, status=DepositStatus.RECORDED)
    if (line := lines.select_related("deposit").first()) is not None:
        raise Conflict(
            _(
                "This cash came to the bank account with %(deposit)s. Nothing was changed. If that is a mistake, "
                "reverse the deposit first; otherwise the buyer paid it, so refund it instead."
            )
            % {"deposit": line.deposit}
        )


def payment_reopen(payment: Payment, order: Order, *, cause: str, actor: User) -> None:
    """Reopen a settled payment that lost its receipt, unless the order is closed or was paid in another way."""
    if payment.status not in SETTLED or payment.received_minor >= payment.amount_minor:
        payment_recompute_status(payment, cause=cause, actor=actor)
        return
    waits = order.is_alive and open_payment(order) is None
    changes_note(("settled", payment.completed_at))
    payment.completed_at = None
    payment_move(
        payment, PaymentStatus.PENDING if waits else PaymentStatus.CANCELLED, cause=cause, actor=actor
    )


def raise_open_payment(order: Order) -> None:
    """Raise an open offline payment to the full amount due; one at a provider is replaced there
    (order_settle)."""
    payment = open_payment(order)
    if payment is None or payment.is_remote:
        return
    amount = payment.net_received_minor + order.due_now.minor
    if amount > payment.amount_minor:
        payment.amount_minor = amount
        payment_save(payment)


def withhold(payment: Payment, order: Order) -> None:
    """Hold unshipped parcels of an unpaid order, except for cash on delivery. The payment window starts
    again."""
    method = PaymentMethod((open_payment(order) or payment).payment_method)
    if method != PaymentMethod.CASH_ON_DELIVERY:
        order_suspend(order, pay_by=timezone.now() + (SPECS[method].payment_window or timedelta(days=7)))


def has_unsent(order: Order) -> bool:
    return order.parcels.filter(status__in=PARCELS_UNSHIPPED).exists()


def mail_reversal(reversal: ReceiptReversal, receipt: Receipt, payment: Payment, order: Order) -> None:
    store = store_rules()
    waiting = open_payment(order)
    notifications_enqueue(
        order_mail(
            PaymentMail.RECEIPT_REVERSED,
            order,
            lines=list(order.lines.all()),
            store=store,
            key=str(reversal.pk),
            what=render_later(
                reversal_note,
                reason=reversal.reason,
                amount=receipt.amount,
                is_check=payment.payment_method == PaymentMethod.CHECK,
            ),
            due=order.balance_due or "",
            pay_by=timezone.localtime(order.pay_by).date() if order.pay_by else "",
            is_withheld=order.payment_withdrawn_at is not None and has_unsent(order),
            instructions=instructions_for_mail(waiting, order, store) if waiting else None,
        )
    )


@fact_renderer
def reversal_note(reason: str, amount: Money, is_check: bool) -> str:  # noqa: FBT001  # a fact of an email
    """Tells the buyer what happened to a payment that we had confirmed."""
    if reason == ReversalReason.WRONG_ORDER:
        text = _("We recorded {amount} for this order by mistake; the payment was for another order.")
    elif reason == ReversalReason.MISTAKE:
        text = _("We made a mistake when we recorded {amount} for this order, and have corrected it.")
    elif is_check:
        text = _("Your check for {amount} did not clear, so we have not received the money.")
    else:
        text = _("The bank took back the {amount} that we had received for this order.")
    return text.format(amount=show(amount))
