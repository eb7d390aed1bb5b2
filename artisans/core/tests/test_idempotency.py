"""Idempotency keys, and how a new API view uses them."""

from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from django.urls import path
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from artisans.core.api.openapi import operation
from artisans.core.api.views import ApiView
from artisans.core.errors import Conflict
from artisans.core.idempotency import api
from artisans.core.idempotency.api import idempotent
from artisans.core.idempotency.keys import (
    LEASE,
    LIFE,
    KeyClaim,
    KeyInUse,
    effect_record,
    fingerprints_of,
    key_claim,
    key_current,
    key_reclaim,
    key_release,
    key_store,
)
from artisans.core.models import IdempotencyKey
from artisans.core.retention import purge_task
from tests.problems import problem

CARD, CVC = "4242424242424242", "cvc-987"


class Saved(ApiView):
    """A new view as an engineer would write it."""

    reads_card_fields = True  # as the endpoint of saved methods
    permission_classes = (AllowAny,)
    runs: ClassVar[list[Any]] = []

    @operation("thing_save", "Save a thing", query={"a": "Anything."})
    def post(self, request: Request) -> Response:
        self.runs.append(request.data)
        return Response({"run": len(self.runs), "last4": "4242"}, status=201, headers={"Location": "/x"})


class Started(Saved):
    """Its secret can be read again elsewhere."""

    @idempotent(
        secrets=lambda request, body: {"setup_secret": f"again-{body['run']}"},
        secret_fields=("setup_secret",),
    )
    def post(self, request: Request) -> Response:
        answer = super().post(request)
        answer.data |= {"next": [{"setup_secret": "seti_secret_1", "hint": None}]}
        return answer


class Shown(Saved):
    """Its secret is shown once."""

    @idempotent(secret_fields=("pin",))
    def post(self, request: Request) -> Response:
        answer = super().post(request)
        answer.data |= {"pin": "1234"}
        return answer


class Declined(Saved):
    """Refuses after writing something, and can build the answer again for a retry."""

    @idempotent(replay=lambda request, reference: Response({"of": reference}))
    def post(self, request: Request) -> Response:
        with transaction.atomic():
            effect_record("thing:1")
        super().post(request)
        raise Conflict("declined")


class Emptied(Saved):
    def post(self, request: Request) -> Response:
        super().post(request)
        return Response(status=204)


class Inbox(Saved):
    takes_idempotency_keys = False


urlpatterns = [
    path(kind.__name__.lower(), kind.as_view(), name=kind.__name__)
    for kind in (Saved, Started, Shown, Declined, Emptied, Inbox)
]


@pytest.fixture
def post(api):
    """Posts twice under one key; both answers."""
    Saved.runs.clear()

    def twice(where, body=None, again=None):
        bodies = (body or {}, again or body or {})
        return [api().post(where, sent, HTTP_IDEMPOTENCY_KEY="key-1") for sent in bodies]

    return twice


pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


# ---- a new view ------------------------------------------------------------------------------------------------


def test_new_view_is_idempotent_without_extra_code(post):
    first, again = post("/saved", {"a": 1})

    assert (first.status_code, again.content) == (201, first.content)
    assert (again["Location"], again["Idempotent-Replayed"]) == ("/x", "true")
    assert Saved.runs == [{"a": 1}]


def test_answer_without_a_body_is_stored_too(post):
    first, again = post("/emptied")

    assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
    assert len(Saved.runs) == 1


def test_readable_secret_is_read_again_and_not_stored(post):
    first, again = post("/started")

    assert first.json()["next"] == [{"setup_secret": "seti_secret_1", "hint": None}]
    assert again.json() == first.json() | {"next": [{"setup_secret": "again-1", "hint": None}]}
    assert "seti_secret_1" not in IdempotencyKey.objects.get().body


def test_answer_with_a_secret_that_is_shown_once_is_not_stored(post):
    first, again = post("/shown")

    assert (first.json()["run"], again.json()["run"]) == (1, 2)
    assert not IdempotencyKey.objects.exists()


def test_refusal_after_an_effect_is_rebuilt_from_the_effect(post):
    first, again = post("/declined")

    problem(first, 409)
    assert again.json() == {"of": "thing:1"}
    assert len(Saved.runs) == 1


def test_view_without_idempotency_keys_runs_each_time(post):
    post("/inbox")

    assert len(Saved.runs) == 2
    assert not IdempotencyKey.objects.exists()


def test_query_string_is_part_of_the_request(post, api):
    post("/saved", {"a": 1})

    problem(api().post("/saved?a=1", {"a": 1}, HTTP_IDEMPOTENCY_KEY="key-1"), 422)


@pytest.mark.parametrize("name", ["card_number", "number", "Number", "pan"])
def test_card_number_is_not_stored_in_the_table(post, name):
    body = {"label": "mine", "card": {"cvc": CVC}, "details": [{name: CARD, "card_cvc": CVC}]}

    first, again = post("/saved", body)

    assert again.content == first.content
    row = str(list(IdempotencyKey.objects.values()))
    assert CARD not in row
    assert CVC not in row


