"""Staff record cash on delivery by parcel in the admin and by the API, and see who holds it."""

import pytest
from django.urls import reverse
from django.utils import timezone

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve, approval_withdraw
from artisans.core.admin.pages import admin_page_url
from artisans.core.templatetags.money import show
from artisans.ledger.models import LedgerEntry
from orders.models import Parcel, StoreRules
from orders.services.parcels import parcel_report_cash, parcel_ship
from orders.statuses import CashHolder
from payments.admin.cash import WHOLE_ORDER, record_url
from payments.approvals import receipt_submit
from payments.errors import OwnCashReport
from payments.lifecycle.cash import IncomingMoney
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import CashDeposit, Payment, Receipt, ReversalReason
from payments.tests.factories import give_back, record, start, usd
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

QUEUE = "/admin/payments/payment/?needs=cash"


@pytest.fixture
def cash(bowl, scarf, shopper) -> Payment:
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)


@pytest.fixture
def parcels(cash) -> list[Parcel]:
    return list(cash.order.parcels.select_related("artisan__user", "order").order_by("number"))


def money(parcel: Parcel, **changes: str) -> dict[str, str]:
    day = timezone.localdate().isoformat()
    filled = {"amount": parcel.total.amount, "value_date": day, "bank_reference": str(parcel), "seen": "0"}
    return filled | changes


def report(parcel: Parcel) -> None:
    user = parcel.artisan.user
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=user)
    parcel_report_cash(parcel_id=parcel.pk, actor=user)


def test_page_offers_each_parcel_and_the_whole_order(browser, staff, cash, parcels):
    first, _second = parcels
    opened = page(browser(staff).get(admin_page_url(cash, "record")))
    links = [link.attrs.get("href") for link in opened.all("a", class_="aa-button")]
    assert {record_url(cash, str(parcel.pk)) for parcel in parcels} <= set(links)
    assert opened.one("input", name="amount").attrs["value"] == cash.amount.amount
    assert not opened.all("input", name="holder")

    chosen = page(browser(staff).get(record_url(cash, str(first.pk))))
    assert f"Record cash for parcel {first.number}, {first.artisan.name}" in chosen.text
    assert chosen.one("input", name="amount").attrs["value"] == first.total.amount
    assert chosen.one("input", name="bank_reference").attrs["value"] == str(first)
    assert record_url(cash, WHOLE_ORDER) in [link.attrs.get("href") for link in chosen.all("a")]


def test_only_parcel_of_an_order_is_chosen_unless_the_whole_order_is(browser, staff, bowl, shopper):
    StoreRules.objects.update(cash_holder=CashHolder.COURIER)
    payment = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    client = browser(staff)
    assert "Record cash for parcel 1" in page(client.get(admin_page_url(payment, "record"))).text
    assert "Record cash for parcel" not in page(client.get(record_url(payment, WHOLE_ORDER))).text
    client.post(admin_page_url(payment, "record"), money(payment.order.parcels.get()))
    assert Receipt.objects.get().holder == CashHolder.COURIER


def test_recorded_cash_is_shown_with_its_holder(browser, staff, cash, parcels):
    first, second = parcels
    client = browser(staff)
    done = client.post(record_url(cash, str(first.pk)), money(first, holder="courier"), follow=True)

    assert f"{show(first.total)} recorded" in page(done).text
    receipt = Receipt.objects.get()
    assert (receipt.parcel, receipt.holder, receipt.bank_reference) == (first, "courier", str(first))
    for address in (admin_page_url(cash), admin_page_url(cash.order)):
        text = page(client.get(address)).text
        assert f"{show(first.total)}: The courier" in text
        assert f"Cash for parcel {first.number}, {first.artisan.name}. Held by: the courier" in text
    links = [link.attrs.get("href") for link in page(client.get(admin_page_url(cash))).all("a")]
    assert record_url(cash, str(first.pk)) not in links
    assert record_url(cash, str(second.pk)) in links


def test_second_tab_is_refused_with_who_recorded_it(browser, staff, admin_user, cash, parcels):
    address = record_url(cash, str(parcels[0].pk))
    first_tab, second_tab = browser(staff), browser(admin_user)
    seen = page(second_tab.get(address)).one("input", name="seen").attrs["value"]
    first_tab.post(address, money(parcels[0]))

    late = page(second_tab.post(address, money(parcels[0], seen=seen, bank_reference="box 7")))

    assert f"was already recorded: {parcels[0].total} by {staff.email}" in late.text
    assert Receipt.objects.count() == 1


def test_parcel_of_another_order_is_not_found(browser, staff, cash, bowl, stranger):
    other = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=stranger)
    for key in (other.order.parcels.get().pk, "x"):
        assert browser(staff).get(record_url(cash, str(key))).status_code == 404


def test_page_refuses_who_reported_the_cash(browser, staff, cash, parcels):
    Parcel.objects.filter(pk=parcels[0].pk).update(cash_reported_by=staff)
    opened = page(browser(staff).get(record_url(cash, str(parcels[0].pk))))
    assert "You reported this cash" in opened.text
    assert not opened.all("input", name="amount")


