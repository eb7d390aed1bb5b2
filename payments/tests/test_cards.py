"""A card payment from start to end, against the sandbox over a real socket; checked against the sandbox's journal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.bookkeeping.provider_calls import provider_call_enqueue
from payments.errors import PaymentDeclined, PaymentInProgress
from payments.gateway.operations import provider_call_execute
from payments.gateway.payments import (
    payment_confirm,
    payment_ensure_at_provider,
    payment_replace_at_provider,
    payment_sync,
)
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.methods import PaymentMethod
from payments.models import CallState, Capture, Operation, Payment
from payments.providers.contract import ActionKind
from payments.tests.factories import record, reread, start, usd
from payments.tests.periodic import process_due
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

CARD, TRANSFER = PaymentMethod.CREDIT_CARD, PaymentMethod.BANK_TRANSFER


@pytest.fixture(scope="module", autouse=True)
def shared_open_card(module_db, module_stripe) -> Payment:
    """A payment whose intent waits for the buyer's card."""
    rows.store()
    payment = start(CARD, user=rows.shopper())
    assert payment_ensure_at_provider(payment).action.kind == ActionKind.CONFIRM
    return payment


@pytest.fixture
def open_card(shared_open_card, stripe):
    return Payment.objects.get(pk=shared_open_card.pk)


def sync(payment):
    result = payment_sync(payment.pk, cause="test")
    reread(payment)
    return result


def process_due_later(time_machine, **later):
    time_machine.move_to(timezone.now() + timedelta(**later or {"minutes": 2}))
    process_due()


def test_card_payment_settles_the_order_once(open_card, stripe, mails, shopper, seller):
    stripe.pay(open_card)

    sync(open_card)
    sync(open_card)

    assert (open_card.status, open_card.order.status, open_card.order.payment_status) == (
        "COMPLETED",
        "CONFIRMED",
        "PAID",
    )
    assert stripe.captured() == [9999]
    assert [capture.amount_minor for capture in Capture.objects.all()] == [9999]
    assert [m.subject.partition(": ")[2] for m in mails(shopper.email)] == ["payment received"]


def test_intent_is_created_once_per_payment(open_card, stripe):
    payment_ensure_at_provider(open_card)
    payment_choose_method(order_id=open_card.order_id, method=CARD, actor=None)

    assert stripe.made() == 1
    assert open_card.calls.get().state == CallState.DONE


def test_another_card_can_pay_after_a_decline(open_card, stripe):
    stripe.pay(open_card, "visa_chargeDeclined")
    sync(open_card)
    assert (open_card.status, open_card.order.status) == ("FAILED", "PENDING")
    assert "bank declined" in open_card.failure_reason

    stripe.pay(open_card)
    sync(open_card)

    assert (open_card.status, open_card.failure_reason) == ("COMPLETED", "")
    assert (stripe.made(), stripe.captured()) == (1, [9999])


def test_declined_confirmation_is_explained_and_can_succeed_later(open_card, stripe):
    with pytest.raises(PaymentDeclined) as refused:
        payment_confirm(open_card.pk, method_id="pm_card_visa_chargeDeclinedInsufficientFunds")
    assert "insufficient funds" in refused.value.detail

    assert payment_confirm(open_card.pk, method_id="pm_card_visa").payment.status == "COMPLETED"
    assert payment_confirm(open_card.pk, method_id="pm_card_visa").payment.status == "COMPLETED"
    assert stripe.captured() == [9999]


def test_three_d_secure_waits_for_the_buyer(open_card, stripe):
    result = payment_confirm(open_card.pk, method_id="pm_card_authenticationRequired")
    assert (result.payment.status, result.action.kind) == ("PENDING", ActionKind.REDIRECT)

    stripe.authenticate(open_card)
    sync(open_card)

    assert (open_card.status, stripe.captured()) == ("COMPLETED", [9999])


def test_processing_payment_is_settled_by_the_periodic_task(open_card, stripe, time_machine):
    stripe.pay(open_card, "sandboxProcessing")
    sync(open_card)
    assert (open_card.status, open_card.order.status) == ("PROCESSING", "PENDING")

    stripe.run_jobs()
    process_due_later(time_machine)

    assert reread(open_card).status == "COMPLETED"


@pytest.mark.parametrize(
    "action", ["drop_before", "drop_after", "error_after", "truncate", "html", "unavailable"]
)
def test_unknown_create_is_resolved_by_retrying_with_the_same_key(shopper, stripe, time_machine, action):
    before = stripe.made()
    stripe.fault(action, path="/v1/payment_intents", method="POST")
    payment = start(CARD, user=shopper)

    result = payment_ensure_at_provider(payment)
    assert (result.payment.status, result.action) == ("PROCESSING", None)

    process_due_later(time_machine)

    reread(payment)
    assert (payment.status, stripe.made() - before) == ("PENDING", 1)
    assert payment.provider_payment_id.startswith("pi_")
    assert payment.calls.get().state == CallState.DONE


