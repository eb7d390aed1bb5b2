"""Transactions of PostgreSQL that meet: a release and a refund, two holds or payments of the same money."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import permutations
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from artisans.core.errors import DomainError
from artisans.earnings import holds, releases
from artisans.earnings.holds import HoldRequest, hold_place
from artisans.earnings.models import Hold, HoldReason, Settlement, SettlementMeans
from artisans.earnings.releases import order_release_earnings
from artisans.earnings.settlements import SettlementRequest, settlement_record, settlement_reverse
from artisans.earnings.tests.conftest import figures
from artisans.ledger.models import EntryKind, LedgerEntry
from orders.models import StoreRules
from orders.statuses import CashHolder
from payments.bookkeeping.ledger import find_ledger_errors
from payments.bookkeeping.movements import movements_record
from payments.bookkeeping.refunds import refund_finish
from payments.errors import AlreadyRecorded
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record
from payments.methods import PaymentMethod
from payments.models import CashDeposit, Earning, Receipt
from payments.refunds.staff import refund_open
from payments.selectors import cash_on_hand
from payments.tests.factories import apply_card_captures, record, remote_refund_of, start, usd
from payments.tests.test_payment_fees import moved
from tests.live.runner import wait_for

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


def together(*operations: Callable[[], Any]) -> list[Any]:
    """Run them at the same time, each on a connection of its own; a refused one yields its error."""
    barrier = Barrier(len(operations))
    found: list[Any] = [None] * len(operations)

    def run(number: int, operation: Callable[[], Any]) -> None:
        try:
            barrier.wait()
            found[number] = operation()
        except DomainError as error:
            found[number] = error
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(operations)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def somebody_waits() -> bool:
    """For a lock that is not one of a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
            "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
        )
        return bool(cursor.fetchone()[0])


@pytest.fixture
def due(sell, deliver, later, monkeypatch):
    """Earnings that are due and have not been released yet."""
    payment = sell()
    deliver(payment)
    monkeypatch.setattr("artisans.earnings.tests.conftest.release_task", lambda: None)
    later(days=15)
    return payment


@pytest.fixture
def borne(store):
    """Artisans bear the fees of payment providers."""
    StoreRules.objects.update(payment_fee_bearer="artisan")


def test_captures_that_are_reported_twice_at_once_share_each_fee_once(borne, potter, bowl, shopper):
    with transaction.atomic():
        payment = start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper)

    together(*[lambda: apply_card_captures(payment, fees=(101, 100))] * 2)

    assert figures(potter) == ("89.43", "0.00", "0.00")
    assert LedgerEntry.objects.filter(kind=EntryKind.FEE_SHARE).count() == 1
    assert list(find_ledger_errors()) == []


def test_movements_and_a_release_at_once_share_each_fee_once(borne, due, potter):
    first, second = moved(due, 0, usd("1.01")), moved(due, 1, usd("1.00"))

    together(
        lambda: movements_record("stripe", [first]),
        lambda: order_release_earnings(due.order_id),
        lambda: movements_record("stripe", [first, second]),
    )

    assert figures(potter) == ("0.00", "89.43", "0.00")
    assert LedgerEntry.objects.filter(kind=EntryKind.FEE_SHARE).count() in {1, 2}
    assert list(find_ledger_errors()) == []


def test_a_release_and_a_refund_take_the_artisans_part_once(due, potter, staff):
    """Whoever comes second waits for the order and reads what the first has written."""
    refund = refund_open(payment_id=due.pk, reason="Chipped.", actor=staff, amount=usd("10.00"))
    remote = remote_refund_of(refund)

    together(
        lambda: order_release_earnings(due.order_id),
        lambda: refund_finish(refund_id=refund.pk, remote=remote),
        lambda: order_release_earnings(due.order_id),
    )

    assert figures(potter) == ("0.00", "82.29", "0.00")
    earning = Earning.objects.get()
    assert (earning.returned_minor, earning.promised_minor) == (915, 0)
    assert LedgerEntry.objects.filter(kind=EntryKind.RELEASE).count() == 1
    assert list(find_ledger_errors()) == []


