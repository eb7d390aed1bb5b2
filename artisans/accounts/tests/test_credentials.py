"""Credentials change only after a recent sign-in; the owner is then notified, and earlier sessions and tokens end."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.usersessions.models import UserSession
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from artisans.accounts import urls
from artisans.accounts.models import AuthToken, User
from artisans.accounts.tests.factories import PASSWORD
from artisans.accounts.tests.sign_in import sign_in
from artisans.audit.models import AuditEntry
from artisans.audit.services import Action
from artisans.core.security import encryption
from tests.dump import dump
from tests.html import page

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]

NEW_PASSWORD = "tall-giraffe-under-9-clouds"
OTHER = "other@example.test"


def code_of(user: User, *, periods_ahead: int = 1) -> str:
    """The next code of this user's authenticator app; the current one may have been used to switch it on."""
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    period = int(time.time()) // 30 + periods_ahead
    return format_hotp_value(hotp_value(encryption.decrypt(row.data["secret"]), period))


def passkey(user: User) -> Authenticator:
    data = {"name": "Laptop", "credential": {}}
    return Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=data)


@pytest.fixture
def owner(shopper: User) -> User:
    """Both addresses are confirmed."""
    for email in (shopper.email, OTHER):
        EmailAddress.objects.create(user=shopper, email=email, primary=email == shopper.email, verified=True)
    return shopper


@dataclass(frozen=True)
class Change:
    """A request that changes credentials. `prepare` returns the arguments of the URL."""

    action: Action
    body: Callable[[User], dict[str, Any]]
    prepare: Callable[[User], dict[str, Any]] = lambda user: {}
    recipients: tuple[str, ...] = ("shopper@example.test",)
    ends_access: bool = True


def totp_secret_in_session(client: Client) -> str:
    return encryption.decrypt(client.session["mfa.totp.secret"])


CHANGES = {
    "account_email add": Change(
        Action.ADDRESS_ADD, lambda _: {"action_add": "", "email": "third@example.test"}, ends_access=False
    ),
    "account_email primary": Change(Action.ADDRESS_CHANGE, lambda _: {"action_primary": "", "email": OTHER}),
    "account_email remove": Change(
        Action.ADDRESS_REMOVE,
        lambda _: {"action_remove": "", "email": OTHER},
        recipients=("shopper@example.test", OTHER),
        ends_access=False,
    ),
    "mfa_deactivate_totp": Change(
        Action.SECOND_FACTOR_REMOVE,
        lambda _: {},
        lambda user: TOTP.activate(user, generate_totp_secret()) and {},
    ),
    "mfa_remove_webauthn": Change(
        Action.SECOND_FACTOR_REMOVE, lambda _: {}, lambda user: {"pk": passkey(user).pk}
    ),
    "mfa_generate_recovery_codes": Change(
        Action.RECOVERY_CODES_MAKE,
        lambda _: {},
        lambda user: passkey(user) and {},
        ends_access=False,
    ),
}
# Covered by separate tests below, or protected by a credential in the request (current password, mailed link).
OTHERS_THAT_CHANGE = {
    "account_change_password",
    "account_reset_password_from_key",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_edit_webauthn",
    "account_tokens",
    "account_token_end",
}
HARMLESS = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",
    "account_reauthenticate",
    "account_email_verification_sent",
    "account_set_password",  # leads to the page above: every account has a password
    "account_reset_password",
    "account_confirm_login_code",
    "account_confirm_email",  # confirms an added address by the link mailed to it
    "account_reset_password_from_key_done",
    "account_reset_password_done",
    "account_sessions",  # signs out others
    "account_confirmed",
    "mfa_index",
    "mfa_authenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_list_webauthn",
    "mfa_view_recovery_codes",
    "mfa_download_recovery_codes",
}


def names(patterns: list[URLPattern | URLResolver]) -> set[str]:
    return {pattern.name for pattern in urls.flat(patterns)}


def press(client: Client, name: str, user: User) -> Any:
    change = CHANGES[name]
    address = reverse(name.split(maxsplit=1)[0], kwargs=change.prepare(user))
    return lambda: client.post(address, change.body(user))


