"""Particular mails: to guests, while the mail server is down, with hostile input, about payments due."""

from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from payments.methods import PaymentMethod
from payments.tests.factories import start
from tests.checkout_client import CheckoutClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_guests_mail_has_a_link_to_confirm_the_address(browser, bowl, mails):
    order = CheckoutClient(browser()).buy("bank_transfer", bowl)

    [mail] = mails("guest@example.test")

    assert "?mailbox=" in mail.body
    assert "?mailbox=" in mail.alternatives[0].content
    assert order.order_number in mail.subject


def test_signed_in_buyer_is_not_asked_to_confirm(browser, bowl, shopper, mails):
    CheckoutClient(browser(shopper)).buy("bank_transfer", bowl, email=shopper.email)

    assert "?mailbox=" not in mails(shopper.email)[0].body


def test_unavailable_mail_server_does_not_affect_an_order(browser, bowl, monkeypatch, mails, time_machine):
    def refuse(self, messages):
        raise ConnectionRefusedError

    with monkeypatch.context() as dead:
        dead.setattr(EmailBackend, "send_messages", refuse)
        order = CheckoutClient(browser()).buy("bank_transfer", bowl)
        assert mails() == []

    assert order.status == "PENDING"
    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    assert len(mails("guest@example.test")) == 1


@pytest.mark.parametrize("name", ["Ada\r\nBcc: eve@example.test", "Ada\nX-Evil: 1"])
def test_no_line_break_reaches_a_header(name, bowl, shopper, mails):
    start(items={bowl: 1}, user=shopper, note=name)

    for message in mails():
        read = message_from_bytes(message.message().as_bytes(), policy=policy.default)
        assert read["Bcc"] is None
        assert read["X-Evil"] is None
        assert "\n" not in message.subject


def test_due_date_excludes_the_grace_period(shopper, mails):
    payment = start(user=shopper)
    result = timezone.localtime(payment.order.pay_by)

    body = mails(shopper.email)[0].body

    assert f"{result:%b}" in body
    assert str(result.day) in body
    assert (payment.order.expires_at - payment.order.pay_by).days == 3


def test_cash_on_delivery_gets_no_payment_reminder(shopper, mails):
    start(PaymentMethod.CASH_ON_DELIVERY, user=shopper)

    [mail] = mails(shopper.email)
    assert "nothing to pay now" in mail.body
    assert "Please pay by" not in mail.body
