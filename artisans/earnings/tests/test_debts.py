"""Artisans who owe the shop: they see why, and are asked for it once."""

import pytest
from django.urls import reverse
from django.utils import timezone

from artisans.core.admin.pages import admin_list_url
from artisans.earnings.debts import debts_to_sync
from artisans.earnings.models import Debt, Hold, SettlementMeans
from artisans.earnings.selectors import account_of
from artisans.earnings.settlements import SettlementRequest, settlement_record
from artisans.earnings.tasks import release_task
from artisans.earnings.tests.conftest import figures, lines_page, money
from artisans.notifications.models import Notification
from artisans.workshop.admin import state_address
from artisans.workshop.states import closing_request
from payments.bookkeeping.ledger import find_ledger_errors
from payments.models import Receipt
from payments.tests.factories import usd
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_a_negative_balance_is_recorded_and_asked_for_once(indebted, potter, later, mails):
    assert figures(potter) == ("0.00", "-60.00", "60.00")
    assert (money(potter).payable, money(potter).owed) == (usd("0"), usd("60.00"))
    release_task()
    debt = Debt.objects.get()
    assert debt.number.startswith("SET-")
    later(days=29)
    assert not Notification.objects.filter(kind="balance_owed").exists()

    later(days=1, seconds=1)
    later(days=40)

    [mail] = [found for found in mails(potter.email) if "owe" in found.subject]
    for fact in ("$60.00", debt.number, "contact us", "/shop/artisan/earnings/lines/"):
        assert fact in mail.body
    assert Debt.objects.count() == 1


def test_a_workshop_closed_with_a_negative_balance_stays_in_the_books_and_owes(
    indebted, potter, seller, admin_user, browser, later, mails
):
    """It is shown to staff before and after, followed as a debt like any other, and its artisan can still read why."""
    shown = page(browser(admin_user).get(state_address(potter)))
    assert "owes the shop money" in shown.text
    closing_request(artisan=potter, actor=seller)
    potter.refresh_from_db()
    assert (potter.state, figures(potter)) == ("closed", ("0.00", "-60.00", "60.00"))

    later(hours=1)
    later(days=31)

    debt = Debt.objects.get(artisan=potter, ended_at=None)
    assert debt.number in page(browser(admin_user).get(admin_list_url(Debt))).text
    assert any("owe" in mail.subject for mail in mails(potter.email))
    assert debt.number in page(browser(seller).get(reverse("earnings:earning_list"))).text
    wanted = SettlementRequest(
        means=SettlementMeans.BANK, amount=usd("60.00"), value_date=timezone.localdate(), reference="PAID-1"
    )
    settlement_record(debt_id=debt.pk, request=wanted, actor=admin_user)
    later(hours=1)
    assert not Debt.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("amount", ["99.99", "95.00"])
def test_reserves_pay_what_is_owed_before_the_artisan_is_asked(released, potter, dispute, store, amount):
    store.reserve_ppm, store.reserve_days = 100_000, 90
    store.save()
    payment = released()
    until = Hold.objects.get().until
    dispute(payment, amount, "lost")
    owed = money(potter).owed
    assert owed

    release_task()

    assert (money(potter).available, money(potter).held) == (usd("0.00"), usd("9.14") - owed)
    assert not Debt.objects.exists()
    assert [hold.until for hold in Hold.objects.filter(released_at=None)] == [until] * (amount == "95.00")
    assert list(find_ledger_errors()) == []


def test_debts_are_found_account_by_account(indebted, potter, scarf, sell, monkeypatch):
    monkeypatch.setattr("artisans.earnings.debts.CHUNK", 1)
    sell(scarf=1)
    assert list(debts_to_sync()) == [(potter.pk, "USD")]


def test_balances_are_read_where_something_was_booked_lately_and_of_each_account_once_a_day(
    indebted, potter, monkeypatch, time_machine
):
    assert list(debts_to_sync()) == [(potter.pk, "USD")]
    monkeypatch.setattr("artisans.earnings.debts.RECENT", 0)
    found = []
    for hour in range(24):
        time_machine.move_to(timezone.now().replace(hour=hour), tick=False)
        found += debts_to_sync()
    assert found == [(potter.pk, "USD")]


def test_lines_show_why(indebted, potter):
    [newest, *_rest] = lines_page(potter, account_of(potter, "available", "USD"), size=5).lines
    assert (newest.text, newest.amount.amount, newest.balance.amount) == (
        "Refunded to the buyer",
        "-91.44",
        "-60.00",
    )
    assert newest.parcel.order == indebted.order


def test_later_releases_pay_it_off(indebted, potter, sell, deliver, later):
    release_task()
    deliver(sell())
    later(days=15)

    assert figures(potter)[1] == "31.44"
    assert Debt.objects.get().ended_at is not None
    assert not Receipt.objects.exists()