def state(user: User) -> tuple[Any, ...]:
    user.refresh_from_db()
    addresses = sorted(EmailAddress.objects.filter(user=user).values_list("email", "primary"))
    factors = sorted(map(str, Authenticator.objects.filter(user=user).values_list("pk", "type", "data")))
    return user.email, user.password, addresses, factors, AuthToken.objects.filter(user=user).count()


def test_every_account_page_is_covered_by_these_tests():
    tried = {name.split()[0] for name in CHANGES}

    assert names(urls.urlpatterns) == tried | OTHERS_THAT_CHANGE | HARMLESS


@pytest.mark.parametrize("name", CHANGES)
def test_credentials_do_not_change_when_the_sign_in_is_too_old(owner, api, mails, name):
    client = Client()
    pressed = press(client, name, owner)
    sign_in(client, owner, minutes_ago=16)
    AuthToken.objects.create(user=owner)
    before, result = state(owner), len(mails())

    answer = pressed()

    assert answer.status_code == 403
    assert "Nothing has changed yet" in page(answer).text
    assert state(owner) == before
    assert len(mails()) == result


@pytest.mark.parametrize("name", CHANGES)
def test_form_keeps_its_input_when_the_sign_in_is_too_old(owner, name):
    client = Client()
    pressed = press(client, name, owner)
    sign_in(client, owner, minutes_ago=16)

    form = page(pressed()).all("form")[-1]

    kept = {field.attrs["name"]: field.attrs["value"] for field in form.all("input")}
    kept.pop("csrfmiddlewaretoken", None)
    assert kept == CHANGES[name].body(owner)


@pytest.mark.parametrize("name", CHANGES)
def test_changing_credentials_mails_audits_and_ends_other_sessions_and_tokens(owner, api, mails, name):
    client, elsewhere = Client(), Client()
    pressed = press(client, name, owner)
    change, token = CHANGES[name], api(owner)
    for browser in (client, elsewhere):
        sign_in(browser, owner)
    mails()
    mail.outbox.clear()
    before = state(owner)

    answer = pressed()

    assert answer.status_code == 302, page(answer).text
    assert state(owner) != before
    entry = AuditEntry.objects.filter(action=change.action).latest("pk")
    assert (entry.actor, entry.target_id) == (owner, owner.pk)
    result = [message.to[0] for message in mails() if "your account" in message.subject]
    assert sorted(result) == sorted(change.recipients)
    index = reverse("mfa_index")
    assert client.get(index).status_code == 200
    assert (elsewhere.get(index).status_code == 302) is change.ends_access
    assert (token.get("/auth/me").status_code == 401) is change.ends_access


def test_switching_on_a_second_factor_ends_other_sessions_and_tokens(owner, api, mails):
    client, elsewhere, token = Client(), Client(), api(owner)
    for browser in (client, elsewhere):
        sign_in(browser, owner)
    address = reverse("mfa_activate_totp")
    client.get(address)
    secret = totp_secret_in_session(client)
    assert secret not in str(list(client.session.items()))
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))

    answer = client.post(address, {"code": code})

    assert answer.status_code == 302
    row = Authenticator.objects.get(user=owner, type=Authenticator.Type.TOTP)
    codes = Authenticator.objects.get(user=owner, type=Authenticator.Type.RECOVERY_CODES)
    assert secret not in str(row.data)
    assert encryption.decrypt(row.data["secret"]) == secret
    assert encryption.decrypt(codes.data["seed"]) not in str(codes.data)
    assert elsewhere.get(reverse("mfa_index")).status_code == 302
    assert token.get("/auth/me").status_code == 401
    assert any(
        "two-factor authentication method was added" in message.subject for message in mails(owner.email)
    )
    assert AuditEntry.objects.filter(action=Action.SECOND_FACTOR_ADD, actor=owner).count() == 1


