"""PayPal's webhooks signed by the sandbox: approvals are captured, captures and refunds are booked once."""

import pytest

from payments.gateway.connection import provider
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import Capture, PaymentRefund, WebhookEvent
from payments.providers.contract import ProviderEvent, RemoteStatus
from payments.tests.factories import reread, start
from payments.webhooks.events import dump_event, has_news, load_event
from payments.webhooks.inbox import webhook_process, webhooks_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PATH = "/payments/webhooks/paypal"


@pytest.fixture
def waiting(shopper, paypal):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    return reread(payment)


def arrive(deliver, *events) -> list[str]:
    assert set(deliver(*events, path=PATH)) == {200}
    while due := webhooks_due():
        for pk in due:
            webhook_process(pk)
    return list(WebhookEvent.objects.order_by("created_at").values_list("state", flat=True))


def statuses_of(payment) -> tuple[str, str, str]:
    reread(payment)
    return payment.status, payment.order.status, payment.order.payment_status


SETTLED = ("COMPLETED", "CONFIRMED", "PAID")


def test_approval_is_captured_and_the_capture_event_changes_nothing(waiting, paypal, deliver):
    """The approval event comes first; we capture, and PayPal's event about the capture is already known."""
    paypal.approve(waiting)

    assert arrive(deliver, *paypal.events("CHECKOUT.ORDER.APPROVED")) == ["done"]
    assert statuses_of(waiting) == SETTLED
    states = arrive(deliver, *paypal.events("PAYMENT.CAPTURE.COMPLETED"))

    assert states == ["done", "ignored"]
    assert paypal.cents("capture.completed") == [9999]
    assert Capture.objects.count() == 1


def test_approval_event_after_the_buyer_returned_changes_nothing(waiting, paypal, deliver):
    paypal.approve(waiting)
    payment_sync(waiting.pk, cause="the buyer came back")

    arrive(deliver, *paypal.events("CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"))

    assert statuses_of(waiting) == SETTLED
    assert paypal.cents("capture.completed") == [9999]


def test_refund_made_at_paypal_is_booked_once(waiting, paypal, deliver):
    paypal.approve(waiting)
    payment_sync(waiting.pk, cause="the buyer came back")
    capture = Capture.objects.get().provider_capture_id
    paypal.post("paypal/refund", capture=capture, amount="10.00")
    events = paypal.events("PAYMENT.CAPTURE.REFUNDED")
    assert events

    arrive(deliver, *events, *events)

    assert statuses_of(waiting) == ("PARTIALLY_REFUNDED", "CONFIRMED", "PARTIALLY_REFUNDED")
    assert PaymentRefund.objects.get().amount_minor == 1000


@pytest.mark.parametrize(
    ("payee", "is_own"),
    [("", True), ("shop@example.test", True), ("MERCHANT1", True), ("MERCHANT2", False)],
)
def test_payee_id_is_compared_only_with_a_configured_id(paypal, settings, payee, is_own):
    settings.PAYPAL_PAYEE = payee

    assert provider("paypal").is_own("MERCHANT1") == is_own


def test_payment_to_another_account_is_ignored_and_flagged(waiting, paypal, deliver, settings):
    settings.PAYPAL_PAYEE = "SOMEBODYELSE1"
    paypal.approve(waiting)

    assert arrive(deliver, *paypal.events("CHECKOUT.ORDER.APPROVED")) == ["ignored"]

    assert statuses_of(waiting) == ("PENDING", "PENDING", "UNPAID")
    assert paypal.cents("capture.completed") == []
    assert [flag.kind for flag in waiting.flags.all()] == ["mismatch"]


def test_signature_of_another_webhook_and_a_changed_body_are_refused(waiting, paypal, deliver, settings):
    paypal.approve(waiting)
    [(headers, body)] = paypal.events("CHECKOUT.ORDER.APPROVED")

    assert deliver((headers, body + b" "), path=PATH) == [400]
    assert deliver(({}, body), path=PATH) == [400]
    settings.PAYPAL_WEBHOOK_ID = "8PT597110X687430LKGECATA"
    assert deliver((headers, body), path=PATH) == [400]
    settings.PAYPAL_WEBHOOK_ID = ""
    assert deliver((headers, body), path=PATH) == [503]
    assert not WebhookEvent.objects.exists()


def test_reversal_of_a_booked_capture_is_processed(waiting, paypal):
    paypal.approve(waiting)
    payment_sync(waiting.pk, cause="the buyer came back")
    capture_id, order_id = Capture.objects.get().provider_capture_id, reread(waiting).provider_payment_id
    taken = ProviderEvent(
        event_id="1", kind="PAYMENT.CAPTURE.COMPLETED", object_ids=(order_id,), is_live=False,
        capture_id=capture_id, status=RemoteStatus.SUCCEEDED,
    )  # fmt: skip
    reversed_ = ProviderEvent(
        event_id="2", kind="PAYMENT.CAPTURE.REVERSED", object_ids=(order_id,), is_live=False,
        capture_id=capture_id,
    )  # fmt: skip

    assert not has_news(taken, waiting, order_id)
    assert has_news(reversed_, waiting, order_id)


def test_stored_message_is_parsed_to_the_same_event(waiting, paypal, deliver):
    paypal.approve(waiting)
    arrive(deliver, *paypal.events())

    events = list(WebhookEvent.objects.all())
    assert events
    for event in events:
        assert dump_event(load_event(event)) == event.content
