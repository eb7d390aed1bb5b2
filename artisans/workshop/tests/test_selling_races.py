"""One person's application in two tabs at the same moment, with real transactions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from artisans.catalog.access import artisan_of
from artisans.catalog.applications import application_of, application_start, application_withdraw
from artisans.catalog.artisan_states import artisan_lock
from artisans.catalog.members import AlreadyInTeam, invitation_accept, member_invite
from artisans.catalog.models import Application, Artisan, MemberRole
from artisans.catalog.statuses import ApplicationStatus
from artisans.catalog.terms import terms_publish
from artisans.core.errors import DomainError
from artisans.core.retention import RULES, purge
from artisans.core.security.tokens import invitation_token
from tests import rows
from tests.live.runner import wait_for

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]

WORKSHOP = {"name": "Fern", "craft": "Weaver", "town": "Astoria"}


@pytest.fixture
def applying(admin_user):
    terms_publish(text="Be kind.", changes="", actor=admin_user, seen=0)
    return rows.applying()


def in_turn(artisan: Artisan, *operations: Callable[[], Any]) -> list[Any]:
    """Each begins once the one before waits for the artisan's lock, which ends then; a refused one yields its error."""

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            artisan_lock(artisan.pk)
            started = []
            for operation in operations:
                started.append(pool.submit(in_thread, operation))
                wait_for(lambda: waiting() == len(started))
        return [one.result() for one in started]


def in_thread(operation: Callable[[], Any]) -> Any:
    try:
        return operation()
    except DomainError as error:
        return error
    finally:
        connection.close()


def waiting() -> int:
    """How many transactions wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        [count] = cursor.fetchone()
    return count


def test_an_application_is_taken_up_after_it_was_withdrawn_at_the_same_moment(applying):
    artisan = applying.artisan

    results = in_turn(
        artisan,
        lambda: application_withdraw(application_id=applying.pk, actor=artisan.user),
        lambda: application_start(user=artisan.user, **WORKSHOP),
    )

    assert results == [applying, applying]
    assert application_of(artisan.user).status == ApplicationStatus.DRAFT
    assert artisan_of(artisan.user) == artisan


def test_the_purge_leaves_an_application_that_is_taken_up_again_at_the_same_moment(applying):
    artisan, rule = applying.artisan, RULES["applications"]
    application_withdraw(application_id=applying.pk, actor=artisan.user)
    Application.objects.update(updated_at=timezone.now() - timedelta(days=9999))

    with ThreadPoolExecutor() as pool, transaction.atomic():
        artisan_lock(artisan.pk)
        purged = pool.submit(in_thread, partial(purge, rule)).result()
        application_start(user=artisan.user, **WORKSHOP)

    assert (purged.removed, application_of(artisan.user).status) == (0, ApplicationStatus.DRAFT)


@pytest.mark.parametrize("joins_first", [True, False])
def test_joining_a_team_and_taking_up_the_own_application_exclude_each_other(applying, seller, joins_first):
    user = applying.artisan.user
    application_withdraw(application_id=applying.pk, actor=user)
    invited = member_invite(artisan=seller.artisan, actor=seller, email=user.email, role=MemberRole.HELPER)
    link = invitation_token(invited.pk, invited.version)
    join, start = (
        partial(invitation_accept, token=link, user=user),
        partial(application_start, user=user, **WORKSHOP),
    )

    done, refused = in_turn(applying.artisan, *((join, start) if joins_first else (start, join)))

    assert done == (seller.artisan if joins_first else applying)
    assert isinstance(refused, AlreadyInTeam)
    assert artisan_of(user) == (seller.artisan if joins_first else applying.artisan)