def test_a_release_that_is_killed_before_its_reserve_leaves_nothing(due, potter, store, monkeypatch):
    store.reserve_ppm, store.reserve_days = 100_000, 90
    store.save()

    class Killed(BaseException):
        """The process ended."""

    def die(*arguments: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(releases, "hold_reserve", die)
        order_release_earnings(due.order_id)
    assert figures(potter) == ("91.44", "0.00", "0.00")

    assert order_release_earnings(due.order_id) == 1

    assert figures(potter) == ("0.00", "82.30", "9.14")


def test_the_same_money_is_not_held_twice(due, potter, admin_user):
    order_release_earnings(due.order_id)

    def place() -> Hold:
        request = HoldRequest(amount=usd("60.00"), reason=HoldReason.STAFF, note="We check the photos.")
        return hold_place(artisan_id=potter.pk, request=request, actor=admin_user)

    results = together(place, place, place)

    assert sum(isinstance(result, Hold) for result in results) == 1
    assert figures(potter) == ("0.00", "31.44", "60.00")


def test_a_form_that_is_sent_three_times_makes_one_hold(due, potter, admin_user):
    order_release_earnings(due.order_id)
    request = HoldRequest(amount=usd("30.00"), reason=HoldReason.STAFF, note="We check the photos.")

    results = together(*[lambda: hold_place(artisan_id=potter.pk, request=request, actor=admin_user)] * 3)

    assert len({result.pk for result in results}) == 1
    assert figures(potter) == ("0.00", "61.44", "30.00")


def test_a_hold_ends_once(due, potter, admin_user):
    order_release_earnings(due.order_id)
    request = HoldRequest(amount=usd("60.00"), reason=HoldReason.STAFF, note="We check the photos.")
    hold = hold_place(artisan_id=potter.pk, request=request, actor=admin_user)

    together(*[lambda: holds.hold_end(hold_id=hold.pk, actor=admin_user)] * 3)

    assert figures(potter) == ("0.00", "91.44", "0.00")
    assert LedgerEntry.objects.filter(fact_id=hold.pk).count() == 2


def test_a_payment_of_a_debt_is_recorded_once_and_reversed_once(debt, potter, admin_user):
    request = SettlementRequest(
        means=SettlementMeans.BANK, amount=usd("25.00"), value_date=timezone.localdate(), reference="STMT-77"
    )

    def pay() -> Settlement:
        return settlement_record(debt_id=debt.pk, request=request, actor=admin_user)

    results = together(pay, pay, pay)
    assert sum(isinstance(result, Settlement) for result in results) == 1
    assert figures(potter)[1] == "-35.00"

    paid = Settlement.objects.get()
    together(*[lambda: settlement_reverse(settlement_id=paid.pk, reason="Recalled.", actor=admin_user)] * 3)
    assert figures(potter)[1] == "-60.00"
    assert LedgerEntry.objects.filter(fact_id=paid.pk).count() == 2


def test_a_line_of_the_statement_is_recorded_once_whatever_it_is_recorded_as(debt, admin_user, bowl, shopper):
    """As a buyer's payment, as a deposit of cash, or as a payment of a debt: the second one waits for the first."""
    with transaction.atomic():
        payment = start(PaymentMethod.BANK_TRANSFER, {bowl: 1}, user=shopper)
        cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    for number in range(3):
        record(cash, "10.00", actor=admin_user, reference=f"Box {number}")
    today = timezone.localdate()

    def receive(reference: str) -> Receipt:
        return record(payment, "10.00", actor=admin_user, reference=reference)

    def deposit(reference: str) -> CashDeposit:
        return cash_deposit_record(
            receipt_ids=[cash_on_hand(CashHolder.SHOP)[0].pk],
            holder=CashHolder.SHOP,
            money=IncomingMoney(usd("10.00"), today, reference),
            actor=admin_user,
        )

    def settle(reference: str) -> Settlement:
        request = SettlementRequest(
            means=SettlementMeans.BANK, amount=usd("10.00"), value_date=today, reference=reference
        )
        return settlement_record(debt_id=debt.pk, request=request, actor=admin_user)

    for first, second in permutations((receive, deposit, settle), 2):
        reference = f"{first.__name__} {second.__name__}"
        with ThreadPoolExecutor(1) as pool, transaction.atomic():
            first(reference)
            later = pool.submit(together, partial(second, reference))
            wait_for(lambda later=later: later.done() or somebody_waits())
        [refused] = later.result()
        assert isinstance(refused, AlreadyRecorded), reference


def test_a_debt_is_not_written_off_twice(debt, potter, admin_user):
    """All pages showed the same."""
    gone = SettlementRequest(
        means=SettlementMeans.WRITE_OFF,
        amount=usd("30.00"),
        value_date=timezone.localdate(),
        note="Closed the workshop.",
        seen=usd("60.00"),
    )

    def give_up() -> Settlement:
        return settlement_record(debt_id=debt.pk, request=gone, actor=admin_user)

    together(give_up, give_up, give_up)

    assert figures(potter)[1] == "-30.00"
    assert Settlement.objects.count() == 1
