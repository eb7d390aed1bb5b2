"""The ledger in the admin: orders explained, entries, accounts, trial balance, months, an artisan's money."""

import csv
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.ledger.accounts import AccountKey, AccountKind, Leg
from artisans.ledger.models import EntryKind, LedgerAccount, LedgerEntry
from artisans.ledger.services import Fact, fact_book, period_close
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import PaymentRefund, ReversalReason
from payments.tests.factories import apply_card_captures, give_back, record, start
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
BANK = AccountKey(AccountKind.BANK, "USD")
ORDER = AccountKey(AccountKind.ORDER, "USD")
NOVEMBER = datetime(2025, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def bookkeeper(powerless_staff):
    powerless_staff.groups.set(Group.objects.filter(name="Bookkeeping"))
    return powerless_staff


@pytest.fixture
def client(browser, bookkeeper):
    return browser(bookkeeper)


@pytest.fixture
def books(staff, card_shop):
    """A card payment of 99.99 in two captures; a transfer of 110.00 of which 10.01 went back; a check that bounced."""
    card, paid, check = start(PaymentMethod.CREDIT_CARD), start(), start(PaymentMethod.CHECK)
    apply_card_captures(card)
    record(paid, "110.00", actor=staff, reference="STMT-1")
    give_back(paid, "10.01", actor=staff, reference="OUT-1")
    receipt = record(check, "99.99", actor=staff, reference="check 101")
    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)
    return card, paid, check


def book(*legs: Leg, kind: EntryKind = EntryKind.RECEIPT, at: datetime | None = None) -> None:
    """Something that no payment stands for."""
    fact_book(Fact(id=uuid4(), kind=kind, legs=list(legs), happened_at=at or timezone.now()))


def found(client, query: str) -> list[str]:
    """The sentences of the entries in the list, oldest first."""
    listed = page(client.get(admin_list_url(LedgerEntry, query)))
    return [cell.text for cell in listed.all("td", class_="field-what")][::-1]


def test_an_order_is_explained_with_links_and_what_is_held(books, client):
    _card, paid, check = books
    order = page(client.get(admin_page_url(paid.order)))
    assert admin_page_url(paid.order, "ledger") in [
        a.attrs["href"] for a in order.all("a", class_="aa-button")
    ]

    explained = page(client.get(admin_page_url(paid.order, "ledger")))
    lines = [item.one("strong").text for item in explained.one("ol", class_="aa-timeline").all("li")]
    assert lines[:2] == [
        "$110.00 was received in the bank account; held for the order.",
        "$10.01 was refunded to the buyer by bank transfer.",
    ]
    links = [a.text for a in explained.one("ol", class_="aa-timeline").all("a")]
    refund = PaymentRefund.objects.get(payment=paid)
    assert {f"payment {paid.payment_number}", f"refund {refund.refund_number}"} <= {*links}

    empty = page(client.get(admin_page_url(start().order, "ledger")))
    assert "No money was booked for this order." in empty.text
    bounced = page(client.get(admin_page_url(check.order, "ledger")))
    assert "Nothing is held for this order." in bounced.one("section", aria_labelledby="held").text


def test_what_is_held_says_why(staff, client):
    payment = start()
    record(payment, "60.00", actor=staff, reference="STMT-1")
    held = page(client.get(admin_page_url(payment.order, "ledger"))).one("section", aria_labelledby="held")
    assert (
        "$60.00 is held: $39.99 is outstanding; artisans earn their parcels when the order is paid."
        in held.text
    )
    record(payment, "50.00", actor=staff, reference="STMT-2")
    held = page(client.get(admin_page_url(payment.order, "ledger"))).one("section", aria_labelledby="held")
    assert "$10.01 is due to the buyer: paid in excess of the total." in held.text