@pytest.mark.parametrize("name", ["mfa_activate_totp", "mfa_add_webauthn", "account_tokens"])
def test_page_requires_a_recent_sign_in_before_it_shows_anything(owner, name):
    client = Client()
    sign_in(client, owner, minutes_ago=16)

    answer = client.get(reverse(name))

    assert (
        answer["Location"] == f"{reverse('account_reauthenticate')}?next={reverse(name).replace('/', '%2F')}"
    )


def test_second_factor_needs_a_confirmed_address(shopper, browser):
    EmailAddress.objects.create(user=shopper, email=shopper.email, primary=True)

    answer = browser(shopper).get(reverse("mfa_activate_totp"), follow=True)

    assert answer.redirect_chain[-1][0] == reverse("account_email")
    assert "Confirm your email address first" in page(answer).text


def test_new_password_revokes_tokens_and_ends_other_sessions(owner, api, mails):
    client, elsewhere, token = Client(), Client(), api(owner)
    for browser in (client, elsewhere):
        sign_in(browser, owner)
    body = {"oldpassword": PASSWORD, "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    answer = client.post(reverse("account_change_password"), body)

    assert answer.status_code == 302
    assert client.get(reverse("mfa_index")).status_code == 200
    assert elsewhere.get(reverse("mfa_index")).status_code == 302
    assert token.get("/auth/me").status_code == 401
    assert [m.subject for m in mails(owner.email)] == ["The password of your account was changed"]
    assert AuditEntry.objects.filter(action=Action.PASSWORD_CHANGE, actor=owner).count() == 1


def test_password_does_not_change_without_the_current_one(owner, browser):
    before = state(owner)
    body = {"oldpassword": "wrong", "password1": NEW_PASSWORD, "password2": NEW_PASSWORD}

    assert browser(owner).post(reverse("account_change_password"), body).status_code == 200
    assert state(owner) == before


def test_password_reset_ends_all_tokens_and_sessions(owner, api, mails):
    elsewhere, token, client = Client(), api(owner), Client()
    sign_in(elsewhere, owner)
    client.post(reverse("account_reset_password"), {"email": owner.email})
    link = re.search(r"/shop/account/password/reset/key/\S+", mails(owner.email)[-1].body).group()
    form = client.get(link, follow=True).redirect_chain[-1][0]

    answer = client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})

    assert answer.status_code == 302
    owner.refresh_from_db()
    assert owner.check_password(NEW_PASSWORD)
    assert elsewhere.get(reverse("mfa_index")).status_code == 302
    assert token.get("/auth/me").status_code == 401
    assert any(m.subject == "The password of your account was changed" for m in mails(owner.email))


def test_password_set_by_an_administrator_ends_all_access_and_is_mailed_to_the_owner(
    owner, api, mails, browser, admin_user
):
    elsewhere, token = Client(), api(owner)
    sign_in(elsewhere, owner)
    new = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}

    answer = browser(admin_user).post(f"/admin/accounts/user/{owner.pk}/password/", new)

    assert answer.status_code == 302
    assert elsewhere.get(reverse("mfa_index")).status_code == 302
    assert token.get("/auth/me").status_code == 401
    assert "A member of our staff made this change" in mails(owner.email)[-1].body
    assert AuditEntry.objects.get(action=Action.PASSWORD_CHANGE).actor == admin_user


def test_password_page_of_the_admin_redirects_to_the_account_page(browser, staff):
    assert browser(staff).get("/admin/password_change/")["Location"] == reverse("account_change_password")


def test_lost_second_factor_is_removed_by_an_administrator(owner, api, mails, browser, admin_user):
    TOTP.activate(owner, generate_totp_secret())
    RecoveryCodes.activate(owner)
    token, address = api(owner), f"/admin/accounts/user/{owner.pk}/remove-second-factor/"

    answer = browser(admin_user).post(address)

    assert answer.status_code == 302
    assert not Authenticator.objects.filter(user=owner).exists()
    assert token.get("/auth/me").status_code == 401
    assert AuditEntry.objects.get(action=Action.SECOND_FACTOR_REMOVE).actor == admin_user
    assert any("two-factor authentication method was removed" in m.subject for m in mails(owner.email))


