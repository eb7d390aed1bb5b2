"""Movements of the balance at Stripe and PayPal: stored once, booked, and compared with our books and the balance."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from artisans.core.money import Money
from artisans.ledger.accounts import AccountKey, AccountKind, transfer
from artisans.ledger.models import EntryKind, LedgerEntry, LedgerPosting
from artisans.ledger.selectors import balances
from artisans.ledger.services import Fact, fact_book
from payments.bookkeeping import movements
from payments.bookkeeping.ledger import find_ledger_errors, keys_without_fact, ledger_fill_sources
from payments.bookkeeping.movements import movements_record
from payments.gateway.connection import execute
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import Capture, Payment, ProviderMovement, ReconciliationRun
from payments.providers.contract import MovementKind, RemoteMovement
from payments.reconciliation.runs import reconcile
from payments.selectors import alerts_open
from payments.tests.factories import apply_card_captures, paid_by_card, refund, reread, start
from tests.append_only import rewriting
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

FEE = 320  # 2.9% of 99.99, and 0.30
PAYPAL_FEE = 398


@pytest.fixture
def paid(stripe, shopper) -> Payment:
    return paid_by_card(stripe, user=shopper)


@pytest.fixture
def by_paypal(paypal, shopper) -> Payment:
    return paid_by_paypal(paypal, user=shopper)


def paid_by_paypal(paypal: Any, *, user: Any) -> Payment:
    payment = start(PaymentMethod.PAYPAL, user=user)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def capture_id(payment: Payment) -> str:
    return payment.captures.get().provider_capture_id


def sync(payment: Payment) -> Payment:
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def night(provider: str = "stripe", *, days: int = 0) -> ReconciliationRun:
    return reconcile(provider, until=timezone.now() + timedelta(minutes=1))


def kinds(run: ReconciliationRun) -> list[str]:
    return [row["kind"] for row in run.differences]


EARNED = {
    AccountKind.SELLER_PENDING,
    AccountKind.SELLER_AVAILABLE,
    AccountKind.COMMISSION,
    AccountKind.GOODWILL,
}


def sums() -> dict[tuple[str, str], int]:
    """Minor units by account and provider; what was earned with an order counts as the order's."""
    found = Counter[tuple[str, str]]()
    for account, amount in balances():
        kind = AccountKind.ORDER if account.kind in EARNED else account.kind
        found[kind, account.scope] += amount.minor
    return {key: minor for key, minor in found.items() if minor}


def at_provider(run: ReconciliationRun) -> tuple[int, int, int]:
    """The provider's balance, the sum of its movements, and the ledger's account."""
    [row] = run.balances
    return row["provider"], row["provider"] - row["gap"] - row["opening"], row["ledger"]


@pytest.fixture(autouse=True)
def books_match(request: pytest.FixtureRequest):
    yield
    if "broken_books" not in request.fixturenames:
        assert list(find_ledger_errors()) == []


# ---- booking -------------------------------------------------------------------------------------------------------


def test_fee_of_a_payment_leaves_the_provider_and_is_an_expense(paid, stripe):
    stripe.run_jobs()

    run = night()

    assert run.differences == []
    assert sums() == {
        ("provider", "stripe"): 9999 - FEE,
        ("provider_fee", "stripe"): FEE,
        ("order", ""): -9999,
    }
    assert at_provider(run) == (9999 - FEE, 9999 - FEE, 9999 - FEE)
    [movement] = ProviderMovement.objects.all()
    assert (movement.payment, movement.capture) == (paid, paid.captures.get())
    [entry] = LedgerEntry.objects.filter(kind=EntryKind.PROVIDER_FEE)
    assert (entry.fact_id, entry.order_id) == (movement.pk, paid.order_id)


def test_movements_are_read_again_and_booked_once(paid, stripe):
    stripe.run_jobs()

    runs = [night(), night(), night()]

    assert [kinds(run) for run in runs] == [[], [], []]
    assert ProviderMovement.objects.count() == 1
    assert LedgerEntry.objects.filter(kind=EntryKind.PROVIDER_FEE).count() == 1


