"""A mail's row holds facts; its text is rendered when it is sent, and a rendering error affects only the mail."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from artisans.core.money import Money
from artisans.notifications import facts
from artisans.notifications.facts import fact_renderer, format_facts, pack, render_later, unpack
from artisans.notifications.models import KEY_LENGTH, MailState, Notification
from artisans.notifications.services import (
    MAX_TRIES,
    MailMessage,
    notification_retry,
    notifications_enqueue,
    notifications_send_due,
)
from orders.models import Order
from orders.tests.factories import ADDRESS
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.tests.factories import record, reread, start


@fact_renderer
def sum_of(first: Money, second: Money) -> Money:
    return first + second


def shown(value):
    return format_facts(unpack(json.loads(json.dumps(pack(value)))))


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (Money(8545, "USD"), "$85.45"),
        (date(2026, 11, 28), "Nov 28, 2026"),
        (datetime(2026, 11, 28, 9, 30, tzinfo=UTC), "Nov 28, 2026, 09:30 UTC"),
        (render_later(sum_of, first=Money(1, "USD"), second=Money(2, "USD")), "$0.03"),
        ({"a": [Money(1, "USD"), ("b", None, 7, True)]}, {"a": ["$0.01", ["b", None, 7, True]]}),
        ("a\x00b", "ab"),
        ({"text": "$"}, {"text": "$"}),
    ],
    ids=str,
)
def test_fact_is_rendered_as_text(fact, text):
    assert shown(fact) == text


def test_missing_wording_raises_when_the_mail_is_sent():
    with pytest.raises(LookupError):
        unpack({"$": "gone", "arguments": {}})


@pytest.mark.django_db
def test_keys_of_any_length_are_distinct():
    long = "x" * KEY_LENGTH
    for key in (f"{long}1", f"{long}2", f"{long}1"):
        notifications_enqueue(MailMessage("order_find", "ada@example.test", key))

    assert Notification.objects.count() == 2


@pytest.fixture
def broken_rendering(monkeypatch):
    """All rendering fails: amounts, dates, addresses and sentences."""

    def fail(*args, **kwargs):
        raise RuntimeError("no words")

    with monkeypatch.context() as patch:
        patch.setattr(facts, "show", fail)
        patch.setattr(facts, "date_format", fail)
        patch.setattr(facts, "RENDERERS", {})
        yield patch


@pytest.mark.django_db
@pytest.mark.usefixtures("store")
def test_orders_and_payments_proceed_while_mails_cannot_be_rendered_and_each_is_mailed_once_later(
    broken_rendering, bowl, shopper, staff, seller, mails, time_machine
):
    paid = start(items={bowl: 1}, user=shopper, shipping_address=ADDRESS | {"country": "UK"})
    record(paid, paid.amount, actor=staff)
    cancelled, expired = start(items={bowl: 1}, user=shopper), start(items={bowl: 1}, user=shopper)
    order_cancel(order_id=cancelled.order_id, reason="kiln broke", actor=staff)
    Order.objects.filter(pk=expired.order_id).update(expires_at=timezone.now() - timedelta(minutes=1))
    order_expire(order_id=expired.order_id)

    assert [reread(p).order.status for p in (paid, cancelled, expired)] == [
        "CONFIRMED",
        "CANCELLED",
        "EXPIRED",
    ]
    assert mails() == []
    for _ in range(MAX_TRIES):
        time_machine.move_to(timezone.now() + timedelta(hours=2))
        notifications_send_due()
    assert set(Notification.objects.values_list("state", flat=True)) == {MailState.DEAD}

    broken_rendering.undo()
    for row in Notification.objects.all():
        notification_retry(row.pk)
    kinds = sorted(Notification.objects.values_list("kind", flat=True))
    assert kinds == [
        *("order_cancelled", "order_expired", "order_placed", "order_placed", "order_placed"),
        *("parcel_new", "payment_received"),
    ]
    assert len(mails()) == len(kinds)
    assert "UK" in mails(seller.email)[0].body.split()
