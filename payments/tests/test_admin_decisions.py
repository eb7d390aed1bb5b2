"""Staff pages that change payments and orders: they show what will happen, call the services and keep the input."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_page_url
from artisans.core.templatetags.money import show
from artisans.notifications.models import Notification
from orders.models import Order
from orders.services.parcels import parcel_report_cash, parcel_ship
from orders.statuses import OrderStatus
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.methods import PaymentMethod
from payments.models import Payment, PaymentRefund, PaymentTransition, Receipt
from payments.statuses import PaymentStatus
from payments.tests.factories import give_back, record, reread, start
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

QUEUE = "/admin/payments/payment/?needs=decision"


@pytest.fixture
def staff_client(browser, staff):
    return browser(staff)


def money(
    amount: str = "99.99", reference: str = "STMT-1", *, seen: int = 0, **changes: str
) -> dict[str, str]:
    day = timezone.localdate().isoformat()
    return {"amount": amount, "value_date": day, "bank_reference": reference, "seen": str(seen)} | changes


def return_form(amount: str = "10.00", **changes: str) -> dict[str, str]:
    day = timezone.localdate().isoformat()
    reason = "The order was overpaid."
    return {
        "amount": amount,
        "value_date": day,
        "bank_reference": "OUT-1",
        "preset": reason,
        "text": "",
    } | changes


def rows(client, address: str) -> list[str]:
    """The first cell of every row of a list."""
    table = page(client.get(address)).one("table", id="result_list")
    return [row.all("th")[0].text for row in table.all("tr") if row.all("td")]


def post_and_read(client, address: str, data: dict[str, str]) -> str:
    """The text of the page that follows the submitted form."""
    return page(client.post(address, data, follow=True)).text


# ---- the queue ---------------------------------------------------------------------------------------------


def test_queue_lists_waiting_payments_oldest_first_with_a_badge(staff_client, staff):
    payments = [start(email=f"buyer{n}@example.test") for n in range(3)]
    for days, payment in enumerate(payments):
        Payment.objects.filter(pk=payment.pk).update(created_at=timezone.now() - timedelta(days=days))

    first = page(staff_client.get(QUEUE))

    numbers = [row.split()[0] for row in rows(staff_client, QUEUE)]
    assert numbers == [payment.order.order_number for payment in reversed(payments)]
    assert "Awaiting approval 3" in first.one("nav", id="nav-sidebar-inner").text
    record(payments[0], "99.99", actor=staff)
    assert "Awaiting approval 2" in page(staff_client.get(QUEUE)).one("nav", id="nav-sidebar-inner").text


def test_queue_omits_decided_payments_unless_filtered(staff_client, staff, admin_user):
    failed, cancelled, waiting = start(email="a@example.test"), start(email="b@example.test"), start()
    staff_client.post(admin_page_url(failed, "reject"), {"preset": "The buyer requested it.", "text": ""})
    order_cancel(order_id=cancelled.order_id, reason="no", actor=admin_user)

    assert [row.split()[0] for row in rows(staff_client, QUEUE)] == [waiting.order.order_number]
    assert failed.payment_number in rows(staff_client, "/admin/payments/payment/?status__exact=FAILED")[0]
    assert (
        cancelled.payment_number in rows(staff_client, "/admin/payments/payment/?status__exact=CANCELLED")[0]
    )


def test_queue_shows_received_money_delay_and_reported_cash(staff_client, staff, shopper, admin_user):
    part = start(email="part@example.test")
    record(part, "90.00", actor=staff)
    Order.objects.filter(pk=part.order_id).update(pay_by=timezone.now() - timedelta(days=1))
    cash = start(PaymentMethod.CASH_ON_DELIVERY, user=shopper)
    parcel = parcel_ship(parcel_id=cash.order.parcels.get().pk, carrier="", tracking="", actor=admin_user)
    parcel_report_cash(parcel_id=parcel.pk, actor=admin_user)

    text = page(staff_client.get(QUEUE)).one("table", id="result_list").text

    assert "$90.00 received" in text
    assert "Overdue since" in text
    assert "Cash reported: 1 of 1" in text


def test_action_on_one_selected_payment_opens_its_page(staff_client):
    one, two = start(email="a@example.test"), start(email="b@example.test")
    action_data = {"action": "record_selected"}

    single = staff_client.post(QUEUE, action_data | {"_selected_action": [str(one.pk)]})
    both = staff_client.post(
        QUEUE, action_data | {"_selected_action": [str(one.pk), str(two.pk)]}, follow=True
    )

    assert single.url == admin_page_url(one, "record")
    assert "Select a single payment" in both.content.decode()


# ---- recording ---------------------------------------------------------------------------------------------


def test_record_page_is_prefilled_and_explains_the_consequences(staff_client, bowl, scarf):
    payment = start(items={bowl: 1, scarf: 1}, email="buyer@example.test")

    shown = page(staff_client.get(admin_page_url(payment, "record")))

    form = shown.one("main") if shown.all("main") else shown
    assert form.one("input", name="amount").attrs["value"] == payment.outstanding.amount
    assert form.one("input", name="value_date").attrs["value"] == timezone.localdate().isoformat()
    assert form.one("input", name="bank_reference").attrs.get("value", "") == ""
    assert "2 artisans get an email to ship" in shown.text
    assert "buyer@example.test" in shown.text
    assert Receipt.objects.count() == 0


def test_what_was_paid_back_is_outstanding_again(staff_client, staff):
    payment = start()
    record(payment, "50.00", actor=staff)
    give_back(payment, "50.00", actor=staff)

    shown = page(staff_client.get(admin_page_url(payment, "record")))

    assert shown.one("input", name="amount").attrs["value"] == payment.amount.amount
    assert f"Exactly {show(payment.amount)}" in shown.text


def test_exact_amount_settles_the_order(staff_client, staff, mails):
    payment = start(email="buyer@example.test")

    text = post_and_read(staff_client, admin_page_url(payment, "record"), money())

    assert "$99.99 recorded" in text
    assert f"Payment status of order {payment.order.order_number}: Paid." in text
    reread(payment)
    assert (payment.status, payment.order.status) == (PaymentStatus.COMPLETED, OrderStatus.CONFIRMED)
    receipt = Receipt.objects.get()
    assert (receipt.actor, receipt.bank_reference, receipt.value_date) == (
        staff,
        "STMT-1",
        timezone.localdate(),
    )
    assert AuditEntry.objects.get(action="receipt.record").actor == staff
    assert any("payment received" in m.subject for m in mails("buyer@example.test"))


def test_short_amount_leaves_the_rest_outstanding(staff_client):
    payment = start()

    text = post_and_read(staff_client, admin_page_url(payment, "record"), money("90"))

    assert "$9.99 is still outstanding." in text
    assert reread(payment).order.payment_status == "PARTIALLY_PAID"
    assert (
        page(staff_client.get(admin_page_url(payment, "record"))).one("input", name="amount").attrs["value"]
        == "9.99"
    )


def test_surplus_is_listed_as_a_refund_due(staff_client):
    payment = start()

    text = post_and_read(staff_client, admin_page_url(payment, "record"), money("109.98"))

    assert "A refund of $9.99 is due" in text
    assert payment.order.order_number in rows(staff_client, "/admin/orders/order/?needs=return")[0]


def test_amount_far_above_the_amount_due_has_to_be_confirmed(staff_client):
    payment = start()
    address = admin_page_url(payment, "record")
    assert page(staff_client.get(address)).one("input", name="beyond_due").attrs["type"] == "hidden"

    refused = page(staff_client.post(address, money("999.90")))

    assert "$999.90 is far more than the $99.99 due." in refused.text
    assert refused.one("input", name="beyond_due").attrs["type"] == "checkbox"
    assert Receipt.objects.count() == 0
    text = post_and_read(staff_client, address, money("999.90", beyond_due="on"))
    assert "A refund of $899.91 is due" in text


@pytest.mark.parametrize(
    ("wrong", "result"),
    [
        ({"amount": ""}, "Enter the amount received."),
        ({"amount": "12,50"}, "is not a plain decimal amount"),
        ({"amount": "1.999"}, "USD has 2 decimals"),
        ({"amount": "0"}, "greater than zero"),
        ({"amount": "-5"}, "is not a plain decimal amount"),
        ({"bank_reference": " "}, "prevents recording the same payment twice"),
        ({"value_date": "2999-01-01"}, "The value date cannot be in the future."),
        ({"value_date": "0026-11-26"}, "Check its year."),
        ({"value_date": ""}, "This field is required"),
    ],
)
def test_invalid_input_is_refused_and_kept(staff_client, wrong, result):
    payment = start()

    shown = page(staff_client.post(admin_page_url(payment, "record"), money(reference="KEEP-ME") | wrong))

    assert result in shown.text
    kept = "bank_reference" if "bank_reference" not in wrong else "amount"
    assert shown.one("input", name=kept).attrs["value"] in {"KEEP-ME", "99.99"}
    assert Receipt.objects.count() == 0


def test_second_person_sees_who_recorded_the_same_receipt(staff_client, browser, admin_user):
    payment = start()
    post_and_read(browser(admin_user), admin_page_url(payment, "record"), money())
    sent = Notification.objects.count()

    text = post_and_read(staff_client, admin_page_url(payment, "record"), money())

    assert "was already recorded by admin@example.test (" in text
    assert (Receipt.objects.count(), Notification.objects.count()) == (1, sent)


def test_receipt_recorded_while_the_page_was_open_must_be_confirmed_once(staff_client, browser, admin_user):
    payment = start()
    post_and_read(browser(admin_user), admin_page_url(payment, "record"), money("50", "FIRST"))

    shown = page(staff_client.post(admin_page_url(payment, "record"), money("49.99", "SECOND", seen=0)))

    assert "admin@example.test recorded $50.00 (FIRST)" in shown.text
    assert Receipt.objects.count() == 1
    again = money("49.99", "SECOND", seen=int(shown.one("input", name="seen").attrs["value"]))
    assert ": Paid." in post_and_read(staff_client, admin_page_url(payment, "record"), again)


def test_receipt_for_an_expired_order_is_explained_and_booked(staff_client):
    payment = start()
    Order.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    order_expire(order_id=payment.order_id)

    assert (
        "reopened if all items are in stock" in page(staff_client.get(admin_page_url(payment, "record"))).text
    )
    assert ": Paid." in post_and_read(staff_client, admin_page_url(payment, "record"), money())
    assert reread(payment).order.status == OrderStatus.CONFIRMED


# ---- rejecting ---------------------------------------------------------------------------------------------


def test_rejecting_needs_a_reason_that_is_mailed_to_the_buyer(staff_client, staff, mails):
    payment = start(email="buyer@example.test")
    address = admin_page_url(payment, "reject")

    assert "Choose a reason" in post_and_read(staff_client, address, {"text": ""})
    assert "Describe the reason." in post_and_read(staff_client, address, {"preset": "other", "text": " "})
    assert PaymentTransition.objects.filter(new="FAILED").count() == 0
    text = post_and_read(
        staff_client, address, {"preset": "The bank returned the check unpaid.", "text": "Number 12."}
    )

    assert "Payment rejected" in text
    assert reread(payment).failure_reason == "The bank returned the check unpaid. Number 12."
    assert AuditEntry.objects.get(action="payment.reject").actor == staff
    assert "Number 12." in mails("buyer@example.test")[-1].body


def test_payment_with_receipts_cannot_be_rejected(staff_client, staff):
    payment = start()
    record(payment, "10.00", actor=staff)

    shown = page(staff_client.get(admin_page_url(payment, "reject")))
    text = post_and_read(staff_client, admin_page_url(payment, "reject"), {"preset": "other", "text": "no"})

    assert "Refund it instead of rejecting the payment" in shown.text
    assert not shown.all("button", class_="aa-danger")
    assert "Refund it instead of rejecting the payment" in text
    assert reread(payment).status == PaymentStatus.PENDING


# ---- returning ---------------------------------------------------------------------------------------------


def test_offline_refund_is_recorded_with_its_staff_member(staff_client, staff):
    payment = start(email="buyer@example.test")
    record(payment, "109.99", actor=staff)

    shown = page(staff_client.get(admin_page_url(payment, "return")))
    text = post_and_read(staff_client, admin_page_url(payment, "return"), return_form())

    assert "The shop does not send this money." in shown.text
    assert shown.one("input", name="amount").attrs["value"] == "10.00"
    assert "Refund of $10.00 recorded" in text
    refund = PaymentRefund.objects.get()
    assert (refund.amount_minor, refund.reason, refund.actor) == (
        1000,
        "The order was overpaid.",
        staff,
    )
    assert "no results found" in page(staff_client.get("/admin/orders/order/?needs=return")).text.lower()


def test_refund_over_the_remaining_amount_is_refused(staff_client, staff):
    payment = start()
    record(payment, "99.99", actor=staff)

    shown = page(staff_client.post(admin_page_url(payment, "return"), return_form("100.00")))

    assert "only 99.99 USD can still be refunded" in shown.text
    assert shown.one("input", name="bank_reference").attrs["value"] == "OUT-1"
    assert PaymentRefund.objects.count() == 0


def test_unpaid_payment_cannot_be_refunded(staff_client):
    payment = start()

    assert (
        "This payment has been fully refunded"
        in page(staff_client.get(admin_page_url(payment, "return"))).text
    )
    assert "Record refund" not in page(staff_client.get(admin_page_url(payment))).text


# ---- orders ------------------------------------------------------------------------------------------------


def test_cancelling_explains_the_consequences_and_lists_the_refund_due(staff_client, staff, bowl):
    payment = start(items={bowl: 1}, email="buyer@example.test")
    record(payment, "99.99", actor=staff)
    address = admin_page_url(payment.order, "cancel")

    assert (
        "$99.99 paid offline: the amount for the selected parcels is listed"
        in page(staff_client.get(address)).text
    )
    assert "Choose a reason" in post_and_read(staff_client, address, {})
    text = post_and_read(staff_client, address, {"preset": "The buyer requested it.", "text": ""})

    assert "is cancelled" in text
    assert "Refund $99.99" in text
    assert reread(payment).order.status == OrderStatus.CANCELLED
    bowl.refresh_from_db()
    assert bowl.stock == 10


def test_shipped_order_cannot_be_cancelled(staff_client, staff, admin_user):
    payment = start()
    record(payment, "99.99", actor=staff)
    parcel_ship(parcel_id=payment.order.parcels.get().pk, carrier="", tracking="", actor=admin_user)

    assert (
        "can no longer be cancelled" in page(staff_client.get(admin_page_url(payment.order, "cancel"))).text
    )
    staff_client.post(admin_page_url(payment.order, "cancel"), {"preset": "The buyer requested it."})
    assert reread(payment).order.status == OrderStatus.SHIPPED


def test_revoked_links_no_longer_work(staff_client, client):
    payment = start()
    old = reverse("payments:order", args=[payment.order.access_token])
    assert client.get(old).status_code == 200

    staff_client.get(admin_page_url(payment.order, "revoke-links"))
    assert client.get(old).status_code == 200
    post_and_read(staff_client, admin_page_url(payment.order, "revoke-links"), {})

    assert client.get(old).status_code == 410
    assert AuditEntry.objects.filter(action="order.revoke_links").count() == 1


def test_staff_can_open_the_buyers_page_from_the_admin(staff_client, staff):
    payment = start()
    record(payment, "99.99", actor=staff)

    shown = staff_client.get(admin_page_url(payment.order)).content.decode()
    buyers = staff_client.get(admin_page_url(payment.order, "as-buyer"))

    assert payment.order.access_token not in shown
    assert payment.order.access_token in buyers.url


# ---- permissions -------------------------------------------------------------------------------------------

ACTIONS = {
    "record": "payments.approve_manual",
    "reject": "payments.approve_manual",
    "return": "payments.refund",
    "cancel": "orders.cancel_order",
    "revoke-links": "orders.revoke_links",
    "as-buyer": "orders.view_order",
}
LINKS = {
    "record": "Record payment",
    "return": "Record refund",
    "cancel": "Cancel order",
    "revoke-links": "Revoke links",
}


@pytest.mark.parametrize(
    "job", ["Payments team", "Refunds team", "Orders team", "Auditors", "Catalog team", None]
)
def test_actions_without_the_permission_are_hidden_and_refused(browser, staff, job):
    payment = start()
    record(payment, "20.00", actor=staff)
    person = UserFactory.create(email="one@example.test", role=Role.STAFF)
    person.groups.set(Group.objects.filter(name=job))
    client = browser(person)
    detail = client.get(admin_page_url(payment.order))
    text = page(detail).text if detail.status_code == 200 else ""

    for name, permission in ACTIONS.items():
        target = (
            payment
            if hasattr(payment, "amount_minor") and name in {"record", "reject", "return"}
            else payment.order
        )
        allowed = person.has_perm(permission)
        assert (client.get(admin_page_url(target, name)).status_code == 403) is not allowed, name
        if not allowed:
            assert client.post(admin_page_url(target, name), money()).status_code == 403, name
        if text and name in LINKS:
            assert (LINKS[name] in text) is allowed, name
    assert Receipt.objects.count() == 1


def test_shoppers_and_guests_cannot_open_the_admin(browser, shopper, client):
    payment = start()

    for visitor in (browser(shopper), client):
        answer = visitor.post(admin_page_url(payment, "record"), money())
        assert answer.status_code == 302
        assert "/login/" in answer.url
    assert Receipt.objects.count() == 0


def test_staff_cannot_act_on_their_own_order(staff_client, staff):
    payment = start(user=staff)

    assert "for your own order" in page(staff_client.get(admin_page_url(payment, "record"))).text
    assert "for your own order" in post_and_read(staff_client, admin_page_url(payment, "record"), money())
    assert "for your own order" in post_and_read(
        staff_client, admin_page_url(payment, "reject"), {"preset": "other", "text": "no"}
    )
    assert Receipt.objects.count() == 0
    assert mail.outbox == []
