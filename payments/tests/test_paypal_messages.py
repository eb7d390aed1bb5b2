"""PayPal's webhooks and answers lead to the same result: settled once, whichever comes first."""

import pytest

from payments.bookkeeping.provider_calls import BUYER_RETURN
from payments.gateway import payments
from payments.gateway.payments import payment_ensure_at_provider, payment_replace_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import EventState, Operation, PaymentFlag, WebhookEvent
from payments.tests.factories import reread, start
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
PATH = "/payments/webhooks/paypal"


@pytest.fixture
def waiting(shopper, paypal):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    return reread(payment)


def test_webhook_captures_the_order_of_a_buyer_who_did_not_return(waiting, paypal, deliver):
    paypal.approve(waiting)

    assert deliver(*paypal.events("CHECKOUT.ORDER.APPROVED"), path=PATH) == [200]
    process_due()

    assert reread(waiting).status == "COMPLETED"
    assert paypal.cents("capture.completed") == [9999]


@pytest.mark.parametrize("first", ["return", "event", "event between"])
def test_declined_approval_is_captured_once_although_return_and_event_report_it(
    waiting, paypal, deliver, monkeypatch, first
):
    """A second try would be one more decline, and make the buyer's "Try again" fail while it runs."""
    paypal.approve(waiting, "declined")
    apply_state = payments.payment_apply_remote_state

    def come_back():
        payment_sync(waiting.pk, cause="came back", approval=BUYER_RETURN)

    def read_then_come_back(**arguments):
        monkeypatch.undo()
        found = apply_state(**arguments)
        come_back()
        return found

    def report_by_event():
        deliver(*paypal.events("CHECKOUT.ORDER.APPROVED"), path=PATH)
        process_due()

    if first == "event between":
        monkeypatch.setattr(payments, "payment_apply_remote_state", read_then_come_back)
        report_by_event()
    else:
        for report in (come_back, report_by_event) if first == "return" else (report_by_event, come_back):
            report()

    assert reread(waiting).status == "FAILED"
    captures = waiting.calls.filter(operation=Operation.CONFIRM)
    assert captures.count() == 1

    paypal.approve(waiting)
    report_by_event()

    assert (reread(waiting).status, captures.count()) == ("COMPLETED", 2)


def test_approval_of_an_earlier_object_does_not_capture_the_current_one(waiting, paypal):
    earlier = waiting.provider_payment_id
    payment_replace_at_provider(waiting.pk, Operation.CREATE)
    paypal.post("paypal/approve", order=earlier, buyer="pays")

    payment_sync(waiting.pk, cause="reconciliation", object_id=earlier)

    assert reread(waiting).status == "PENDING"
    assert not waiting.calls.filter(operation=Operation.CONFIRM).exists()
    assert paypal.cents("capture.completed") == []


def test_webhooks_after_the_return_change_and_flag_nothing(waiting, paypal, deliver):
    paypal.approve(waiting)
    payment_sync(waiting.pk, cause="came back", approval=BUYER_RETURN)

    assert set(deliver(*paypal.events(), *paypal.events(), path=PATH)) == {200}
    process_due()

    assert reread(waiting).status == "COMPLETED"
    assert paypal.cents("capture.completed") == [9999]
    assert PaymentFlag.objects.count() == 0
    assert set(WebhookEvent.objects.values_list("state", flat=True)) <= {EventState.DONE, EventState.IGNORED}


@pytest.mark.parametrize("signing", ["expired", "wrong_name", "untrusted_ca", "wrong_webhook", "altered"])
def test_webhook_not_signed_by_paypal_is_refused(waiting, paypal, deliver, signing):
    paypal.post("paypal/settings", signing=signing)
    paypal.approve(waiting)

    assert deliver(*paypal.events(), path=PATH) == [400]
    assert WebhookEvent.objects.count() == 0


def test_webhook_is_not_accepted_when_verification_is_unavailable(waiting, paypal, deliver):
    paypal.approve(waiting)
    events = paypal.events()
    paypal.fault("drop_before", path="/v1/notifications/certs/*", count=None)

    assert deliver(*events, path=PATH) == [503]
    assert WebhookEvent.objects.count() == 0


def test_webhook_about_another_account_is_flagged(waiting, paypal, deliver, settings):
    paypal.approve(waiting)
    payment_sync(waiting.pk, cause="came back", approval=BUYER_RETURN)
    settings.PAYPAL_PAYEE = "OTHERMERCHANT"

    deliver(*paypal.events("PAYMENT.CAPTURE.COMPLETED"), path=PATH)
    process_due()

    assert "another account" in PaymentFlag.objects.get().detail
