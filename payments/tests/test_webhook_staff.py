"""Staff pages for webhook messages."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.audit.models import AuditEntry
from artisans.core.admin.pages import admin_list_url, admin_page_url
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
from payments.webhooks.inbox import webhook_process
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]


@pytest.fixture(autouse=True)
def feed(settings):
    settings.MANUAL_WEBHOOK_SECRET = [FEED_SECRET]


@pytest.fixture
def operator():
    user = UserFactory.create(email="operator@example.test", role=Role.STAFF)
    user.groups.add(Group.objects.get(name="Webhooks team"))
    return user


@pytest.fixture
def dead(db):
    post_stripe(stripe_body(id="evt_dead"))
    WebhookEvent.objects.filter(event_id="evt_dead").update(state=EventState.DEAD, note="Given up.")
    return only_event(event_id="evt_dead")


@pytest.fixture
def ambiguous_event(shopper):
    """A bank transfer that does not match the amount due."""
    payment = start(user=shopper)
    post_feed(feed_body(payment, amount="90.00", provider_event_id="bank-1"))
    webhook_process(only_event(event_id="bank-1").pk)
    return only_event(event_id="bank-1")


def test_list_and_page_show_messages_and_their_outcome(browser, operator, dead, ambiguous_event):
    client = browser(operator)

    shown = page(client.get(admin_list_url(WebhookEvent)))
    detail = page(client.get(admin_page_url(ambiguous_event)))

    event_data = detail.one("section", **{"aria-labelledby": "event-data"}).text
    assert "$90.00" in event_data
    for text in ("evt_dead", "bank-1", "Failed", "Needs attention", "payment.received"):
        assert text in shown.text
    for text in (
        "90.00 USD",
        "BANK-1",
        ambiguous_event.payment.payment_number,
        "Attempts",
        "the amount due is 99.99 USD",
    ):
        assert text in detail.text


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"evt_dead", "bank-1"}),
        ("state__exact=dead", {"evt_dead"}),
        ("needs=attention", {"evt_dead", "bank-1"}),
        ("provider__exact=manual", {"bank-1"}),
        ("kind=payment.received", {"bank-1"}),
        ("created_at_from=2100-01-01", set()),
        ("q=evt_dead", {"evt_dead"}),
        ("q=evt_", set()),
        ("q={payment}", {"bank-1"}),
        ("q={order}", {"bank-1"}),
        ("q={pk}", {"bank-1"}),
    ],
)
def test_filters_and_search_find_messages(browser, operator, dead, ambiguous_event, query, wanted):
    payment = ambiguous_event.payment
    names = {"payment": payment.payment_number, "order": payment.order.order_number, "pk": payment.pk}

    shown = page(browser(operator).get(admin_list_url(WebhookEvent, query.format(**names))))

    assert {name for name in ("evt_dead", "bank-1") if name in shown.text} == wanted


def test_replay_needs_a_reason_and_enqueues_the_task(
    browser, operator, dead, django_capture_on_commit_callbacks
):
    client, address = browser(operator), admin_page_url(dead, "replay")

    refused = client.post(address, {"text": " "})
    assert "Enter a note" in page(refused).text
    assert only_event().state == "dead"
    with django_capture_on_commit_callbacks() as bells:
        answer = client.post(address, {"text": "the endpoint was down"})

    assert (answer.status_code, answer["Location"]) == (302, admin_page_url(dead))
    assert (only_event().state, len(bells)) == ("received", 1)
    assert AuditEntry.objects.get(action="webhook.replay").data["reason"] == "the endpoint was down"


def test_viewing_changes_nothing(browser, admin_user, dead, ambiguous_event):
    before = list(WebhookEvent.objects.order_by("pk").values())

    for name in ("change", "replay", "close"):
        for event in (dead, ambiguous_event):
            assert browser(admin_user).get(admin_page_url(event, name)).status_code == 200

    assert list(WebhookEvent.objects.order_by("pk").values()) == before


def test_settled_transfer_leaves_the_list_with_a_message(browser, staff, ambiguous_event):
    client = browser(staff)
    assert "Record payment" in page(client.get(admin_page_url(ambiguous_event))).text

    client.post(admin_page_url(ambiguous_event, "close"), {"text": "recorded in two parts"})
    again = client.post(admin_page_url(ambiguous_event, "close"), {"text": "once more"})

    event = only_event(event_id="bank-1")
    assert (event.state, event.note) == ("done", "recorded in two parts (staff@example.test)")
    assert "This event needs no attention" in page(again).text
    assert AuditEntry.objects.filter(action="webhook.close").count() == 1


def test_each_role_has_its_own_actions(browser, operator, staff, powerless_staff, dead, ambiguous_event):
    """Webhook operators replay, the payments team settles bank messages, others see nothing."""
    answers = {
        (user.email, name): browser(user).post(admin_page_url(event, name), {"text": ""}).status_code
        for user in (operator, staff, powerless_staff)
        for event, name in ((dead, "replay"), (ambiguous_event, "close"))
    }

    assert answers == {
        ("operator@example.test", "replay"): 200,
        ("operator@example.test", "close"): 403,
        ("staff@example.test", "replay"): 403,
        ("staff@example.test", "close"): 200,
        ("intern@example.test", "replay"): 403,
        ("intern@example.test", "close"): 403,
    }
    assert browser(powerless_staff).get(admin_list_url(WebhookEvent)).status_code == 403
    buttons = page(browser(operator).get(admin_page_url(ambiguous_event))).text
    assert "Reprocess" in buttons
    assert "Mark as resolved" not in buttons


def test_start_page_counts_what_needs_a_person(browser, operator, dead, ambiguous_event):
    shown = page(browser(operator).get(reverse("admin:index")))

    assert "events failed, overdue or for staff" in shown.text