def test_withdrawals_and_fees_of_the_account_are_booked(paid, stripe):
    stripe.run_jobs()
    stripe.post("stripe/movement", type="payout", amount=-5000)
    stripe.post("stripe/movement", type="stripe_fee", amount=-25)

    run = night()

    assert run.differences == []
    assert sums() == {
        ("provider", "stripe"): 9999 - FEE - 5000 - 25,
        ("provider_fee", "stripe"): FEE + 25,
        ("bank_transit", "stripe"): 5000,
        ("order", ""): -9999,
    }
    assert at_provider(run)[0] == at_provider(run)[2] == 4654


@pytest.mark.parametrize("is_read_first", [True, False])
def test_lost_dispute_credits_what_the_provider_had_taken(paid, stripe, is_read_first):
    """Whether its movements are read before it is lost or afterwards."""
    stripe.run_jobs()
    dispute = stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id)["id"]
    sync(paid)
    if is_read_first:
        assert night().differences == []
        assert sums()["disputed", "stripe"] == 9999
        assert sums()["order", ""] == -9999
    stripe.post("stripe/close_dispute", dispute=dispute, outcome="lost")
    sync(paid)
    if not is_read_first:
        assert sums() == {}

    run = night()

    assert run.differences == []
    assert sums() == {
        ("provider", "stripe"): -FEE - 1500,
        ("provider_fee", "stripe"): FEE,
        ("dispute_fee", "stripe"): 1500,
    }
    assert at_provider(run) == (-FEE - 1500,) * 3


def test_won_dispute_comes_back_and_its_fee_stays(paid, stripe):
    stripe.run_jobs()
    dispute = stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id)["id"]
    sync(paid)
    night()
    stripe.post("stripe/close_dispute", dispute=dispute, outcome="won")
    sync(paid)

    run = night()

    assert run.differences == []
    assert ("disputed", "stripe") not in sums()
    assert sums()["order", ""] == -9999
    kinds_booked = LedgerEntry.objects.filter(fact_id__in=ProviderMovement.objects.values("pk")).values_list(
        "kind", flat=True
    )
    assert sorted(kinds_booked) == ["dispute_back", "dispute_taken", "provider_fee"]


def test_dispute_that_is_won_after_it_was_lost_returns_to_the_order(paid, stripe):
    stripe.run_jobs()
    dispute = stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id)["id"]
    for status in ("lost", "won"):
        stripe.post("stripe/update_dispute", dispute=dispute, status=status)
        sync(paid)
        run = night()
        assert run.differences == []
        assert at_provider(run)[0] == at_provider(run)[2]
    assert ("disputed", "stripe") not in sums()
    assert sums()["order", ""] == -9999


def test_refunds_and_their_failure_leave_what_the_provider_shows(paid, stripe, staff):
    stripe.run_jobs()
    made = refund(paid, "20.00", actor=staff)
    assert at_provider(night()) == (7999 - FEE,) * 3
    stripe.post("stripe/settle_refund", refund=made.provider_refund_id, status="failed")
    sync(paid)

    run = night()

    assert run.differences == []
    assert at_provider(run) == (9999 - FEE,) * 3


def test_paypal_totals_equal_the_ledger(by_paypal, paypal, staff):
    """A capture with its fee, a refund, a dispute that is lost, its fee, and a withdrawal."""
    refund(by_paypal, "20.00", actor=staff)
    dispute = paypal.post("paypal/dispute", capture=capture_id(by_paypal))["dispute_id"]
    sync(by_paypal)
    paypal.post("paypal/close_dispute", dispute=dispute, outcome="lost")
    sync(by_paypal)
    paypal.post("paypal/movement", code="T0106", amount=-2000, reference=capture_id(by_paypal))
    paypal.post("paypal/movement", code="T0400", amount=-100)

    run = night("paypal")

    assert run.differences == []
    assert Capture.objects.get().fee_minor == PAYPAL_FEE
    assert sums() == {
        ("provider", "paypal"): -PAYPAL_FEE - 2100,
        ("provider_fee", "paypal"): PAYPAL_FEE,
        ("dispute_fee", "paypal"): 2000,
        ("bank_transit", "paypal"): 100,
    }
    assert at_provider(run) == (-PAYPAL_FEE - 2100,) * 3


