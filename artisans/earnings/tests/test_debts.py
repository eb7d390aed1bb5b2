"""Artisans who owe the shop: they see why, and are asked for it once."""

import pytest

from artisans.earnings.debts import debts_to_follow
from artisans.earnings.models import Debt
from artisans.earnings.selectors import account_of
from artisans.earnings.tasks import release_task
from artisans.earnings.tests.conftest import figures, lines_page, money
from artisans.notifications.models import Notification
from payments.models import Receipt
from payments.tests.factories import usd

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


def test_debts_are_found_account_by_account(indebted, potter, scarf, sell, monkeypatch):
    monkeypatch.setattr("artisans.earnings.debts.CHUNK", 1)
    sell(scarf=1)
    assert list(debts_to_follow()) == [(potter.pk, "USD")]


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
