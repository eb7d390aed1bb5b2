"""Offline payments: staff record money that arrived, or reject payments that will not arrive."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from artisans.core.transactions import atomic_with_retry
from artisans.ledger.services import fact_book
from artisans.notifications.facts import render_later
from artisans.notifications.services import notifications_enqueue
from orders.mails import order_mail
from orders.models import Order
from orders.selectors import parcels_to_send, store_rules
from orders.services.settlement import order_set_hold
from orders.statuses import OrderStatus
from payments.bookkeeping.attempts import receipt_attempt_record, rejection_attempt_record
from payments.bookkeeping.ledger import receipt_fact
from payments.bookkeeping.payments import order_settle, payment_move, payment_recompute_status
from payments.bookkeeping.references import reference_key, reference_lock
from payments.bookkeeping.second_person import receipt_approval_check
from payments.bookkeeping.staff_checks import check_staff_permission
from payments.bookkeeping.value_dates import check_value_date
from payments.errors import AlreadyRecorded, HasReceipts, NotManual, ReceiptExceedsDue
from payments.lifecycle.cash import CashOf, IncomingMoney, cash_of, parcel_count_cash
from payments.lifecycle.instructions import instructions_for_mail
from payments.mails import PaymentMail, method_name
from payments.methods import AFTER_REJECTION, MANUAL, PART_PAYMENT_EXTENSION
from payments.models import CashDeposit, Payment, Receipt
from payments.selectors import find_active_deposit, find_active_receipt, open_payment, payment_lock
from payments.statuses import PaymentStatus

BANK_FEED = "bank feed"
# Apps above add theirs: each raises AlreadyRecorded for the reference_key of money that it has recorded.
REFERENCE_CHECKS: list[Callable[[str], None]] = []
TOLERANCE_PPM = 100_000  # of the amount due: a larger surplus has to be confirmed


@atomic_with_retry
def receipt_record(
    *,
    payment_id: UUID,
    money: IncomingMoney,
    actor: User,
    seen_minor: int | None = None,
    beyond_due: bool = False,
    approved_by: User | None = None,
) -> Receipt:
    """Record money received offline. The payment completes when its receipts reach its amount; the order is
    settled.

    `seen_minor`: the amount received when the actor loaded the page; a different one now means that a
    colleague was faster. An underpayment extends the hold once by 7 days; a surplus becomes
    `order.refund_due`.

    Cash for a parcel is at most what is outstanding for it; less leaves the rest outstanding.

    Errors: NoPermission, OwnOrder, OwnCashReport, NotManual, InvalidInput, AlreadyRecorded, ReceiptExceedsDue
    without `beyond_due`, SecondPersonRequired without `approved_by` above the store's limit; Conflict for a
    cancelled or returned parcel. Locks: order, payment, reference, products.
    """
    payment, order = payment_lock(payment_id)
    check_staff_permission(actor, "payments.approve_manual", order)
    due = payment.outstanding
    receipt = receipt_book(payment, order, money, actor=actor, actor_name=actor.email, seen_minor=seen_minor)
    if not beyond_due and is_far_above(money.amount, due):
        raise ReceiptExceedsDue(money.amount, due=due)
    receipt_approval_check(order, actor=actor, approved_by=approved_by)
    return receipt


def is_far_above(amount: Money, due: Money) -> bool:
    """Whether the amount is more likely a typing error than a surplus."""
    return amount > due + due.share(TOLERANCE_PPM)


@atomic_with_retry
def receipt_from_feed(*, payment_id: UUID, money: IncomingMoney, seen_minor: int) -> Receipt:
    """The same for money reported by the bank feed that matches exactly, without a decision by staff.

    Errors: NotManual, InvalidInput, AlreadyRecorded. Locks: order, payment, reference, products.
    """
    payment, order = payment_lock(payment_id)
    return receipt_book(payment, order, money, actor=None, actor_name=BANK_FEED, seen_minor=seen_minor)


def receipt_book(
    payment: Payment,
    order: Order,
    money: IncomingMoney,
    *,
    actor: User | None,
    actor_name: str,
    seen_minor: int | None,
) -> Receipt:
    """For callers that hold the locks and have checked the actor."""
    money_check(payment, money)
    amount = money.amount
    cash = cash_of(payment, order, money, actor) if actor else CashOf()
    receipt = receipt_create(payment, money, cash, actor, actor_name)
    if seen_minor is not None and seen_minor != payment.received_minor:
        raise AlreadyRecorded(
            _("The amount received has changed to %(received)s. Nothing was recorded. Reload the page.")
            % {"received": payment.received}
        )
    payment.received_minor += amount.minor
    if cash.parcel:
        parcel_count_cash(cash.parcel, amount.minor)
    fact_book(receipt_fact(payment, receipt), is_new=True)
    receipt_attempt_record(payment, receipt)
    cause = _("%(amount)s received offline (%(reference)s)") % {
        "amount": amount,
        "reference": receipt.bank_reference,
    }
    payment.failure_reason = ""
    if payment.status == PaymentStatus.FAILED and payment.net_received_minor < payment.amount_minor:
        payment_move(payment, PaymentStatus.PENDING, cause=cause, actor=actor, actor_name=actor_name)
    payment_recompute_status(payment, cause=cause, actor=actor, actor_name=actor_name)
    if payment.status == PaymentStatus.PENDING:
        extend_hold_once(order)
    before = order.status
    order_settle(order, cause=cause, actor=actor)
    audit_record(
        actor=actor,
        action=Action.RECEIPT_RECORD,
        target=payment,
        data={"amount": str(amount), "at": str(money.value_date)} | cash.audited,
        actor_name=actor_name,
    )
    mail_receipt(receipt, payment, order, revived=before == OrderStatus.EXPIRED and order.is_alive)
    return receipt


def money_check(payment: Payment, money: IncomingMoney) -> None:
    """Errors: NotManual, InvalidInput."""
    if payment.payment_provider != MANUAL:
        raise NotManual
    if money.amount.minor <= 0 or money.amount.currency != payment.currency:
        raise InvalidInput(
            _("Enter the amount received in %(currency)s, greater than zero.")
            % {"currency": payment.currency}
        )
    check_value_date(money.value_date, begun_at=payment.order.created_at)
    if not reference_key(money.reference):
        raise InvalidInput(_("Enter the bank reference, check number or receipt number."))


def receipt_create(
    payment: Payment, money: IncomingMoney, cash: CashOf, actor: User | None, actor_name: str
) -> Receipt:
    """Errors: AlreadyRecorded when a receipt with this reference exists anywhere in the shop."""
    key = reference_key(money.reference)
    check_not_recorded(key)
    try:
        with transaction.atomic():
            return Receipt.objects.create(
                reference_key=key,
                reference_round=Receipt.objects.filter(reference_key=key).count(),
                payment=payment,
                currency=money.amount.currency,
                amount_minor=money.amount.minor,
                value_date=money.value_date,
                bank_reference=money.reference.strip(),
                parcel=cash.parcel,
                holder=cash.holder,
                actor=actor,
                actor_name=actor_name,
            )
    except IntegrityError:
        standing = find_active_receipt(key)  # committed by a colleague since we checked
        if standing is None:
            raise
        raise already_recorded(standing) from None


def check_not_recorded(key: str) -> None:
    """Whether no money was recorded with this reference_key; none is by others until the transaction ends.

    Errors: AlreadyRecorded. Locks: the reference.
    """
    reference_lock(key)
    if (standing := find_active_receipt(key)) is not None:
        raise already_recorded(standing)
    if (deposit := find_active_deposit(key)) is not None:
        raise deposit_already_recorded(deposit)
    for check in REFERENCE_CHECKS:
        check(key)


def deposit_already_recorded(deposit: CashDeposit) -> AlreadyRecorded:
    return AlreadyRecorded(
        _(
            "A deposit of cash of %(amount)s with the reference %(reference)s was already recorded by %(actor)s "
            "(%(time)s). Nothing was recorded."
        )
        % {
            "amount": deposit.amount,
            "reference": deposit.bank_reference,
            "actor": deposit.actor,
            "time": date_format(timezone.localtime(deposit.created_at), "DATETIME_FORMAT"),
        }
    )


def already_recorded(receipt: Receipt) -> AlreadyRecorded:
    """Where the money with this reference was recorded, and how to record a different payment with the same
    one."""
    payment, reference = receipt.payment, receipt.bank_reference
    return AlreadyRecorded(
        _(
            "%(amount)s with the reference %(reference)s was already recorded by %(actor)s (%(time)s) for payment "
            "%(payment)s of order %(order)s. Nothing was recorded. If this is a different payment (a second line "
            "with the same reference, another buyer’s check, or one transfer for several orders), add a suffix, "
            "such as “%(reference)s line 2”."
        )
        % {
            "amount": receipt.amount,
            "reference": reference,
            "actor": receipt.actor_name,
            "time": date_format(timezone.localtime(receipt.created_at), "DATETIME_FORMAT"),
            "payment": payment.payment_number,
            "order": payment.order.order_number,
        }
    )


def extend_hold_once(order: Order) -> None:
    """After a partial payment the buyer gets seven more days for the rest, once."""
    if order.status != OrderStatus.PENDING or order.is_extended or order.expires_at is None:
        return
    order.is_extended = True
    order.save(update_fields=["is_extended", "updated_at"])
    longer = PART_PAYMENT_EXTENSION
    order_set_hold(
        order, pay_by=(order.pay_by or timezone.now()) + longer, expires_at=order.expires_at + longer
    )


@transaction.atomic
def payment_reject(*, payment_id: UUID, reason: str, actor: User) -> Payment:
    """Record that this payment will not arrive. The order stays open for at least a day, so that the buyer
    can pay another way.

    Errors: NoPermission, OwnOrder, NotManual, InvalidInput without a reason, HasReceipts, IllegalTransition.
    """
    payment, order = payment_lock(payment_id)
    check_staff_permission(actor, "payments.approve_manual", order)
    if payment.payment_provider != MANUAL:
        raise NotManual
    if not reason.strip():
        raise InvalidInput(_("Enter a reason. It is shown to the buyer."))
    if payment.received_minor:
        raise HasReceipts(payment.received)
    payment.failure_reason = reason.strip()[:300]
    payment_move(payment, PaymentStatus.FAILED, cause=f"rejected: {reason.strip()}", actor=actor)
    rejection_attempt_record(payment)
    if order.status == OrderStatus.PENDING and order.expires_at is not None:
        keep = max(order.expires_at, timezone.now() + AFTER_REJECTION)
        order_set_hold(order, pay_by=order.pay_by, expires_at=keep)
    audit_record(actor=actor, action=Action.PAYMENT_REJECT, target=payment, data={"reason": reason.strip()})
    notifications_enqueue(
        order_mail(
            PaymentMail.PAYMENT_REJECTED,
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            key=f"{payment.pk}:{payment.transitions.count()}",
            reason=reason.strip(),
            keep_until=order.expires_at or "",
        )
    )
    return payment


def mail_receipt(receipt: Receipt, payment: Payment, order: Order, *, revived: bool) -> None:
    """Email the buyer once per receipt, with text that fits its effect on the order."""
    store = store_rules()
    mail = partial(order_mail, order=order, lines=list(order.lines.all()), store=store, key=str(receipt.pk))
    amount = receipt.amount
    if not order.is_alive:
        message = mail(PaymentMail.LATE_PAYMENT, amount=amount)
    elif order.balance_due:
        message = mail(
            PaymentMail.PAYMENT_PARTLY_RECEIVED,
            received=order.received,
            outstanding=order.balance_due,
            is_held=order.status == OrderStatus.PENDING,
            due=timezone.localtime(order.pay_by).date() if order.pay_by else "",
            instructions=instructions_for_mail(open_payment(order) or payment, order, store),
        )
    elif order.owed.surplus:
        message = mail(PaymentMail.OVERPAID, amount=amount, surplus=order.owed.surplus)
    else:
        message = mail(
            PaymentMail.PAYMENT_RECEIVED,
            amount=amount,
            method=render_later(method_name, method=payment.payment_method),
            revived=revived,
            to_send=parcels_to_send(order, order.parcels.all()),
        )
    notifications_enqueue(message)
