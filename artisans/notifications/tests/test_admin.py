import pytest
from django.conf import settings
from django.utils import timezone

from artisans.core.admin.pages import admin_page_url
from artisans.core.security.tokens import mailbox_token
from artisans.notifications.models import MailState, Notification
from payments.tests.factories import start
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

LIST = "/admin/notifications/notification/"


@pytest.fixture
def order():
    return start(email="guest@example.test").order


@pytest.fixture
def mail(order):
    return Notification.objects.get(recipient="guest@example.test")


def test_mail_is_shown_without_the_secrets_of_its_links(browser, staff, order, mail):
    shown = browser(staff).get(admin_page_url(mail)).content.decode()

    assert order.order_number in shown
    assert f"{settings.SITE_URL}/…" in shown
    assert order.access_token not in shown
    assert mailbox_token(order.pk) not in shown
    frame = page(shown).one("iframe")
    assert "sandbox" in frame.attrs
    assert frame.attrs["sandbox"] == ""
    assert order.order_number in frame.attrs["srcdoc"]


def test_failed_mails_are_filtered_and_sent_again(browser, staff, mail, drain):
    Notification.objects.update(state=MailState.DEAD, tries=12, last_error="SMTP is down")
    client = browser(staff)

    assert "SMTP is down" in page(client.get(f"{LIST}?delivery=stuck")).text
    again = admin_page_url(mail, "again")
    assert client.get(again).status_code == 405
    assert "The email is being resent." in page(client.post(again, follow=True)).text
    drain()

    mail.refresh_from_db()
    assert mail.state == MailState.SENT
    assert client.post(again).status_code == 403
    assert "Resend" not in page(client.get(admin_page_url(mail))).text


def test_sending_again_from_the_list_skips_sent_mails(browser, staff, mail):
    Notification.objects.update(state=MailState.SENT, sent_at=timezone.now())

    chosen = {"action": "send_again", "_selected_action": [str(mail.pk)]}
    text = page(browser(staff).post(LIST, chosen, follow=True)).text

    assert "0 unsent emails are being resent" in text
    mail.refresh_from_db()
    assert mail.state == MailState.SENT


def test_sending_again_needs_the_permission(browser, powerless_staff, mail):
    assert browser(powerless_staff).post(admin_page_url(mail, "again")).status_code == 403


@pytest.mark.parametrize("term", ["guest@example.test", "guest@", "number"])
def test_mails_are_found_by_recipient_and_order(browser, staff, order, mail, term):
    term = order.order_number.lower() if term == "number" else term

    assert (
        "guest@example.test"
        in page(browser(staff).get(f"{LIST}?q={term}")).one("table", id="result_list").text
    )


def test_mail_that_cannot_be_rendered_shows_the_error(browser, staff, mail):
    Notification.objects.update(kind="no_such_mail")

    assert "The email could not be rendered" in page(browser(staff).get(admin_page_url(mail))).text
