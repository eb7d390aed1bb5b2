"""Reversing a receipt: the check did not clear, it was for another order, or it was mistyped."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_page_url
from artisans.core.models import ChangeMark
from artisans.core.retention import purge
from orders.errors import NotReleased
from orders.models import HeldLine
from orders.retention import HELD_LINES
from orders.serializers import artisan_parcel_out
from orders.services.parcels import parcel_ship
from payments.errors import AlreadyRecorded, MethodNotOffered, NoPermission, NothingDue, ReceiptSpent
from payments.history import facts_of
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import PaymentRefund, Receipt, ReceiptReversal, ReversalReason
from payments.tasks import expire_orders_task
from payments.tests.factories import give_back, record, reread, start, usd
from payments.web.order_display import get_display_state
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

BOUNCED, WRONG, MISTAKE = ReversalReason.BOUNCED, ReversalReason.WRONG_ORDER, ReversalReason.MISTAKE


def statuses_of(payment) -> tuple[str, str, str]:
    return payment.status, payment.order.status, payment.order.payment_status


def reverse_receipt(receipt: Receipt, staff, reason=BOUNCED, **changes) -> ReceiptReversal:
    return receipt_reverse(receipt_id=receipt.pk, reason=reason, actor=staff, **changes)


@pytest.fixture
def check(bowl, shopper, staff):
    payment = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff, reference="check 101")
    return payment


def test_bounced_check_reopens_the_payment_and_holds_unshipped_parcels(check, staff, seller, shopper, mails):
    reverse_receipt(check.receipts.get(), staff, note="Bank letter of today")

    assert statuses_of(reread(check)) == ("PENDING", "CONFIRMED", "UNPAID")
    assert (check.order.balance_due, check.refunded, check.completed_at) == (usd("99.99"), usd("0.00"), None)
    assert check.order.pay_by is not None
    assert not PaymentRefund.objects.exists()
    with pytest.raises(NotReleased), transaction.atomic():
        parcel_ship(parcel_id=check.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)
    buyer, artisan = mails(shopper.email)[-1], mails(seller.email)[-1]
    assert "Your check for $99.99 did not clear" in buyer.body
    assert "check 101" not in buyer.body
    assert not {"returned", "refund", "sent you"} & set(buyer.body.lower().split())
    assert "Please do not ship this parcel yet" in artisan.body
    [entry] = AuditEntry.objects.filter(action="receipt.reverse")
    assert (entry.actor, entry.target_id) == (staff, check.pk)
    assert "receipt_taken_back" in [fact.kind for fact in facts_of([check])]
    assert get_display_state(check.order, check).label == "Payment missing"


def test_lines_of_an_unknown_buyer_are_counted_while_money_is_awaited(bowl, shopper, staff):
    """Of a known buyer they never are."""
    start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    paid, unpaid = start(PaymentMethod.CHECK), start(PaymentMethod.CHECK)
    held = HeldLine.objects.order_by().values_list("line__order", flat=True)
    assert set(held) == {paid.order_id, unpaid.order_id}

    record(paid, "99.99", actor=staff, reference="check 101")
    assert purge(HELD_LINES).removed == 1
    assert set(held.all()) == {unpaid.order_id}

    reverse_receipt(paid.receipts.get(), staff)
    assert purge(HELD_LINES).removed == 0
    assert set(held.all()) == {paid.order_id, unpaid.order_id}

    HeldLine.objects.all().delete()  # as a process of release 0.1.0 places orders
    expire_orders_task()
    assert set(held.all()) == {paid.order_id, unpaid.order_id}


def test_parcel_waits_and_collects_no_cash_after_a_receipt_reversal(check, staff, seller, browser):
    reverse_receipt(check.receipts.get(), staff)

    parcel = check.order.parcels.get()
    opened = page(browser(seller).get(f"/shop/artisan/parcels/{parcel.pk}/")).text
    assert "Do not ship this parcel yet" in opened
    assert "in cash" not in opened
    assert "Awaiting payment" in page(browser(seller).get("/shop/artisan/parcels/?filter=waiting")).text
    assert artisan_parcel_out(parcel, list(parcel.lines.all()))["collect_cash"] is None
    bought = page(browser(check.order.user).get(f"/shop/orders/{check.order.access_token}/")).text
    assert "Awaiting payment" in bought
    assert "Preparing" not in bought


def test_later_payment_releases_the_held_parcels(check, staff, seller, mails):
    reverse_receipt(check.receipts.get(), staff)

    record(check, "99.99", actor=staff, reference="check 102")

    assert statuses_of(check) == ("COMPLETED", "CONFIRMED", "PAID")
    assert check.order.payment_withdrawn_at is None
    assert "You can ship this parcel now" in mails(seller.email)[-1].body
    parcel_ship(parcel_id=check.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)


def test_artisan_is_notified_each_time_a_check_bounces(check, staff, seller, mails):
    reverse_receipt(check.receipts.get(), staff)
    record(check, "99.99", actor=staff, reference="check 102")
    reverse_receipt(check.receipts.get(bank_reference="check 102"), staff)

    subjects = [mail.subject for mail in mails(seller.email)]
    assert sum("please do not ship yet" in subject for subject in subjects) == 2


@pytest.mark.parametrize("reason", [WRONG, MISTAKE])
def test_reversed_reference_can_be_recorded_on_another_payment(check, stranger, staff, reason):
    reverse_receipt(check.receipts.get(), staff, reason)
    right = start(user=stranger) if reason == WRONG else check

    record(right, "99.99", actor=staff, reference="check 101")

    assert right.order.payment_status == "PAID"
    with pytest.raises(AlreadyRecorded), transaction.atomic():
        record(check, "99.99", actor=staff, reference="CHECK 101")


def test_receipt_is_reversed_once(check, staff, admin_user):
    reverse_receipt(check.receipts.get(), staff)

    with pytest.raises(AlreadyRecorded, match=staff.email), transaction.atomic():
        reverse_receipt(check.receipts.get(), admin_user)

    assert reread(check).received_minor == 0


def test_partial_receipt_of_an_unpaid_order_is_reversed(shopper, staff):
    payment = start(user=shopper)
    first = record(payment, "50.00", actor=staff)
    record(payment, "20.00", actor=staff)
    hold = payment.order.expires_at

    reverse_receipt(first, staff)

    assert statuses_of(reread(payment)) == ("PENDING", "PENDING", "PARTIALLY_PAID")
    assert (payment.outstanding, payment.order.expires_at) == (usd("79.99"), hold)
    assert payment.order.payment_withdrawn_at is None


def test_days_of_figures_that_a_reversal_changes_are_counted_again(shopper, staff, time_machine):
    """Of the receipt, of the payment that it completed, and of an open one whose amount rises."""
    days = [timezone.now() - timedelta(days=age) for age in (9, 7, 5)]
    time_machine.move_to(days[0], tick=False)
    payment = start(PaymentMethod.CHECK, user=shopper)
    first = record(payment, "50.00", actor=staff, reference="check 101")
    time_machine.move_to(days[1], tick=False)
    second = record(payment, "49.99", actor=staff, reference="check 102")
    time_machine.move_to(days[2], tick=False)

    ChangeMark.objects.all().delete()
    reverse_receipt(first, staff)
    assert marked() == {("payments", 4), ("settled", 4), ("settled", 2), ("settled", 0)}

    payment_choose_method(order_id=payment.order_id, method=PaymentMethod.BANK_TRANSFER, actor=staff)
    time_machine.move_to(days[2] + timedelta(days=2), tick=False)
    ChangeMark.objects.all().delete()
    reverse_receipt(second, staff)
    assert marked() >= {("payments", 2), ("settled", 4), ("settled", 0)}


def marked() -> set[tuple[str, int]]:
    """The families, and how many days ago it was."""
    today = timezone.localdate()
    return {(mark.family, (today - mark.day).days) for mark in ChangeMark.objects.all()}


def test_reversed_surplus_leaves_the_order_paid(check, staff):
    twice = record(check, "99.99", actor=staff, reference="check 102")

    reverse_receipt(twice, staff)

    assert statuses_of(reread(check)) == ("COMPLETED", "CONFIRMED", "PAID")
    assert not check.order.refund_due


def test_refunded_receipt_cannot_be_reversed_until_the_money_is_back(check, staff):
    record(check, "10.01", actor=staff, reference="check 102")
    give_back(check, "10.01", actor=staff)

    with pytest.raises(ReceiptSpent, match=r"10\.01 USD"), transaction.atomic():
        reverse_receipt(check.receipts.get(bank_reference="check 101"), staff)
        reverse_receipt(check.receipts.get(bank_reference="check 102"), staff)

    assert reread(check).received == usd("110.00")
    record(check, "10.01", actor=staff, reference="cash 1")  # the buyer pays it back
    reverse_receipt(check.receipts.get(bank_reference="check 102"), staff)
    reverse_receipt(check.receipts.get(bank_reference="check 101"), staff)
    assert statuses_of(reread(check)) == ("PENDING", "CONFIRMED", "REFUNDED")
    assert check.order.balance_due == usd("99.99")


def test_cancelled_order_has_no_refund_due_after_the_reversal(check, shopper, staff, mails):
    order_cancel(order_id=check.order_id, reason="kiln broke", actor=staff)
    assert reread(check).order.refund_due == usd("99.99")

    reverse_receipt(check.receipts.get(), staff)

    assert statuses_of(reread(check)) == ("CANCELLED", "CANCELLED", "UNPAID")
    assert not check.order.refund_due
    assert "There is nothing left to pay" in mails(shopper.email)[-1].body


def test_order_with_a_shipped_parcel_has_a_balance_due(check, staff, seller, mails):
    parcel_ship(parcel_id=check.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)
    before = len(mails(seller.email))

    reverse_receipt(check.receipts.get(), staff)

    assert statuses_of(reread(check)) == ("PENDING", "SHIPPED", "UNPAID")
    assert check.order.balance_due == usd("99.99")
    assert len(mails(seller.email)) == before, "nothing is left to stop"


def test_reversal_does_not_hold_cash_on_delivery_parcels(bowl, shopper, staff, seller):
    cash = start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1}, user=shopper)
    slip = record(cash, "99.99", actor=staff, reference="slip 1")

    reverse_receipt(slip, staff, MISTAKE)

    assert statuses_of(reread(cash)) == ("PENDING", "CONFIRMED", "UNPAID")
    parcel_ship(parcel_id=cash.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)


def test_replaced_payment_is_closed(shopper, staff):
    payment = start(user=shopper)
    part = record(payment, "50.00", actor=staff)
    payment_choose_method(order_id=payment.order_id, method=PaymentMethod.CHECK, actor=shopper)
    other = payment.order.payments.get(status="PENDING")
    assert other.amount == usd("49.99")

    reverse_receipt(part, staff, WRONG)

    assert reread(payment).status == "CANCELLED"
    assert (reread(other).status, other.outstanding) == ("PENDING", usd("99.99"))
    assert other.order.balance_due == usd("99.99")


def test_order_due_again_can_be_paid_by_another_method(check, shopper, staff, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    reverse_receipt(check.receipts.get(), staff)
    with pytest.raises(MethodNotOffered), transaction.atomic():
        payment_choose_method(order_id=check.order_id, method=PaymentMethod.CASH_ON_DELIVERY, actor=shopper)

    payment_choose_method(order_id=check.order_id, method=PaymentMethod.BANK_TRANSFER, actor=shopper)
    transfer = check.order.payments.get(status="PENDING")
    record(transfer, "99.99", actor=staff)

    assert statuses_of(transfer) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (reread(check).status, check.order.payment_withdrawn_at) == ("CANCELLED", None)
    with pytest.raises(NothingDue), transaction.atomic():
        payment_choose_method(order_id=check.order_id, method=PaymentMethod.CHECK, actor=shopper)


@pytest.mark.parametrize("who", ["powerless_staff", "shopper"])
def test_reversing_needs_the_permission(check, request, who):
    with pytest.raises(NoPermission), transaction.atomic():
        reverse_receipt(check.receipts.get(), request.getfixturevalue(who))

    assert not ReceiptReversal.objects.exists()


def test_staff_reverse_a_receipt_on_its_page(check, browser, staff):
    receipt, staff_client = check.receipts.get(), browser(staff)
    address = admin_page_url(receipt, "reverse")
    assert address in staff_client.get(admin_page_url(check)).content.decode()
    form = page(staff_client.get(address)).one("main").one("form")

    after = staff_client.post(address, form.fields() | {"reason": "bounced", "note": "x"}, follow=True)

    assert "Nothing was sent to the buyer" in page(after).text
    assert "Reversed by staff@example.test" in page(staff_client.get(admin_page_url(receipt))).text
    assert address not in staff_client.get(admin_page_url(check)).content.decode()
    assert "already been reversed" in page(staff_client.get(address)).text


def test_buyer_sees_what_happened(check, browser, shopper, staff):
    reverse_receipt(check.receipts.get(), staff)

    shown = page(browser(shopper).get(f"/shop/orders/{check.order.access_token}/")).text

    assert "Your check for $99.99 did not clear" in shown
    assert "The payment for this order is missing" in shown
    assert "returned" not in shown.lower()
