"""allauth's emails go through the outbox: HTML and text, links from SITE_URL, made when sent and stored nowhere."""

import re
from pathlib import Path

import allauth
import pytest
from allauth.account import app_settings
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import reverse

from artisans.accounts.adapter import MAILS
from artisans.accounts.credentials import password_set
from artisans.accounts.models import User
from artisans.core.admin.pages import admin_page_url
from artisans.notifications.models import Notification
from tests.dump import dump
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

LINK = re.compile(r"https?://[^\s\"'<>)]+")
PASSWORD = "tall-giraffe-under-9-clouds"
ANOTHER_HOST = {"headers": {"host": "testserver"}, "SERVER_PORT": "8210"}
NOTICES = re.compile(
    r"(account|mfa)/email/(base_|email_(changed|confirm|deleted)$|password_(changed|reset|set)$)|mfa/email/"
)
# Emails of allauth that we do not send, with the setting that would send them.
NOT_SENT = {
    "account/email/account_already_exists": lambda: app_settings.EMAIL_VERIFICATION == "mandatory",
    "account/email/login_code": lambda: app_settings.LOGIN_BY_CODE_ENABLED,
    "account/email/password_reset_code": lambda: app_settings.PASSWORD_RESET_BY_CODE_ENABLED,
}


def allauth_mails() -> set[str]:
    """Template prefixes of all emails of the installed apps of allauth."""
    root = Path(allauth.__file__).parent / "templates"
    folders = {config.label for config in apps.get_app_configs() if config.name.startswith("allauth.")}
    return {
        str(path.relative_to(root)).removesuffix("_subject.txt")
        for folder in folders | {"account", "mfa"}
        for path in root.glob(f"{folder}/email/*_subject.txt")
    }


def request_reset(email: str) -> Notification:
    answer = Client().post(reverse("account_reset_password"), {"email": email}, **ANOTHER_HOST)
    assert answer.status_code == 302
    return Notification.objects.get(recipient=email)


def link_in(message) -> str:
    """The only link of an email; it is the same in both parts."""
    [link] = set(LINK.findall(message.body))
    assert link in message.alternatives[0].content
    assert link.startswith(f"{settings.SITE_URL}/")
    return link.removeprefix(settings.SITE_URL)


def test_every_mail_of_allauth_is_ours_or_not_sent():
    notices = {prefix for prefix in allauth_mails() if NOTICES.match(prefix)}

    assert not app_settings.EMAIL_NOTIFICATIONS, "`account_changed` sends our own emails about changes"
    assert not app_settings.EMAIL_VERIFICATION_BY_CODE_ENABLED
    assert not any(is_sent() for is_sent in NOT_SENT.values())
    assert allauth_mails() - notices == set(MAILS) | set(NOT_SENT)


def test_reset_link_sets_a_new_password(shopper, mails):
    request_reset(shopper.email)
    [message] = mails(shopper.email)
    assert message.subject == "Reset your password"
    client = Client()
    form = client.get(link_in(message), follow=True).redirect_chain[-1][0]

    client.post(form, {"password1": PASSWORD, "password2": PASSWORD})

    shopper.refresh_from_db()
    assert shopper.check_password(PASSWORD)


def test_confirmation_link_confirms_the_address(shopper, browser, mails):
    client = browser(shopper)
    client.post(reverse("account_email"), {"action_send": "", "email": shopper.email}, **ANOTHER_HOST)
    [message] = mails(shopper.email)
    assert message.subject == "Confirm your email address"

    client.post(link_in(message))

    assert EmailAddress.objects.get(user=shopper).verified


def test_new_account_gets_one_mail_to_confirm_its_address(mails):
    Client().post(
        reverse("account_signup"), {"email": "new@example.test", "password1": PASSWORD}, **ANOTHER_HOST
    )

    [message] = mails("new@example.test")
    assert message.subject == "Confirm your email address"
    assert Client().get(link_in(message)).status_code == 200


