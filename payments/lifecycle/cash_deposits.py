"""Cash that came to the bank account: a courier's transfer for many parcels, or what the shop paid in."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.money import Money
from artisans.ledger.services import fact_book
from orders.selectors import orders_locked
from orders.statuses import CashHolder
from payments.bookkeeping.cash_deposits import deposit_fact
from payments.bookkeeping.references import reference_key
from payments.bookkeeping.value_dates import check_value_date
from payments.errors import AlreadyRecorded, NoPermission
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipts import check_not_recorded, deposit_already_recorded
from payments.models import CashDeposit, CashDepositLine, DepositStatus, Receipt
from payments.selectors import cash_to_deposit, find_active_deposit


@transaction.atomic
def cash_deposit_record(
    *,
    receipt_ids: Collection[UUID],
    holder: CashHolder,
    money: IncomingMoney,
    actor: User,
    fee: Money | None = None,
) -> CashDeposit:
    """Record that the cash of these receipts, which `holder` had, came to the bank account, less a fee that the
    courier or the bank kept.

    Errors: NoPermission; InvalidInput, with the difference if amount and fee are not what is left of the receipts;
    AlreadyRecorded. Locks: the receipts' orders, so that none is reversed or paid back meanwhile; the reference.
    """
    if not (actor.is_staff and actor.has_perm("payments.approve_manual")):
        raise NoPermission
    fee = fee or Money(0, money.amount.currency)
    deposit_check(money, fee)
    keys = set(receipt_ids)
    orders = Receipt.objects.filter(pk__in=keys).order_by().values("payment__order")
    list(orders_locked().filter(pk__in=orders).order_by("pk"))
    receipts = receipts_to_deposit(keys, holder=holder, currency=money.amount.currency)
    check_value_date(money.value_date, begun_at=min(receipt.created_at for receipt in receipts))
    total = Money(sum(receipt.left_minor for receipt in receipts), money.amount.currency)
    if money.amount + fee != total:
        raise InvalidInput(describe_difference(money.amount + fee, total))
    deposit = deposit_create(money, fee, holder=holder, actor=actor)
    CashDepositLine.objects.bulk_create(
        CashDepositLine(
            deposit=deposit,
            receipt=receipt,
            currency=receipt.currency,
            paid_back_minor=receipt.amount_minor - receipt.left_minor,
        )
        for receipt in receipts
    )
    fact_book(deposit_fact(deposit), is_new=True)
    audit_record(
        actor=actor,
        action=Action.CASH_DEPOSIT,
        target=deposit,
        data={"amount": str(deposit.amount), "fee": str(fee), "receipts": len(receipts), "holder": holder},
    )
    return deposit


def deposit_check(money: IncomingMoney, fee: Money) -> None:
    """Errors: InvalidInput."""
    if money.amount.minor <= 0 or fee.minor < 0 or fee.currency != money.amount.currency:
        raise InvalidInput(
            _("Enter the amount that came to the bank account, and a fee in the same currency.")
        )
    if fee > money.amount:
        raise InvalidInput(
            _("The fee cannot be more than the amount that came to the bank account. Check both.")
        )
    if not reference_key(money.reference):
        raise InvalidInput(_("Enter the bank reference of the transfer or deposit."))


def receipts_to_deposit(keys: set[UUID], *, holder: CashHolder, currency: str) -> list[Any]:
    """With `left_minor`. Errors: InvalidInput, AlreadyRecorded."""
    if not keys:
        raise InvalidInput(_("Choose the receipts whose cash came to the bank account."))
    found = list(cash_to_deposit(holder).filter(pk__in=keys, currency=currency))
    if len(found) == len(keys):
        return found
    missing = keys - {receipt.pk for receipt in found}
    lines = CashDepositLine.objects.filter(receipt__in=missing, status=DepositStatus.RECORDED)
    if (line := lines.select_related("deposit__actor").first()) is not None:
        raise deposit_already_recorded(line.deposit)
    raise InvalidInput(
        _(
            "Choose receipts of cash in %(currency)s that this holder has; %(count)d of them were reversed or paid "
            "back, have another holder, or are not cash."
        )
        % {"currency": currency, "count": len(missing)}
    )


def describe_difference(entered: Money, total: Money) -> str:
    more = entered > total
    difference = entered - total if more else total - entered
    text = (
        _("The receipts are %(total)s in total, %(difference)s less than the amount and fee entered.")
        if more
        else _("The receipts are %(total)s in total, %(difference)s more than the amount and fee entered.")
    )
    remedy = _("Choose the receipts that the transfer covers, or enter the fee that was kept.")
    return f"{text % {'total': total, 'difference': difference}} {remedy}"


def deposit_create(money: IncomingMoney, fee: Money, *, holder: CashHolder, actor: User) -> CashDeposit:
    """Errors: AlreadyRecorded when a receipt or deposit with this reference exists."""
    key = reference_key(money.reference)
    check_not_recorded(key)
    try:
        with transaction.atomic():
            return CashDeposit.objects.create(
                holder=holder,
                currency=money.amount.currency,
                amount_minor=money.amount.minor,
                fee_minor=fee.minor,
                value_date=money.value_date,
                bank_reference=money.reference.strip(),
                reference_key=key,
                actor=actor,
            )
    except IntegrityError:
        if (standing := find_active_deposit(key)) is None:  # committed by a colleague since we checked
            raise
        raise deposit_already_recorded(standing) from None


@transaction.atomic
def cash_deposit_reverse(*, deposit_id: UUID, reason: str, actor: User) -> CashDeposit:
    """Reverse a deposit that was recorded by mistake: the cash is where it was, and its receipts can be deposited.

    Errors: NoPermission, NotFound, InvalidInput without a reason, AlreadyRecorded. Locks: the deposit.
    """
    if not (actor.is_staff and actor.has_perm("payments.approve_manual")):
        raise NoPermission
    deposit = CashDeposit.objects.select_for_update(no_key=True).filter(pk=deposit_id).first()
    if deposit is None:
        raise NotFound(_("Deposit not found."))
    if not reason.strip():
        raise InvalidInput(_("Enter a reason."))
    if deposit.status == DepositStatus.REVERSED:
        raise AlreadyRecorded(
            _("This deposit was already reversed by %(actor)s on %(time)s.")
            % {
                "actor": deposit.reversed_by,
                "time": date_format(timezone.localtime(deposit.reversed_at), "DATETIME_FORMAT"),
            }
        )
    deposit_move(deposit, reason=reason.strip()[:200], actor=actor)
    fact_book(deposit_fact(deposit))
    return deposit


def deposit_move(deposit: CashDeposit, *, reason: str, actor: User) -> None:
    """Move a recorded deposit and its lines to reversed, with who did it, when and why, and the audit record: its
    one transition."""
    deposit.status, deposit.reversed_at, deposit.reversed_by = DepositStatus.REVERSED, timezone.now(), actor
    deposit.reversal_reason = reason
    deposit.save(update_fields=["status", "reversed_at", "reversed_by", "reversal_reason", "updated_at"])
    deposit.lines.update(status=DepositStatus.REVERSED)
    audit_record(
        actor=actor,
        action=Action.CASH_DEPOSIT_REVERSE,
        target=deposit,
        data={"amount": str(deposit.amount), "reason": deposit.reversal_reason},
    )
