"""What Stripe and PayPal say about movements of our balance, as the adapters read it from the sandbox."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from artisans.core.money import Money
from payments.providers.contract import MovementKind, RemoteMovement, Unknown
from payments.providers.paypal.movements import movements_in
from payments.providers.paypal.provider import PayPalProvider
from payments.providers.stripe import movements as stripe_movements
from payments.providers.stripe.movements import movement_of
from payments.reconciliation import movements
from payments.tests.paypal_sandbox import control_of, sandbox_config
from payments.tests.provider_contract import build_create_request
from payments.tests.stripe_helpers import build_confirm_request
from sandbox.http_server import Server
from sandbox.tests.client import Control

ROW: dict[str, Any] = {
    "id": "txn_1",
    "object": "balance_transaction",
    "amount": 9999,
    "fee": 320,
    "net": 9679,
    "currency": "usd",
    "reporting_category": "charge",
    "source": "ch_1",
    "created": 1_760_000_000,
    "available_on": 1_760_172_800,
}


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def now_and_before() -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now - timedelta(hours=1), now + timedelta(hours=1)


def shown(rows: Iterator[RemoteMovement]) -> list[tuple[str, int, int, str]]:
    return sorted((row.kind.name, row.gross.minor, row.fee.minor, row.gross.currency) for row in rows)


# ---- Stripe --------------------------------------------------------------------------------------------------------


@pytest.fixture
def charge(adapter, sandbox: Control) -> str:
    made = adapter.create(build_create_request())
    return adapter.confirm(build_confirm_request(made, "pm_card_visa")).captures[0].capture_id


def test_stripe_shows_a_charge_a_moment_later(adapter, sandbox, charge):
    assert list(adapter.list_movements(*now_and_before())) == []
    assert [row.amount for row in adapter.balance()] == [usd(0)]

    sandbox.run_jobs()

    [row] = adapter.list_movements(*now_and_before())
    assert (row.kind, row.gross, row.fee, row.net) == (MovementKind.PAYMENT, usd(9999), usd(320), usd(9679))
    assert row.source_id == row.capture_id == charge
    assert [row.amount for row in adapter.balance()] == [usd(9679)]


def test_stripe_disputes_fees_and_payouts_are_told_apart(adapter, sandbox, charge):
    sandbox.run_jobs()
    dispute = sandbox.post("stripe/dispute", charge=charge)["id"]
    sandbox.post("stripe/close_dispute", dispute=dispute, outcome="won")
    sandbox.post("stripe/movement", type="payout", amount=-5000)
    sandbox.post("stripe/movement", type="stripe_fee", amount=-25)
    sandbox.post("stripe/movement", type="topup", amount=700, currency="eur")

    rows = list(adapter.list_movements(*now_and_before()))

    assert shown(rows) == [
        ("DISPUTE", -9999, 1500, "USD"),
        ("DISPUTE", 9999, 0, "USD"),
        ("FEE", 0, 25, "USD"),
        ("PAYMENT", 9999, 320, "USD"),
        ("UNKNOWN", 700, 0, "EUR"),
        ("WITHDRAWAL", -5000, 0, "USD"),
    ]
    disputed = {(row.source_id, row.capture_id) for row in rows if row.kind == MovementKind.DISPUTE}
    assert disputed == {(dispute, charge)}
    assert sorted(str(row.amount) for row in adapter.balance()) == ["31.54 USD", "7.00 EUR"]


def test_stripe_movements_are_read_page_by_page(adapter, sandbox, monkeypatch):
    for amount in range(1, 8):
        sandbox.post("stripe/movement", type="payout", amount=-amount)
    monkeypatch.setattr(stripe_movements, "PAGE", 3)

    rows = list(adapter.list_movements(*now_and_before()))

    assert sorted(row.gross.minor for row in rows) == list(range(-7, 0))


@pytest.mark.parametrize("wrong", [{"net": 9999}, {"fee": 1.5}, {"id": ""}, {"currency": None}])
def test_stripe_movement_that_does_not_add_up_is_unreadable(wrong):
    with pytest.raises(ValueError, match=r".") as error:
        movement_of(ROW | wrong)
    assert str(error.value)


# ---- PayPal --------------------------------------------------------------------------------------------------------


@pytest.fixture
def paypal_control(sandbox_server: Server) -> Control:
    return control_of(sandbox_server)


@pytest.fixture
def account(paypal_control: Control, tmp_path) -> PayPalProvider:
    return PayPalProvider(sandbox_config(paypal_control, tmp_path))


def test_paypal_movements_have_fees_and_what_they_are_about(account, paypal_control):
    for code, amount, more in (
        ("T0006", 9999, {"fee": 398}),
        ("T1107", -2000, {"reference": "CAPTURE1"}),
        ("T1110", -7999, {"reference": "CAPTURE1"}),
        ("T0106", -2000, {"reference": "CAPTURE1"}),
        ("T0400", -100, {}),
        ("T0001", -50, {}),
        ("T2103", -1, {}),
        ("T0006", 500, {"currency": "EUR"}),
    ):
        paypal_control.post("paypal/movement", code=code, amount=amount, **more)

    rows = list(account.list_movements(*now_and_before()))

    assert shown(rows) == [
        ("DISPUTE", -7999, 0, "USD"),
        ("DISPUTE_FEE", 0, 2000, "USD"),
        ("PAYMENT", 500, 0, "EUR"),
        ("PAYMENT", 9999, 398, "USD"),
        ("REFUND", -2000, 0, "USD"),
        ("UNKNOWN", -50, 0, "USD"),
        ("UNKNOWN", -1, 0, "USD"),
        ("WITHDRAWAL", -100, 0, "USD"),
    ]
    assert [row.capture_id for row in rows if row.kind == MovementKind.REFUND] == ["CAPTURE1"]
    sums = {
        currency: sum(row.net.minor for row in rows if row.net.currency == currency)
        for currency in ("EUR", "USD")
    }
    assert {row.amount.currency: row.amount.minor for row in account.balance()} == sums


def test_paypal_movements_are_late_and_the_balance_says_of_when_it_is(account, paypal_control):
    paypal_control.post("paypal/settings", report_seconds=3 * 3600)
    paypal_control.post("paypal/movement", code="T0006", amount=9999)

    [balance] = account.balance()

    assert list(account.list_movements(*now_and_before())) == []
    assert balance.amount == usd(0)
    assert timedelta(hours=2.9) < datetime.now(UTC) - balance.as_of < timedelta(hours=3.1)


def test_paypal_repeats_a_row_at_the_border_of_pages_and_takes_31_days(account, paypal_control, monkeypatch):
    for number in range(1, 8):
        paypal_control.post("paypal/movement", code="T0400", amount=-number)
    paypal_control.post("paypal/settings", report_repeats=True)
    monkeypatch.setattr("payments.providers.paypal.reports.PAGE_SIZE", 3)
    now = datetime.now(UTC)

    rows = list(account.list_movements(now - timedelta(days=100), now + timedelta(hours=1)))

    assert len(rows) == 9
    assert len({row.movement_id for row in rows}) == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"transaction_amount": {"currency_code": "USD", "value": "1.2.3"}},
        {"transaction_initiation_date": "2026-11-01T10:00:00"},
        {"transaction_id": None},
    ],
)
def test_paypal_movement_that_cannot_be_parsed_is_unknown(wrong):
    row = {
        "transaction_id": "8AB12345CD678901E",
        "transaction_event_code": "T0006",
        "transaction_initiation_date": "2026-11-01T10:00:00Z",
        "transaction_amount": {"currency_code": "USD", "value": "1.00"},
    }
    assert [one.gross for one in movements_in([row])] == [usd(100)]
    with pytest.raises(Unknown):
        movements_in([row | wrong])


@pytest.mark.django_db
def test_sums_of_the_books_are_read_once_however_much_is_booked_meanwhile(monkeypatch):
    """As of one moment: reading until nothing changed did not end in a busy shop."""
    moments = (movements.Sums(Counter(USD=n), Counter(), Counter()) for n in range(3))
    monkeypatch.setattr(movements, "sums_now", lambda name: next(moments))

    assert movements.read_sums("stripe").required["USD"] == 0
