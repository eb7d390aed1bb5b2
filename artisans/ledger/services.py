"""Booking in the ledger, and closing its months."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import OperationalError, connection, transaction
from django.db.models import DateField, Max, Min, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from artisans.core.errors import InvalidInput
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.errors import LedgerBusy, NoPermission
from artisans.ledger.models import (
    EntryKind,
    LedgerAccount,
    LedgerCheckpoint,
    LedgerEntry,
    LedgerPeriod,
    LedgerPosting,
)
from artisans.ledger.selectors import balances, legs_by_entry, legs_of, trial_balance

LOCK_ATTEMPTS = 50
LOCK_PAUSE = 0.2  # seconds


class TablesLocked(Exception):  # it is caught
    """A booking is running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A row whose current state requires postings.

    `legs`: what it requires in total, none if its amount counts no more. `kind`: why it requires them now.
    """

    id: UUID
    kind: EntryKind
    legs: list[Leg]
    happened_at: datetime
    order_id: UUID | None = None
    parcel_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """A table beside or above those of payments whose rows are facts.

    `unbooked`: yields the facts whose postings differ from what they require; it takes the locks of those that it
    suspects. `book`: books one of them, by its key, under its lock.
    """

    rows: Callable[[], QuerySet[Any]]
    unbooked: Callable[[], Iterable[Fact]]
    book: Callable[[UUID], LedgerEntry | None]


# Apps above the ledger add theirs, so that the ledger is checked and filled for them too.
FACT_SOURCES: list[FactSource] = []


def fact_book(
    fact: Fact, *, is_new: bool = False, booked: Mapping[UUID, list[Leg]] | None = None
) -> LedgerEntry | None:
    """Book what the fact requires, less what was booked for it before; None if there is no difference.

    The caller holds the fact's lock, in the transaction that changed it. `is_new`: the row was inserted in this
    transaction, so nothing was booked for it. `booked`: what was, by entry, oldest first, if the caller has read it. A
    second booking at the same time fails (IntegrityError).
    """
    with transaction.atomic(savepoint=False):  # the caller's
        if booked is None:
            booked = {} if is_new else legs_by_entry([fact.id])[fact.id]
        due = difference(fact.legs, legs_of(booked))
        if not due:
            return None
        entry = entry_of(fact, number=len(booked), reverses=find_mirrored(due, booked))
        entries_insert([(entry, due)])
    return entry


def facts_book_new(facts: Iterable[Fact]) -> None:
    """Book facts whose rows were inserted in this transaction, in as many statements as one of them needs."""
    entries = [(entry_of(fact), due) for fact in facts if (due := difference(fact.legs, []))]
    if entries:
        with transaction.atomic(savepoint=False):
            entries_insert(entries)


def entry_of(fact: Fact, *, number: int = 0, reverses: UUID | None = None) -> LedgerEntry:
    """`number`: of the entries that the fact has already."""
    key = f"{fact.kind}:{fact.id}:{number}"
    return LedgerEntry(
        id=uuid5(NAMESPACE_URL, key),
        key=key,
        kind=fact.kind,
        fact_id=fact.id,
        happened_at=fact.happened_at,
        booked_on=first_open_day(fact.happened_at),
        order_id=fact.order_id,
        parcel_id=fact.parcel_id,
        reverses_id=reverses,
    )


def entries_insert(entries: Sequence[tuple[LedgerEntry, list[Leg]]]) -> None:
    """Postings first: inserting the entries checks them."""
    ids = find_accounts({leg.account for _entry, due in entries for leg in due})
    LedgerPosting.objects.bulk_create(
        LedgerPosting(
            entry=entry,
            position=position,
            account_id=ids[leg.account],
            currency=leg.account.currency,
            amount_minor=leg.minor,
        )
        for entry, due in entries
        for position, leg in enumerate(due)
    )
    entries_seal([entry for entry, _due in entries])


def entries_seal(entries: list[LedgerEntry]) -> None:
    LedgerEntry.objects.bulk_create(entries)


def difference(required: Iterable[Leg], booked: Iterable[Leg]) -> list[Leg]:
    """One leg for each account whose required and booked amounts differ, in the order in which they are required."""
    left: Counter[AccountKey] = Counter()
    for sign, legs in ((1, required), (-1, booked)):
        for leg in legs:
            left[leg.account] += sign * leg.minor
    return [Leg(account, minor) for account, minor in left.items() if minor]


def find_mirrored(due: list[Leg], booked: Mapping[UUID, list[Leg]]) -> UUID | None:
    """The last entry of a fact if these legs reverse exactly it."""
    if not booked:
        return None
    last, legs = list(booked.items())[-1]
    return last if not difference((Leg(leg.account, -leg.minor) for leg in legs), due) else None


def first_open_day(happened_at: datetime) -> Greatest:
    """The local date, or the first day after the closed months, as an expression of the insert."""
    day = Value(timezone.localdate(happened_at), DateField())
    open_from = Subquery(LedgerPeriod.objects.order_by("-open_from").values("open_from")[:1])
    return Greatest(day, Coalesce(open_from, day))


# ---- accounts --------------------------------------------------------------------------------------------------


def find_accounts(keys: set[AccountKey]) -> dict[AccountKey, int]:
    """Ids of the accounts; those that are used for the first time are created.

    Two transactions that create the same accounts with several entries each can wait for each other; services that book
    more than one are therefore repeated (`atomic_with_retry`).
    """
    found = read_accounts(keys)
    if absent := keys - found.keys():
        ordered = sorted(absent, key=str)  # otherwise two first bookings could wait for each other
        LedgerAccount.objects.bulk_create(map(new_account, ordered), ignore_conflicts=True)
        found |= read_accounts(absent)  # another transaction may have been first
    return found


def read_accounts(keys: Iterable[AccountKey]) -> dict[AccountKey, int]:
    wanted = Q(pk__in=[])
    for key in keys:
        wanted |= Q(kind=key.kind, currency=key.currency, scope=key.scope, artisan=key.artisan)
    rows = LedgerAccount.objects.filter(wanted).order_by()
    return {
        AccountKey(AccountKind(row.kind), row.currency, row.scope, row.artisan_id): row.pk for row in rows
    }


def new_account(key: AccountKey) -> LedgerAccount:
    return LedgerAccount(kind=key.kind, currency=key.currency, scope=key.scope, artisan_id=key.artisan)


# ---- closing months --------------------------------------------------------------------------------------------


def period_close(
    *, closed_by: User, approved_by: User | None = None, note: str = "", first_day: date | None = None
) -> LedgerPeriod:
    """Close the month after the last closed one: write its trial balance and a checkpoint of each account.

    `first_day`: of the month that is meant, which may have been closed since. It cannot be undone. The caller has
    compared the ledger with the facts. Errors: NoPermission; InvalidInput if the month is not over, was closed, or
    nothing was booked; LedgerBusy.
    """
    if not closed_by.has_perm("ledger.close_period"):
        raise NoPermission
    for _attempt in range(LOCK_ATTEMPTS):
        with suppress(TablesLocked), transaction.atomic():
            lock_postings()
            return period_close_locked(closed_by, approved_by, note, first_day)
        time.sleep(LOCK_PAUSE)
    raise LedgerBusy


def period_close_locked(
    closed_by: User, approved_by: User | None, note: str, meant: date | None
) -> LedgerPeriod:
    first_day = first_day_to_close()
    if first_day is None:
        raise InvalidInput(_("Nothing was booked yet, so there is no month to close."))
    if meant not in {None, first_day}:
        raise InvalidInput(_("This month has been closed in the meantime."))
    open_from = month_after(first_day)
    if open_from > timezone.localdate():
        raise InvalidInput(
            _("The month can be closed from %(day)s on, when it is over.") % {"day": date_format(open_from)}
        )
    last_day = open_from - timedelta(days=1)
    last_posting = LedgerPosting.objects.aggregate(last=Max("id"))["last"]
    later = LedgerPosting.objects.filter(entry__booked_on__gte=open_from).aggregate(first=Min("id"))["first"]
    period = LedgerPeriod.objects.create(
        first_day=first_day,
        last_day=last_day,
        open_from=open_from,
        closed_by=closed_by,
        trial_balance=trial_balance(last_day),
        note=note,
        first_open_posting=later or last_posting + 1,
    )
    LedgerCheckpoint.objects.bulk_create(
        LedgerCheckpoint(
            account=account,
            period=period,
            currency=account.currency,
            balance_minor=amount.minor,
            last_posting=last_posting,
        )
        for account, amount in balances()
    )
    data = {"month": str(period)}
    data |= {"approved_by": approved_by.email} if approved_by else {}
    data |= {"note": note} if note else {}
    audit_record(actor=closed_by, action=Action.LEDGER_CLOSE, target=period, data=data)
    return period


def lock_postings() -> None:
    """Let no booking run. It does not queue behind running ones, because later bookings would queue behind it; SQLite
    has one writer at a time anyway. Errors: TablesLocked."""
    if connection.vendor != "postgresql":
        return
    tables = (LedgerPosting._meta.db_table, LedgerEntry._meta.db_table, LedgerPeriod._meta.db_table)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE NOWAIT")
    except OperationalError as error:
        raise TablesLocked from error


def month_after(first_day: date) -> date:
    """The first day of the next month."""
    return (first_day.replace(day=1) + timedelta(days=32)).replace(day=1)


def first_day_to_close() -> date | None:
    closed: date | None = LedgerPeriod.objects.aggregate(last=Max("open_from"))["last"]
    booked: date | None = LedgerEntry.objects.aggregate(first=Min("booked_on"))["first"]
    return closed or (booked and booked.replace(day=1))
