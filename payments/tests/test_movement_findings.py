"""Movements that nothing in the shop explains, of which staff close those of other systems; long histories."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_page_url
from artisans.core.errors import Conflict, InvalidInput, NotFound
from artisans.core.money import Money
from payments.bookkeeping import movements
from payments.bookkeeping.ledger import find_ledger_errors
from payments.bookkeeping.movements import (
    Known,
    movement_close,
    movement_reopen,
    movements_explain,
    movements_record,
    movements_unbooked,
)
from payments.errors import AlreadyRecorded, NoPermission
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderMovement, ReconciliationRun
from payments.providers.contract import MovementKind, RemoteDispute, RemoteDisputeStatus, RemoteMovement
from payments.reconciliation.closing import difference_close, difference_reopen, key_of, run_finish
from payments.reconciliation.differences import Difference, Kind
from payments.reconciliation.movements import find_differences
from payments.reconciliation.runs import Reconciler, reconcile_unregistered
from payments.tests.factories import apply_card_captures, start, usd
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

LONG_AGO = timedelta(days=2)


@pytest.fixture
def paid(settings, shopper) -> Payment:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    return apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper))


def moved(number: str, source: str = "", kind: MovementKind = MovementKind.PAYMENT, minor: int = 700) -> Any:
    return RemoteMovement(
        movement_id=number,
        kind=kind,
        code="charge",
        gross=Money(minor, "USD"),
        fee=usd("0.30"),
        occurred_at=timezone.now() - LONG_AGO,
        source_id=source or f"ch_of_others_{number}",
    )


@pytest.fixture
def others(db) -> ProviderMovement:
    """A payment of another system with the same account."""
    movements_record("stripe", [moved("txn_1")])
    return ProviderMovement.objects.get()


def listed() -> list[str]:
    return [row.object_id for row in find_differences("stripe") if row.kind == "unexplained movement"]


# ---- closing ---------------------------------------------------------------------------------------------------


def test_movement_of_another_system_is_closed_and_reopened(others, staff, shopper):
    assert listed() == ["txn_1"]
    with pytest.raises(NoPermission):
        movement_close(movement_id=others.pk, reason="the café’s", actor=shopper)
    with pytest.raises(InvalidInput):
        movement_close(movement_id=others.pk, reason=" ", actor=staff)
    with pytest.raises(AlreadyRecorded):
        movement_reopen(movement_id=others.pk, reason="look again", actor=staff)

    movement_close(movement_id=others.pk, reason="the café’s till", actor=staff)
    assert listed() == []
    with pytest.raises(AlreadyRecorded, match="already closed"):
        movement_close(movement_id=others.pk, reason="a colleague’s", actor=staff)

    movement_reopen(movement_id=others.pk, reason="the café has no such payment", actor=staff)
    assert listed() == ["txn_1"]
    log = AuditEntry.objects.filter(action__startswith="movement.").order_by("at")
    assert [(row.action, row.data["reason"]) for row in log] == [
        ("movement.close", "the café’s till"),
        ("movement.reopen", "the café has no such payment"),
    ]


def run_with(
    *differences: Difference, error: str = "", meanwhile: Callable[[], object] = lambda: None
) -> ReconciliationRun:
    """A finished run that found these, or failed after them."""
    now = timezone.now()
    run = ReconciliationRun.objects.create(provider="stripe", since=now - LONG_AGO, until=now)
    reconciler = Reconciler(run, lambda done, day: None)
    reconciler.record(list(differences))
    reconciler.note_problem(error)
    meanwhile()
    run_finish(run)
    reconciler.save_run("finished_at")
    return run


def test_difference_stays_closed_although_a_night_fails(staff):
    found, other = (Difference(Kind.FEE, f"txn_{n}", "", "another fee") for n in (1, 2))
    close(run_with(found, other), found, staff)

    failed = run_with(other, error="Stripe does not respond.")
    again = run_with(found, other)

    assert [row["object_id"] for row in failed.closed] == ["txn_1"]
    assert ([row["object_id"] for row in again.differences], again.closed[0]["reason"]) == (
        ["txn_2"],
        "rounded",
    )


def test_difference_that_is_closed_or_reopened_during_a_run_stays_so(staff):
    closed, reopened = (Difference(Kind.FEE, f"txn_{n}", "", "another fee") for n in (1, 2))
    last = run_with(closed, reopened)
    close(last, reopened, staff)

    def meanwhile() -> None:
        close(last, closed, staff)
        difference_reopen(run_id=last.pk, key=key_of(reopened._asdict()), reason="ask", actor=staff)

    run = run_with(closed, reopened, meanwhile=meanwhile)

    assert run.differences == [reopened._asdict()]
    assert [row["object_id"] for row in run.closed] == ["txn_1"]


def test_difference_of_a_provider_that_is_not_compared_stays_closed(paid, staff, settings):
    settings.STRIPE_SECRET_KEY = ""
    Payment.objects.filter(pk=paid.pk).update(payment_method=PaymentMethod.PAYPAL)
    reconcile_unregistered()
    run = ReconciliationRun.objects.get()
    difference_close(run_id=run.pk, key=key_of(run.differences[0]), reason="an old test", actor=staff)

    reconcile_unregistered()

    again = ReconciliationRun.objects.latest("created_at")
    assert (again.differences, again.closed[0]["reason"]) == ([], "an old test")


def close(run: ReconciliationRun, found: Difference, staff) -> None:
    difference_close(run_id=run.pk, key=key_of(found._asdict()), reason="rounded", actor=staff)


def test_difference_stays_closed_until_its_figures_change(staff, browser):
    found = Difference(
        Kind.FEE, "txn_1", "", "txn_1 has a fee of 0.31 USD; with the capture it was 0.30 USD."
    )
    other = Difference(Kind.NO_MOVEMENT, "re_1", "", "re_1 moved nothing.")
    client, run = browser(staff), run_with(found, other)
    shown = page(client.get(admin_page_url(run)))
    [link] = [link for link in shown.all("a") if link.attrs.get("aria-label") == "Close: other fee txn_1"]
    form = page(client.get(link.attrs["href"])).one("main").one("form").fields()
    address = admin_page_url(run, "close")
    assert "Enter a note" in page(client.post(address, form)).text
    client.post(address, form | {"text": "Stripe rounds"})
    assert "no longer open" in page(client.post(address, form | {"text": "twice"})).text

    again, changed = run_with(found, other), run_with(found._replace(detail="a fee of 0.40 USD"))

    assert [row["object_id"] for row in again.differences] == ["re_1"]
    assert again.closed[0]["reason"] == "Stripe rounds"
    assert [row["detail"] for row in changed.differences] == ["a fee of 0.40 USD"]
    assert (changed.closed, run_with(found).closed) == ([], [])  # what was gone is looked at again
    log = AuditEntry.objects.get(action="difference.close")
    assert (log.data["object"], log.data["reason"]) == ("txn_1", "Stripe rounds")


def test_difference_is_closed_and_reopened_on_the_last_run_only(staff, shopper, browser):
    found = Difference(Kind.FEE, "txn_1", "", "txn_1 has another fee.")
    unexplained = Difference(Kind.UNEXPLAINED, "txn_2", "", "txn_2 moved 1.00 USD.")
    old, run = run_with(found), run_with(found, unexplained)
    key, of_movement = (key_of(row._asdict()) for row in (found, unexplained))
    for wrong, error in (
        ({"run_id": old.pk}, Conflict),
        ({"key": of_movement}, NotFound),  # closed on its own page
        ({"actor": shopper}, NoPermission),
        ({"reason": " "}, InvalidInput),
    ):
        with pytest.raises(error):
            difference_close(**{"run_id": run.pk, "key": key, "reason": "rounded", "actor": staff} | wrong)
    difference_close(run_id=run.pk, key=key, reason="rounded", actor=staff)

    client = browser(staff)
    [link] = [
        row
        for row in page(client.get(admin_page_url(run))).all("a")
        if row.attrs.get("aria-label") == "Reopen: other fee txn_1"
    ]
    main = page(client.get(link.attrs["href"])).one("main")
    assert f"{staff} closed it: rounded" in main.text
    client.post(admin_page_url(run, "reopen"), main.one("form").fields() | {"text": "Ask Stripe"})

    run.refresh_from_db()
    assert (len(run.differences), run.closed) == (2, [])
    assert AuditEntry.objects.filter(action="difference.reopen").count() == 1


def test_closed_movement_that_the_shop_explains_later_is_booked_and_open_no_more(paid, staff, monkeypatch):
    capture = paid.captures.earliest("provider_capture_id")
    with monkeypatch.context() as before_the_shop_knew:
        before_the_shop_knew.setattr(movements, "read_known", lambda *_args: Known({}, {}, {}, {}))
        movements_record("stripe", [moved("txn_1", capture.provider_capture_id, minor=capture.amount_minor)])
    row = ProviderMovement.objects.get()
    movement_close(movement_id=row.pk, reason="not ours", actor=staff)

    movements_explain("stripe")

    row.refresh_from_db()
    assert (row.explained_by, row.closed_at, row.closed_by, row.close_reason) == ("capture", None, None, "")
    assert list(find_ledger_errors()) == []
    with pytest.raises(AlreadyRecorded, match="now knows"):
        movement_close(movement_id=row.pk, reason="not ours", actor=staff)
    with pytest.raises(IntegrityError), transaction.atomic():  # the trigger: it is decided
        ProviderMovement.objects.update(close_reason="not ours")


def test_staff_find_and_close_a_movement_on_the_pages(others, paid, staff, browser):
    client, now = browser(staff), timezone.now()
    capture = paid.captures.earliest("provider_capture_id")
    movements_record("stripe", [moved("txn_2", capture.provider_capture_id, minor=capture.amount_minor)])
    found = {"kind": "unexplained movement", "object_id": "txn_1", "payment": "", "detail": "It moved."}
    run = ReconciliationRun.objects.create(
        provider="stripe", since=now - LONG_AGO, until=now, differences=[found], finished_at=now
    )
    rows = reverse("admin:payments_providermovement_changelist")

    def names(query: str) -> set[str]:
        shown = page(client.get(f"{rows}?{query}")).text
        return {name for name in ("txn_1", "txn_2") if name in shown}

    assert names("needs=explanation") == {"txn_1"}
    assert names(f"q={paid.payment_number}") == {"txn_2"}
    assert names(f"q={others.source_id}") == {"txn_1"}
    assert admin_page_url(others) in client.get(admin_page_url(run)).content.decode()

    client.post(admin_page_url(others, "close"), {"text": "the café’s till"})
    assert (names("needs=explanation"), names("needs=nothing")) == (set(), {"txn_1"})
    assert "the café’s till" in page(client.get(admin_page_url(others))).text
    assert "the café’s till" in page(client.get(admin_page_url(run))).text
    again = client.post(admin_page_url(others, "close"), {"text": "mine"})
    assert "already closed" in page(again).text

    client.post(admin_page_url(others, "reopen"), {"text": "not the café’s"})
    assert names("needs=explanation") == {"txn_1"}


# ---- a long history --------------------------------------------------------------------------------------------


def test_statements_of_a_batch_do_not_grow_with_its_movements(paid):
    fees = [moved(f"txn_{n}", kind=MovementKind.FEE, minor=-100) for n in range(20)]
    movements_record("stripe", [moved("txn_0", kind=MovementKind.FEE, minor=-100)])
    with CaptureQueriesContext(connection) as few:
        movements_record("stripe", fees[1:3])
    with CaptureQueriesContext(connection) as many:
        movements_record("stripe", fees)

    assert len(many) == len(few)
    assert ProviderMovement.objects.count() == 20
    assert list(find_ledger_errors()) == []


def test_batch_of_which_another_run_stored_a_part_is_stored_once(paid, monkeypatch):
    batch = [moved(f"txn_{n}", kind=MovementKind.FEE, minor=-100) for n in range(3)]
    read_known = movements.read_known

    def other_run_first(*arguments: Any) -> Known:
        monkeypatch.setattr(movements, "read_known", read_known)
        movements_record("stripe", batch[:1])
        return read_known(*arguments)

    monkeypatch.setattr(movements, "read_known", other_run_first)
    movements_record("stripe", batch)

    assert ProviderMovement.objects.count() == 3
    assert list(find_ledger_errors()) == []


def test_reading_reports_its_progress_after_each_batch(paid, monkeypatch):
    now, told = timezone.now(), []
    run = ReconciliationRun.objects.create(provider="stripe", since=now - LONG_AGO, until=now, seen=5)
    lists = [[moved("txn_1"), moved("txn_2")], [moved("txn_3")]]
    monkeypatch.setattr("payments.reconciliation.runs.batches", lambda *_args: iter(lists))

    Reconciler(run, lambda done, at: told.append((done, at))).read_movements(now - LONG_AGO)

    assert [done for done, _at in told] == [7, 8]
    assert told[-1][1] == lists[-1][-1].occurred_at


# ---- the check of the ledger -----------------------------------------------------------------------------------


def test_movement_that_is_explained_while_the_ledger_is_checked_is_no_difference(paid, monkeypatch):
    capture = paid.captures.earliest("provider_capture_id")
    with monkeypatch.context() as before_the_shop_knew:
        before_the_shop_knew.setattr(movements, "read_known", lambda *_args: Known({}, {}, {}, {}))
        movements_record("stripe", [moved("txn_1", capture.provider_capture_id, minor=capture.amount_minor)])
    legs_by_entry = movements.legs_by_entry

    def explain_first(facts: Any) -> Any:
        monkeypatch.setattr(movements, "legs_by_entry", legs_by_entry)
        movements_explain("stripe")
        return legs_by_entry(facts)

    monkeypatch.setattr(movements, "legs_by_entry", explain_first)

    assert list(movements_unbooked()) == []
    assert ProviderMovement.objects.get().explained_by == "capture"


def test_statements_of_the_check_do_not_grow_with_movements_that_are_booked(others):
    with CaptureQueriesContext(connection) as few:
        assert list(movements_unbooked()) == []
    movements_record("stripe", [moved(f"txn_{n}", kind=MovementKind.FEE, minor=-100) for n in range(2, 9)])

    with CaptureQueriesContext(connection) as many:
        assert list(movements_unbooked()) == []

    assert len(many) == len(few)


# ---- disputes that are not decided -----------------------------------------------------------------------------


def test_dispute_is_compared_with_its_movements_once_it_is_decided(paid, time_machine):
    def report(status: RemoteDisputeStatus) -> list[str]:
        apply_card_captures(paid, disputes=(RemoteDispute("du_1", usd("5.00"), status),))
        time_machine.move_to(timezone.now() + LONG_AGO, tick=False)
        return [row.detail for row in find_differences("stripe") if "disputes" in row.detail]

    movements_record("stripe", [moved("txn_d", "du_1", MovementKind.DISPUTE, -500)])
    assert report(RemoteDisputeStatus.OPEN) == []
    movements_explain("stripe")
    assert report(RemoteDisputeStatus.OPEN) == []
    assert report(RemoteDisputeStatus.LOST) == []
    [kept] = report(RemoteDisputeStatus.WON)
    assert "0.00 USD of" in kept
    assert "took 5.00 USD" in kept
