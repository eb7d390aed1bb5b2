"""What `manage.py doctor` finds about payment providers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.core.doctor.registry import CHECKS, State
from artisans.core.doctor.run import run_checks
from payments import doctor
from payments.bookkeeping import provider_requests
from payments.bookkeeping.provider_alerts import alert_raise
from payments.methods import PaymentMethod
from payments.metrics import slow_webhook_metrics
from payments.models import AttemptOutcome, EventState, PaymentAttempt, ReconciliationRun, WebhookEvent
from payments.tests.factories import start

pytestmark = pytest.mark.django_db


def of_network() -> dict[str, tuple[State, str]]:
    """States of the providers' checks that send requests, by the names of their results."""
    checks = {
        name: check
        for name, check in CHECKS.items()
        if check.uses_network and name.endswith((" access", " clock"))
    }
    results = [result for found in run_checks(checks).values() for result in found]
    return {result.name: (result.state, result.value) for result in results}


def test_providers_are_read_once_with_their_clocks(stripe, paypal, monkeypatch):
    monkeypatch.setattr(provider_requests, "insert", list)  # from threads, past the transaction of the test
    found = of_network()

    assert {name: state for name, (state, _value) in found.items()} == {
        "Stripe": State.OK,
        "Clock compared with Stripe": State.OK,
        "PayPal": State.OK,
        "Clock compared with PayPal": State.OK,
    }
    assert found["Stripe"][1].startswith("test; 10 parts")

    stripe.fault("forbidden", path="/v1/disputes", count=None)
    monkeypatch.setattr(doctor, "provider_time", lambda name: timezone.now() - timedelta(minutes=10))
    found = of_network()

    assert found["Stripe"][0] == State.PROBLEM
    assert "failing: disputes" in found["Stripe"][1]
    assert found["PayPal"][0] == State.OK
    assert found["Clock compared with PayPal"][0] == State.PROBLEM


def test_nothing_is_found_without_providers():
    assert of_network() == {}
    assert [*doctor.check_events(), *doctor.check_reconciliation()] == []


def test_silent_webhooks_failures_and_reconciliation_are_problems(card_shop, settings, store):
    def found() -> dict[str, State]:
        checks = (
            doctor.check_events,
            doctor.check_failed_events,
            doctor.check_alerts,
            doctor.check_reconciliation,
        )
        return {result.name: result.state for check in checks for result in check()}

    assert found()["Webhooks of Stripe"] == State.PROBLEM  # no secret
    settings.STRIPE_WEBHOOK_SECRET = "whsec_" + "x" * 30
    assert set(found().values()) == {State.OK}

    PaymentAttempt.objects.create(
        payment=start(PaymentMethod.CREDIT_CARD),
        number=1,
        amount_minor=100,
        currency="USD",
        tried_at=timezone.now(),
        provider="stripe",
        attempt_id="ch_1",
        outcome=AttemptOutcome.SUCCEEDED,
    )
    assert found()["Webhooks of Stripe"] == State.PROBLEM
    event = WebhookEvent.objects.create(provider="stripe", event_id="1", kind="x", content={})
    assert set(found().values()) == {State.OK}

    WebhookEvent.objects.update(state=EventState.DEAD)
    alert_raise(provider="stripe", part="refunds", detail="403")
    now = timezone.now()
    run = ReconciliationRun.objects.create(
        provider="stripe", since=now - timedelta(days=1), until=now, finished_at=now, error="no answer"
    )
    assert found() == {
        "Webhooks of Stripe": State.OK,
        "Webhook events that wait for staff": State.PROBLEM,
        "Provider alerts": State.PROBLEM,
        "Reconciliation with Stripe": State.PROBLEM,
    }
    ReconciliationRun.objects.filter(pk=run.pk).update(error="", created_at=now - timedelta(hours=27))
    assert found()["Reconciliation with Stripe"] == State.WARNING
    assert event.state == EventState.RECEIVED


def test_events_that_were_processed_late_are_counted():
    now = timezone.now()
    for number, seconds in enumerate((10, 59, 61, 600, None)):
        event = WebhookEvent.objects.create(provider="stripe", event_id=str(number), kind="x", content={})
        at = None if seconds is None else event.created_at + timedelta(seconds=seconds)
        WebhookEvent.objects.filter(pk=event.pk).update(processed_at=at)
    WebhookEvent.objects.filter(event_id="3").update(created_at=now - timedelta(hours=2))

    (metric,) = slow_webhook_metrics()

    assert [sample.value for sample in metric.samples] == [1]
