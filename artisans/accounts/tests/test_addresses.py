"""Only confirmed mailboxes count: for sign-up, password resets, the main address and applications."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.urls import reverse

from artisans.accounts.models import AuthToken, Role, User
from artisans.accounts.services import has_confirmed_address
from artisans.accounts.tests.factories import PASSWORD, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

VICTIM = "victim@example.test"
EVIL = "evil@example.test"
NEW_PASSWORD = "tall-giraffe-under-9-clouds"


def account(main: str, *others: str, verified: tuple[str, ...] = (), **fields) -> User:
    user = UserFactory(email=main, **fields)
    for email in (main, *others):
        EmailAddress.objects.create(user=user, email=email, primary=email == main, verified=email in verified)
    return user


def addresses_of(user: User) -> list[tuple[str, bool, bool]]:
    rows = EmailAddress.objects.filter(user=user).order_by("email")
    return list(rows.values_list("email", "primary", "verified"))


def reset(email: str, mails) -> bool:
    """Whether a reset through this mailbox set the password."""
    client = Client()
    client.post(reverse("account_reset_password"), {"email": email})
    link = re.search(r"/shop/account/password/reset/key/\S+", mails(email)[-1].body)
    if link is None:
        return False
    form = client.get(link.group(), follow=True).redirect_chain[-1][0]
    answer = client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    return answer.status_code == 302


def test_api_refuses_an_address_that_another_account_has_verified(api):
    account("main@example.test", VICTIM, verified=(VICTIM,))

    answer = api().post("/auth/register", {"email": VICTIM.upper(), "password": PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
    assert User.objects.count() == 1


def test_admin_refuses_an_address_that_another_account_has_verified(browser, admin_user):
    account("main@example.test", VICTIM, verified=(VICTIM,))
    new = {"email": VICTIM, "name": "V", "role": Role.SHOPPER, "usable_password": "true"}

    browser(admin_user).post(
        "/admin/accounts/user/add/", new | {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    )

    assert not User.objects.filter(email=VICTIM).exists()


def test_reset_of_an_unconfirmed_account_removes_what_its_registrant_added(mails):
    user = account(VICTIM, EVIL, verified=(EVIL,))
    TOTP.activate(user, generate_totp_secret())
    AuthToken.objects.create(user=user)

    assert reset(VICTIM, mails)

    assert addresses_of(user) == [(VICTIM, True, True)]
    assert not Authenticator.objects.filter(user=user).exists()
    assert not AuthToken.objects.filter(user=user).exists()
    assert not reset(EVIL, mails)


def test_reset_through_a_confirmed_address_confirms_no_other(mails):
    user = account(VICTIM, EVIL, verified=(EVIL,))
    before = addresses_of(user)

    assert reset(EVIL, mails)

    assert addresses_of(user) == before


def test_reset_of_a_confirmed_account_keeps_its_addresses_and_second_factor(mails):
    user = account(VICTIM, "other@example.test", verified=(VICTIM,))
    TOTP.activate(user, generate_totp_secret())
    before = addresses_of(user)

    assert reset(VICTIM, mails)

    assert addresses_of(user) == before
    assert Authenticator.objects.filter(user=user).exists()


def test_reset_by_staff_keeps_the_second_factor(mails):
    user = account(VICTIM, role=Role.STAFF)
    TOTP.activate(user, generate_totp_secret())

    assert reset(VICTIM, mails)

    assert Authenticator.objects.filter(user=user).exists()


def test_address_that_another_account_only_added_signs_up_and_is_reset_alone(mails):
    attacker = account(EVIL, VICTIM, verified=(EVIL,))
    assert not reset(VICTIM, mails)

    answer = Client().post(reverse("account_signup"), {"email": VICTIM, "password1": PASSWORD})

    assert answer.status_code == 302
    victim = User.objects.get(email=VICTIM)
    assert addresses_of(victim) == [(VICTIM, True, False)]
    assert reset(VICTIM, mails)
    attacker.refresh_from_db()
    assert attacker.check_password(PASSWORD)
    assert addresses_of(victim) == [(VICTIM, True, True)]


@pytest.mark.parametrize("verified", [(EVIL, VICTIM), (EVIL,)])
def test_main_address_of_another_account_is_refused_readably(browser, verified):
    UserFactory(email=VICTIM)
    user = account(EVIL, VICTIM, verified=verified)

    answer = browser(user).post(
        reverse("account_email"), {"action_primary": "", "email": VICTIM}, follow=True
    )

    assert answer.status_code == 200
    assert "Only a confirmed address that no other account uses" in answer.content.decode()
    user.refresh_from_db()
    assert user.email == EVIL
    assert addresses_of(user)[0] == (EVIL, True, True)


def test_unconfirmed_address_does_not_become_the_main_one(browser):
    user = account(EVIL, VICTIM)

    answer = browser(user).post(
        reverse("account_email"), {"action_primary": "", "email": VICTIM}, follow=True
    )

    assert "Only a confirmed address that no other account uses" in answer.content.decode()
    user.refresh_from_db()
    assert user.email == EVIL


def test_sign_up_that_fails_before_its_address_is_saved_leaves_no_account(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(EmailAddress, "save", fail)

    with pytest.raises(RuntimeError):
        Client().post(reverse("account_signup"), {"email": VICTIM, "password1": PASSWORD})

    assert not User.objects.exists()


def test_another_confirmed_address_does_not_confirm_the_main_one():
    assert not has_confirmed_address(account(VICTIM, EVIL, verified=(EVIL,)))
    assert has_confirmed_address(account("main@example.test", verified=("main@example.test",)))
    assert has_confirmed_address(UserFactory())