def test_account_made_by_api_gets_one_mail_to_confirm_its_address(api, mails):
    answer = api().post("/auth/register", {"email": "New@Example.Test", "password": PASSWORD})
    assert answer.status_code == 201
    address = EmailAddress.objects.get(email="new@example.test")
    assert not address.verified

    [message] = mails("new@example.test")
    assert message.subject == "Confirm your email address"
    Client().post(link_in(message))

    address.refresh_from_db()
    assert address.verified


def test_mail_of_a_registration_is_that_of_the_sign_up_page(api):
    api().post("/auth/register", {"email": "api@example.test", "password": PASSWORD})
    Client().post(reverse("account_signup"), {"email": "page@example.test", "password1": PASSWORD})

    by_api, by_page = (
        Notification.objects.get(recipient=email) for email in ("api@example.test", "page@example.test")
    )
    assert by_api.kind == by_page.kind
    assert by_api.context.keys() == by_page.context.keys()


@pytest.mark.parametrize("way", ["api", "page"])
def test_new_account_waits_before_it_requests_another_confirmation(way, api, browser):
    sent = {"email": "new@example.test", "password" if way == "api" else "password1": PASSWORD}
    (api() if way == "api" else Client()).post(
        "/auth/register" if way == "api" else reverse("account_signup"), sent
    )

    client = browser(User.objects.get())
    client.post(reverse("account_email"), {"action_send": "", "email": "new@example.test"})

    assert Notification.objects.count() == 1


def test_registration_of_a_registered_address_sends_nothing(api, shopper):
    answer = api().post("/auth/register", {"email": shopper.email, "password": PASSWORD})

    assert answer.status_code == 409
    assert not Notification.objects.exists()


def test_registration_that_fails_leaves_no_mail(api, monkeypatch):
    def fail(**kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("artisans.accounts.services.audit_record", fail)
    with pytest.raises(RuntimeError):
        api().post("/auth/register", {"email": "new@example.test", "password": PASSWORD})

    assert not Notification.objects.exists()


def test_address_without_an_account_gets_a_link_to_sign_up(mails):
    request_reset("nobody@example.test")

    [message] = mails("nobody@example.test")
    assert link_in(message) == reverse("account_signup")


def test_no_row_holds_the_key_of_a_link(shopper, browser, mails):
    request_reset(shopper.email)
    browser(shopper).post(reverse("account_email"), {"action_send": "", "email": shopper.email})
    links = [link_in(message) for message in mails(shopper.email)]
    keys = [link.rstrip("/")[-16:] for link in links]

    rows = str(dump())

    assert len(keys) == 2
    assert not [key for key in keys if key in rows]


def test_staff_do_not_see_the_link(shopper, browser, staff, mails):
    row = request_reset(shopper.email)

    shown = browser(staff).get(admin_page_url(row)).content.decode()

    assert "Choose a new password" in shown
    assert "/password/reset/" not in shown


@pytest.mark.parametrize("change", ["address removed", "password changed", "account closed"])
def test_mail_that_waited_while_the_account_changed_opens_nothing(change, shopper, mails):
    other = EmailAddress.objects.create(user=shopper, email="old@example.test", verified=True)
    request_reset(other.email)
    match change:
        case "address removed":
            other.delete()
        case "password changed":
            password_set(user=shopper, password=PASSWORD, actor=shopper)
        case "account closed":
            User.objects.filter(pk=shopper.pk).update(is_active=False)

    [message] = mails(other.email)

    assert link_in(message) == reverse("account_reset_password")


def test_subject_and_sender_are_those_of_other_mails(shopper, mails):
    request_reset(shopper.email)

    [message] = mails(shopper.email)
    assert "[" not in message.subject
    assert message.from_email == settings.DEFAULT_FROM_EMAIL
    assert page(message.alternatives[0].content).one("h1").text == message.subject
