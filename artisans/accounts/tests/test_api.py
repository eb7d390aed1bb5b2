"""Accounts over the API: registration, tokens and what revokes them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from knox.settings import knox_settings

from artisans.accounts.models import AuthToken, User
from artisans.accounts.tests.factories import PASSWORD, UserFactory
from artisans.core.retention import purge_task
from tests.problems import problem

pytestmark = pytest.mark.django_db

RIGHT = {"email": "shopper@example.test", "password": PASSWORD}


def bearer(client, token: str):
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def test_token_reads_its_own_account_and_is_stored_as_a_digest(api, shopper):
    got = api().post("/auth/token", RIGHT)

    assert got.status_code == 200, got.json()
    assert got["Cache-Control"] == "no-store"
    assert set(got.json()) >= {"token", "expires_at", "user"}
    me = bearer(api(), got.json()["token"]).get("/auth/me").json()
    assert (me["email"], me["role"]) == (shopper.email, "shopper")
    row = AuthToken.objects.get()
    assert got.json()["token"] not in (row.digest, row.token_key)
    assert row.expiry - timezone.now() > timedelta(days=29)


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"email": "nobody@example.test"},
        {"email": "nobody@example.test", "password": ""},
    ],
)
def test_wrong_credentials_all_get_the_same_answer(api, shopper, wrong):
    answer = api().post("/auth/token", RIGHT | wrong)

    body = problem(answer, 400)
    assert body["code"] in {"wrong_credentials", "validation_error"}
    assert not AuthToken.objects.exists()


def test_known_and_unknown_email_address_get_the_same_text(api, shopper):
    known = api().post("/auth/token", RIGHT | {"password": "wrong"}).json()
    unknown = api().post("/auth/token", {"email": "x@example.test", "password": "wrong"}).json()

    assert {k: v for k, v in known.items() if k != "request_id"} == {
        k: v for k, v in unknown.items() if k != "request_id"
    }


def test_sign_in_accepts_the_email_address_in_any_case(api, shopper):
    assert api().post("/auth/token", RIGHT | {"email": " SHOPPER@Example.Test "}).status_code == 200


def test_account_with_an_address_of_an_older_rule_can_sign_in(api, client):
    user = UserFactory(email="admin@localhost")

    assert api().post("/auth/token", {"email": user.email, "password": PASSWORD}).status_code == 200
    answer = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 302


@pytest.mark.parametrize("token", ["", "x", "aa_" + "0" * 64, "é", "a b c", "null"])
def test_invalid_token_is_a_401_with_an_authenticate_header(api, shopper, token):
    client = api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    answer = client.get("/auth/me")

    problem(answer, 401)
    assert answer["WWW-Authenticate"] == "Bearer"


def test_no_token_is_a_401(api):
    problem(api().get("/auth/me"), 401)


def test_token_in_the_query_string_is_ignored(api, shopper):
    token = api().post("/auth/token", RIGHT).json()["token"]

    problem(api().get(f"/auth/me?token={token}&access_token={token}"), 401)


def test_token_is_refused_after_it_expires(api, shopper, time_machine):
    client = api(shopper)
    time_machine.move_to(timezone.now() + timedelta(days=31))

    problem(client.get("/auth/me"), 401, "token_expired")


def test_logout_revokes_only_its_own_token(api, shopper):
    one, other = api(shopper), api(shopper)

    assert one.post("/auth/logout").status_code == 204

    problem(one.get("/auth/me"), 401)
    assert other.get("/auth/me").status_code == 200


def test_token_of_a_deactivated_user_is_refused(api, shopper):
    client = api(shopper)
    shopper.is_active = False
    shopper.save()

    problem(client.get("/auth/me"), 401)
    problem(api().post("/auth/token", RIGHT), 400, "wrong_credentials")


def test_changing_the_password_revokes_the_tokens(api, browser, shopper):
    client, page = api(shopper), browser(shopper)
    new = "another-horse-22"
    sent = {"oldpassword": PASSWORD, "password1": new, "password2": new}

    page.post("/shop/account/password/change/", sent)

    shopper.refresh_from_db()
    assert shopper.check_password(new)
    problem(client.get("/auth/me"), 401)


def test_oldest_tokens_are_revoked_when_there_are_too_many(api, shopper):
    tokens = [api().post("/auth/token", RIGHT).json()["token"] for _ in range(3)]
    for _ in range(knox_settings.TOKEN_LIMIT_PER_USER - 2):
        AuthToken.objects.create(user=shopper)
    assert AuthToken.objects.count() == knox_settings.TOKEN_LIMIT_PER_USER + 1

    tokens.append(api().post("/auth/token", RIGHT).json()["token"])

    assert AuthToken.objects.count() == knox_settings.TOKEN_LIMIT_PER_USER
    problem(bearer(api(), tokens[0]).get("/auth/me"), 401)
    assert bearer(api(), tokens[-1]).get("/auth/me").status_code == 200


def test_browser_session_does_not_authenticate_the_api(browser, shopper):
    problem(browser(shopper).get("/auth/me"), 401)


def test_registration_creates_a_shopper(api):
    answer = api().post(
        "/auth/register", {"email": "New@Example.Test", "password": "tall-giraffe-9", "name": "Noor"}
    )

    assert answer.status_code == 201
    user = User.objects.get()
    assert (user.email, user.name, user.role, user.is_staff) == ("new@example.test", "Noor", "shopper", False)
    assert "password" not in answer.json()


@pytest.mark.parametrize("email", ["shopper@example.test", "SHOPPER@EXAMPLE.TEST", " shopper@example.test"])
def test_registered_email_address_is_refused_in_any_case(api, shopper, email):
    problem(api().post("/auth/register", {"email": email, "password": "tall-giraffe-9"}), 409, "email_taken")

    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "extra", [{"role": "staff"}, {"is_staff": True}, {"is_superuser": True}, {"groups": [1]}, {"id": "x"}]
)
def test_registration_with_privileged_fields_is_refused(api, extra):
    problem(
        api().post("/auth/register", {"email": "a@example.test", "password": "tall-giraffe-9"} | extra), 400
    )

    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password", ["", "short", "password", "12345678", "a@example.test", "\x00" * 12, 5, None, ["x"]]
)
def test_weak_password_is_refused(api, password):
    problem(api().post("/auth/register", {"email": "a@example.test", "password": password}), 400)

    assert not User.objects.exists()


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b", "a b@c.d", "a@b.c\r\nBcc: x@y.z", 5, None, "a" * 250 + "@b.cd"]
)
def test_invalid_email_address_is_refused_with_a_pointer(api, email):
    body = problem(
        api().post("/auth/register", {"email": email, "password": "tall-giraffe-9"}), 400, "validation_error"
    )

    assert {error["pointer"] for error in body["errors"]} == {"/email"}


def test_expired_tokens_and_sessions_are_purged(shopper, time_machine):
    AuthToken.objects.create(user=shopper)
    purge_task()
    assert AuthToken.objects.count() == 1
    time_machine.move_to(timezone.now() + timedelta(days=31))

    purge_task()

    assert AuthToken.objects.count() == 0


def test_database_refuses_two_users_with_the_same_email_address():
    UserFactory.create(email="twin@example.test")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="TWIN@example.test")])
