"""Offline refunds: a member of staff made a transfer, or someone gave cash back, and staff record it."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.catalog.access import workshops_of
from artisans.core.changes import changes_note
from artisans.core.errors import InvalidInput
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.ledger.services import fact_book
from artisans.notifications.services import notifications_enqueue
from orders.errors import OwnMoney
from orders.mails import order_mail
from orders.models import Order
from orders.refunds import clear_ship_instructions
from orders.selectors import store_rules
from orders.statuses import CashHolder
from payments.bookkeeping.ledger import refund_fact
from payments.bookkeeping.payments import order_settle, payment_recompute_status
from payments.bookkeeping.references import reference_key
from payments.bookkeeping.refunds import keeps_commission
from payments.bookkeeping.second_person import refund_approval_check
from payments.bookkeeping.staff_checks import check_bearer, check_staff_permission
from payments.bookkeeping.value_dates import check_value_date
from payments.errors import AlreadyRecorded, NotManual, RefundExceedsReceived, ReturnExceedsOwed
from payments.mails import PaymentMail
from payments.methods import MANUAL, PaymentMethod
from payments.models import Bearer, PaidFrom, Payment, PaymentRefund, RefundTransition
from payments.selectors import balance_after_refunds, cash_left, payment_lock, refund_due
from payments.statuses import RefundStatus


@dataclass(frozen=True, slots=True)
class PaidBack:
    """Whose money went back. `artisan_id`: who handed back cash, only with PaidFrom.ARTISAN."""

    source: PaidFrom = PaidFrom.BANK
    artisan_id: UUID | None = None

    @property
    def is_cash(self) -> bool:
        return self.source != PaidFrom.BANK


def likely_payer(payment: Payment, amount: Money) -> PaidBack:
    """Who has so much of the payment's money: one artisan who collected it all, or the shop in cash; else the bank."""
    if payment.payment_method != PaymentMethod.CASH_ON_DELIVERY:
        return PaidBack()
    receipts = payment.receipts.filter(reversal=None).select_related("parcel")
    holders = {(row.holder, row.parcel.artisan_id if row.parcel else None) for row in receipts}
    if len(holders) == 1:
        [(holder, artisan_id)] = holders
        if holder == CashHolder.ARTISAN:
            return PaidBack(PaidFrom.ARTISAN, artisan_id)
    return PaidBack(PaidFrom.CASH if amount <= cash_left(payment) else PaidFrom.BANK)


@transaction.atomic
def money_return_record(  # noqa: PLR0913  # what the form asks for
    *,
    payment_id: UUID,
    amount: Money,
    value_date: date,
    bank_reference: str,
    reason: str,
    actor: User,
    approved_by: User | None = None,
    beyond_owed: bool = False,
    borne_by: Bearer = Bearer.ARTISAN,
    paid: PaidBack | None = None,
) -> PaymentRefund:
    """Record an offline refund; it is COMPLETED from the start.

    `paid`: who paid it back, by default whoever has the payment's money. It is limited to what the order owes the
    buyer over all its payments or, with `beyond_owed`, to what is left of this payment. Errors: NoPermission,
    OwnOrder, OwnMoney, NotManual, InvalidInput, RefundExceedsReceived, ReturnExceedsOwed, AlreadyRecorded,
    SecondPersonRequired without `approved_by` above the store's limit. Locks: order, payment.
    """
    payment, order = payment_lock(payment_id)
    check_staff_permission(actor, "payments.refund", order)
    check_bearer(actor, borne_by, order)
    key = reference_key(bank_reference)
    check_input(payment, amount, value_date=value_date, key=key, reason=reason)
    paid = paid or likely_payer(payment, amount)
    check_payer(payment, order, paid, amount, actor)
    check_returnable(payment, order, amount, beyond_owed=beyond_owed)
    try:
        refund = PaymentRefund.objects.create(
            payment=payment,
            status=RefundStatus.COMPLETED,
            currency=amount.currency,
            amount_minor=amount.minor,
            goodwill_minor=balance_after_refunds(order).split_goodwill(amount.minor, goods=0),
            borne_by=borne_by,
            keeps_commission=keeps_commission(),
            reason=reason.strip()[:300],
            actor=actor,
            value_date=value_date,
            bank_reference=bank_reference.strip(),
            reference_key=key,
            paid_from=paid.source,
            paid_by_id=paid.artisan_id,
            processed_at=timezone.now(),
        )
    except IntegrityError:  # committed by a colleague since we checked
        raise AlreadyRecorded(
            _("A colleague has just recorded a refund with the reference %(reference)s.")
            % {"reference": bank_reference.strip()}
        ) from None
    refund_approval_check(order, actor=actor, approved_by=approved_by)
    RefundTransition.objects.create(
        refund=refund, new=refund.status, cause="refunded offline", actor_name=actor.email
    )
    payment.refunded_minor += amount.minor
    fact_book(refund_fact(payment, refund), is_new=True)
    changes_note(("refunds", refund.processed_at))
    payment_recompute_status(
        payment, cause=_("%(amount)s refunded offline") % {"amount": amount}, actor=actor
    )
    clear_ship_instructions(order)
    order_settle(order, cause=_("%(amount)s refunded offline") % {"amount": amount}, actor=actor)
    facts = {"amount": str(amount), "paid_from": str(paid.source)}
    facts |= {"artisan": str(paid.artisan_id)} if paid.artisan_id else {}
    audit_record(actor=actor, action=Action.MONEY_RETURN, target=payment, data=facts)
    notifications_enqueue(
        order_mail(
            PaymentMail.OFFLINE_REFUND_SENT,
            order,
            lines=list(order.lines.all()),
            store=store_rules(),
            key=str(refund.pk),
            amount=amount,
            reference=bank_reference.strip(),
            date=value_date,
            in_cash=paid.is_cash,
        )
    )
    return refund