# ---- the fingerprint -------------------------------------------------------------------------------------------


def test_fingerprint_ignores_card_fields():
    plain = fingerprints_of({"label": "mine"})

    for hidden in ({"card_number": CARD}, {"cvc": "987"}, {"card": {"number": CARD}}, {"Card_CVC": "1"}):
        assert fingerprints_of({"label": "mine"} | hidden) == plain
    assert fingerprints_of({"label": "other"}) != plain


@pytest.mark.parametrize(
    "other", [{"a": 2}, {"a": [1]}, {"a": None}, {"A": 1}, {}, [], None, {"a": {"b": 1}}]
)
def test_fingerprint_differs_between_bodies(other):
    assert fingerprints_of(other) != fingerprints_of({"a": 1})


def test_fingerprint_depends_on_the_secret(settings):
    before = fingerprints_of({"password": "x"})
    settings.SECRET_KEY = "another-secret"

    assert fingerprints_of({"password": "x"}) != before


def test_key_remains_valid_when_the_secret_changes(settings):
    key_claim(key_claim_for())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret"

    with pytest.raises(KeyInUse):  # and not "used for another request"
        key_claim(key_claim_for())


# ---- the lease -------------------------------------------------------------------------------------------------


def key_claim_for(key="key-1", **changes):
    asked = {"principal": "user:1", "route": "POST x", "key": key, "fingerprints": fingerprints_of({"a": 1})}
    return KeyClaim(**asked | changes)


def later(row, **changes):
    """The row after its lease has expired."""
    IdempotencyKey.objects.filter(pk=row.pk).update(
        lease_until=timezone.now() - timedelta(seconds=1), **changes
    )
    return IdempotencyKey.objects.get(pk=row.pk)


def test_expired_lease_is_taken_over_by_one_process():
    first = key_claim(key_claim_for()).row
    stale = later(first)

    taken = key_claim(key_claim_for())

    assert taken.is_mine
    assert taken.row.pk == first.pk
    for too_late in (lambda: key_claim(key_claim_for()), lambda: key_reclaim(stale)):
        with pytest.raises(KeyInUse):
            too_late()


def test_lease_is_not_taken_over_once_the_effect_is_recorded():
    row = key_claim(key_claim_for()).row
    seen = later(row)
    later(row, effect="order:1")
    seen.lease_until = IdempotencyKey.objects.get().lease_until

    with pytest.raises(KeyInUse):
        key_reclaim(seen)
    assert not key_claim(key_claim_for()).is_mine


def test_process_without_the_lease_cannot_store_release_or_record():
    mine = key_claim(key_claim_for()).row
    later(mine)
    key_claim(key_claim_for())

    key_store(mine, status_code=201, body="{}", headers={})
    key_release(mine)
    with key_current(mine), pytest.raises(KeyInUse):
        effect_record("order:1")

    row = IdempotencyKey.objects.get()
    assert (row.state, row.effect) == ("running", "")
    assert row.lease_until > timezone.now() + LEASE / 2


def test_effect_outside_the_claimed_request_is_not_recorded():
    key_claim(key_claim_for())

    effect_record("order:1")

    assert IdempotencyKey.objects.get().effect == ""


@pytest.mark.django_db(transaction=True)
def test_effect_outside_a_transaction_raises():
    row = key_claim(key_claim_for()).row

    with key_current(row), pytest.raises(transaction.TransactionManagementError):
        effect_record("order:1")


def test_effect_is_rolled_back_with_its_transaction():
    row = key_claim(key_claim_for()).row

    with key_current(row), pytest.raises(ZeroDivisionError), transaction.atomic():
        effect_record("order:1")
        raise ZeroDivisionError
    key_release(row)

    assert not IdempotencyKey.objects.exists()


def test_released_key_with_an_effect_is_answered_at_once():
    row = key_claim(key_claim_for()).row
    with key_current(row), transaction.atomic():
        effect_record(f"order:{uuid4()}")

    key_release(row)

    claimed = key_claim(key_claim_for())
    assert not claimed.is_mine
    assert claimed.row.lease_until <= timezone.now()


def test_key_that_could_not_be_released_is_released_by_the_next_request(monkeypatch):
    row = key_claim(key_claim_for()).row

    def fail(row):
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(api, "key_release", fail)
        api.attempt(api.key_release, row)
        api.release_earlier()
    assert IdempotencyKey.objects.exists()

    api.release_earlier()

    assert not IdempotencyKey.objects.exists()
    assert not api.unreleased


# ---- the end ---------------------------------------------------------------------------------------------------


def test_answers_are_deleted_after_a_day(time_machine):
    start = timezone.now()
    time_machine.move_to(start)
    key_store(key_claim(key_claim_for("old")).row, status_code=201, body="{}", headers={})
    time_machine.move_to(start + LIFE / 2)
    key_store(key_claim(key_claim_for("new")).row, status_code=201, body="{}", headers={})
    time_machine.move_to(start + LIFE + timedelta(seconds=1))

    purge_task()

    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]
