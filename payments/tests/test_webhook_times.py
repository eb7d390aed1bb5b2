"""When a provider sent an event and when it was first processed: kept, and filled in for events from before."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from artisans.accounts.models import User
from artisans.audit.services import Action, audit_record
from payments.bookkeeping.deployment import webhook_times_fill
from payments.models import EventState, WebhookEvent
from payments.tests.factories import start
from payments.tests.webhook_helpers import (
    FEED_SECRET,
    feed_body,
    only_event,
    post_feed,
    post_stripe,
    stripe_body,
)
from payments.webhooks.inbox import webhook_close, webhook_process, webhook_replay

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

migration = import_module("payments.migrations.0031_fill_webhook_times")
SENT_AT = datetime(2026, 11, 29, 10, 0, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def feed(settings):
    settings.MANUAL_WEBHOOK_SECRET = [FEED_SECRET]


@pytest.fixture
def operator(staff) -> User:
    type(staff).objects.filter(pk=staff.pk).update(is_superuser=True)
    return type(staff).objects.get(pk=staff.pk)


def stripe_event(event_id: str = "evt_1") -> WebhookEvent:
    about = {"object": "payout", "id": "po_1"}  # of a kind that is not used
    post_stripe(stripe_body(id=event_id, created=int(SENT_AT.timestamp()), object=about))
    return only_event(event_id=event_id)


def test_event_keeps_when_it_was_sent_and_first_processed(operator, time_machine):
    event = stripe_event()
    assert (event.sent_at, event.first_processed_at) == (SENT_AT, None)
    webhook_process(event.pk)
    first = only_event(event_id="evt_1").first_processed_at
    assert first == only_event(event_id="evt_1").processed_at is not None

    time_machine.move_to(timezone.now() + timedelta(hours=1))
    webhook_replay(event_id=event.pk, reason="again", actor=operator)
    assert only_event(event_id="evt_1").first_processed_at == first
    webhook_process(event.pk)

    event.refresh_from_db()
    assert event.first_processed_at == first < event.processed_at


def test_event_that_staff_close_was_first_processed_before(shopper, operator, time_machine):
    post_feed(feed_body(start(user=shopper), amount="90.00", provider_event_id="bank-1"))
    event = only_event(event_id="bank-1")
    assert abs(event.sent_at - timezone.now()) < timedelta(minutes=1)
    webhook_process(event.pk)
    time_machine.move_to(timezone.now() + timedelta(hours=1))

    webhook_close(event_id=event.pk, reason="returned", actor=operator)

    event.refresh_from_db()
    assert event.processed_at - event.first_processed_at >= timedelta(minutes=59)


def events_from_before(operator: User) -> dict[str, tuple[datetime | None, bool]]:
    """Their expected times: when they were sent, and whether it is known when they were first processed."""
    expected = {}
    for name, state in (("done", "done"), ("again", "done"), ("waits", "waiting"), ("emptied", "ignored")):
        event = stripe_event(name)
        at = None if state == "waiting" else timezone.now()
        content = {} if name == "emptied" else event.content
        WebhookEvent.objects.filter(pk=event.pk).update(
            state=state, processed_at=at, content=content, sent_at=None, first_processed_at=None
        )
        if name == "again":
            audit_record(actor=operator, action=Action.WEBHOOK_REPLAY, target=event, data={})
        expected[name] = (None if name == "emptied" else SENT_AT, name in {"done", "emptied"})
    return expected


def test_times_of_earlier_events_are_filled_in_as_far_as_they_are_known(operator):
    expected = events_from_before(operator)

    for _ in range(2):  # it can be run again after it was interrupted
        for operation in migration.Migration.operations:
            operation.size = 2  # several batches
            operation.run(connection)

    found = WebhookEvent.objects.all()
    assert {row.event_id: (row.sent_at, row.first_processed_at is not None) for row in found} == expected
    assert all(row.first_processed_at in {None, row.processed_at} for row in found)


def test_times_of_events_of_release_0_1_0_are_filled_in_at_night(operator):
    events_from_before(operator)
    WebhookEvent.objects.update(state=EventState.DONE)

    webhook_times_fill()

    assert WebhookEvent.objects.filter(sent_at=None).get().event_id == "emptied"
    assert WebhookEvent.objects.filter(first_processed_at=None).get().event_id == "waits"