def test_queue_lists_cash_that_is_reported_and_not_recorded(browser, staff, cash, parcels):
    client = browser(staff)
    assert not page(client.get(QUEUE)).all("table", id="result_list")
    for parcel in parcels:
        report(parcel)
    assert "Cash reported: 2 of 2" in page(client.get(QUEUE)).text

    record(cash, parcels[0].total, actor=staff, parcel_id=parcels[0].pk)
    assert "Cash reported: 2 of 2, 1 recorded" in page(client.get(QUEUE)).text
    Parcel.objects.filter(pk=parcels[1].pk).update(cash_reported_at=None)
    assert not page(client.get(QUEUE)).all("table", id="result_list")


def test_api_records_the_cash_of_a_parcel(api, staff, cash, parcels):
    first, second = parcels
    client, address = api(staff), f"/payments/{cash.pk}/approve"
    body = {name: value for name, value in money(first).items() if name != "seen"}

    answer = client.post(address, body | {"parcel_id": str(first.pk), "holder": "artisan"})

    assert (answer.status_code, answer.json()["received_amount"]) == (200, first.total.amount)
    assert Receipt.objects.get().holder == CashHolder.ARTISAN
    again = body | {"parcel_id": str(first.pk), "bank_reference": "box 7"}
    problem(client.post(address, again), 409, "already_recorded")
    more = {"parcel_id": str(second.pk), "amount": "9999.00", "bank_reference": "box 8"}
    problem(client.post(address, body | more), 400, "invalid_input")
    problem(client.post(address, body | {"holder": "bank"}), 400)
    Parcel.objects.filter(pk=second.pk).update(cash_reported_by=staff)
    problem(client.post(address, body | more | {"amount": "1"}), 403, "own_cash_report")


def test_approved_cash_names_its_parcel_and_holder(staff, admin_user, cash, parcels):
    StoreRules.objects.update(second_person_above_minor=1)
    wanted = IncomingMoney(parcels[0].total, timezone.localdate(), "box 7", parcels[0].pk, CashHolder.ARTISAN)
    request = receipt_submit(payment_id=cash.pk, money=wanted, actor=staff)
    assert isinstance(request, ApprovalRequest)
    assert str(parcels[0]) in str(request.details)

    approval_approve(approval_id=request.pk, actor=admin_user)

    receipt = Receipt.objects.get()
    assert (receipt.parcel, receipt.holder, receipt.actor) == (parcels[0], "artisan", staff)


def test_who_holds_the_cash_by_default_is_decided_and_shown_when_approval_is_requested(
    staff, admin_user, cash, parcels
):
    StoreRules.objects.update(second_person_above_minor=1, cash_holder=CashHolder.COURIER)
    wanted = IncomingMoney(parcels[0].total, timezone.localdate(), "box 7", parcels[0].pk)
    request = receipt_submit(payment_id=cash.pk, money=wanted, actor=staff)
    assert isinstance(request, ApprovalRequest)
    assert "The courier" in str(request.details)
    StoreRules.objects.update(cash_holder=CashHolder.SHOP)

    approval_approve(approval_id=request.pk, actor=admin_user)

    assert Receipt.objects.get().holder == CashHolder.COURIER


def test_nobody_approves_cash_that_they_could_not_record(staff, admin_user, cash, parcels):
    """Neither of a parcel nor of its whole order."""
    StoreRules.objects.update(second_person_above_minor=1)
    for money_of, parcel in ((parcels[0].total, parcels[0].pk), (cash.amount, None)):
        wanted = IncomingMoney(money_of, timezone.localdate(), "box 7", parcel, CashHolder.SHOP)
        request = receipt_submit(payment_id=cash.pk, money=wanted, actor=staff)
        Parcel.objects.filter(pk=parcels[0].pk).update(cash_reported_by=admin_user)

        with pytest.raises(OwnCashReport):
            approval_approve(approval_id=request.pk, actor=admin_user)

        Parcel.objects.filter(pk=parcels[0].pk).update(cash_reported_by=None)
        approval_withdraw(approval_id=request.pk, actor=staff)
    assert not Receipt.objects.exists()


@pytest.mark.parametrize(
    ("holder", "sentence"),
    [
        ("artisan", "You keep it, and it is deducted from your earnings."),
        ("courier", "The courier has it."),
        ("shop", "The shop has it."),
    ],
)
def test_artisan_sees_who_holds_the_recorded_cash(browser, staff, cash, parcels, holder, sentence):
    parcel = parcels[0]
    client, address = browser(parcel.artisan.user), reverse("orders:parcel", args=[parcel.pk])
    receipt = record(cash, parcel.total, actor=staff, parcel_id=parcel.pk, holder=CashHolder(holder))
    recorded = f"We recorded {show(parcel.total)} in cash for this parcel."
    text = page(client.get(address)).text
    assert f"{recorded} {sentence}" in text
    assert "in cash on delivery" not in text

    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.MISTAKE, actor=staff)

    text = page(client.get(address)).text
    assert recorded not in text
    assert f"collect {show(parcel.total)} in cash" in text


