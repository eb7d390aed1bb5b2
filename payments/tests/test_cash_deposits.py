"""Cash on delivery comes to the bank account: a courier's transfer for many parcels, or what the shop paid in."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.errors import Conflict, InvalidInput
from artisans.core.money import Money
from artisans.ledger.explanations import explain
from artisans.ledger.models import LedgerEntry, LedgerPosting
from orders.models import Parcel
from orders.statuses import CashHolder
from payments.bookkeeping.deployment import WITHIN, parcel_cash_fill
from payments.bookkeeping.ledger import find_ledger_errors, ledger_fill_sources
from payments.errors import AlreadyRecorded, NoPermission
from payments.invariants.ledger import find_long_in_transit
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record, cash_deposit_reverse
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import CashDeposit, CashDepositLine, Receipt, ReversalReason
from payments.selectors import cash_on_hand
from payments.tests.factories import record, reread, start, usd
from tests.append_only import rewriting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ARTISAN, SHOP, COURIER = CashHolder.ARTISAN, CashHolder.SHOP, CashHolder.COURIER


@contextmanager
def refused(error: type[Exception], match: str | None = None) -> Iterator[None]:
    """The refusal undoes its transaction, as that of a request."""
    with pytest.raises(error, match=match), transaction.atomic():
        yield


@pytest.fixture
def collected(bowl, scarf, shopper, staff) -> list[Receipt]:
    """A courier has the cash of two parcels."""
    payment = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)
    parcels = payment.order.parcels.order_by("number")
    return [
        record(payment, parcel.total, actor=staff, parcel_id=parcel.pk, holder=COURIER) for parcel in parcels
    ]


def total(receipts: list[Receipt]) -> Money:
    return Money(sum(receipt.amount_minor for receipt in receipts), "USD")


def deposit(receipts: list[Receipt], actor: Any, amount: Money | None = None, **changes: Any) -> CashDeposit:
    money = {
        "amount": total(receipts) if amount is None else amount,
        "value_date": timezone.localdate(),
        "reference": "TR-1",
    }
    money |= {name: changes.pop(name) for name in ("value_date", "reference") if name in changes}
    keys = [receipt.pk for receipt in receipts]
    arguments = {"receipt_ids": keys, "holder": COURIER, "actor": actor} | changes
    return cash_deposit_record(money=IncomingMoney(**money), **arguments)


def sums() -> dict[str, int]:
    """What receipts, deposits and their reversals left on each account."""
    kinds = Q(entry__kind__startswith="receipt") | Q(entry__kind__contains="deposit")
    found: Counter[str] = Counter()
    for row in LedgerPosting.objects.filter(kinds).select_related("account").order_by():
        found[f"{row.account.kind} {row.account.scope}".strip()] += row.amount_minor
    return {name: minor for name, minor in found.items() if minor}


def sentences() -> list[str]:
    rows = LedgerEntry.objects.filter(kind__contains="deposit").prefetch_related("postings__account__artisan")
    return [explanation.sentence for explanation in explain(list(rows))]


def kept_too_long() -> list[tuple[object, ...]]:
    return [(found.stored, found.expected) for found in find_long_in_transit()]


def test_cash_stays_as_old_as_it_is_when_a_deposit_of_it_is_reversed(collected, staff, time_machine):
    time_machine.move_to(timezone.now() + timedelta(days=13))
    assert kept_too_long() == []

    time_machine.shift(timedelta(days=2))
    assert kept_too_long() == [(total(collected), 14)]
    wrong = deposit(collected[:1], staff)
    assert kept_too_long() == [(collected[1].amount, 14)]
    cash_deposit_reverse(deposit_id=wrong.pk, reason="Another shop’s.", actor=staff)
    assert kept_too_long() == [(total(collected), 14)]

    deposit(collected, staff)
    assert kept_too_long() == []


def test_courier_transfers_the_cash_of_many_parcels(collected, staff):
    done = deposit(collected, staff)

    minor = total(collected).minor
    assert sums() == {"bank": minor, "order": -minor}
    assert done.lines.count() == 2
    assert not cash_on_hand(COURIER).exists()
    [entry] = AuditEntry.objects.filter(action="cash.deposit")
    assert (entry.actor, entry.target_id) == (staff, done.pk)
    assert list(find_ledger_errors()) == []
    assert "that a courier held in cash came to the bank account." in sentences()[0]


def test_courier_keeps_a_fee(collected, staff):
    deposit(collected, staff, total(collected) - usd("2.50"), fee=usd("2.50"))

    minor = total(collected).minor
    assert sums() == {"bank": minor - 250, "provider_fee courier": 250, "order": -minor}
    assert "less $2.50 that was kept as a fee." in sentences()[0]


@pytest.mark.parametrize("holder", [SHOP, ""])
def test_shop_pays_in_its_cash(bowl, shopper, staff, holder):
    """Release 0.1.0 recorded cash without a holder."""
    payment = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    receipt = record(payment, payment.amount, actor=staff)
    with rewriting():
        Receipt.objects.update(holder=holder)

    deposit([receipt], staff, payment.amount - usd("1.00"), fee=usd("1.00"), holder=SHOP)

    minor = payment.amount_minor
    assert sums() == {"bank": minor - 100, "bank_fee": 100, "order": -minor}
    assert "that the shop held in cash came" in sentences()[0]


@pytest.mark.parametrize(("off", "word"), [(1, "less"), (-1, "more")])
def test_wrong_amount_is_refused_with_the_difference(collected, staff, off, word):
    entered = Money(total(collected).minor + off, "USD")
    with refused(InvalidInput, rf"{total(collected)} in total, 0\.01 USD {word} than"):
        deposit(collected, staff, entered)
    assert not CashDeposit.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"receipt_ids": []},
        {"amount": Money(0, "USD")},
        {"amount": Money(5, "EUR")},
        {"fee": Money(5, "EUR")},
        {"fee": Money(-5, "USD")},
        {"value_date": timezone.localdate() + timedelta(days=2)},
        {"value_date": date(26, 11, 26)},
        {"reference": " - "},
        {"holder": SHOP},
        {"holder": ARTISAN},
    ],
    ids=str,
)
def test_invalid_deposit_is_refused(collected, staff, changes):
    amount = changes.pop("amount", None)
    with refused(InvalidInput):
        deposit(collected, staff, amount, **changes)


def test_only_cash_is_deposited(bowl, shopper, staff):
    check = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    receipt = record(check, check.amount, actor=staff)
    with refused(InvalidInput, "1 of them"):
        deposit([receipt], staff, holder=SHOP)


def test_receipt_is_deposited_once(collected, staff):
    first = deposit(collected[:1], staff)

    with refused(AlreadyRecorded, r"deposit of cash of .* with the reference TR-1 was already recorded by"):
        deposit(collected, staff, reference="TR-2")
    with refused(IntegrityError):
        CashDepositLine.objects.create(deposit=first, receipt=collected[0])


def test_transfer_is_recorded_once(collected, staff):
    deposit(collected[:1], staff)
    with refused(AlreadyRecorded, "A deposit of cash"):
        deposit(collected[1:], staff, reference="tr 1")
    with refused(AlreadyRecorded, "was already recorded"):
        deposit(collected[1:], staff, reference=collected[0].bank_reference)


def test_transfer_of_a_deposit_is_no_payment(collected, staff, stranger):
    deposit(collected, staff)
    with refused(AlreadyRecorded, "deposit"):
        record(start(user=stranger), "1.00", actor=staff, reference="TR-1")


def test_reversed_receipt_is_not_deposited(collected, staff):
    receipt_reverse(receipt_id=collected[0].pk, reason=ReversalReason.MISTAKE, actor=staff)
    with refused(InvalidInput, "1 of them were reversed"):
        deposit(collected, staff)


def test_deposited_receipt_is_reversed_only_after_its_deposit(collected, staff):
    done = deposit(collected, staff)
    with refused(Conflict, "came to the bank account with"):
        receipt_reverse(receipt_id=collected[0].pk, reason=ReversalReason.MISTAKE, actor=staff)

    cash_deposit_reverse(deposit_id=done.pk, reason="wrong month", actor=staff)

    assert sums() == {"courier_cash": total(collected).minor, "order": -total(collected).minor}
    assert LedgerEntry.objects.get(kind="deposit_reversed").reverses.kind == "cash_deposit"
    assert any(sentence.endswith("was recorded by mistake.") for sentence in sentences())
    receipt_reverse(receipt_id=collected[0].pk, reason=ReversalReason.MISTAKE, actor=staff)
    deposit(collected[1:], staff)
    assert sums() == {"bank": collected[1].amount_minor, "order": -collected[1].amount_minor}
    assert list(find_ledger_errors()) == []


def test_deposit_is_reversed_once_and_with_a_reason(collected, staff, admin_user):
    done = deposit(collected, staff)
    with refused(InvalidInput, "reason"):
        cash_deposit_reverse(deposit_id=done.pk, reason=" ", actor=staff)
    cash_deposit_reverse(deposit_id=done.pk, reason="typed twice", actor=staff)
    with refused(AlreadyRecorded, "already reversed by"):
        cash_deposit_reverse(deposit_id=done.pk, reason="again", actor=admin_user)
    with refused(IntegrityError):  # settled rows never change
        CashDeposit.objects.update(amount_minor=1)


@pytest.mark.parametrize("who", ["powerless_staff", "shopper", "seller"])
def test_deposit_needs_the_permission(collected, staff, request, who):
    person = request.getfixturevalue(who)
    with refused(NoPermission):
        deposit(collected, person)
    done = deposit(collected, staff)
    with refused(NoPermission):
        cash_deposit_reverse(deposit_id=done.pk, reason="x", actor=person)


def test_missing_entry_of_a_deposit_is_found_and_booked(collected, staff, broken_books):
    done = deposit(collected, staff)
    with rewriting():
        for entry in LedgerEntry.objects.filter(fact_id=done.pk):
            entry.postings.all().delete()
        LedgerEntry.objects.filter(fact_id=done.pk).delete()
    [error] = find_ledger_errors()
    assert f"{done.pk} differs from the ledger" in error
    assert ledger_fill_sources() == 1
    assert list(find_ledger_errors()) == []


def test_cash_of_a_parcel_is_repaired_after_a_reversal_by_the_release_before(collected, staff):
    parcel = collected[0].parcel
    receipt_reverse(receipt_id=collected[0].pk, reason=ReversalReason.MISTAKE, actor=staff)
    Parcel.objects.filter(pk=parcel.pk).update(cash_received_minor=parcel.total_minor)

    parcel_cash_fill(WITHIN)

    assert Parcel.objects.get(pk=parcel.pk).cash_received_minor == 0
    reread(collected[1].payment)
    assert Parcel.objects.get(pk=collected[1].parcel_id).cash_received == collected[1].amount