def test_pages_need_their_permission(books, browser, staff):
    clerk, entry, account = browser(staff), LedgerEntry.objects.first(), LedgerAccount.objects.first()
    order = books[1].order
    assert "/ledger/" not in clerk.get(admin_page_url(order)).content.decode()
    for address in (
        admin_page_url(order, "ledger"),
        admin_list_url(LedgerEntry),
        admin_page_url(entry),
        admin_page_url(account),
        reverse("admin:ledger_trial_balance"),
        reverse("admin:ledger_artisan", args=[order.parcels.get().artisan_id]),
    ):
        assert clerk.get(address).status_code == 403, address


def test_entries_are_found_by_number_and_key(books, client):
    _card, paid, _check = books
    refund = PaymentRefund.objects.get(payment=paid)
    received, returned = (
        "$110.00 was received in the bank account; held for the order. Received offline",
        "$10.01 was refunded to the buyer by bank transfer. Refunded to the buyer",
    )
    of_order = found(client, f"q={paid.order.order_number.lower()}")
    assert {received, returned} <= {*of_order}
    assert found(client, f"q={paid.order.order_number}-1") == of_order
    assert found(client, f"q={paid.payment_number}") == [received, returned]
    assert found(client, f"q={refund.refund_number}") == [returned]
    [key] = LedgerEntry.objects.filter(fact_id=refund.pk).values_list("key", flat=True)
    assert found(client, f"q={key}") == [returned]
    assert found(client, "q=nothing") == []


def test_entries_are_filtered(client, admin_user):
    book(Leg(BANK, 500), Leg(AccountKey(AccountKind.SUSPENSE, "USD"), -500), at=NOVEMBER)
    period_close(closed_by=admin_user)
    book(Leg(BANK, 300), Leg(ORDER, -300))
    book(Leg(ORDER, 300), Leg(BANK, -300), kind=EntryKind.REFUND)
    [explained, received, refunded] = found(client, "")
    assert found(client, "month=closed") == [explained]
    assert found(client, "month=open") == [received, refunded]
    assert found(client, "account=suspense") == [explained]
    assert found(client, "account=order") == [received, refunded]
    assert found(client, "kind__exact=refund") == [refunded]
    assert found(client, "booked_on_to=2025-12-01") == [explained]
    assert "is not a valid value" in client.get(admin_list_url(LedgerEntry, "month=ajar")).content.decode()
    book(Leg(BANK, -500), Leg(AccountKey(AccountKind.SUSPENSE, "USD"), 500))  # nothing stays unexplained


def test_list_of_entries_takes_few_statements(books, browser, admin_user):
    client = browser(admin_user)
    address = admin_list_url(LedgerEntry)
    client.get(address)  # once a minute, the use of the session is noted
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200

    assert len(captured) <= 12


def test_an_entry_shows_its_postings_and_what_it_reverses(books, client):
    [bounced] = LedgerEntry.objects.filter(kind="receipt_reversed")
    shown = page(client.get(admin_page_url(bounced)))
    rows = [[cell.text for cell in row.all("td")] for row in shown.one("tbody").all("tr")]
    assert rows == [["Bank account · USD", "", "$99.99"], ["Money held for orders · USD", "$99.99", ""]]
    assert admin_page_url(bounced.reverses) in [a.attrs["href"] for a in shown.one("main").all("a")]
    first = page(client.get(admin_page_url(bounced.reverses)))
    assert admin_page_url(bounced) in [a.attrs["href"] for a in first.one("main").all("a")]


def test_an_account_has_a_running_balance(books, client):
    bank = LedgerAccount.objects.get(kind="bank")
    shown = page(client.get(admin_page_url(bank)))
    rows = [[cell.text for cell in row.all("td", class_="aa-num")] for row in shown.one("tbody").all("tr")]
    assert rows == [
        ["-$99.99", "$99.99"],
        ["+$99.99", "$199.98"],
        ["-$10.01", "$99.99"],
        ["+$110.00", "$110.00"],
    ]
    listed = page(client.get(admin_list_url(LedgerAccount)))
    [row] = [row.text for row in listed.all("tr") if "Bank account" in row.text]
    assert row == "Bank account USD $99.99"
    bad = client.get(admin_page_url(bank) + "?before=x")
    assert "“x” is not a page of this account." in bad.content.decode()
    assert client.get(admin_page_url(bank) + "?before=" + "9" * 19).status_code == 200
    assert "No entries here." in client.get(admin_page_url(bank) + "?before=1").content.decode()