def check_input(payment: Payment, amount: Money, *, value_date: date, key: str, reason: str) -> None:
    """Errors: NotManual, InvalidInput, AlreadyRecorded."""
    if payment.payment_provider != MANUAL:
        raise NotManual
    if amount.minor <= 0 or amount.currency != payment.currency:
        raise InvalidInput(
            _("Enter the amount refunded in %(currency)s, greater than zero.")
            % {"currency": payment.currency}
        )
    if not key or not reason.strip():
        raise InvalidInput(_("Enter the reference and the reason."))
    check_value_date(value_date, begun_at=payment.order.created_at)
    if (before := find_return(key)) is not None:
        raise already_returned(before)


def check_payer(payment: Payment, order: Order, paid: PaidBack, amount: Money, actor: User) -> None:
    """Errors: InvalidInput, OwnMoney."""
    if paid.is_cash and payment.payment_method != PaymentMethod.CASH_ON_DELIVERY:
        raise InvalidInput(_("Only cash on delivery is paid back in cash. Make a transfer."))
    if (paid.source == PaidFrom.ARTISAN) != (paid.artisan_id is not None):
        raise InvalidInput(_("Choose the artisan who handed the money back."))
    if paid.source == PaidFrom.CASH and amount > (left := cash_left(payment)):
        raise InvalidInput(
            _(
                "The shop holds only %(left)s of this payment in cash, so it cannot have paid back %(amount)s. "
                "Choose who paid it back; what was deposited is paid back by transfer."
            )
            % {"left": left, "amount": amount}
        )
    if paid.artisan_id is None:
        return
    parcels = order.parcels.filter(artisan=paid.artisan_id)
    if not parcels.exists():
        raise InvalidInput(_("This artisan has no parcel in the order."))
    if paid.artisan_id in workshops_of(actor):
        raise OwnMoney


def check_returnable(payment: Payment, order: Order, amount: Money, *, beyond_owed: bool) -> None:
    """Errors: RefundExceedsReceived, ReturnExceedsOwed."""
    if amount > payment.refundable:
        raise RefundExceedsReceived(asked=amount, left=payment.refundable)
    owed = Money(refund_due(order, payment), payment.currency)
    if amount > owed and not beyond_owed:
        raise ReturnExceedsOwed(amount, owed=owed)


def find_return(key: str) -> PaymentRefund | None:
    """The offline refund recorded with this reference_key."""
    return get_or_none(PaymentRefund.objects.filter(reference_key=key).select_related("payment__order"))


def already_returned(refund: PaymentRefund) -> AlreadyRecorded:
    payment, reference = refund.payment, refund.bank_reference
    return AlreadyRecorded(
        _(
            "A refund of %(amount)s with the reference %(reference)s was already recorded by %(actor)s (%(time)s) "
            "for payment %(payment)s of order %(order)s. Nothing was recorded. If this is a different refund (a second "
            "line with the same reference), add a suffix, such as “%(reference)s line 2”."
        )
        % {
            "amount": refund.amount,
            "reference": reference,
            "actor": refund.actor.email if refund.actor else "-",
            "time": date_format(timezone.localtime(refund.created_at), "DATETIME_FORMAT"),
            "payment": payment.payment_number,
            "order": payment.order.order_number,
        }
    )