# ---- deposits ------------------------------------------------------------------------------------------------

DEPOSIT = "/admin/payments/cashdeposit/record/"


def deposit_form(amount: str, *receipts: Receipt, **changes: str) -> dict[str, object]:
    day = timezone.localdate().isoformat()
    filled: dict[str, object] = {"amount": amount, "fee": "", "value_date": day, "bank_reference": "TR-1"}
    return filled | {"receipts": [str(receipt.pk) for receipt in receipts]} | changes


@pytest.fixture
def held(cash, parcels, staff) -> list[Receipt]:
    return [
        record(cash, parcel.total, actor=staff, parcel_id=parcel.pk, holder=CashHolder.COURIER)
        for parcel in parcels
    ]


def test_transfer_of_a_courier_is_recorded_and_reversed(browser, staff, cash, parcels, held):
    client = browser(staff)
    opened = page(client.get("/admin/payments/cashdeposit/")).one("a", href=DEPOSIT)
    assert "Record a deposit" in opened.text
    listed = page(client.get(DEPOSIT))
    assert f"The courier: {show(cash.amount)} (2)" in listed.text
    assert len(listed.all("input", name="receipts")) == 2
    assert "checked" not in listed.one("input", id="receipt-1").attrs
    assert "checked" in page(client.get(f"{DEPOSIT}?all=1")).one("input", id="receipt-1").attrs

    wrong = page(client.post(DEPOSIT, deposit_form(parcels[0].total.amount, *held)))
    assert f"{cash.amount} in total, {parcels[1].total} more than the amount and fee entered" in wrong.text
    assert "checked" in wrong.one("input", id="receipt-1").attrs
    assert not CashDeposit.objects.exists()

    done = page(client.post(DEPOSIT, deposit_form(cash.amount.amount, *held), follow=True))
    assert f"Deposit of {show(cash.amount)} recorded." in done.text
    assert "2 receipts" in done.text
    deposit = CashDeposit.objects.get()
    again = page(client.post(DEPOSIT, deposit_form(cash.amount.amount, *held)))
    assert "Neither couriers nor the shop" in again.text
    row = page(client.get("/admin/payments/cashdeposit/")).one("table", id="result_list").text
    assert f"TR-1 {show(cash.amount)}" in row

    client.post(admin_page_url(deposit, "reverse"), {"text": "typed twice"})
    shown = page(client.get(admin_page_url(deposit))).text
    assert "Reversed" in shown
    assert "typed twice" in shown
    assert "already been reversed" in page(client.get(admin_page_url(deposit, "reverse"))).text


def test_page_lists_what_is_left_of_cash_that_was_paid_back(browser, staff, cash, parcels):
    gone, receipt = (
        record(cash, parcel.total, actor=staff, parcel_id=parcel.pk, holder=CashHolder.SHOP)
        for parcel in parcels
    )
    give_back(cash, (gone.amount + usd("5.00")).amount, actor=staff)
    client, left = browser(staff), receipt.amount - usd("5.00")
    listed = page(client.get(DEPOSIT))
    assert f"The shop: {show(left)} (1)" in listed.text
    assert [box.attrs["value"] for box in listed.all("input", name="receipts")] == [str(receipt.pk)]
    assert f"{show(left)} left of {show(receipt.amount)}" in listed.text

    done = page(client.post(DEPOSIT, deposit_form(left.amount, receipt, bank_reference="D-1"), follow=True))

    assert f"Deposit of {show(left)} recorded." in done.text
    assert f"{show(left)} left of {show(receipt.amount)}" in done.text


@pytest.mark.parametrize(
    "changes", [{"receipts": ["x"]}, {"receipts": []}, {"amount": "1,0,0"}, {"fee": "-1"}, {"value_date": ""}]
)
def test_deposit_form_keeps_its_input_and_says_what_is_wrong(browser, staff, cash, held, changes):
    filled = deposit_form(cash.amount.amount, *held) | changes
    answer = browser(staff).post(DEPOSIT, filled)
    shown = page(answer)
    assert answer.status_code == 200
    assert shown.all("p", class_="aa-error") or shown.all("div", class_="aa-bad")
    assert shown.one("input", name="bank_reference").attrs["value"] == "TR-1"
    assert not CashDeposit.objects.exists()


def test_deposits_need_the_permission(browser, powerless_staff, staff, held, cash):
    assert browser(powerless_staff).get(DEPOSIT).status_code == 403
    assert browser(powerless_staff).post(DEPOSIT, deposit_form("1.00", *held)).status_code == 403


def test_ledger_names_the_deposit(browser, admin_user, staff, cash, held):
    browser(staff).post(DEPOSIT, deposit_form(cash.amount.amount, *held))
    entry = LedgerEntry.objects.get(kind="cash_deposit")
    text = page(browser(admin_user).get(admin_page_url(entry))).text
    assert "that a courier held in cash came to the bank account" in text
    assert "deposit TR-1" in text