def test_trial_balance_is_shown_and_downloaded(client, seller):
    seller.artisan.name = "=HYPERLINK(1)"
    seller.artisan.save()
    cut = AccountKey(AccountKind.SELLER_AVAILABLE, "USD", artisan=seller.artisan.pk)
    book(Leg(BANK, 500), Leg(cut, -500), at=NOVEMBER)
    book(Leg(BANK, 300), Leg(ORDER, -300))
    address = reverse("admin:ledger_trial_balance")
    today = page(client.get(address))
    assert [cell.text for cell in today.one("tfoot").all("td")] == ["Total USD", "$8.00", "$8.00"]
    then = page(client.get(f"{address}?on=2025-12-01"))
    assert [cell.text for cell in then.one("tfoot").all("td")] == ["Total USD", "$5.00", "$5.00"]
    assert "Nothing was booked by then." in client.get(f"{address}?on=2025-11-01").content.decode()
    file = client.get(f"{address}?on=2025-12-01&format=csv")
    assert file.headers["Content-Disposition"] == 'attachment; filename="trial-balance-2025-12-01.csv"'
    rows = list(csv.DictReader(file.content.decode().splitlines()))
    assert [(row["kind"], row["artisan"], row["debit"], row["credit"]) for row in rows] == [
        ("bank", "", "5.00", ""),
        ("seller_available", "'=HYPERLINK(1)", "", "5.00"),
    ]
    for bad, text in {"2999-01-01": "Choose today or an earlier day.", "soon": "Enter a valid date."}.items():
        assert text in client.get(f"{address}?on={bad}&format=csv").content.decode()


def test_a_closed_month_has_its_trial_balance(client, admin_user):
    book(Leg(BANK, 500), Leg(AccountKey(AccountKind.FEE_OTHER, "USD"), -500), at=NOVEMBER)
    period = period_close(closed_by=admin_user)
    shown = page(client.get(admin_page_url(period)))
    assert [cell.text for cell in shown.one("tfoot").all("td")] == ["Total USD", "$5.00", "$5.00"]
    assert "November 2025" in client.get(admin_list_url(type(period))).content.decode()


def test_an_artisans_page_links_their_money(browser, admin_user, powerless_staff, seller):
    money = reverse("admin:ledger_artisan", args=[seller.artisan.pk])
    assert money in browser(admin_user).get(admin_page_url(seller.artisan)).content.decode()
    powerless_staff.groups.set(Group.objects.filter(name="Artisan accounts"))
    assert money not in browser(powerless_staff).get(admin_page_url(seller.artisan)).content.decode()


def test_an_artisans_money_is_shown_by_account(client, seller):
    artisan = seller.artisan
    pending, available = (
        AccountKey(kind, "USD", artisan=artisan.pk)
        for kind in (AccountKind.SELLER_PENDING, AccountKind.SELLER_AVAILABLE)
    )
    address = reverse("admin:ledger_artisan", args=[artisan.pk])
    assert "Nothing was booked for this artisan yet." in client.get(address).content.decode()
    book(Leg(BANK, 4590), Leg(pending, -4590))
    book(Leg(pending, 1000), Leg(available, -1000))
    book(Leg(available, 3000), Leg(BANK, -3000))
    shown = page(client.get(address))
    facts = {row.one("dt").text: row.one("dd").text for row in shown.one("dl").all("div")}
    assert facts == {
        "Earned by the artisan, not released yet": "$35.90",
        "Available to the artisan": "-$20.00 (owes the shop)",
    }
    assert client.get(reverse("admin:ledger_artisan", args=[uuid4()])).status_code == 404
