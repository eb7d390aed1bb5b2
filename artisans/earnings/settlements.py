"""What artisans pay of their debts to the shop, and what the shop gives up of them, recorded by staff.

A settlement is a fact of the ledger: it increases what is available to the artisan. Locks: the artisan, the reference.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput, NotFound
from artisans.core.models import get_or_none
from artisans.core.money import Money
from artisans.core.templatetags.money import show
from artisans.earnings.debts import debt_reopen, debt_sync, reserves_apply
from artisans.earnings.errors import MayNotSettle, OwedChanged, SettlementAboveDebt, SettlementReversed
from artisans.earnings.holds import CHUNK, artisan_lock, check_not_own
from artisans.earnings.models import PAY_CASH_IN, Debt, Settlement, SettlementMeans, SettlementStatus
from artisans.earnings.selectors import available_minor
from artisans.ledger.accounts import AccountKey, AccountKind, transfer
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import Fact, difference, fact_book
from payments.bookkeeping.ledger import start_of
from payments.bookkeeping.references import reference_key
from payments.bookkeeping.second_person import check_second_person
from payments.bookkeeping.value_dates import check_value_date
from payments.errors import AlreadyRecorded
from payments.lifecycle.receipts import check_not_recorded

SETTLE, WRITE_OFF = "earnings.settle_debts", "earnings.write_off_debts"
PAID_TO = {
    SettlementMeans.BANK: AccountKind.BANK,
    SettlementMeans.CASH: AccountKind.CASH,  # of rows that exist
    SettlementMeans.WRITE_OFF: AccountKind.BAD_DEBT,
}


def settlement_fact(settlement: Settlement) -> Fact:
    debt, is_reversed = settlement.debt, settlement.is_reversed
    legs = transfer(
        settlement.amount_minor,
        debit=AccountKey(PAID_TO[SettlementMeans(settlement.means)], debt.currency),
        credit=AccountKey(AccountKind.SELLER_AVAILABLE, debt.currency, "", debt.artisan_id),
    )
    if settlement.is_write_off:
        kind = EntryKind.WRITE_OFF_REVERSED if is_reversed else EntryKind.WRITE_OFF
    else:
        kind = EntryKind.SETTLEMENT_REVERSED if is_reversed else EntryKind.SETTLEMENT
    return Fact(
        id=settlement.pk,
        kind=kind,
        legs=[] if is_reversed else legs,
        happened_at=settlement.reversed_at or start_of(settlement.value_date),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRequest:
    """What staff record for a debt.

    `means`: not cash. `reference`: of the bank's statement, none for a write-off. `seen`: what the page showed as
    owed; another amount now means that something was recorded meanwhile. `beyond_owed`: that more was paid than is
    owed is no mistake.
    """

    means: SettlementMeans
    amount: Money
    value_date: date
    reference: str = ""
    note: str = ""
    seen: Money | None = None
    beyond_owed: bool = False

    @property
    def is_write_off(self) -> bool:
        return self.means == SettlementMeans.WRITE_OFF


@transaction.atomic
def settlement_record(
    *, debt_id: UUID, request: SettlementRequest, actor: User, approved_by: User | None = None
) -> Settlement:
    """Record a payment of an artisan, or write off what they owe.

    Errors: NotFound, MayNotSettle, OwnMoney, InvalidInput, OwedChanged, SettlementAboveDebt, AlreadyRecorded,
    SecondPersonRequired above the store's limit, to which everything recorded for the debt in this way counts.
    """
    debt = debt_lock(debt_id)
    check_may_settle(actor, debt.artisan_id, is_write_off=request.is_write_off)
    check_request(request, debt)
    reserves_apply(debt.artisan, debt.currency)
    owed = owed_now(debt)
    if request.seen is not None and request.seen != owed:
        raise OwedChanged(owed)
    if request.amount > owed and (request.is_write_off or not request.beyond_owed):
        raise SettlementAboveDebt(owed, is_write_off=request.is_write_off)
    settlement = settlement_create(debt, request, actor)
    check_second_person(settled_in_this_way(settlement), actor=actor, approved_by=approved_by)
    fact_book(settlement_fact(settlement), is_new=True)
    debt_sync((debt.artisan_id, debt.currency))
    audit_record(
        actor=actor,
        action=Action.DEBT_WRITE_OFF if request.is_write_off else Action.DEBT_SETTLE,
        target=settlement,
        data={"debt": debt.number, "amount": str(request.amount), "means": str(request.means)},
    )
    return settlement


def debt_lock(debt_id: UUID) -> Debt:
    """The debt, after locking its artisan. Errors: NotFound."""
    artisan_id = Debt.objects.filter(pk=debt_id).values_list("artisan_id", flat=True).first()
    if artisan_id is None:
        raise NotFound(_("There is no such debt."))
    artisan_lock(artisan_id)
    return Debt.objects.select_related("artisan").get(pk=debt_id)


def owed_now(debt: Debt) -> Money:
    """What the artisan owes in the currency of this debt; zero if it was paid off."""
    return Money(max(0, -available_minor(debt.artisan_id, debt.currency)), debt.currency)


def check_may_settle(actor: User, artisan_id: UUID, *, is_write_off: bool) -> None:
    """Errors: MayNotSettle, OwnMoney."""
    if not (actor.is_staff and actor.has_perm(WRITE_OFF if is_write_off else SETTLE)):
        raise MayNotSettle
    check_not_own(actor, artisan_id)


def check_request(request: SettlementRequest, debt: Debt) -> None:
    """Errors: InvalidInput."""
    if request.amount.minor <= 0 or request.amount.currency != debt.currency:
        raise InvalidInput(
            _("Enter an amount in %(currency)s, greater than zero.") % {"currency": debt.currency}
        )
    check_value_date(request.value_date, begun_at=debt.created_at)
    if request.means == SettlementMeans.CASH:  # no deposit takes it from the account of the cash
        raise InvalidInput(str(PAY_CASH_IN))
    if request.is_write_off and not request.note.strip():
        raise InvalidInput(_("Enter why the debt is written off."))
    if not request.is_write_off and not reference_key(request.reference):
        raise InvalidInput(_("Enter the bank reference of the transfer or deposit."))


def settlement_create(debt: Debt, request: SettlementRequest, actor: User) -> Settlement:
    """Errors: AlreadyRecorded when money with this reference was recorded before."""
    key = "" if request.is_write_off else reference_key(request.reference)
    check_reference(key)
    try:
        with transaction.atomic():
            return Settlement.objects.create(
                debt=debt,
                means=request.means,
                currency=request.amount.currency,
                amount_minor=request.amount.minor,
                value_date=request.value_date,
                reference="" if request.is_write_off else request.reference.strip(),
                reference_key=key,
                note=request.note.strip()[:300],
                actor=actor,
            )
    except IntegrityError:
        check_reference(key)  # a colleague has committed it since we checked
        raise


def check_reference(key: str) -> None:
    """Errors: AlreadyRecorded."""
    if key:
        check_not_recorded(key)


def check_not_settled(key: str) -> None:
    """Errors: AlreadyRecorded if a payment of a debt has this reference."""
    recorded = Settlement.objects.filter(reference_key=key, status=SettlementStatus.RECORDED)
    if (standing := get_or_none(recorded.select_related("debt", "actor"))) is not None:
        raise AlreadyRecorded(
            _(
                "%(amount)s with the reference %(reference)s was already recorded by %(actor)s (%(time)s) for the debt "
                "%(debt)s. Nothing was recorded. If this is a different payment, add a suffix to the reference."
            )
            % {
                "amount": show(standing.amount),
                "reference": standing.reference,
                "actor": standing.actor,
                "time": date_format(timezone.localtime(standing.created_at), "DATETIME_FORMAT"),
                "debt": standing.debt,
            }
        )


def settled_in_this_way(settlement: Settlement) -> Money:
    """What was paid of the debt, or written off, this one included: otherwise a large amount could be split."""
    recorded = Settlement.objects.filter(debt=settlement.debt, status=SettlementStatus.RECORDED)
    write_off = Q(means=SettlementMeans.WRITE_OFF)
    same = recorded.filter(write_off if settlement.is_write_off else ~write_off)
    return Money(same.aggregate(sum=Sum("amount_minor"))["sum"], settlement.currency)


# ---- reversing -------------------------------------------------------------------------------------------------


@transaction.atomic
def settlement_reverse(
    *, settlement_id: UUID, reason: str, actor: User, approved_by: User | None = None
) -> Settlement:
    """The money did not arrive after all, or the debt was written off by mistake: the artisan owes it again.

    Errors: NotFound, MayNotSettle, OwnMoney, InvalidInput without a reason, SettlementReversed, SecondPersonRequired.
    """
    settlement = settlement_lock(settlement_id)
    debt = settlement.debt
    check_may_settle(actor, debt.artisan_id, is_write_off=settlement.is_write_off)
    if not reason.strip():
        raise InvalidInput(_("Enter a reason."))
    if settlement.is_reversed:
        raise SettlementReversed
    check_second_person(settlement.amount, actor=actor, approved_by=approved_by)
    settlement_move(settlement, reason=reason.strip()[:200], actor=actor)
    fact_book(settlement_fact(settlement))
    debt_reopen(debt)
    debt_sync((debt.artisan_id, debt.currency))
    return settlement


def settlement_move(settlement: Settlement, *, reason: str, actor: User) -> None:
    """Move a recorded settlement to reversed, with who did it, when and why: its one transition."""
    settlement.status, settlement.reversed_at = SettlementStatus.REVERSED, timezone.now()
    settlement.reversed_by, settlement.reversal_reason = actor, reason
    settlement.save(update_fields=["status", "reversed_at", "reversed_by", "reversal_reason", "updated_at"])
    audit_record(
        actor=actor,
        action=Action.DEBT_REVERSE,
        target=settlement,
        data={"debt": settlement.debt.number, "amount": str(settlement.amount), "reason": reason},
    )


def settlement_lock(settlement_id: UUID) -> Settlement:
    """The settlement, after locking its artisan. Errors: NotFound."""
    debt_id = Settlement.objects.filter(pk=settlement_id).values_list("debt_id", flat=True).first()
    if debt_id is None:
        raise NotFound(_("There is no such payment or write-off."))
    debt_lock(debt_id)
    return Settlement.objects.select_related("debt__artisan").get(pk=settlement_id)


# ---- the ledger ------------------------------------------------------------------------------------------------


def unbooked_settlements() -> Iterator[Fact]:
    """All settlements that differ from the ledger. One that changes meanwhile is read again under its lock."""
    rows = Settlement.objects.select_related("debt").order_by("pk")
    chunk = list(rows[:CHUNK])
    while chunk:
        for suspect in differing(chunk):
            with transaction.atomic():
                found = differing([settlement_lock(suspect.id)])
            yield from found
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])


def differing(settlements: Iterable[Settlement]) -> list[Fact]:
    facts = [settlement_fact(settlement) for settlement in settlements]
    booked = legs_by_entry(fact.id for fact in facts)
    return [fact for fact in facts if difference(fact.legs, legs_of(booked[fact.id]))]


@transaction.atomic
def settlement_book(settlement_id: UUID) -> LedgerEntry | None:
    """Book what is missing in the ledger for a settlement."""
    return fact_book(settlement_fact(settlement_lock(settlement_id)))