@pytest.mark.parametrize("name", ["stripe", "paypal"])
def test_what_the_sandbox_moved_is_on_the_ledgers_account_of_the_provider(request, shopper, staff, name):
    """By the sandbox's journal, which its balance is not computed from: before and after its movements are read."""
    sandbox: Any = request.getfixturevalue(name)
    buy = paid_by_card if name == "stripe" else paid_by_paypal
    kept, refunded, disputed = (buy(sandbox, user=shopper) for _number in range(3))
    refund(refunded, "20.00", actor=staff)
    about = (
        {"payment_intent": disputed.provider_payment_id}
        if name == "stripe"
        else {"capture": capture_id(disputed)}
    )
    dispute = sandbox.post(f"{name}/dispute", **about)
    sandbox.post(f"{name}/close_dispute", dispute=dispute.get("id") or dispute["dispute_id"], outcome="lost")
    sync(disputed)
    totals = {
        part: sum(found.values()) for part, found in sandbox.get("journal/totals", provider=name).items()
    }
    assert totals == {"captured": 3 * kept.amount_minor, "refunded": 2000, "disputed": disputed.amount_minor}
    moved = totals["captured"] - totals["refunded"] - totals["disputed"]

    assert sums()["provider", name] == moved
    if name == "stripe":
        sandbox.run_jobs()
    run = night(name)

    fees = sums()["provider_fee", name] + sums().get(("dispute_fee", name), 0)
    assert run.differences == []
    assert at_provider(run) == (moved - fees,) * 3
    assert fees > 0


def test_paypal_holds_what_is_disputed_and_may_give_it_back(by_paypal, paypal):
    dispute = paypal.post("paypal/dispute", capture=capture_id(by_paypal))["dispute_id"]
    sync(by_paypal)
    assert night("paypal").differences == []
    assert sums()["disputed", "paypal"] == 9999
    paypal.post("paypal/close_dispute", dispute=dispute, outcome="won")
    sync(by_paypal)

    run = night("paypal")

    assert run.differences == []
    assert ("disputed", "paypal") not in sums()
    assert at_provider(run) == (9999 - PAYPAL_FEE,) * 3


def test_reversal_by_paypal_is_a_refund(by_paypal, paypal):
    paypal.post("paypal/reverse", capture=capture_id(by_paypal), amount="30.00")
    sync(by_paypal)

    run = night("paypal")

    assert run.differences == []
    assert at_provider(run) == (6999 - PAYPAL_FEE,) * 3


def test_no_personal_data_of_buyers_is_stored(by_paypal, paypal):
    night("paypal")
    stored = str(list(ProviderMovement.objects.values()))
    [row] = [row for row in paypal.get("requests")["rows"] if "reporting/transactions" in row["path"]][-1:]
    assert "payer" not in stored
    assert "@" not in stored
    assert row


def test_missing_entries_are_found_and_filled(paid, stripe, broken_books):
    stripe.run_jobs()
    stripe.post("stripe/movement", type="payout", amount=-5000)
    night()
    before = sums()
    facts = LedgerEntry.objects.filter(fact_id__in=ProviderMovement.objects.values("pk"))
    with rewriting():
        LedgerPosting.objects.filter(entry__in=facts).delete()
        facts.delete()
    assert len(list(find_ledger_errors())) == 2

    assert ledger_fill_sources() == 2
    assert sums() == before
    assert list(find_ledger_errors()) == []


def test_movement_is_explained_when_its_capture_is_booked_later(stripe, shopper):
    """The movement was read while no event about the payment had arrived."""
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(payment)
    stripe.run_jobs()

    now = timezone.now()
    rows = execute(
        "stripe", lambda one: list(one.list_movements(now - timedelta(hours=1), now + timedelta(hours=1)))
    )
    movements_record("stripe", rows)
    assert [row.explained_by for row in ProviderMovement.objects.all()] == [""]
    assert sums() == {}

    run = night()

    assert run.differences == []
    assert [row.explained_by for row in ProviderMovement.objects.all()] == ["capture"]
    assert at_provider(run) == (9999 - FEE,) * 3


