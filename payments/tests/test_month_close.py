"""Closing a month in the admin: what must hold, a second person, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from celery.states import FAILURE, SUCCESS
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.accounts.tests.sign_in import sign_in
from artisans.approvals.errors import SecondPersonRequired
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.approvals.statuses import ApprovalStatus
from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.core.errors import InvalidInput
from artisans.core.heartbeats import record_run
from artisans.core.models import Heartbeat
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.errors import NoPermission
from artisans.ledger.models import EntryKind, LedgerPeriod
from artisans.ledger.services import Fact, fact_book, period_close
from orders.models import StoreRules
from payments import tasks
from payments.bookkeeping import ledger
from payments.bookkeeping import month_close as month_close_module
from payments.bookkeeping.month_close import COMPARED, Condition, month_close
from payments.models import Operation, ProviderCall
from payments.tasks import check_ledger_task
from payments.tests.factories import start
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
NOVEMBER = datetime(2025, 11, 30, 12, tzinfo=UTC)
BANK, FEE, UNEXPLAINED = (
    AccountKey(kind, "USD") for kind in (AccountKind.BANK, AccountKind.FEE_OTHER, AccountKind.SUSPENSE)
)
CLOSE = reverse("admin:ledger_close_month")


def book(*legs: Leg, at: datetime = NOVEMBER) -> None:
    fact_book(Fact(id=uuid4(), kind=EntryKind.RECEIPT, legs=list(legs), happened_at=at))


@pytest.fixture(autouse=True)
def november():
    """A month with an entry, and a nightly comparison since that found nothing."""
    book(Leg(BANK, 500), Leg(FEE, -500))
    Heartbeat.objects.create(name=COMPARED, at=timezone.now(), succeeded_at=timezone.now())


def keeper(email: str):
    found = UserFactory.create(email=email, role=Role.STAFF)
    found.groups.set(Group.objects.filter(name="Bookkeeping"))
    return found


@pytest.fixture
def bookkeeper(db):
    return keeper("books@example.test")


@pytest.fixture
def compared(monkeypatch):
    """Closing by command compares first; here the month's entry stands for nothing."""
    monkeypatch.setattr(ledger, "find_ledger_errors", lambda: iter(()))


@pytest.fixture
def client(browser, bookkeeper):
    return browser(bookkeeper)


def press(client, **changes: str):
    """Press the button of the page as it is now."""
    shown = page(client.get(CLOSE)).all("input", name="first_day")  # none while the month may not be closed
    return client.post(CLOSE, {"first_day": shown[0].attrs["value"] if shown else ""} | changes)


def text_of(answer) -> str:
    return page(answer).one("main").text


def test_a_month_is_closed_once_everything_holds(client, bookkeeper):
    assert CLOSE in client.get(admin_list_url(LedgerPeriod)).content.decode()
    shown = client.get(CLOSE)
    assert "Not yet" not in text_of(shown)
    assert "Close November 2025" in text_of(shown)
    assert not LedgerPeriod.objects.exists()

    answer = press(client)
    period = LedgerPeriod.objects.get()
    assert answer.headers["Location"] == admin_page_url(period)
    assert (period.last_day, period.closed_by, period.note) == (date(2025, 11, 30), bookkeeper, "")
    assert AuditEntry.objects.get(action="ledger.close").data == {"month": "2025-11-01 – 2025-11-30"}
    assert "Close December 2025" in text_of(client.get(CLOSE))


def test_a_form_that_is_sent_twice_closes_one_month(client):
    shown = page(client.get(CLOSE)).one("input", name="first_day").attrs["value"]
    client.post(CLOSE, {"first_day": shown})

    again = client.post(CLOSE, {"first_day": shown})

    assert "This month has been closed in the meantime." in text_of(again)
    assert LedgerPeriod.objects.count() == 1
    client.post(CLOSE, {})
    assert LedgerPeriod.objects.count() == 1


def test_a_month_that_a_colleague_closes_after_the_checks_leaves_the_next_one_open(
    client, bookkeeper, monkeypatch
):
    def conditions() -> list[Condition]:
        period_close(closed_by=bookkeeper)
        return []

    monkeypatch.setattr(month_close_module, "closing_conditions", conditions)
    assert "This month has been closed in the meantime." in text_of(press(client))
    assert LedgerPeriod.objects.get().last_day == date(2025, 11, 30)


def test_only_staff_with_the_permission_close_it(browser, staff, bookkeeper):
    staff.groups.set(Group.objects.filter(name="Auditors"))
    auditor = browser(staff)
    assert CLOSE not in auditor.get(admin_list_url(LedgerPeriod)).content.decode()
    assert auditor.get(CLOSE).status_code == auditor.post(CLOSE).status_code == 403
    with pytest.raises(NoPermission):
        month_close(closed_by=staff)
    earlier = Client()
    sign_in(earlier, bookkeeper, minutes_ago=60)
    assert "/reauthenticate/" in earlier.get(CLOSE).headers["Location"]
    assert earlier.post(CLOSE).status_code == 403
    assert not LedgerPeriod.objects.exists()


def test_a_month_that_is_not_over_stays_open(client):
    press(client)
    while (last := LedgerPeriod.objects.first()).open_from < timezone.localdate().replace(day=1):
        press(client)
    refused = text_of(client.get(CLOSE))
    assert "Not yet: The month is over. The month can be closed from" in refused
    assert "The month can be closed from" in text_of(press(client))
    assert LedgerPeriod.objects.first() == last


