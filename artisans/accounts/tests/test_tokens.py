"""Scopes of a token, and how its owner lists and revokes tokens."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from artisans.accounts.credentials import access_end
from artisans.accounts.models import AuthToken, Role, Scope
from artisans.accounts.services import token_create
from artisans.accounts.tests.factories import PASSWORD
from artisans.audit.models import AuditEntry
from tests.dump import dump
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def issue(api):
    """`issue(user, …)`: the answer to a request for a token."""
    return lambda user, **body: api().post("/auth/token", {"email": user.email, "password": PASSWORD} | body)


@pytest.fixture
def holder(api):
    """`holder(user, "read", …)`: a client whose token has these scopes."""

    def make(user, *scopes):
        client = api()
        _, token = token_create(user=user, name="", scopes=scopes)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return make


# ---- scopes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "scopes"),
    [
        ("shopper", ["read", "write"]),
        ("seller", ["read", "write"]),
        ("staff", ["read", "write"]),
        ("admin_user", ["read", "write"]),
    ],
)
def test_token_gets_read_and_write_when_no_scope_is_requested(api, request, person, scopes):
    user = request.getfixturevalue(person)
    user.set_password(PASSWORD)
    user.save()

    answer = api().post("/auth/token", {"email": user.email, "password": PASSWORD})

    assert answer.json()["scopes"] == scopes


def test_token_has_the_requested_scopes_and_name(issue, shopper):
    body = issue(shopper, scopes=["read"], name="stock watcher").json()

    assert (body["scopes"], body["name"]) == (["read"], "stock watcher")
    assert AuthToken.objects.get().granted == "read"


@pytest.mark.parametrize("scopes", [["staff"], ["read", "refunds"]])
def test_scope_beyond_the_role_is_refused(issue, shopper, scopes):
    problem(issue(shopper, scopes=scopes), 400, "invalid_input")

    assert not AuthToken.objects.exists()


@pytest.mark.parametrize("scopes", [[], ["all"], "read", [None], ["read"] * 6, {"read": True}])
def test_invalid_scopes_are_refused_with_a_pointer(issue, shopper, scopes):
    body = problem(issue(shopper, scopes=scopes), 400, "validation_error")

    assert body["errors"][0]["pointer"].startswith("/scopes")


@pytest.mark.parametrize(
    ("method", "address", "scope"),
    [
        ("get", "/auth/me", Scope.READ),
        ("get", "/orders/", Scope.READ),
        ("get", "/products/", Scope.READ),
        ("head", "/payments/", Scope.READ),
        ("post", "/carts/", Scope.WRITE),
        ("post", "/orders/", Scope.WRITE),
        ("post", "/payments/intents", Scope.WRITE),
        ("delete", "/auth/tokens/00000000-0000-4000-8000-000000000000", Scope.WRITE),
    ],
)
def test_missing_scope_is_named_and_nothing_changes(holder, staff, method, address, scope):
    client = holder(staff, *(set(Scope) - {scope}))
    before = dump()

    answer = getattr(client, method)(address)

    assert answer.status_code == 403
    assert answer["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    if method != "head":
        assert problem(answer, 403, "insufficient_scope")["scope"] == scope
    assert dump() == before


def test_read_only_token_can_be_revoked(holder, shopper):
    assert holder(shopper, "read").post("/auth/logout").status_code == 204

    assert not AuthToken.objects.exists()


def test_staff_scope_is_lost_with_the_role_while_the_token_remains(holder, staff):
    client = holder(staff, "staff", "read")
    staff.role = Role.SHOPPER
    staff.save()

    tokens = client.get("/auth/tokens").json()["results"]

    assert tokens[0]["scopes"] == ["read"]


# ---- the list ----------------------------------------------------------------------------------------------


def test_list_shows_only_own_tokens_and_their_first_characters(holder, issue, shopper, stranger):
    issue(stranger)
    secret = issue(shopper, name="phone").json()["token"]
    client = holder(shopper, "read")

    answer = client.get("/auth/tokens")

    rows = answer.json()["results"]
    assert [(row["name"], row["is_current"]) for row in rows] == [("", True), ("phone", False)]
    assert secret.startswith(rows[1]["prefix"])
    assert len(rows[1]["prefix"]) <= 15 < len(secret)
    assert secret.encode() not in answer.content
    assert not any(row.digest.encode() in answer.content for row in AuthToken.objects.all())


def test_list_leaves_out_expired_and_revoked_tokens(api, issue, shopper, time_machine):
    issue(shopper)
    time_machine.move_to(timezone.now() + timedelta(days=31))

    rows = api(shopper).get("/auth/tokens").json()["results"]

    assert [row["is_current"] for row in rows] == [True]


def test_revoked_token_is_refused(api, holder, shopper):
    lost, kept = holder(shopper, "read", "write"), api(shopper)
    key = next(r["id"] for r in kept.get("/auth/tokens").json()["results"] if not r["is_current"])

    assert kept.delete(f"/auth/tokens/{key}").status_code == 204

    problem(lost.get("/auth/me"), 401, "invalid_token")
    assert kept.get("/auth/me").status_code == 200
    assert AuditEntry.objects.filter(action="token.revoke", actor=shopper).count() == 1
    problem(kept.delete(f"/auth/tokens/{key}"), 404, "not_found")


def test_token_of_another_user_is_not_found(api, shopper, stranger):
    token, _ = AuthToken.objects.create(user=shopper)
    client = api(stranger)
    before = dump()

    problem(client.delete(f"/auth/tokens/{token.public_id}"), 404, "not_found")

    assert dump() == before


def test_all_tokens_are_revoked_together(api, shopper):
    clients = [api(shopper), api(shopper)]

    access_end(shopper)

    for client in clients:
        problem(client.get("/auth/me"), 401, "invalid_token")


# ---- last use ----------------------------------------------------------------------------------------------


def queries(client) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get("/auth/me").status_code == 200
    return [query["sql"] for query in found]


def test_last_use_is_recorded_at_most_once_a_minute(api, shopper, time_machine):
    start = timezone.now()
    time_machine.move_to(start, tick=False)
    client = api(shopper)

    assert len(queries(client)) == 2
    assert len(queries(client)) == 1
    assert AuthToken.objects.get().last_used_at == start
    time_machine.move_to(start + timedelta(seconds=59), tick=False)
    assert len(queries(client)) == 1
    time_machine.move_to(start + timedelta(seconds=60), tick=False)
    assert len(queries(client)) == 2
    assert AuthToken.objects.get().last_used_at == start + timedelta(seconds=60)


# ---- invalid tokens (case C57) - ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token[:15],
        lambda token: token + "0",
        lambda token: token.upper(),
        lambda token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzdGFmZiJ9.",
        lambda token: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzdGFmZiJ9.c2lnbmVkIGJ5IGFub3RoZXIga2V5",
        lambda token: f"{token} {token}",
    ],
    ids=["none", "cut", "prefix", "longer", "upper case", "alg none", "other key", "two"],
)
def test_invalid_token_is_refused(api, issue, shopper, spoil):
    token = issue(shopper).json()["token"]
    client = api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {spoil(token)}")

    answer = client.get("/auth/me")

    problem(answer, 401)
    assert answer["WWW-Authenticate"] == "Bearer"


def test_stored_digest_is_refused_as_a_token(api, issue, shopper):
    issue(shopper)
    row = AuthToken.objects.get()
    for stolen in (row.digest, row.token_key, str(row.public_id)):
        client = api()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {stolen}")
        problem(client.get("/auth/me"), 401)
