"""What artisans pay of their debts, and what is written off: booked, shown, reversed, and never twice."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.personal_data import approval_refusals
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from artisans.earnings.approvals import settlement_reverse_submit, settlement_submit
from artisans.earnings.errors import (
    MayNotSettle,
    OwedChanged,
    SettlementAboveDebt,
    SettlementReversed,
)
from artisans.earnings.models import Debt, Settlement, SettlementMeans
from artisans.earnings.selectors import account_of, all_lines
from artisans.earnings.settlements import (
    SettlementRequest,
    settlement_book,
    settlement_record,
    settlement_reverse,
)
from artisans.earnings.tests.conftest import figures
from artisans.ledger.accounts import AccountKind
from artisans.ledger.selectors import balances
from artisans.privacy.selectors import person_of_user
from orders.errors import OwnMoney
from payments.bookkeeping.ledger import find_ledger_errors, ledger_fill_sources
from payments.errors import AlreadyRecorded
from payments.tests.factories import record as receive
from payments.tests.factories import start, usd
from tests.append_only import rewriting
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def treasurer(staff):
    staff.groups.add(Group.objects.get(name="Artisans’ money"))
    return staff


def paid(amount: str = "25.00", **changes: object) -> SettlementRequest:
    facts = {"means": SettlementMeans.BANK, "amount": usd(amount), "reference": "STMT-77"}
    return SettlementRequest(**{"value_date": timezone.localdate(), **facts, **changes})


def written_off(amount: str = "25.00", **changes: object) -> SettlementRequest:
    facts = {"means": SettlementMeans.WRITE_OFF, "reference": "", "note": "Closed the workshop."}
    return paid(amount, **{**facts, **changes})


def on_account(kind: AccountKind) -> int:
    return sum(amount.minor for account, amount in balances() if account.kind == kind)


def test_a_payment_and_a_write_off_end_the_debt_and_reversing_reopens_it(debt, potter, treasurer):
    record = {"debt_id": debt.pk, "actor": treasurer}
    first = settlement_record(request=paid("25.00", note="Paid early."), **record)
    settlement_record(request=paid("5.00", reference="STMT-78"), **record)
    last = settlement_record(request=written_off("30.00"), **record)

    assert figures(potter)[1] == "0.00"
    assert [on_account(kind) for kind in (AccountKind.BANK, AccountKind.BAD_DEBT)] == [3000, 3000]
    debt.refresh_from_db()
    assert debt.ended_at is not None

    settlement_reverse(settlement_id=first.pk, reason="The transfer was recalled.", actor=treasurer)
    settlement_reverse(settlement_id=last.pk, reason="The wrong artisan.", actor=treasurer)
    with pytest.raises(SettlementReversed):
        settlement_reverse(settlement_id=first.pk, reason="Again.", actor=treasurer)

    assert figures(potter)[1] == "-55.00"
    assert on_account(AccountKind.BAD_DEBT) == 0
    assert Debt.objects.get().ended_at is None
    texts = [line.text for line in all_lines(potter, account_of(potter, "available", "USD"))][-5:]
    assert texts == [
        f"You paid the shop: {debt.number}",
        f"You paid the shop: {debt.number}",
        f"Debt written off: {debt.number}",
        f"Your payment was reversed: {debt.number}",
        f"Write-off reversed: {debt.number}",
    ]
    assert settlement_record(request=paid("25.00"), **record)  # the reference is free again
    actions = set(
        AuditEntry.objects.filter(target_type="earnings.Settlement").values_list("action", flat=True)
    )
    assert actions == {"debt.settle", "debt.write_off", "debt.reverse"}


def test_bad_input_is_refused_and_nothing_is_written(debt, potter, treasurer, powerless_staff):
    day = timezone.localdate()
    for request, error in (
        (paid("0.00"), InvalidInput),
        (replace(paid(), amount=Money(2500, "EUR")), InvalidInput),
        (paid(value_date=day + timedelta(days=1)), InvalidInput),
        (paid(value_date=date(26, 11, 26)), InvalidInput),
        (paid(reference=" – "), InvalidInput),
        (written_off(note=" "), InvalidInput),
        (paid("60.01"), SettlementAboveDebt),
        (written_off("60.01", beyond_owed=True), SettlementAboveDebt),
        (paid(seen=usd("59.99")), OwedChanged),
    ):
        with pytest.raises(error):
            settlement_record(debt_id=debt.pk, request=request, actor=treasurer)
    with pytest.raises(MayNotSettle):
        settlement_record(debt_id=debt.pk, request=paid(), actor=powerless_staff)
    type(potter).objects.filter(pk=potter.pk).update(user=treasurer)
    with pytest.raises(OwnMoney):
        settlement_record(debt_id=debt.pk, request=paid(), actor=treasurer)
    assert not Settlement.objects.exists()
    assert figures(potter)[1] == "-60.00"


def test_money_is_recorded_once_and_a_surplus_only_when_it_is_confirmed(debt, potter, treasurer, sell, bowl):
    record = {"debt_id": debt.pk, "actor": treasurer}
    settlement_record(request=paid("70.00", beyond_owed=True), **record)
    with pytest.raises(AlreadyRecorded, match=r"\$70.00 with the reference STMT-77 .* for the debt SET-"):
        settlement_record(request=paid("1.00", reference="stmt 77", beyond_owed=True), **record)
    assert figures(potter)[1] == "10.00"

    order = start(items={bowl: 1})
    with pytest.raises(AlreadyRecorded):
        receive(order, "1.00", actor=treasurer, reference="STMT-77")
    receive(order, "1.00", actor=treasurer, reference="STMT-78")
    with pytest.raises(AlreadyRecorded):
        settlement_record(request=paid("1.00", reference="STMT-78", beyond_owed=True), **record)


def test_above_the_limit_a_colleague_decides_and_parts_are_added_up(
    debt, treasurer, admin_user, store, potter
):
    store.second_person_above_minor = 4000
    store.save()
    submit = {"debt": debt, "actor": treasurer}
    first = settlement_submit(request=written_off("25.00"), **submit)
    assert isinstance(first, Settlement)
    assert isinstance(settlement_submit(request=paid("30.00"), **submit), Settlement)  # not the same way
    settlement_reverse_submit(
        settlement=Settlement.objects.get(means="bank"), reason="Recalled.", actor=treasurer
    )
    pending = settlement_submit(request=written_off("35.00"), **submit)

    assert isinstance(pending, ApprovalRequest)
    assert list(approval_refusals(person_of_user(potter.user)))
    assert figures(potter)[1] == "-35.00"
    approval_approve(approval_id=pending.pk, actor=admin_user)
    assert figures(potter)[1] == "0.00"

    reversal = settlement_reverse_submit(settlement=first, reason="Paid after all.", actor=treasurer)
    assert isinstance(reversal, Settlement)
    large = Settlement.objects.get(amount_minor=3500)
    store.second_person_above_minor = 3000
    store.save()
    pending = settlement_reverse_submit(settlement=large, reason="Paid after all.", actor=treasurer)
    assert isinstance(pending, ApprovalRequest)
    assert list(approval_refusals(person_of_user(potter.user)))
    approval_approve(approval_id=pending.pk, actor=admin_user)
    assert not list(approval_refusals(person_of_user(potter.user)))
    assert figures(potter)[1] == "-60.00"


def test_an_approved_write_off_fails_if_another_amount_is_owed_by_then(
    debt, treasurer, admin_user, store, potter
):
    store.second_person_above_minor = 2000
    store.save()

    submit = {"debt": debt, "actor": treasurer}
    write_off = settlement_submit(request=written_off("30.00"), **submit)
    transfer = settlement_submit(request=paid("35.00"), **submit)
    settlement_record(debt_id=debt.pk, request=paid("20.00", reference="STMT-78"), actor=treasurer)

    failed = approval_approve(approval_id=write_off.pk, actor=admin_user)
    assert (failed.status, figures(potter)[1]) == ("FAILED", "-40.00")
    assert "now owes $40.00" in failed.note
    assert approval_approve(approval_id=transfer.pk, actor=admin_user).status == "APPROVED", "it was received"
    assert figures(potter)[1] == "-5.00"


def test_staff_record_write_off_and_reverse_on_pages(debt, potter, browser, treasurer):
    client = browser(treasurer)
    address = admin_page_url(debt, "settle")
    shown = page(client.get(address))
    assert "owes $60.00" in shown.text
    form = {
        "means": "bank",
        "amount": "61.00",
        "value_date": str(timezone.localdate()),
        "reference": "R 12",
        "seen": shown.one("input", name="seen").attrs["value"],
    }
    assert "If more was received, confirm it" in page(client.post(address, form)).text
    assert "Must be unique" in page(client.post(address, form | {"reference": ""})).text
    cash = form | {"means": "cash", "amount": "20.00"}  # of a page of the release before
    assert "Pay cash into the bank account" in page(client.post(address, cash)).one("main").text
    assert not Settlement.objects.exists()
    client.post(address, form | {"amount": "20.00"})
    changed = page(client.post(address, form | {"amount": "20.00", "reference": "R 13"}))
    assert "now owes $40.00" in changed.text
    assert changed.one("input", name="seen").attrs["value"] == "4000"
    assert Settlement.objects.get().amount == usd("20.00")

    address = admin_page_url(debt, "write_off")
    assert "Enter" not in page(client.get(address)).text
    client.post(address, {"amount": "10.00", "note": "Closed the workshop.", "seen": "4000"})
    client.post(address, {"amount": "10.00", "note": "Closed the workshop.", "seen": "4000"})  # pressed twice
    assert figures(potter)[1] == "-30.00"
    detail = page(client.get(admin_page_url(debt))).text
    for text in ("Owed now $30.00", "R 12", "Closed the workshop.", "Written off"):
        assert text in detail

    paid_row = Settlement.objects.get(means="bank")
    assert "$20.00 of the debt" in page(client.get(admin_page_url(paid_row, "reverse"))).text
    client.post(admin_page_url(paid_row, "reverse"), {"reason": "Counted wrongly."})
    assert "Counted wrongly." in page(client.get(admin_page_url(paid_row))).text
    assert "already reversed" in page(client.get(admin_page_url(paid_row, "reverse"))).text
    assert "2 settlements" in page(client.get(admin_list_url(Settlement))).text


def test_nothing_is_written_off_that_a_reserve_covers(released, potter, store, dispute, treasurer):
    """Until the next hourly task takes it from there."""
    store.reserve_ppm, store.reserve_days = 100_000, 90
    store.save()
    payment = released()
    debt = Debt.objects.create(artisan=potter, currency="USD")
    dispute(payment, "99.99", "lost")
    assert figures(potter) == ("0.00", "-9.14", "9.14")

    with pytest.raises(SettlementAboveDebt):
        settlement_record(request=written_off("9.14"), debt_id=debt.pk, actor=treasurer)

    assert figures(potter) == ("0.00", "-9.14", "9.14")


def test_cash_is_paid_into_the_bank_account_first(debt, potter, treasurer):
    """No deposit takes an artisan's cash from its account: what is there already is reversed and recorded again."""
    with pytest.raises(InvalidInput, match="Pay cash into the bank account"):
        settlement_record(debt_id=debt.pk, request=paid("25.00", means=SettlementMeans.CASH), actor=treasurer)
    old = Settlement.objects.create(
        debt=debt,
        means=SettlementMeans.CASH,
        currency="USD",
        amount_minor=2500,
        value_date=timezone.localdate(),
        reference="R 1",
        reference_key="R1",
        actor=treasurer,
    )
    settlement_book(old.pk)
    assert (on_account(AccountKind.CASH), figures(potter)[1]) == (2500, "-35.00")

    settlement_reverse(settlement_id=old.pk, reason="Paid in.", actor=treasurer)
    settlement_record(debt_id=debt.pk, request=paid("25.00"), actor=treasurer)

    assert (on_account(AccountKind.CASH), on_account(AccountKind.BANK)) == (0, 2500)
    assert figures(potter)[1] == "-35.00"


def test_the_artisan_and_the_ledger_show_it(debt, potter, browser, treasurer, admin_user):
    settlement_record(debt_id=debt.pk, request=paid("25.00"), actor=treasurer)
    settlement_record(debt_id=debt.pk, request=written_off("5.00"), actor=treasurer)

    shown = page(browser(potter.user).get("/shop/artisan/earnings/")).text
    assert "$25.00 paid on" in shown
    assert "$5.00 written off on" in shown
    money = page(browser(admin_user).get(reverse("admin:ledger_artisan", args=[potter.pk]))).text
    assert f"{potter.name} paid the shop $25.00, which was received in the bank account." in money
    found = page(browser(admin_user).get(f"/admin/ledger/ledgerentry/?q={debt.number}")).text
    assert "2 ledger entries" in found


def test_a_settlement_that_differs_from_the_ledger_is_found_and_booked(debt, treasurer, broken_books):
    settlement_record(debt_id=debt.pk, request=paid("25.00"), actor=treasurer)
    with rewriting():
        Settlement.objects.update(amount_minor=2400)
    assert len(list(find_ledger_errors())) == 1
    ledger_fill_sources()
    assert list(find_ledger_errors()) == []
