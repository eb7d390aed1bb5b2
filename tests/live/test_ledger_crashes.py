"""SIGKILL of a process between a fact and its entry in the ledger: neither is stored, and the next try stores both."""

import os
import pkgutil
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connections, transaction
from django.utils import timezone

from artisans.accounts.models import User
from artisans.core.errors import DomainError
from artisans.earnings.holds import HoldRequest, hold_end, hold_place
from artisans.earnings.models import Hold, HoldReason
from artisans.earnings.releases import order_release_earnings
from artisans.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting
from orders.services.parcels import parcel_ship
from orders.statuses import CashHolder
from orders.tests.factories import store_of
from payments.bookkeeping.ledger import find_ledger_errors
from payments.bookkeeping.movements import Known, movements_explain, movements_record
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.cash_deposits import cash_deposit_record, cash_deposit_reverse
from payments.methods import PaymentMethod
from payments.models import CashDeposit, CashDepositLine, Earning, Payment, ProviderMovement
from payments.providers.contract import MovementKind, RemoteMovement
from payments.tests.factories import apply_card_captures, record, start, usd
from tests.live.conftest import end_sessions
from tests.rows import shopper, superuser

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "clean_database")]

POINTS = {
    "the fact is written": ("artisans.ledger.services.find_accounts", "before"),
    "the postings are written": ("artisans.ledger.services.entries_seal", "before"),
    "the entry is written": ("artisans.ledger.services.entries_seal", "after"),
}
STORED = (ProviderMovement, Hold, Earning, CashDeposit, CashDepositLine)
LEDGER = (LedgerAccount, LedgerEntry, LedgerPosting)


def kill_when(point: str, act: Callable[[], object]) -> None:
    """Act in a process that is killed at this point, before it commits."""
    target, when = POINTS[point]
    plain = pkgutil.resolve_name(target)

    def killed(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            plain(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    connections.close_all()
    child = os.fork()
    if not child:
        try:
            with patch(target, killed):
                act()
        finally:
            os._exit(1)
    _child, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it was not killed when {point}"
    end_sessions()


def rows() -> list[Any]:
    return [list(model._default_manager.order_by("pk").values()) for model in (*STORED, *LEDGER)]


def check_crashes(act: Callable[[], object]) -> None:
    """Crashes store nothing, the next try all of it, and the one after that nothing more."""
    before = rows()
    for point in POINTS:
        kill_when(point, act)
        assert rows() == before, point
    act()
    after = rows()
    assert after != before
    assert list(find_ledger_errors()) == []
    with suppress(DomainError):
        act()
    assert rows() == after


@pytest.fixture
def staff(clean_database) -> User:
    return superuser()


@pytest.fixture
def paid(clean_database, settings) -> Payment:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    with transaction.atomic():
        payment = start(PaymentMethod.CREDIT_CARD)
    return apply_card_captures(payment)


def fee_of(payment: Payment) -> RemoteMovement:
    capture = payment.captures.earliest("provider_capture_id")
    return RemoteMovement(
        movement_id="txn_1",
        kind=MovementKind.PAYMENT,
        code="charge",
        gross=capture.amount,
        fee=usd("1.50"),
        occurred_at=timezone.now(),
        source_id=capture.provider_capture_id,
    )


def test_movement_and_its_fee_are_stored_together_or_not_at_all(paid):
    check_crashes(lambda: movements_record("stripe", [fee_of(paid)]))


def test_movement_that_is_explained_later_is_booked_with_it(paid):
    with patch("payments.bookkeeping.movements.read_known", return_value=Known({}, {}, {}, {})):
        movements_record("stripe", [fee_of(paid)])  # before the shop knew of the capture

    check_crashes(lambda: movements_explain("stripe"))


def test_release_and_holds_are_stored_with_their_entries(paid, staff):
    store_of(hold_days=0, longest_hold_days=0, return_days=0)
    [parcel] = paid.order.parcels.select_related("artisan__user")
    parcel_ship(parcel_id=parcel.pk, carrier="Post", tracking="", actor=parcel.artisan.user)
    check_crashes(lambda: order_release_earnings(paid.order_id))
    everything = HoldRequest(amount=parcel.total, reason=HoldReason.STAFF, note="under review")
    check_crashes(lambda: hold_place(artisan_id=parcel.artisan_id, request=everything, actor=staff))
    hold = Hold.objects.get()
    check_crashes(lambda: hold_end(hold_id=hold.pk, actor=staff))


def test_deposit_of_cash_and_its_reversal_are_stored_with_their_entries(staff):
    with transaction.atomic():
        payment = start(PaymentMethod.CASH_ON_DELIVERY, user=shopper())
    [parcel] = payment.order.parcels.all()
    receipt = record(payment, parcel.total, actor=staff, parcel_id=parcel.pk, holder=CashHolder.COURIER)
    money = IncomingMoney(parcel.total, timezone.localdate(), "TR-1")
    check_crashes(
        lambda: cash_deposit_record(
            receipt_ids=[receipt.pk], holder=CashHolder.COURIER, money=money, actor=staff
        )
    )
    deposit = CashDeposit.objects.get()
    check_crashes(lambda: cash_deposit_reverse(deposit_id=deposit.pk, reason="a mistake", actor=staff))
