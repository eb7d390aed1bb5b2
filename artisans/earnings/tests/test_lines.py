"""The lines of an artisan's accounts: each with the balance after it, their own only."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Sum
from django.test import override_settings
from django.utils import timezone
from time_machine import travel

from artisans.earnings.selectors import (
    Line,
    account_of,
    all_lines,
    postings_of,
)
from artisans.earnings.tasks import release_task
from artisans.earnings.tests.conftest import lines_page, money, paid, parcels_deliver, with_commission
from artisans.ledger.models import LedgerPosting
from artisans.ledger.selectors import with_start
from artisans.ledger.services import period_close
from artisans.ledger.tests.test_reading import POSTINGS_OF_OTHERS
from orders.services.parcels import parcel_deliver, parcel_ship
from payments.bookkeeping.refunds import refund_finish
from payments.refunds.staff import refund_open
from payments.tests.factories import remote_refund_of, usd
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def account(artisan, name="available"):
    return account_of(artisan, name, "USD")


def walked(artisan, *, size: int, name: str = "available") -> list[Line]:
    """All lines, page after page from the newest."""
    page = lines_page(artisan, account(artisan, name), size=size)
    found = list(page.lines)
    while page.older:
        page = lines_page(artisan, account(artisan, name), before=page.older, size=size)
        found += page.lines
    return found


@pytest.fixture(scope="module")
def busy(module_db):
    """Three sales are released; one of them is partly refunded, and another later on."""
    with override_settings(STRIPE_SECRET_KEY="sk_test_of_nobody"):
        bowl, shopper, staff = rows.bowl(), rows.shopper(), rows.staff()
        with_commission(bowl.artisan)
        with travel(timezone.now() - timedelta(days=16), tick=False) as clock:
            payments = [paid({bowl: 1}, shopper) for _ in range(3)]
            for payment in payments:
                parcels_deliver(payment)
            clock.shift(timedelta(days=15))
            release_task()
            for payment, amount in ((payments[0], "10.00"), (payments[1], "99.99")):
                refund = refund_open(
                    payment_id=payment.pk, reason="Chipped.", actor=staff, amount=usd(amount)
                )
                refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund))
    return payments


def test_lines_say_what_happened_and_lead_to_the_balance(busy, potter):
    lines = walked(potter, size=50)

    assert [(line.text, line.amount.amount, line.balance.amount) for line in lines] == [
        ("Refunded to the buyer", "-91.44", "173.73"),
        ("Refunded to the buyer", "-9.15", "265.17"),
        ("Released", "91.44", "274.32"),
        ("Released", "91.44", "182.88"),
        ("Released", "91.44", "91.44"),
    ]
    assert lines[0].balance == money(potter).available
    assert lines[0].parcel.order == busy[1].order


@pytest.mark.parametrize("size", [1, 2, 3, 5, 50])
def test_every_page_has_the_same_lines_and_balances(busy, potter, size):
    assert walked(potter, size=size) == walked(potter, size=100)


def test_newer_pages_lead_back(busy, potter):
    first = lines_page(potter, account(potter), size=2)
    second = lines_page(potter, account(potter), before=first.older, size=2)
    third = lines_page(potter, account(potter), before=second.older, size=2)
    assert third.older is None

    back = lines_page(potter, account(potter), after=third.newer, size=2)

    assert back.lines == second.lines
    assert lines_page(potter, account(potter), after=back.newer, size=2).lines == first.lines
    assert lines_page(potter, account(potter), after=back.newer, size=2).newer is None


def test_one_line_read_alone_has_the_balance_after_it(busy, potter):
    lines = walked(potter, size=50)
    alone = lines_page(potter, account(potter), after=lines[3].posting.pk, size=1)
    assert alone.lines == [lines[2]]


def test_balances_go_on_from_a_closed_month(busy, potter, admin_user, later, time_machine):
    before = walked(potter, size=2)
    time_machine.shift(40 * 86_400)
    period_close(closed_by=admin_user)

    assert walked(potter, size=2) == before
    assert walked(potter, size=1) == before
    assert [line.posting.pk for line in all_lines(potter, account(potter), chunk=2)] == [
        line.posting.pk for line in before[::-1]
    ]


def test_the_download_has_the_same_lines_oldest_first(busy, potter):
    assert list(all_lines(potter, account(potter), chunk=2)) == walked(potter, size=50)[::-1]


def test_a_posting_that_is_committed_between_two_pages_changes_no_balance(busy, potter, sell, deliver, later):
    first = lines_page(potter, account(potter), size=2)
    expected = walked(potter, size=2)[2:4]
    deliver(sell())
    later(days=15)

    second = lines_page(potter, account(potter), before=first.older, size=2)

    assert second.lines == expected


def test_lines_of_an_artisan_who_sold_nothing(other_seller):
    artisan = other_seller.artisan
    assert lines_page(artisan, account(artisan), size=5).lines == []
    assert list(all_lines(artisan, None)) == []


def test_lines_are_the_artisans_own(busy, potter, other_seller, scarf, sell, later):
    payment = sell(scarf=1)
    for parcel in payment.order.parcels.all():
        parcel_ship(parcel_id=parcel.pk, carrier="x", tracking="", actor=parcel.artisan.user)
        parcel_deliver(parcel_id=parcel.pk, actor=parcel.artisan.user)
    later(days=15)

    for artisan in (potter, other_seller.artisan):
        for name in ("available", "pending", "held"):
            lines = walked(artisan, size=3, name=name)
            assert {line.posting.account.artisan_id for line in lines} <= {artisan.pk}
            assert {line.parcel.artisan_id for line in lines} <= {artisan.pk}
    assert len(walked(other_seller.artisan, size=3)) == 1


def test_the_number_of_queries_does_not_grow_with_the_page(busy, potter, django_assert_num_queries):
    found = account(potter)
    for size in (1, 5):
        with django_assert_num_queries(4):  # the last checkpoint, the page, its entries and parcels
            lines_page(potter, found, size=size)


@pytest.mark.postgresql
def test_a_page_and_a_balance_read_only_an_index(busy, potter):
    """Among 2,000,000 postings both depend on the postings since the last closed month and on the page alone."""
    found = account(potter)
    with connection.cursor() as cursor:  # tables of a test are small
        cursor.execute(POSTINGS_OF_OTHERS)
        for kind in ("seqscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
    page = with_start(postings_of(found), found)[:21]
    total = LedgerPosting.objects.filter(account=found, id__gt=7).order_by().values("account")
    for found in (page, total.annotate(sum=Sum("amount_minor"))):
        plan = found.explain()
        assert "ledger_posting_of_account" in plan
        assert "Seq Scan on ledger_ledgerposting" not in plan
        assert "Sort" not in plan


def test_texts_hold_nothing_about_the_buyer(busy, potter, shopper):
    for line in walked(potter, size=50):
        assert shopper.email not in line.text
        assert shopper.name not in line.text
