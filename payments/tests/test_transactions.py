"""The list of transactions: every amount that buyers paid or got back, as the ledger has it."""

import csv
from datetime import date
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.ledger.models import EntryKind, LedgerEntry
from artisans.ledger.services import fact_book
from payments.bookkeeping.ledger import disputes_fact
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import Capture, Dispute, Payment, PaymentRefund, ReversalReason, Transaction
from payments.statuses import DisputeStatus
from payments.tests.factories import apply_card_captures, give_back, record, start
from tests.append_only import rewriting
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def client(browser, powerless_staff):
    powerless_staff.user_permissions.set(Permission.objects.filter(codename="view_payment"))
    return browser(powerless_staff)


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


def cells(client, query: str = "") -> list[tuple[str, ...]]:
    """Kind, amount, order and reference of each row, sorted."""
    listed = page(client.get(admin_list_url(Transaction, query)))
    columns = ("kind", "amount_shown", "order_link", "reference_shown")
    texts = ([cell.text for cell in listed.all("td", class_=f"field-{name}")] for name in columns)
    return sorted(zip(*texts, strict=True))


def test_transactions_are_the_money_of_the_ledger_with_sign_payment_and_reference(books, client):
    card, paid, check = books
    first, second = (capture.provider_capture_id for capture in Capture.objects.order_by("amount_minor"))
    amounts = sorted(Capture.objects.values_list("amount_minor", flat=True))
    assert cells(client) == sorted(
        [
            *(
                ("Captured by the provider", f"${minor / 100:.2f}", card.order.order_number, reference)
                for minor, reference in zip(amounts, (first, second), strict=True)
            ),
            ("Received offline", "$110.00", paid.order.order_number, "STMT-1"),
            ("Refunded to the buyer", "-$10.01", paid.order.order_number, "OUT-1"),
            ("Received offline", "$99.99", check.order.order_number, "check 101"),
            ("Receipt reversed", "-$99.99", check.order.order_number, "check 101"),
        ]
    )
    listed = page(client.get(admin_list_url(Transaction)))
    links = {a.attrs["href"] for a in listed.one("table", id="result_list").all("a")}
    assert {admin_page_url(row) for row in (*books, card.order, paid.order, check.order)} <= links
    row = Transaction.objects.get(kind=EntryKind.REFUND)
    shown = page(client.get(admin_page_url(row))).text
    assert "-$10.01" in shown
    assert "OUT-1" in shown


@pytest.mark.usefixtures("broken_books")  # only the ledger knows of the dispute
def test_disputes_count_once_although_the_ledger_also_says_where_the_provider_has_the_money(books, client):
    card, *_others = books
    Dispute.objects.create(
        payment=card,
        provider="stripe",
        provider_dispute_id="dp_1",
        currency="USD",
        amount_minor=9999,
        status=DisputeStatus.LOST,
    )
    card.disputed_minor = 9999
    fact_book(disputes_fact(card, taken=0))
    fact_book(disputes_fact(card, taken=9999))  # the provider had taken it before
    card.disputed_minor = 0
    fact_book(disputes_fact(card, taken=0))

    assert cells(client, "kind=dispute_lost") == [
        ("Dispute lost", "-$99.99", card.order.order_number, "dp_1")
    ]
    assert len(cells(client, "kind=dispute_won")) == 1
    assert len(cells(client, "payment_provider=stripe")) == 4
    assert cells(client, "payment_provider=manual&kind=dispute_lost") == []
    assert cells(client, "payment_provider=manual&kind=dispute_won") == []
    assert LedgerEntry.objects.filter(kind=EntryKind.DISPUTE_LOST).count() == 2


def test_filters_and_search(books, client):
    card, paid, check = books
    orders = {row[2]: None for row in cells(client, "payment_method=check")}
    assert [*orders] == [check.order.order_number]
    assert {row[2] for row in cells(client, "payment_provider=stripe")} == {card.order.order_number}
    assert {row[2] for row in cells(client, "payment_provider=manual&kind=receipt")} == {
        paid.order.order_number,
        check.order.order_number,
    }
    with rewriting():  # an order that was paid with two methods
        LedgerEntry.objects.filter(order_id=check.order_id).update(order_id=paid.order_id)
        Payment.objects.filter(pk=check.pk).update(order=paid.order)
    assert {row[3] for row in cells(client, "payment_method=check")} == {"check 101"}
    assert {row[3] for row in cells(client, "payment_method=bank_transfer")} == {"STMT-1", "OUT-1"}
    with rewriting():
        LedgerEntry.objects.filter(kind__in=["receipt", "receipt_reversed"], order_id=paid.order_id).exclude(
            fact_id__in=paid.receipts.values("pk")
        ).update(order_id=check.order_id)
        Payment.objects.filter(pk=check.pk).update(order=check.order)
    assert len(cells(client, "currency=USD")) == 6
    assert cells(client, "currency=EUR") == []
    day = Transaction.objects.get(kind=EntryKind.REFUND).happened_at.date()
    assert len(cells(client, f"kind=refund&happened_at_from={day}&happened_at_to={day}")) == 1
    assert cells(client, f"happened_at_to={date(2020, 1, 1)}") == []

    refund = PaymentRefund.objects.get(payment=paid)
    whole = cells(client, f"q={paid.order.order_number}")
    assert len(whole) == 2
    assert cells(client, f"q={paid.payment_number.lower()}") == whole
    assert [row[0] for row in cells(client, "q=OUT-1")] == ["Refunded to the buyer"]
    assert [row[0] for row in cells(client, f"q={refund.refund_number}")] == ["Refunded to the buyer"]
    assert len(cells(client, "q=check+101")) == 2
    capture = Capture.objects.first()
    assert [row[3] for row in cells(client, f"q={capture.provider_capture_id}")] == [
        capture.provider_capture_id
    ]
    assert len(cells(client, f"q={card.provider_payment_id}")) == 2
    assert cells(client, "q=%00nothing") == []


def test_file_has_the_rows_and_filters_of_the_page(books, client, powerless_staff):
    address = admin_list_url(Transaction) + "export/?payment_method=check"
    data = {"file_format": "csv", "columns": ["day", "kind", "amount_shown", "order_link", "reference_shown"]}
    assert client.post(address, data).status_code == 403

    powerless_staff.groups.set(Group.objects.filter(name="Exports"))
    content = b"".join(client.post(address, data).streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(StringIO(content, newline="")))

    number = books[2].order.order_number
    assert sorted((row["Kind"], row["Amount"], row["Amount: currency"], row["Order"]) for row in rows) == [
        ("Receipt reversed", "-99.99", "USD", number),
        ("Received offline", "99.99", "USD", number),
    ]
    assert {row["Reference"] for row in rows} == {"check 101"}


def test_page_takes_few_statements(books, browser, admin_user):
    client = browser(admin_user)
    address = admin_list_url(Transaction, "payment_provider=manual&q=STMT-1")
    client.get(address)  # once a minute, the use of the session is noted
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200

    assert len(captured) <= 12


def test_who_sees_payments_sees_transactions(books, client, browser, powerless_staff):
    menu = page(client.get("/admin/"))
    assert menu.all("a", href=admin_list_url(Transaction))

    powerless_staff.user_permissions.clear()
    assert browser(powerless_staff).get(admin_list_url(Transaction)).status_code == 403
