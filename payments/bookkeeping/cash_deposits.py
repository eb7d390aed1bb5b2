"""Deposits of cash in the ledger: what they require, booked in their transaction and checked like payments."""

from collections.abc import Iterator
from uuid import UUID

from django.db import transaction

from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.selectors import legs_by_entry, legs_of
from artisans.ledger.services import FACT_SOURCES, Fact, FactSource, difference, fact_book
from orders.statuses import CashHolder
from payments.bookkeeping.ledger import CHUNK, start_of
from payments.models import CashDeposit

COURIER = "courier"  # the scope of fees that a courier kept


def deposit_fact(deposit: CashDeposit) -> Fact:
    """The bank has what came, and the holder of the cash no longer has it; the rest is a fee."""
    is_courier = deposit.holder == CashHolder.COURIER
    held = AccountKind.COURIER_CASH if is_courier else AccountKind.CASH
    fee = (AccountKind.PROVIDER_FEE, COURIER) if is_courier else (AccountKind.BANK_FEE, "")
    legs = [Leg(AccountKey(AccountKind.BANK, deposit.currency), deposit.amount_minor)]
    if deposit.fee_minor:
        legs.append(Leg(AccountKey(fee[0], deposit.currency, fee[1]), deposit.fee_minor))
    legs.append(Leg(AccountKey(held, deposit.currency), -deposit.total.minor))
    return Fact(
        id=deposit.pk,
        kind=EntryKind.CASH_DEPOSIT_REVERSED if deposit.reversed_at else EntryKind.CASH_DEPOSIT,
        legs=[] if deposit.reversed_at else legs,
        happened_at=deposit.reversed_at or start_of(deposit.value_date),
    )


def unbooked_deposits() -> Iterator[Fact]:
    rows = CashDeposit.objects.order_by("pk")
    chunk = list(rows[:CHUNK])
    while chunk:
        for suspect in differing(chunk):
            with transaction.atomic():
                locked = CashDeposit.objects.select_for_update(no_key=True).filter(pk=suspect.id)
                yield from differing(list(locked))
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:CHUNK])


def differing(deposits: list[CashDeposit]) -> list[Fact]:
    facts = [deposit_fact(deposit) for deposit in deposits]
    booked = legs_by_entry(fact.id for fact in facts)
    return [fact for fact in facts if difference(fact.legs, legs_of(booked[fact.id]))]


@transaction.atomic
def deposit_book(deposit_id: UUID) -> LedgerEntry | None:
    deposit = CashDeposit.objects.select_for_update(no_key=True).get(pk=deposit_id)
    return fact_book(deposit_fact(deposit))


FACT_SOURCES.append(FactSource(rows=CashDeposit.objects.all, unbooked=unbooked_deposits, book=deposit_book))