def test_movement_that_another_run_stores_meanwhile_is_booked_once(paid, stripe, monkeypatch):
    stripe.run_jobs()
    is_nested: list[bool] = []

    def store_first(*arguments: Any) -> movements.Known:
        if not is_nested:
            is_nested.append(True)
            night()
        return read_known(*arguments)

    read_known = movements.read_known
    monkeypatch.setattr(movements, "read_known", store_first)

    run = night()

    assert run.differences == []
    assert ProviderMovement.objects.count() == 1
    assert at_provider(run) == (9999 - FEE,) * 3


def test_movements_that_several_other_runs_store_meanwhile_are_booked_once(monkeypatch):
    remotes = [
        RemoteMovement(
            movement_id=f"txn_{number}",
            kind=MovementKind.FEE,
            code="fee",
            gross=Money(0, "USD"),
            fee=Money(number, "USD"),
            occurred_at=timezone.now() + timedelta(seconds=number),
        )
        for number in (1, 2, 3)
    ]
    rivals, store = list(remotes[:2]), movements.movements_add

    def store_first(provider: str, new: list[RemoteMovement], reasons: Any) -> None:
        if rivals:
            store(provider, [rivals.pop()], reasons)
        store(provider, new, reasons)

    monkeypatch.setattr(movements, "movements_add", store_first)

    assert movements.movements_record("stripe", remotes) == []

    assert not rivals
    assert LedgerEntry.objects.filter(kind=EntryKind.PROVIDER_FEE).count() == 3


def test_explaining_goes_on_where_it_stopped(shopper, stripe, monkeypatch):
    payments = [start(PaymentMethod.CREDIT_CARD, user=shopper) for _number in range(2)]
    for payment in payments:
        key = f"ch_{payment.pk.hex}_1"
        movements.movements_record(
            "stripe",
            [
                RemoteMovement(
                    movement_id=f"txn_{key}",
                    kind=MovementKind.PAYMENT,
                    code="charge",
                    gross=payment.amount,
                    fee=Money(0, "USD"),
                    occurred_at=timezone.now(),
                    source_id=key,
                    capture_id=key,
                )
            ],
        )
        apply_card_captures(payment, fees=(None, None))
    done, book = list[object](), movements.movement_book

    def book_one(row: ProviderMovement) -> LedgerEntry | None:
        if done:
            raise ConnectionError("killed")
        done.append(row.pk)
        return book(row)

    monkeypatch.setattr(movements, "movement_book", book_one)
    with pytest.raises(ConnectionError):
        movements.movements_explain("stripe")
    assert ProviderMovement.objects.filter(explained_by="").count() == 1
    monkeypatch.undo()

    movements.movements_explain("stripe")

    assert not ProviderMovement.objects.filter(explained_by="").exists()


# ---- what is made behind our back ----------------------------------------------------------------------------------


@pytest.fixture
def a_day_later(time_machine) -> Callable[[], None]:
    def move() -> None:
        time_machine.move_to(timezone.now() + timedelta(hours=25), tick=False)

    return move


def test_capture_whose_money_did_not_arrive(paid, stripe, a_day_later):
    assert night().differences == []
    a_day_later()

    [found] = night().differences

    assert (found["kind"], found["object_id"], found["payment"]) == (
        "no movement",
        capture_id(paid),
        str(paid.pk),
    )
    assert "99.99 USD" in found["detail"]
    assert found["detail"].endswith("nothing reached the provider’s balance.")


def test_refund_that_moved_nothing(paid, stripe, staff, a_day_later):
    stripe.run_jobs()
    made = refund(paid, "20.00", actor=staff)
    stripe.post("stripe/forget_movement", source=made.provider_refund_id)
    assert night().differences == []
    a_day_later()

    [found] = night().differences

    assert (found["kind"], found["object_id"]) == ("no movement", made.provider_refund_id)
    assert found["detail"].endswith(
        "went back for 20.00 USD, and nothing left the provider’s balance for it."
    )


