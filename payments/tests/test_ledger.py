"""What payments book in the ledger, and how it is checked and filled."""

import json
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from io import StringIO
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from artisans.ledger.accounts import AccountKey, AccountKind, transfer
from artisans.ledger.models import EntryKind, LedgerEntry, LedgerPosting
from artisans.ledger.selectors import balances
from artisans.ledger.services import Fact, fact_book
from payments.bookkeeping import ledger as bookkeeping
from payments.bookkeeping.deployment import earnings_fill
from payments.bookkeeping.ledger import find_ledger_errors, ledger_fill
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Earning, Payment, ReversalReason
from payments.tests.factories import apply_card_captures, give_back, record, start
from tests.append_only import rewriting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def ledger(*arguments: str) -> str:
    out = StringIO()
    call_command("ledger", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def sums() -> dict[tuple[str, str], int]:
    """The balances that are not zero, by kind and scope."""
    found = Counter[tuple[str, str]]()
    for row in balances():
        found[row.account.kind, row.account.scope] += row.amount.minor
    return {account: minor for account, minor in found.items() if minor}


@pytest.fixture
def books(staff, card_shop):
    """A card payment of 99.99 in two captures; a transfer of 110.00 of which 10.01 went back; a check that bounced."""
    card, transfer, check = start(PaymentMethod.CREDIT_CARD), start(), start(PaymentMethod.CHECK)
    apply_card_captures(card)
    record(transfer, "110.00", actor=staff, reference="STMT-1")
    give_back(transfer, "10.01", actor=staff, reference="OUT-1")
    receipt = record(check, "99.99", actor=staff, reference="check 101")
    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)
    return card, transfer, check


RECEIVED = {("provider", "stripe"): 9999, ("bank", ""): 9999}
BOOKED = {**RECEIVED, ("seller_pending", ""): -19998}


def test_money_is_booked_where_it_lies(books):
    assert sums() == BOOKED
    kinds = LedgerEntry.objects.order_by().values_list("kind", flat=True)
    assert Counter(kinds) == Counter(
        capture=2, receipt=2, receipt_reversed=1, refund=1, sale=3, sale_cancelled=1
    )
    [bounced] = LedgerEntry.objects.filter(kind="receipt_reversed")
    assert bounced.reverses.kind == "receipt"


def test_cash_is_no_money_in_the_bank(staff, shopper):
    record(start(PaymentMethod.CASH_ON_DELIVERY, user=shopper), "99.99", actor=staff)
    assert sums() == {("cash", ""): 9999, ("seller_pending", ""): -9999}


def test_command_shows_balances_and_explains_an_order(books):
    _card, transfer, _check = books
    assert [line.split()[:3] for line in ledger("balances").splitlines()] == [
        ["99.99", "USD", "debit"],
        ["0.00", "USD", "credit"],
        ["99.99", "USD", "debit"],
        *(["99.99", "USD", "credit"], ["99.99", "USD", "credit"], ["0.00", "USD", "credit"]),
    ]
    text = ledger("explain", transfer.order.order_number)
    assert [line.split()[:3] for line in text.splitlines() if "USD" in line] == [
        ["debit", "110.00", "USD"],
        ["credit", "110.00", "USD"],
        ["debit", "10.01", "USD"],
        ["credit", "10.01", "USD"],
        ["debit", "99.99", "USD"],
        ["credit", "99.99", "USD"],
    ]
    with pytest.raises(CommandError, match="no order with this number"):
        ledger("explain", "AA-0000")


def test_payments_of_an_earlier_release_are_filled_in(books):
    with rewriting():
        forget_all()
    with pytest.raises(CommandError, match="has 6 errors"):  # nothing is due for the check that bounced
        ledger("check")
    assert ledger("fill") == "6 entries booked.\n"
    assert sums() == BOOKED
    assert ledger("fill") == "Nothing was missing.\n"
    assert json.loads(ledger("check", "--json")) == []


def test_migration_books_the_payments_of_earlier_releases(books, monkeypatch):
    """It is interrupted after the first payment, and repeated."""
    migration = import_module("payments.migrations.0013_fill_ledger")
    monkeypatch.setattr(migration, "CHUNK", 1)
    with rewriting():
        forget_all()
    Earning.objects.all().delete()
    MigrationRecorder.Migration.objects.filter(name="0016_earnings").update(applied=timezone.now())
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(migration.Filling, "book", failing(migration.Filling.book, 2))
        migration.fill(apps, None)
    migration.fill(apps, None)
    assert sums() == {**RECEIVED, ("order", ""): -19998}
    assert LedgerEntry.objects.get(kind="receipt_reversed").reverses.kind == "receipt"
    earnings_fill()  # every night
    assert sums() == BOOKED
    assert json.loads(ledger("check", "--json")) == []
    assert ledger("fill") == "Nothing was missing.\n"


def failing(operation: Callable[..., Any], number: int) -> Callable[..., Any]:
    """The operation, of which one call fails."""
    calls = count(1)

    def run(*arguments: Any) -> Any:
        if next(calls) == number:
            raise RuntimeError
        return operation(*arguments)

    return run


def forget_all() -> None:
    for model in (LedgerPosting, LedgerEntry):
        rows = model.objects.all()
        rows._raw_delete(rows.db)


def test_check_names_what_differs(books):
    card, *_ = books
    with rewriting():
        LedgerPosting.objects.filter(entry__order_id=card.order_id, position=1).update(amount_minor=-1)
    out = StringIO()
    with pytest.raises(CommandError, match="has 6 errors"):
        call_command("ledger", "check", stdout=out, stderr=StringIO())
    assert out.getvalue().count("does not sum to zero in USD") == 3
    assert out.getvalue().count(f"of order {card.order.order_number} differs") == 3
    with rewriting():
        LedgerPosting.objects.filter(entry__order_id=card.order_id, position=1).delete()
        LedgerPosting.objects.filter(entry__order_id=card.order_id).delete()
        LedgerEntry.objects.filter(order_id=card.order_id).delete()
    assert ledger("fill") == "3 entries booked.\n"


def test_check_names_what_was_booked_for_nothing(books, broken_books):
    legs = transfer(5, debit=AccountKey(AccountKind.BANK, "USD"), credit=AccountKey(AccountKind.ORDER, "USD"))
    fact_book(Fact(id=uuid4(), kind=EntryKind.RECEIPT, legs=legs, happened_at=timezone.now()))
    [error] = find_ledger_errors()
    assert error.endswith("was booked for something that does not exist.")


def test_fill_goes_on_after_a_payment_that_cannot_be_booked(books, monkeypatch):
    with rewriting():
        forget_all()
    monkeypatch.setattr(bookkeeping, "fact_book", failing(fact_book, 1))
    assert ledger_fill(Payment.objects.all()) == 3
    monkeypatch.undo()
    assert ledger_fill(Payment.objects.all()) == 3


def test_month_is_closed_by_permission_and_when_the_books_match(books, admin_user, staff):
    with pytest.raises(CommandError, match="permission"):
        ledger("close", "--by", staff.email)
    with pytest.raises(CommandError, match="when it is over"):
        ledger("close", "--by", admin_user.email)
    with pytest.raises(CommandError, match="no member of staff"):
        ledger("close", "--by", "nobody@example.com")