def test_signing_out_other_sessions_keeps_this_one_and_the_tokens(owner, api):
    client, elsewhere, token = Client(), Client(), api(owner)
    for browser in (client, elsewhere):
        sign_in(browser, owner)
    address = reverse("account_sessions")

    assert client.post(address).status_code == 302

    assert client.get(address).status_code == 200
    assert elsewhere.get(address).status_code == 302
    assert token.get("/auth/me").status_code == 200
    assert AuditEntry.objects.get(action=Action.SESSIONS_END).actor == owner


def test_sessions_page_lists_device_network_and_time(owner):
    for agent in ("Phone 1", "Laptop 2"):
        client = Client(headers={"user-agent": agent})
        answer = client.post(reverse("account_login"), {"login": owner.email, "password": PASSWORD})
        assert answer.status_code == 302

    text = page(client.get(reverse("account_sessions"))).text

    assert all(word in text for word in ("Phone 1", "Laptop 2", "127.0.0.1", "This browser", "UTC"))
    assert UserSession.objects.filter(user=owner).count() == 2


def test_reauthentication_renews_the_sign_in_time_and_changes_the_session_key(owner):
    client = Client()
    sign_in(client, owner, minutes_ago=16)
    stolen = Client()
    stolen.cookies = client.cookies.copy()
    tokens = reverse("account_tokens")

    answer = client.post(f"{reverse('account_reauthenticate')}?next={tokens}", {"password": PASSWORD})

    assert answer["Location"] == tokens
    assert client.get(tokens).status_code == 200
    assert stolen.get(tokens)["Location"].startswith(reverse("account_login"))


def test_refused_form_is_not_submitted_after_reauthentication(owner):
    """Otherwise a session thief could leave a form there that the owner would confirm unknowingly."""
    client, address = Client(), reverse("account_email")
    sign_in(client, owner, minutes_ago=16)
    client.post(address, {"action_add": "", "email": "thief@example.test"})

    client.post(f"{reverse('account_reauthenticate')}?next={address}", {"password": PASSWORD})

    assert not EmailAddress.objects.filter(email="thief@example.test").exists()


def test_token_is_created_shown_once_and_revoked_on_the_page(owner, browser, api):
    client, address = browser(owner), reverse("account_tokens")

    made = page(client.post(address, {"name": "till", "scopes": ["read"]})).one("code").text

    bearer = api()
    bearer.credentials(HTTP_AUTHORIZATION=f"Bearer {made}")
    assert bearer.get("/auth/me").status_code == 200
    assert made not in client.get(address).content.decode()
    row = AuthToken.objects.get(name="till")
    assert row.granted == "read"
    assert client.post(reverse("account_token_end", args=[row.public_id])).status_code == 302
    assert bearer.get("/auth/me").status_code == 401


@pytest.mark.parametrize("name", ["account_tokens", "account_token_end"])
def test_tokens_do_not_change_when_the_sign_in_is_too_old(owner, api, name):
    client = Client()
    sign_in(client, owner, minutes_ago=16)
    token = AuthToken.objects.create(user=owner)[0]
    address = reverse(name, args=[token.public_id] if name.endswith("end") else [])
    before = dump()

    assert client.post(address, {"name": "x", "scopes": ["read"]}).status_code == 403

    assert dump() == before


def test_passkey_is_not_renamed_when_the_sign_in_is_too_old(owner):
    client, key = Client(), passkey(owner)
    sign_in(client, owner, minutes_ago=16)

    assert client.post(reverse("mfa_edit_webauthn", args=[key.pk]), {"name": "Mine"}).status_code == 403

    key.refresh_from_db()
    assert key.data["name"] == "Laptop"


def test_pages_of_an_account_made_by_the_operator_write_nothing_when_read(browser):
    user = User.objects.create_superuser("root@example.test", PASSWORD)
    client = browser(user)
    client.get(reverse("account_sessions"))  # records the session's last use
    before = {name: rows for name, rows in dump().items() if "ession" not in name}

    answer = client.get(reverse("account_email"))

    assert answer.status_code == 200
    assert {name: rows for name, rows in dump().items() if "ession" not in name} == before
    assert not EmailAddress.objects.exists()