def test_choosing_another_method_first_cancels_the_intent(open_card, stripe, shopper):
    chosen = payment_choose_method(order_id=open_card.order_id, method=TRANSFER, actor=shopper)

    assert (reread(open_card).status, chosen.payment.status) == ("CANCELLED", "PENDING")
    assert len(stripe.journal("intent.canceled")) == 1


def test_choosing_another_method_is_refused_when_the_card_is_already_paid(open_card, stripe, shopper):
    stripe.pay(open_card)

    with pytest.raises(Exception, match="No payment is due for this order"):
        payment_choose_method(order_id=open_card.order_id, method=TRANSFER, actor=shopper)

    assert (reread(open_card).status, open_card.order.status) == ("COMPLETED", "CONFIRMED")


def test_unknown_cancellation_keeps_order_and_stock(open_card, stripe, shopper, bowl):
    stripe.fault("drop_before", path="/v1/payment_intents/*", count=None)

    with pytest.raises(PaymentInProgress):
        order_cancel(order_id=open_card.order_id, reason="", actor=shopper)

    assert (reread(open_card).order.status, open_card.status) == ("PENDING", "PENDING")


def test_paid_order_does_not_expire_even_if_its_webhook_was_lost(open_card, stripe, time_machine):
    stripe.pay(open_card)
    time_machine.move_to(timezone.now() + timedelta(hours=1))

    assert order_expire(order_id=open_card.order_id) is False

    assert (reread(open_card).order.status, open_card.status) == ("CONFIRMED", "COMPLETED")


def test_unpaid_order_expires_after_the_intent_was_cancelled(open_card, stripe, time_machine):
    time_machine.move_to(timezone.now() + timedelta(hours=1))

    assert order_expire(order_id=open_card.order_id) is True

    assert (reread(open_card).order.status, open_card.status) == ("EXPIRED", "CANCELLED")
    assert len(stripe.journal("intent.canceled")) == 1


def test_hosted_page_and_intent_replace_each_other(open_card, stripe):
    hosted = payment_replace_at_provider(open_card.pk, Operation.HOSTED)
    assert hosted.action.kind == ActionKind.REDIRECT
    assert len(stripe.journal("intent.canceled")) == 1

    back = payment_replace_at_provider(open_card.pk, Operation.CREATE)
    assert back.action.kind == ActionKind.CONFIRM
    assert len(stripe.journal("session.expired")) == 1

    payment_replace_at_provider(open_card.pk, Operation.HOSTED)
    stripe.pay(open_card)
    sync(open_card)
    assert (open_card.status, stripe.captured()) == ("COMPLETED", [9999])


def test_order_paid_twice_refunds_the_surplus_automatically(stripe, shopper, staff, mails):
    """The transfer arrives after the buyer switched to the card, and the card is paid before staff see it."""
    transfer = start(TRANSFER, user=shopper)
    card = payment_choose_method(order_id=transfer.order_id, method=CARD, actor=shopper).payment
    record(transfer, "99.99", actor=staff)
    stripe.pay(card)

    sync(card)
    assert (card.order.payment_status, card.order.refund_due) == ("OVERPAID", usd("99.99"))
    process_due()

    assert reread(card).status == "REFUNDED"
    assert (stripe.captured(), stripe.refunded()) == ([9999], [9999])
    assert (card.order.payment_status, card.order.status) == ("PAID", "CONFIRMED")
    assert "refund of" in mails(shopper.email)[-1].subject


def test_unneeded_card_payment_is_cancelled_by_the_periodic_task(stripe, shopper, staff):
    transfer = start(TRANSFER, user=shopper)
    card = payment_choose_method(order_id=transfer.order_id, method=CARD, actor=shopper).payment
    record(transfer, "99.99", actor=staff)

    process_due()

    assert reread(card).status == "CANCELLED"
    assert len(stripe.journal("intent.canceled")) == 1


def test_payment_with_a_closed_object_gets_a_new_one(open_card, stripe):
    """The process that switched to the hosted page crashed after closing the intent."""
    call = provider_call_enqueue(
        Operation.RELEASE, payment=open_card, request={"object_id": open_card.provider_payment_id}
    )
    provider_call_execute(call.pk)
    assert reread(open_card).provider_payment_id is None

    assert payment_ensure_at_provider(open_card).action.kind == ActionKind.CONFIRM

    stripe.pay(open_card)
    sync(open_card)
    assert (open_card.status, stripe.captured()) == ("COMPLETED", [9999])


def test_declined_payment_of_a_closed_order_requests_no_payment(open_card, stripe, time_machine):
    stripe.pay(open_card, "visa_chargeDeclined")
    time_machine.move_to(timezone.now() + timedelta(hours=1))
    order_expire(order_id=open_card.order_id)

    assert payment_ensure_at_provider(reread(open_card)).action is None
    assert stripe.made() == 1