def test_lost_dispute_that_was_not_taken(paid, stripe, a_day_later):
    stripe.run_jobs()
    dispute = stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id)["id"]
    stripe.post("stripe/close_dispute", dispute=dispute, outcome="lost")
    stripe.post("stripe/forget_movement", source=dispute)
    sync(paid)
    assert night().differences == []
    a_day_later()

    [found] = night().differences

    assert (found["kind"], found["payment"]) == ("no movement", str(paid.pk))
    assert "99.99 USD" in found["detail"]
    assert "took 0.00 USD" in found["detail"]


def test_money_of_a_won_dispute_that_does_not_come_back(paid, stripe, a_day_later):
    stripe.run_jobs()
    dispute = stripe.post("stripe/dispute", payment_intent=paid.provider_payment_id)["id"]
    stripe.post("stripe/movement", type="adjustment", amount=-9999, source=dispute)
    stripe.post("stripe/close_dispute", dispute=dispute, outcome="won")
    sync(paid)
    night()
    a_day_later()

    [found] = night().differences

    assert (found["kind"], found["payment"]) == ("other amount", str(paid.pk))
    assert "0.00 USD" in found["detail"]
    assert "99.99 USD" in found["detail"]


def test_movement_of_another_amount(paid, stripe, a_day_later):
    charge = capture_id(paid)
    stripe.post("stripe/movement", type="charge", amount=9900, source=charge)
    night()
    a_day_later()

    [found] = night().differences

    assert (found["kind"], found["object_id"]) == ("other amount", charge)
    assert "99.99 USD" in found["detail"]
    assert "99.00 USD" in found["detail"]


def test_movement_in_another_currency_without_what_was_converted_is_not_booked(paid, stripe, a_day_later):
    key = capture_id(paid)
    euros = RemoteMovement(
        movement_id="txn_1",
        kind=MovementKind.PAYMENT,
        code="charge",
        gross=Money(9000, "EUR"),
        fee=Money(300, "EUR"),
        occurred_at=timezone.now(),
        source_id=key,
        capture_id=key,
    )
    movements_record("stripe", [euros])
    before = sums()
    a_day_later()

    [found] = night().differences

    assert found["kind"] == "other currency"
    assert "99.99 USD" in found["detail"]
    assert "EUR" in found["detail"]
    assert sums() == before == {("provider", "stripe"): 9999, ("order", ""): -9999}


def test_movement_of_an_unknown_kind(paid, stripe):
    stripe.run_jobs()
    stripe.post("stripe/movement", type="topup", amount=777)

    run = night()

    [found] = run.differences
    assert found["kind"] == "unexplained movement"
    assert "topup" in found["detail"]
    assert "7.77 USD" in found["detail"]
    assert at_provider(run) == (9999 - FEE + 777, 9999 - FEE + 777, 9999 - FEE)


def test_payment_that_is_not_ours(paid, stripe, a_day_later):
    stripe.run_jobs()
    stripe.post("stripe/movement", type="charge", amount=1200, source="ch_of_somebody")
    assert night().differences == []
    a_day_later()

    [found] = night().differences

    assert found["kind"] == "unexplained movement"
    assert "12.00 USD" in found["detail"]


def test_fee_that_differs_from_the_one_of_the_capture(by_paypal, paypal):
    paypal.post("paypal/forget_movement", source=capture_id(by_paypal))
    with rewriting():
        Capture.objects.update(fee_minor=100)
    row = paypal.post("paypal/movement", code="T0006", amount=9999, fee=398)
    with rewriting():
        Capture.objects.update(provider_capture_id=row["transaction_id"])

    [found] = [row for row in night("paypal").differences if row["kind"] == "other fee"]

    assert "1.00 USD" in found["detail"]
    assert "3.98 USD" in found["detail"]


def test_movement_that_changed_after_it_was_read(paid, stripe):
    stripe.run_jobs()
    night()
    [row] = stripe.simulator.store.table("stripe.balance_transaction").values()
    row |= {"fee": 500, "net": 9499}

    [found] = night().differences

    assert found["kind"] == "changed movement"
    assert "3.20 USD" in found["detail"]
    assert "5.00 USD" in found["detail"]


