"""The pages of artisans' money in the shop."""

import csv
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from artisans.earnings.holds import HoldRequest, hold_place
from artisans.earnings.models import HoldReason
from artisans.earnings.tasks import release_task
from payments.lifecycle.parcels import parcel_return
from payments.refunds.staff import refund_open
from payments.tests.factories import usd
from tests.html import page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

EARNINGS, LINES, FILE = (
    "/shop/artisan/earnings/",
    "/shop/artisan/earnings/lines/",
    "/shop/artisan/earnings/lines.csv",
)


@pytest.fixture
def read(browser, seller):
    return lambda address: page(browser(seller).get(address)).text  # signed in when it is read


def test_nothing_was_sold_yet(read):
    assert "No earnings yet" in read(EARNINGS)
    assert "No activity yet" in read(LINES)


def test_pending_earnings_with_the_day_of_their_release(sell, deliver, read):
    payment = sell()
    assert "After shipping" in read(EARNINGS)

    deliver(payment)

    shown = read(EARNINGS)
    for text in (
        f"Order {payment.order.order_number}",
        "Pending",
        "$91.44",
        "Available from",
        "14 days after",
    ):
        assert text in shown


def test_released_earnings_and_what_can_be_paid_out(released, read, staff):
    payment = released()
    assert "Can be paid out $91.44" in read(EARNINGS)

    refund_open(payment_id=payment.pk, reason="Chipped.", actor=staff, amount=usd("10.00"))

    shown = read(EARNINGS)
    for text in ("Refunds in progress −$9.15", "Can be paid out $82.29", "$9.15 being refunded"):
        assert text in shown


@pytest.mark.parametrize(
    ("chosen", "count"), [("", 2), ("all", 2), ("pending", 1), ("released", 1), ("x", 2)]
)
def test_earnings_by_status(released, sell, read, browser, seller, chosen, count):
    released()
    sell()
    assert browser(seller).get(f"{EARNINGS}?filter={chosen}").content.count(b"Order ") == count


def test_what_is_held_back_and_why(released, read, potter, admin_user):
    released()
    request = HoldRequest(amount=usd("20.00"), reason=HoldReason.STAFF, note="We check <b>photos</b>.")
    hold_place(artisan_id=potter.pk, request=request, actor=admin_user)

    shown = read(EARNINGS)

    for text in ("Held back $20.00", "$20.00 held back: Under review", "We check <b>photos</b>."):
        assert text in shown


def test_reserve_is_shown_with_the_days_on_which_it_is_freed(released, read, store):
    store.reserve_ppm, store.reserve_days = 100_000, 30
    store.save()
    released()
    shown = read(EARNINGS)
    assert "$9.14 held back as a reserve It becomes available on" in shown
    released()
    assert "$18.28 held back as a reserve Parts of it become available from" in read(EARNINGS)


def test_what_is_not_earned_any_more_says_why(sell, deliver, read, seller):
    payment = sell()
    deliver(payment)
    parcel_return(parcel_id=payment.order.parcels.get().pk, restock=True, actor=seller)
    assert "The parcel was returned Not earned You earn $0.00" in read(EARNINGS)


def test_what_stops_a_release(sell, deliver, read, dispute):
    payment = sell()
    deliver(payment)
    dispute(payment, "5.00", "open")
    assert "Not released yet: The payment is disputed" in read(EARNINGS)


def test_debts_name_their_reference(released, read, potter, dispute, admin_user):
    payment = released()
    request = HoldRequest(amount=usd("60.00"), reason=HoldReason.STAFF, note="x")
    hold_place(artisan_id=potter.pk, request=request, actor=admin_user)
    dispute(payment, "99.99", "lost")
    release_task()
    shown = read(EARNINGS)
    assert "You owe the shop money in USD" in shown
    assert potter.debts.get().number in shown
    assert "-$60.00" in shown


def test_lines_of_each_account(released, read):
    payment = released()
    assert "Released" in read(LINES)
    assert payment.order.order_number in read(LINES)
    assert "Sale" in read(f"{LINES}?account=pending&currency=USD")
    assert "No activity yet" in read(f"{LINES}?account=held")


@pytest.mark.parametrize(
    "query",
    ["account=x", "currency=EUR", "currency=%00", "before=-1", "before=x", f"after={'9' * 40}", "after=٣"],
)
def test_what_the_address_does_not_know_shows_the_newest_lines(released, read, query):
    released()
    assert "Released" in read(f"{LINES}?{query}")


def test_older_lines_are_on_further_pages(sell, deliver, later, browser, seller, monkeypatch):
    monkeypatch.setattr("artisans.earnings.views.PER_PAGE", 2)
    for _ in range(3):
        deliver(sell())
    later(days=15)
    client = browser(seller)
    first = page(client.get(LINES))
    [older] = first.all("a", rel="next")

    second = page(client.get(f"{LINES}{older.attrs['href']}"))

    assert "$274.32" in first.text
    assert "$91.44" in second.text
    [newer] = second.all("a", rel="prev")
    assert page(client.get(f"{LINES}{newer.attrs['href']}")).text == first.text


def test_download_as_csv(released, browser, seller):
    payment = released()
    answer = browser(seller).get(f"{FILE}?account=pending")
    text = b"".join(answer.streaming_content).decode()

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="account-activity-pending-USD.csv"'
    rows = list(csv.DictReader(StringIO(text)))
    number = payment.order.order_number
    assert [(row["Order"], row["What"], row["Amount"], row["Balance"]) for row in rows] == [
        (number, "Sale", "91.44", "91.44"),
        (number, "Released", "-91.44", "0.00"),
    ]


@pytest.mark.parametrize("address", [EARNINGS, LINES, FILE])
def test_pages_exist_for_artisans_only(released, browser, shopper, staff, admin_user, address):
    released()
    for user in (shopper, staff, admin_user):
        assert browser(user).get(address).status_code == 404


@pytest.mark.parametrize("address", [EARNINGS, LINES, FILE])
def test_another_artisan_sees_nothing_of_it(released, browser, other_seller, address):
    payment = released()
    answer = browser(other_seller).get(address)
    content = b"".join(answer) if answer.streaming else answer.content
    assert answer.status_code == 200
    assert payment.order.order_number not in content.decode()
    assert "91.44" not in content.decode()


@pytest.mark.parametrize("address", [EARNINGS, LINES, FILE])
def test_pages_say_nothing_about_the_buyer(released, browser, seller, shopper, address):
    payment = released()
    answer = browser(seller).get(address)
    text = (b"".join(answer) if answer.streaming else answer.content).decode()
    for secret in (shopper.email, shopper.name, "Ada Lovelace", "12 Pier Road", payment.payment_number):
        assert secret not in text


def test_pages_are_linked(browser, seller, read):
    for address in (reverse("orders:parcel_list"), EARNINGS, LINES):
        answer = page(browser(seller).get(address))
        assert {EARNINGS, LINES, reverse("orders:parcel_list")} <= {
            link.attrs.get("href") for link in answer.all("a")
        }


def test_pages_take_a_constant_number_of_queries(sell, deliver, later, browser, seller):
    def queries(address: str) -> int:
        client = browser(seller)
        with CaptureQueriesContext(connection) as found:
            assert client.get(address).status_code == 200
        return len(found)

    deliver(sell())
    later(days=15)
    before = [queries(address) for address in (EARNINGS, LINES)]
    for _ in range(3):
        deliver(sell())
    later(days=15)

    assert [queries(address) for address in (EARNINGS, LINES)] == before
