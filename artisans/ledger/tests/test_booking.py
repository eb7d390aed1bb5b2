from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from artisans.core.errors import InvalidInput
from artisans.ledger import services
from artisans.ledger.accounts import AccountKey, AccountKind, Leg, transfer
from artisans.ledger.invariants import find_errors
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerEntry, LedgerPeriod, LedgerPosting
from artisans.ledger.selectors import balance_minor, balances
from artisans.ledger.services import Fact, fact_book, period_close

pytestmark = pytest.mark.django_db
BANK = AccountKey(AccountKind.BANK, "USD")
ORDER = AccountKey(AccountKind.ORDER, "USD")
YEN = AccountKey(AccountKind.ORDER, "JPY")


def fact(minor: int = 500, **changes) -> Fact:
    values = {
        "id": uuid4(),
        "kind": EntryKind.RECEIPT,
        "legs": transfer(minor, debit=BANK, credit=ORDER) if minor else [],
        "happened_at": timezone.now(),
    }
    return Fact(**values | changes)


def sums() -> dict[str, int]:
    return {balance.account.kind: balance.amount.minor for balance in balances()}


def test_a_fact_is_booked_once():
    receipt = fact()
    entry = fact_book(receipt)
    assert fact_book(receipt) is None
    assert sums() == {"bank": 500, "order": -500}
    assert entry.reverses is None
    assert list(find_errors()) == []


def test_a_change_of_the_fact_books_the_difference():
    receipt = fact(500)
    first = fact_book(receipt)
    more = fact_book(fact(700, id=receipt.id))
    assert [(p.position, p.amount_minor) for p in more.postings.all()] == [(0, 200), (1, -200)]
    assert more.reverses is None
    assert fact_book(fact(0, id=receipt.id)).reverses is None  # two entries at once
    again = fact_book(fact(300, id=receipt.id))
    undone = fact_book(fact(0, id=receipt.id, kind=EntryKind.RECEIPT_REVERSED))
    assert undone.reverses == again
    assert sums() == {"bank": 0, "order": 0}
    assert LedgerEntry.objects.count() == 5
    assert first.key != again.key


@pytest.mark.parametrize(
    "legs",
    [
        [Leg(BANK, 5), Leg(ORDER, -4)],
        [Leg(BANK, 5), Leg(YEN, -5)],
        [Leg(BANK, 5)],
    ],
    ids=["sum", "currencies", "single"],
)
def test_unbalanced_entries_are_refused(legs):
    with pytest.raises(IntegrityError, match="sum to zero"), transaction.atomic():
        fact_book(fact(legs=legs))
    assert not LedgerPosting.objects.exists()


@pytest.fixture
def other_client(db) -> Iterator[None]:
    """A client of SQLite that has not asked for triggers when rows are replaced, as the shop does."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.cursor().execute("PRAGMA recursive_triggers = OFF")
    yield
    connection.cursor().execute("PRAGMA recursive_triggers = ON")


def test_the_database_refuses_what_the_code_would_not_do(other_client):
    entry = fact_book(fact())
    posting = entry.postings.first()
    account = posting.account
    refused = {
        "posting added": "INSERT INTO ledger_ledgerposting (entry_id, position, account_id, currency, amount_minor)"
        " SELECT entry_id, 7, account_id, currency, amount_minor FROM ledger_ledgerposting",
        "posting changed": "UPDATE ledger_ledgerposting SET amount_minor = amount_minor * 2",
        "posting deleted": "DELETE FROM ledger_ledgerposting",
        "entry changed": "UPDATE ledger_ledgerentry SET booked_on = '2020-01-01'",
        "entry deleted": "DELETE FROM ledger_ledgerentry",
        "account changed": "UPDATE ledger_ledgeraccount SET currency = 'EUR'",
    }
    if connection.vendor == "sqlite":
        refused |= {
            f"{table} replaced": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"
            for table in ("ledger_ledgerposting", "ledger_ledgerentry", "ledger_ledgeraccount")
        } | {
            "account replaced by its key": "INSERT OR REPLACE INTO ledger_ledgeraccount (kind, scope, currency)"
            " SELECT kind, scope, currency FROM ledger_ledgeraccount"
        }
    else:
        refused["truncated"] = "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE ledger_ledgerposting CASCADE"
    for what, sql in refused.items():
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
            pytest.fail(f"{what} was possible")
    with pytest.raises(IntegrityError, match="currency"), transaction.atomic():
        LedgerPosting.objects.create(
            entry_id=uuid4(), position=0, account=account, currency="EUR", amount_minor=1
        )
    assert sums() == {"bank": 500, "order": -500}


# ---- months ----------------------------------------------------------------------------------------------------

NOVEMBER = datetime(2025, 11, 30, 12, tzinfo=UTC)


def test_a_closed_month_takes_no_more_entries(admin_user, monkeypatch):
    fact_book(fact(500, happened_at=NOVEMBER))
    fact_book(fact(100, happened_at=NOVEMBER + timedelta(days=5)))
    period = period_close(closed_by=admin_user)
    assert (period.first_day, period.last_day) == (date(2025, 11, 1), date(2025, 11, 30))
    assert {row["kind"]: row["balance_minor"] for row in period.trial_balance} == {"bank": 500, "order": -500}
    late = fact_book(fact(30, happened_at=NOVEMBER))
    late.refresh_from_db()
    assert late.booked_on == date(2025, 12, 1)
    bank = LedgerAccount.objects.get(kind="bank")
    assert balance_minor(bank.pk) == sums()["bank"] == 630
    assert list(find_errors()) == []
    monkeypatch.setattr(services, "first_open_day", lambda _: date(2025, 11, 3))
    with pytest.raises(IntegrityError, match="closed"), transaction.atomic():
        fact_book(fact(happened_at=NOVEMBER))
    assert period_close(closed_by=admin_user).first_day == date(2025, 12, 1)
    with pytest.raises(IntegrityError, match="begins the day after"), transaction.atomic():
        day = date(2026, 3, 1)
        LedgerPeriod.objects.create(
            first_day=day,
            last_day=date(2026, 3, 31),
            open_from=date(2026, 4, 1),
            closed_by=admin_user,
            trial_balance=[],
        )


def test_a_month_is_closed_when_it_is_over(admin_user):
    with pytest.raises(InvalidInput, match="Nothing was booked"):
        period_close(closed_by=admin_user)
    fact_book(fact())
    with pytest.raises(InvalidInput, match="when it is over"):
        period_close(closed_by=admin_user)
