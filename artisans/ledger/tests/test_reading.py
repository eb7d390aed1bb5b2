"""Balances of accounts, their lines and trial balances, before and after months are closed."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.accounts.models import User
from artisans.catalog.tests.factories import ArtisanFactory
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerPeriod, LedgerPosting
from artisans.ledger.selectors import (
    account_page,
    accounts_with_balances,
    balance_minor,
    balances,
    balances_at_end_of,
    trial_rows,
    trial_totals,
)
from artisans.ledger.services import Fact, fact_book, period_close

pytestmark = pytest.mark.django_db
BANK = AccountKey(AccountKind.BANK, "USD")
ORDER = AccountKey(AccountKind.ORDER, "USD")
DAYS = [date(2025, month, day) for month in (10, 11, 12) for day in (1, 15, 28)]


def book(day: date, *legs: Leg) -> None:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    fact_book(Fact(id=uuid4(), kind=EntryKind.RECEIPT, legs=list(legs), happened_at=at))


@pytest.fixture
def books(admin_user: User) -> None:
    """Nine receipts of 1, 2, 4 … cents in three months, of which two are closed; the last is booked late."""
    for power, day in enumerate(DAYS):
        book(day, Leg(BANK, 2**power), Leg(ORDER, -(2**power)))
    period_close(closed_by=admin_user)
    period_close(closed_by=admin_user)
    book(DAYS[0], Leg(BANK, 1000), Leg(ORDER, -1000))


@pytest.fixture
def order_account(books) -> LedgerAccount:
    return LedgerAccount.objects.get(kind=AccountKind.ORDER)


def test_balances_start_from_checkpoints(order_account):
    assert balance_minor(order_account.pk) == -1511
    assert {row.kind: row.balance_minor for row in accounts_with_balances()} == {"bank": 1511, "order": -1511}
    sums = 0
    for posting in LedgerPosting.objects.filter(account=order_account).order_by("id"):
        sums += posting.amount_minor
        assert balance_minor(order_account.pk, up_to=posting.pk) == sums


@pytest.mark.parametrize("size", [1, 3, 10])
def test_every_page_of_an_account_has_its_running_balance(order_account, size):
    seen, before = [], None
    while True:
        page = account_page(order_account, before=before, size=size)
        seen += page.lines
        assert (page.newer is None) == (before is None)
        if page.older is None:
            break
        before = page.older
    assert [line.amount.minor for line in seen] == [1000, 256, 128, 64, 32, 16, 8, 4, 2, 1]
    assert [line.balance.minor for line in seen] == [1511, 511, 255, 127, 63, 31, 15, 7, 3, 1]


def test_newer_pages_lead_back(order_account):
    first = account_page(order_account, size=3)
    second = account_page(order_account, before=first.older, size=3)
    back = account_page(order_account, after=second.newer, size=3)
    assert back == first
    assert account_page(order_account, after=first.lines[0].posting.pk).lines == []
    assert account_page(order_account, before=10**17, size=3) == first


def test_a_page_past_the_first_or_last_posting_is_empty(order_account):
    [first, *_, last] = LedgerPosting.objects.filter(account=order_account).order_by("id")
    for page in (account_page(order_account, before=first.pk), account_page(order_account, after=last.pk)):
        assert (page.lines, page.older, page.newer) == ([], None, None)


def test_an_account_without_postings_has_no_lines(db):
    account = LedgerAccount.objects.create(kind="cash", currency="USD")
    page = account_page(account)
    assert (page.lines, page.older, page.newer) == ([], None, None)


@pytest.mark.parametrize("day", [*DAYS, date(2025, 9, 30), date(2025, 10, 31), date(2026, 1, 1)])
def test_balances_of_a_day_are_the_same_with_and_without_closed_months(books, day):
    def sums(found) -> dict[str, int]:
        return {account.kind: amount.minor for account, amount in found}

    assert sums(balances_at_end_of(day)) == sums(balances(on=day))


def test_a_closed_month_knows_the_first_posting_of_later_days(books):
    october, november = LedgerPeriod.objects.order_by("first_day")
    ids = list(LedgerPosting.objects.order_by("id").values_list("id", flat=True))
    assert (october.first_open_posting, november.first_open_posting) == (ids[6], ids[12])


def test_a_trial_balance_has_equal_sides_in_every_currency(books):
    first, second = (
        AccountKey(AccountKind.SELLER_PENDING, "JPY", artisan=ArtisanFactory.create().pk) for _ in range(2)
    )
    yen = AccountKey(AccountKind.ORDER, "JPY")
    book(date(2025, 12, 24), Leg(yen, 500), Leg(first, -300), Leg(second, -200))
    rows = trial_rows(balances_at_end_of(date(2025, 12, 31)))
    assert [(row.kind, row.currency, row.minor, row.accounts) for row in rows] == [
        ("order", "JPY", 500, 1),
        ("seller_pending", "JPY", -500, 2),
        ("bank", "USD", 1511, 1),
        ("order", "USD", -1511, 1),
    ]
    assert [(str(total.debit), str(total.credit)) for total in trial_totals(rows)] == [
        ("500 JPY", "500 JPY"),
        ("15.11 USD", "15.11 USD"),
    ]


# Among few rows PostgreSQL may take any index. Without triggers, whose entries these postings do not have.
POSTINGS_OF_OTHERS = """
SET LOCAL session_replication_role = replica;
INSERT INTO ledger_ledgerposting (entry_id, position, account_id, currency, amount_minor)
    SELECT gen_random_uuid(), 0, 1000000 + n % 100, 'USD', 1 FROM generate_series(1, 5000) n;
ANALYZE ledger_ledgerposting
"""


@pytest.mark.postgresql
def test_postgresql_reads_an_account_by_its_index(order_account):
    """Whatever the size of the table, a page and a balance read the postings of the account only, from a checkpoint."""
    with CaptureQueriesContext(connection) as queries, connection.cursor() as cursor:
        newest = account_page(order_account, size=3)
        account_page(order_account, before=newest.older, size=3)
        list(accounts_with_balances())
        cursor.execute(POSTINGS_OF_OTHERS)
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plans = []
        for query in [row["sql"] for row in queries if 'FROM "ledger_ledgerposting"' in row["sql"]]:
            cursor.execute(f"EXPLAIN {query}")
            plans.append(" ".join(line for (line,) in cursor.fetchall()))
    assert len(plans) == 4  # two pages with their balances, whether there is a newer one, and the list
    assert all("ledger_posting_of_account" in plan for plan in plans), plans