@pytest.mark.parametrize(
    ("beat", "problem"),
    [
        (None, "It has not succeeded since."),
        ({"at": NOVEMBER, "succeeded_at": NOVEMBER}, "It has not succeeded since."),
        ({"at": timezone.now(), "succeeded_at": None}, "It has not succeeded since."),
        (
            {"at": timezone.now(), "succeeded_at": NOVEMBER + timedelta(days=2)},
            "The last one found differences, or failed.",
        ),
    ],
    ids=["never", "before the end", "never well", "not well lately"],
)
def test_the_nightly_comparison_must_have_found_nothing_since(client, bookkeeper, beat, problem):
    Heartbeat.objects.all().delete()
    if beat:
        Heartbeat.objects.create(name=COMPARED, **beat)
    assert problem in text_of(client.get(CLOSE))
    with pytest.raises(InvalidInput, match=problem):
        month_close(closed_by=bookkeeper)
    assert month_close(closed_by=bookkeeper, is_compared=True)


def night() -> None:
    """The task, and what the worker notes of every task."""
    state = FAILURE
    try:
        check_ledger_task()
        state = SUCCESS
    finally:
        record_run(check_ledger_task, state)


def test_a_night_without_a_comparison_does_not_count_as_one(client, monkeypatch):
    """While the earnings of an earlier release are still being booked."""
    Heartbeat.objects.all().delete()
    monkeypatch.setattr(tasks, "ledger_fill", lambda payments: None)
    monkeypatch.setattr(tasks, "earnings_fill", lambda: False)
    night()
    assert "It has not succeeded since." in text_of(client.get(CLOSE))

    monkeypatch.setattr(tasks, "earnings_fill", lambda: True)
    with pytest.raises(tasks.LedgerError):  # the month's entry stands for nothing
        night()
    assert "It has not succeeded since." in text_of(client.get(CLOSE))

    monkeypatch.setattr(tasks, "find_ledger_errors", lambda: iter(()))
    night()
    assert "Not yet" not in text_of(client.get(CLOSE))


@pytest.mark.usefixtures("broken_books")  # the month's entry stands for nothing
def test_an_unknown_outcome_of_more_than_a_day_keeps_it_open(client, bookkeeper):
    old, new = start(), start()
    for payment, age in ((old, 25), (new, 23)):
        call = ProviderCall.objects.create(provider="stripe", operation=Operation.CREATE, payment=payment)
        ProviderCall.objects.filter(pk=call.pk).update(created_at=timezone.now() - timedelta(hours=age))
    shown = text_of(client.get(CLOSE))
    assert f"The outcome is not known for {old.payment_number}. Open each payment" in shown
    assert new.payment_number not in shown
    with pytest.raises(InvalidInput, match=old.payment_number):
        month_close(closed_by=bookkeeper, is_compared=True, note="no")


def test_unexplained_money_needs_a_written_reason(client, bookkeeper, compared):
    book(Leg(BANK, 1200), Leg(UNEXPLAINED, -1200))
    book(Leg(UNEXPLAINED, 1200), Leg(FEE, -1200), at=NOVEMBER + timedelta(days=2))  # explained in December
    assert "-$12.00 is unexplained." in text_of(client.get(CLOSE))
    assert "-$12.00 is unexplained." in text_of(press(client, note="  "))
    with pytest.raises(InvalidInput, match="unexplained"):
        ledger.ledger_close_month(closed_by=bookkeeper)
    assert not LedgerPeriod.objects.exists()

    press(client, note="A transfer without a reference; the bank was asked.")
    period = LedgerPeriod.objects.get()
    assert period.note == "A transfer without a reference; the bank was asked."
    assert period.note in text_of(client.get(admin_page_url(period)))
    assert AuditEntry.objects.get(action="ledger.close").data["note"] == period.note


def test_a_second_person_approves_where_the_store_rules_ask(client, bookkeeper, compared):
    StoreRules.objects.update(second_person_for_settings=True)
    assert "Ask a colleague to approve" in text_of(client.get(CLOSE))
    assert "ledger.close_period" in text_of(press(client))  # nobody else could approve
    second = keeper("second@example.test")

    answer = press(client)
    request = ApprovalRequest.objects.get()
    assert answer.headers["Location"] == admin_page_url(request)
    assert request.title == "Close November 2025 in the ledger"
    assert not LedgerPeriod.objects.exists()
    assert "already" in text_of(press(client))
    with pytest.raises(SecondPersonRequired):
        ledger.ledger_close_month(closed_by=bookkeeper)

    done = approval_approve(approval_id=request.pk, actor=second)
    assert done.status == ApprovalStatus.APPROVED
    assert LedgerPeriod.objects.get().closed_by == bookkeeper
    assert AuditEntry.objects.get(action="ledger.close").data["approved_by"] == second.email


def test_an_approval_closes_the_month_that_was_meant_and_no_other(client, bookkeeper):
    StoreRules.objects.update(second_person_for_settings=True)
    second = keeper("second@example.test")
    press(client)
    StoreRules.objects.update(second_person_for_settings=False)
    month_close(closed_by=second)
    done = approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    assert (done.status, done.note) == (ApprovalStatus.FAILED, "This month has been closed in the meantime.")
    assert LedgerPeriod.objects.count() == 1
