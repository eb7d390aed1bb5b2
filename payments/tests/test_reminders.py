"""Payment reminders: one mail soon after an unfinished provider payment, or before the due date of an offline one."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.notifications.models import Notification
from payments.gateway.payments import payment_ensure_at_provider, payment_mark_processing, payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.reminders import payment_remind
from payments.methods import PaymentMethod
from payments.tests.factories import paid_by_card, record, reread, start
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

CARD, TRANSFER = PaymentMethod.CREDIT_CARD, PaymentMethod.BANK_TRANSFER
SUBJECT = "please complete your payment"


@pytest.fixture
def left(stripe):
    """A guest's card payment on a page that was closed."""
    payment = start(CARD, email="guest@example.test")
    payment_ensure_at_provider(payment)
    return reread(payment)


@pytest.fixture
def later(time_machine):
    def move(**span):
        time_machine.move_to(timezone.now() + timedelta(**span))
        process_due()

    return move


def reminders() -> int:
    return Notification.objects.filter(kind="payment_open").count()


def test_guest_who_left_is_reminded_once_with_a_link(left, later, mails):
    later(minutes=9)
    assert reminders() == 0

    later(minutes=2)
    later(minutes=2)

    [mail] = [mail for mail in mails("guest@example.test") if SUBJECT in mail.subject]
    assert "You have not been charged. Please pay $99.99 by" in mail.body
    assert "/pay/" in mail.body
    assert reminders() == 1


def test_reminder_gives_the_reason_of_the_decline(left, stripe, later, mails):
    stripe.pay(left, "visa_chargeDeclinedInsufficientFunds")
    payment_sync(left.pk, cause="test")

    later(minutes=11)

    [mail] = [mail for mail in mails("guest@example.test") if SUBJECT in mail.subject]
    assert f"Your last payment attempt failed: {reread(left).failure_reason}" in mail.body


def test_second_attempt_with_another_method_is_not_reminded_again(left, later):
    later(minutes=11)
    payment_choose_method(order_id=left.order_id, method=PaymentMethod.DEBIT_CARD, actor=None)

    later(minutes=12)

    assert reminders() == 1


@pytest.mark.parametrize("end", ["paid", "cancelled", "transfer", "nearly over", "not known"])
def test_no_reminder_when_none_is_needed(end, stripe, shopper, later):
    if end == "paid":
        paid_by_card(stripe, user=shopper)
    elif end == "transfer":
        start(PaymentMethod.BANK_TRANSFER, user=shopper)
    else:
        payment = start(CARD, user=shopper)
        payment_ensure_at_provider(payment)
        if end == "cancelled":
            order_cancel(order_id=payment.order_id, reason="", actor=shopper)
        elif end == "not known":
            stripe.fault("unavailable", path="/v1/*", count=None)
            payment_mark_processing(payment.pk, is_forced=True)

    later(minutes=26 if end == "nearly over" else 11)

    assert reminders() == 0


def test_payment_completed_during_the_task_is_not_reminded(left, stripe, later):
    stripe.pay(left)
    payment_sync(left.pk, cause="test")

    payment_remind(left.pk)

    assert reminders() == 0
    assert reread(left).reminded_at is None


def test_partially_paid_order_is_not_told_that_nothing_was_charged(shopper, staff, stripe, later):
    transfer = start(TRANSFER, user=shopper)
    record(transfer, "60.00", actor=staff)
    payment_choose_method(order_id=transfer.order_id, method=CARD, actor=shopper)

    later(minutes=11)

    assert reminders() == 0


# ---- offline -------------------------------------------------------------------------------------------------


def due_reminders(mails, shopper):
    return [mail for mail in mails(shopper.email) if " by " in mail.subject]


def test_transfer_is_reminded_once_two_days_before_the_stated_due_date(shopper, later, mails):
    payment = start(TRANSFER, user=shopper)
    later(days=4)
    assert due_reminders(mails, shopper) == []

    later(days=1, minutes=1)
    later(hours=5)

    [mail] = due_reminders(mails, shopper)
    assert "$99.99" in mail.subject
    assert payment.order.order_number in mail.body
    assert "If you have already sent it, you do not need to do anything" in mail.body


def test_reminder_names_the_outstanding_amount(shopper, staff, later, mails):
    payment = start(TRANSFER, user=shopper)
    record(payment, "60.00", actor=staff)
    pay_by = payment.order.pay_by

    later(seconds=(pay_by - timezone.now()).total_seconds() - 3600)

    [mail] = due_reminders(mails, shopper)
    assert "$39.99" in mail.subject


@pytest.mark.parametrize("end", ["cash", "paid", "first day", "after the date"])
def test_no_reminder_when_nothing_is_due(end, shopper, staff, later, mails):
    payment = start(PaymentMethod.CASH_ON_DELIVERY if end == "cash" else TRANSFER, user=shopper)
    if end == "paid":
        record(payment, "99.99", actor=staff)
    if end == "first day":
        type(payment.order).objects.filter(pk=payment.order_id).update(
            pay_by=timezone.now() + timedelta(days=1)
        )

    later(**{"first day": {"hours": 12}, "after the date": {"days": 8}}.get(end, {"days": 6}))

    assert due_reminders(mails, shopper) == []
