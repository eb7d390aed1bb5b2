"""Replacing a payment's object while the provider's message about the old one arrives: the payment goes on."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from payments.bookkeeping.payments import payment_move
from payments.bookkeeping.provider_calls import BUYER_RETURN
from payments.errors import PaymentInProgress
from payments.gateway import operations
from payments.gateway.payments import (
    payment_ensure_at_provider,
    payment_mark_processing,
    payment_replace_at_provider,
    payment_sync,
)
from payments.methods import PaymentMethod
from payments.models import CallState, Operation, WebhookEvent
from payments.providers.contract import ActionKind
from payments.selectors import payment_lock
from payments.tests.factories import reread, start
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

CANCELLED = "payment_intent.canceled"


@pytest.fixture
def open_card(shopper, stripe):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    return reread(payment)


@pytest.fixture
def wallet(shopper, paypal):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    return reread(payment)


@pytest.fixture
def report(stripe, deliver):
    def run(kind: str = CANCELLED) -> None:
        assert set(deliver(*stripe.events(kind))) == {200}
        process_due()

    return run


def release_of(payment):
    return payment.calls.get(operation=Operation.RELEASE)


def hold(payment, *, seconds: int = 40) -> None:
    """Its call is another process's, as while that waits for the provider's response."""
    release = payment.calls.filter(operation=Operation.RELEASE)
    assert release.update(lease_until=timezone.now() + timedelta(seconds=seconds))


@pytest.mark.parametrize("operation", [Operation.HOSTED, Operation.CREATE])
def test_message_that_overtakes_the_response_of_a_release_changes_nothing(
    open_card, stripe, report, monkeypatch, operation
):
    execute_call = operations.execute_call

    def message_comes_first(call, make):
        result = execute_call(call, make)
        if call.operation == Operation.RELEASE:
            report()
        return result

    monkeypatch.setattr(operations, "execute_call", message_comes_first)

    result = payment_replace_at_provider(open_card.pk, operation)

    assert (reread(open_card).status, result.action is None) == ("PENDING", False)
    assert WebhookEvent.objects.get(kind=CANCELLED).state == "done"
    assert release_of(open_card).state == CallState.DONE
    stripe.pay(open_card)
    payment_sync(open_card.pk, cause="test")
    assert (reread(open_card).status, stripe.captured()) == ("COMPLETED", [9999])


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "FAILED"])
def test_message_while_the_response_of_a_release_is_lost_keeps_the_payment(
    open_card, stripe, report, status, time_machine
):
    stripe.fault("drop_after", path="/v1/payment_intents/*/cancel", count=None)
    with pytest.raises(PaymentInProgress):
        payment_replace_at_provider(open_card.pk, Operation.HOSTED)
    hold(open_card)
    with transaction.atomic():
        locked, _order = payment_lock(open_card.pk)
        if status != locked.status:
            payment_move(locked, status, cause="test")

    report()

    assert reread(open_card).status == ("PENDING" if status == "PROCESSING" else status)
    assert (open_card.provider_payment_id, open_card.flags.count()) == (None, 0)
    assert payment_ensure_at_provider(open_card).action.kind == ActionKind.CONFIRM
    time_machine.move_to(timezone.now() + timedelta(minutes=5))
    process_due()
    assert (reread(open_card).status, stripe.made()) == ("PENDING", 2)


def test_object_that_someone_else_cancels_still_ends_the_payment(open_card, stripe, report):
    stripe.post("stripe/cancel", payment_intent=open_card.provider_payment_id)

    report()

    assert reread(open_card).status == "CANCELLED"


def test_object_paid_before_its_release_completes_the_payment(open_card, stripe, report):
    stripe.fault("drop_before", path="/v1/payment_intents/*/cancel", count=None)
    with pytest.raises(PaymentInProgress):
        payment_replace_at_provider(open_card.pk, Operation.HOSTED)
    hold(open_card)
    stripe.pay(open_card)

    report("payment_intent.succeeded")

    assert (reread(open_card).status, stripe.captured()) == ("COMPLETED", [9999])


def test_paypal_order_approved_during_its_release_leaves_the_payment_payable(wallet, paypal, time_machine):
    """PayPal cannot cancel orders: the release only reads it, and what was approved is not captured."""
    paypal.fault("unavailable", method="GET", path="/v2/checkout/orders/*", count=None)
    with pytest.raises(PaymentInProgress):
        payment_replace_at_provider(wallet.pk, Operation.CREATE)
    paypal.approve(wallet)
    payment_mark_processing(wallet.pk)  # the buyer came back, and there was no response
    paypal.delete("faults")

    time_machine.move_to(timezone.now() + timedelta(minutes=5))
    process_due()

    assert (reread(wallet).status, wallet.provider_payment_id) == ("PENDING", None)
    assert payment_ensure_at_provider(wallet).action.kind == ActionKind.REDIRECT
    paypal.approve(wallet)
    payment_sync(wallet.pk, cause="came back", approval=BUYER_RETURN)
    assert (reread(wallet).status, paypal.cents("capture.completed")) == ("COMPLETED", [9999])
