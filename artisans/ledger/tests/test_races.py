"""What two transactions of PostgreSQL can do to one entry, and to a month that is being closed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Barrier, BrokenBarrierError, Thread
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from artisans.core.transactions import atomic_with_retry
from artisans.ledger import services
from artisans.ledger.accounts import AccountKey, AccountKind, transfer
from artisans.ledger.errors import LedgerBusy
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerEntry, LedgerPeriod, LedgerPosting
from artisans.ledger.services import Fact, fact_book, period_close
from artisans.ledger.tests.test_booking import fact

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def other() -> Iterator[psycopg.Connection]:
    """Another connection to the same database, in a transaction."""
    options = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: options[name] for name in names if options.get(name)}) as other:
        yield other
        other.rollback()


def insert_posting(cursor: psycopg.Cursor, entry: UUID, position: int, minor: int) -> None:
    [account] = LedgerPosting.objects.values_list("account_id", flat=True)[:1]
    cursor.execute(
        "INSERT INTO ledger_ledgerposting (entry_id, position, account_id, currency, amount_minor)"
        " VALUES (%s, %s, %s, 'USD', %s)",
        (entry, position, account, minor),
    )


def test_posting_that_another_transaction_adds_is_refused_at_commit(db, other):
    """Neither transaction sees the postings of the other when its entry is checked."""
    fact_book(fact())  # makes the accounts
    receipt = fact()
    key = f"receipt:{receipt.id}:0"
    entry = uuid5(NAMESPACE_URL, key)
    insert_posting(other.cursor(), entry, 7, 700)

    fact_book(receipt)

    with pytest.raises(psycopg.IntegrityError, match="must sum to zero"):
        other.commit()
    assert LedgerPosting.objects.filter(entry=entry).count() == 2


def test_closing_does_not_queue_behind_a_booking(db, other, admin_user, monkeypatch):
    fact_book(fact(happened_at=datetime(2025, 11, 30, 12, tzinfo=UTC)))
    monkeypatch.setattr(services, "LOCK_ATTEMPTS", 2)
    monkeypatch.setattr(services, "LOCK_PAUSE", 0)
    insert_posting(other.cursor(), uuid4(), 0, 500)

    with pytest.raises(LedgerBusy):
        period_close(closed_by=admin_user)
    assert not LedgerPeriod.objects.exists()

    other.rollback()
    period_close(closed_by=admin_user)


def test_fifty_threads_that_book_one_fact_book_it_once(db):
    receipt, start = fact(), Barrier(50)
    refused = []

    def book() -> None:
        start.wait()
        try:
            with transaction.atomic():
                fact_book(receipt)
        except IntegrityError as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [Thread(target=book) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entry = LedgerEntry.objects.get()
    assert sorted(entry.postings.values_list("amount_minor", flat=True)) == sorted(
        leg.minor for leg in receipt.legs
    )
    assert len(refused) < 50
    assert fact_book(receipt) is None


# ---- accounts that are used for the first time -------------------------------------------------------------------


def between(first: str, second: str) -> Fact:
    """A fact that moves money between the accounts of two providers."""
    accounts = [AccountKey(AccountKind.PROVIDER, "USD", scope) for scope in (first, second)]
    legs = transfer(100, debit=accounts[0], credit=accounts[1])
    return Fact(id=uuid4(), kind=EntryKind.CAPTURE, legs=legs, happened_at=timezone.now())


def run_together(acts: Iterable[Callable[[], object]]) -> list[Exception]:
    """Each in a thread with a connection of its own; returns what they raised."""
    raised: list[Exception] = []

    def run(act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_first_bookings_of_the_same_accounts_wait_for_each_other(db):
    """In whichever order their facts name them."""
    start, names = Barrier(12), ("a", "b")

    def book(number: int) -> None:
        start.wait()
        with transaction.atomic():
            fact_book(between(*names[:: 1 if number % 2 else -1]))

    assert run_together([lambda number=number: book(number) for number in range(12)]) == []
    assert (LedgerAccount.objects.count(), LedgerEntry.objects.count()) == (2, 12)


def test_transactions_that_use_new_accounts_crosswise_both_book_all_of_it(db):
    """Two entries of a transaction create their accounts one after the other: PostgreSQL ends one of two transactions
    that wait for each other, and that one is repeated, more than once if it is first again."""
    met, tries = Barrier(2, timeout=10), []

    @atomic_with_retry
    def book(first: Fact, second: Fact) -> None:
        tries.append(first)
        fact_book(first)
        with suppress(BrokenBarrierError):  # the repetition meets nobody
            if len(tries) <= 2:
                met.wait()
        fact_book(second)

    ab, ab_again, cd, cd_again = (between(*names) for names in ("ab", "ab", "cd", "cd"))

    assert run_together([lambda: book(ab, cd), lambda: book(cd_again, ab_again)]) == []
    assert len(tries) > 2, "they did not wait for each other"
    assert (LedgerAccount.objects.count(), LedgerEntry.objects.count()) == (4, 4)
