"""Concurrent workers and deliveries, on both databases, with real transactions."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from payments.gateway.payments import payment_ensure_at_provider
from payments.methods import PaymentMethod
from payments.models import Capture, Receipt, WebhookEvent
from payments.tests.factories import reread, start
from payments.tests.webhook_helpers import (
    FEED_SECRET,
    feed_body,
    only_event,
    post_feed,
    post_stripe,
    stripe_body,
)
from payments.webhooks.inbox import webhook_process

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("staff_clients", "store", "stripe"),
]


@pytest.fixture
def staff_clients(transactional_db) -> None:
    """Before the store rules: a test with real transactions empties the tables first."""


def at_once(*jobs: Callable[[], object]) -> list[object]:
    """In threads that start at the same moment; their results. The first error is raised."""
    barrier, results, errors = threading.Barrier(len(jobs)), [], []

    def run(job: Callable[[], object]) -> None:
        try:
            barrier.wait(20)
            results.append(job())
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results


def test_one_of_many_workers_processes_the_message(stripe, shopper, deliver, mails):
    with transaction.atomic():
        payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(reread(payment))
    deliver(*stripe.events("payment_intent.succeeded"))
    pk = only_event().pk

    at_once(*[lambda: webhook_process(pk)] * 6)

    assert (reread(payment).status, payment.order.status) == ("COMPLETED", "CONFIRMED")
    assert (only_event().state, only_event().tries) == ("done", 1)
    assert (Capture.objects.count(), len(mails(shopper.email))) == (1, 1)


def test_two_concurrent_messages_of_one_capture_have_one_effect(stripe, shopper, deliver, mails):
    with transaction.atomic():
        payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(reread(payment))
    events = stripe.events("payment_intent.succeeded", "charge.succeeded")
    assert len(events) == 2
    deliver(*events)

    keys = WebhookEvent.objects.values_list("pk", flat=True)
    at_once(*[lambda pk=pk: webhook_process(pk) for pk in keys])

    assert (reread(payment).status, payment.order.payment_status) == ("COMPLETED", "PAID")
    assert set(WebhookEvent.objects.values_list("state", flat=True)) <= {"done", "ignored"}
    assert (Capture.objects.count(), len(mails(shopper.email))) == (1, 1)


def test_ten_concurrent_deliveries_are_one_row():
    body = stripe_body(id="evt_1")

    answers = at_once(*[lambda: post_stripe(body).status_code] * 10)

    assert answers == [200] * 10
    assert only_event().copies == 10


def test_two_concurrent_bank_messages_of_one_transfer_are_booked_once(shopper, settings):
    settings.MANUAL_WEBHOOK_SECRET = [FEED_SECRET]
    with transaction.atomic():
        payment = start(user=shopper)
    for n in range(4):
        post_feed(feed_body(payment, provider_event_id=f"bank-{n}"))

    keys = WebhookEvent.objects.values_list("pk", flat=True)
    at_once(*[lambda pk=pk: webhook_process(pk) for pk in keys])
    WebhookEvent.objects.filter(state="received").update(next_try_at=payment.created_at)
    for pk in WebhookEvent.objects.filter(state="received").values_list("pk", flat=True):
        webhook_process(pk)

    assert (reread(payment).status, payment.order.payment_status) == ("COMPLETED", "PAID")
    assert Receipt.objects.count() == 1
    assert sorted(WebhookEvent.objects.values_list("state", flat=True)) == ["done", *["ignored"] * 3]