def test_balance_that_is_not_the_sum_of_its_movements(paid, stripe, time_machine):
    stripe.run_jobs()
    assert night().differences == []
    stripe.post("stripe/settings", balance_shift={"usd": -150})
    time_machine.move_to(timezone.now() + timedelta(hours=25), tick=False)
    first = timezone.localdate()
    assert kinds(night()) == ["other balance"]
    time_machine.move_to(timezone.now() + timedelta(hours=25), tick=False)

    [found] = night().differences

    assert (found["kind"], found["object_id"]) == ("other balance", "USD")
    assert "95.29 USD" in found["detail"]
    assert "96.79 USD" in found["detail"]

    assert f"since {date_format(first)}" in found["detail"]


def test_ledger_with_more_than_its_reasons(paid, stripe, broken_books):
    stripe.run_jobs()
    provider, order = AccountKey(AccountKind.PROVIDER, "USD", "stripe"), AccountKey(AccountKind.ORDER, "USD")
    legs = transfer(5, debit=provider, credit=order)
    fact_book(Fact(id=uuid4(), kind=EntryKind.CAPTURE, legs=legs, happened_at=timezone.now()))

    [found] = night().differences

    assert found["kind"] == "other ledger"
    assert "96.84 USD" in found["detail"]
    assert "96.79 USD" in found["detail"]
    assert len(keys_without_fact()) == 1


def test_paypal_is_late_and_repeats_itself_without_a_difference(by_paypal, paypal, monkeypatch, time_machine):
    paypal.post("paypal/settings", report_seconds=3 * 3600, report_repeats=True)
    monkeypatch.setattr("payments.providers.paypal.reports.PAGE_SIZE", 2)
    for amount in range(1, 6):
        paypal.post("paypal/movement", code="T0400", amount=-amount)
    late = night("paypal")
    assert (late.differences, ProviderMovement.objects.count()) == ([], 0)
    time_machine.move_to(timezone.now() + timedelta(hours=3, minutes=5), tick=False)

    run = night("paypal")

    assert run.differences == []
    assert ProviderMovement.objects.count() == 6
    assert at_provider(run) == (9999 - PAYPAL_FEE - 15,) * 3


def test_provider_without_an_answer_is_an_alert_and_read_again(paid, stripe):

    stripe.run_jobs()
    stripe.fault("forbidden", path="/v1/balance", count=None)
    run = night()
    assert (run.movements_until, run.differences) == (None, [])
    assert [row.part for row in alerts_open()] == ["account balance"]
    assert run.error
    stripe.delete("faults")

    run = night()

    assert (run.error, run.differences, list(alerts_open())) == ("", [], [])
    assert at_provider(run) == (9999 - FEE,) * 3


def test_money_from_before_the_shop_is_no_difference(paid, stripe, browser, staff):
    stripe.post("stripe/settings", balance_shift={"usd": 1000})
    stripe.run_jobs()

    runs = [night(), night()]

    assert [kinds(run) for run in runs] == [[], []]
    assert [row["opening"] for run in runs for row in run.balances] == [1000, 1000]
    text = page(
        browser(staff).get(reverse("admin:payments_reconciliationrun_change", args=[runs[0].pk]))
    ).text
    assert "Provider $106.79 = ledger $96.79 and $10.00 from before" in text
    stripe.post("stripe/settings", balance_shift={"usd": 900})
    assert kinds(night()) == ["other balance"]


# ---- the page ------------------------------------------------------------------------------------------------------


def test_staff_see_the_balance_beside_the_ledger(paid, stripe, browser, staff):
    client = browser(staff)

    def shown(run: ReconciliationRun) -> str:
        return page(client.get(reverse("admin:payments_reconciliationrun_change", args=[run.pk]))).text

    waiting = shown(night())
    stripe.run_jobs()
    text = shown(night())
    stripe.post("stripe/movement", type="topup", amount=777)
    unexplained = shown(night())

    assert "Provider $0.00 ≠ ledger $99.99" in waiting
    assert "$99.99 more in the ledger: what has not moved" in waiting
    assert "Reconciliation with Stripe No differences" in text
    assert "Provider $96.79 = ledger $96.79" in text
    assert "Provider $104.56 ≠ ledger $96.79" in unexplained
    assert "7.77 USD" in unexplained
