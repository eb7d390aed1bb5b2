"""A PayPal payment from start to end, against the sandbox over a real socket; checked against its journal."""

from datetime import timedelta

import pytest
from django.utils import timezone

from payments.bookkeeping.provider_calls import BUYER_RETURN, provider_call_claim, provider_call_enqueue
from payments.gateway import payments
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire
from payments.lifecycle.choose_method import payment_choose_method
from payments.methods import PaymentMethod
from payments.models import CallState, Capture, Operation, PaymentFlag
from payments.providers.contract import ActionKind
from payments.refunds.staff import refund_open
from payments.tests.factories import reread, start, usd
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

PAYPAL, TRANSFER = PaymentMethod.PAYPAL, PaymentMethod.BANK_TRANSFER


@pytest.fixture
def waiting(shopper, paypal, bowl, scarf):
    """A payment for products of two artisans whose buyer has to approve at PayPal."""
    payment = start(PAYPAL, {bowl: 1, scarf: 2}, user=shopper)
    result = payment_ensure_at_provider(payment)
    assert (result.action.kind, result.action.url[:7]) == (ActionKind.REDIRECT, "http://")
    return reread(payment)


def sync(payment):
    result = payment_sync(payment.pk, cause="test")
    reread(payment)
    return result


def test_approved_payment_is_captured_once(waiting, paypal, mails, shopper):
    paypal.approve(waiting)

    sync(waiting)
    sync(waiting)

    assert (waiting.status, waiting.order.payment_status) == ("COMPLETED", "PAID")
    assert paypal.cents("capture.completed") == [waiting.amount_minor]
    assert Capture.objects.get().amount_minor == waiting.amount_minor
    assert "payment received" in mails(shopper.email)[0].subject


def another_captures(payment):
    """Another process has stored its call and is executing it."""
    call = provider_call_enqueue(
        Operation.CONFIRM, payment=payment, request={"token_version": payment.order.token_version}
    )
    assert provider_call_claim(call.pk)


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize(("buyer", "status", "taken"), [("pays", "COMPLETED", 1), ("declined", "FAILED", 0)])
def test_returning_buyer_is_not_asked_to_pay_while_another_process_captures(
    waiting, paypal, monkeypatch, is_before, buyer, status, taken
):
    paypal.approve(waiting, buyer)
    asking = payments.execute

    def ask_as_another_begins(name, question):
        answer = asking(name, question)
        another_captures(waiting)
        return answer

    if is_before:
        another_captures(waiting)
    else:
        monkeypatch.setattr(payments, "execute", ask_as_another_begins)

    sync(waiting)

    assert (waiting.status, paypal.cents("capture.completed")) == ("PROCESSING", [])
    monkeypatch.undo()
    waiting.calls.update(lease_until=None)
    sync(waiting)
    assert (waiting.status, len(paypal.cents("capture.completed"))) == (status, taken)
    assert bool(waiting.failure_reason) is (status == "FAILED")


def test_amount_is_broken_down_to_the_cent(waiting, paypal):
    order = paypal.journal("order.created")[0]

    assert order["amount"] == waiting.amount_minor == waiting.order.total_minor


def test_buyer_who_cancels_at_paypal_keeps_every_option(waiting, paypal, browser):
    page = browser().get(f"/shop/orders/{waiting.order.access_token}/back/", follow=True)

    assert "You returned without paying." in page.content.decode()
    assert payment_ensure_at_provider(waiting).action.kind == ActionKind.REDIRECT
    assert len(paypal.journal("order.created")) == 1


def test_declined_wallet_returns_to_paypal_with_the_reason(waiting, paypal):
    paypal.approve(waiting, "declined")

    result = sync(waiting)

    assert (waiting.status, result.action.kind) == ("FAILED", ActionKind.REDIRECT)
    assert waiting.failure_reason
    assert paypal.cents("capture.completed") == []

    for _ in range(5):  # pages and periodic tasks that poll do not retry the declined wallet
        sync(waiting)
    assert len(waiting.calls.filter(operation="confirm")) == 1

    again = payment_choose_method(order_id=waiting.order_id, method=PAYPAL, actor=None)
    assert (again.payment.pk, again.result.action.kind) == (waiting.pk, ActionKind.REDIRECT)
    paypal.approve(waiting, "pays")
    payment_sync(waiting.pk, cause="came back", approval=BUYER_RETURN)
    assert (reread(waiting).status, waiting.failure_reason) == ("COMPLETED", "")
    assert paypal.cents("capture.completed") == [waiting.amount_minor]


def test_denied_capture_lets_the_buyer_start_again(waiting, paypal, shopper, time_machine):
    paypal.approve(waiting, "denied")
    sync(waiting)
    paypal.run_jobs()
    time_machine.move_to(timezone.now() + timedelta(minutes=5))
    process_due()
    assert (reread(waiting).status, waiting.provider_payment_id) == ("FAILED", None)

    again = payment_choose_method(order_id=waiting.order_id, method=PAYPAL, actor=shopper)
    assert (again.payment.pk, again.result.action.kind) == (waiting.pk, ActionKind.REDIRECT)
    paypal.approve(again.payment)
    payment_sync(waiting.pk, cause="came back", approval=BUYER_RETURN)
    assert reread(waiting).status == "COMPLETED"


def test_payment_under_review_is_shown_as_such_and_settles_later(waiting, paypal, time_machine, browser):
    paypal.approve(waiting, "review")
    sync(waiting)
    assert (waiting.status, waiting.order.status) == ("PROCESSING", "PENDING")
    shown = browser().get(f"/shop/orders/{waiting.order.access_token}/").content.decode()
    assert "Your payment is being reviewed" in shown
    assert "Do not pay again" in shown

    paypal.run_jobs()
    time_machine.move_to(timezone.now() + timedelta(minutes=5))
    process_due()

    assert (reread(waiting).status, waiting.in_review) == ("COMPLETED", False)


def test_expired_order_is_never_captured(waiting, paypal, time_machine, browser):
    paypal.approve(waiting)
    time_machine.move_to(timezone.now() + timedelta(hours=4))
    assert order_expire(order_id=waiting.order_id) is True

    page = browser().get(f"/shop/orders/{waiting.order.access_token}/return/", follow=True)

    assert "not paid in time" in page.content.decode()
    assert (reread(waiting).status, paypal.cents("capture.completed")) == ("CANCELLED", [])


def test_captured_order_is_not_expired(waiting, paypal, time_machine):
    """The process crashed after PayPal captured the money, before it was booked."""
    paypal.approve(waiting)
    paypal.fault("drop_after", path="/v2/checkout/orders/*/capture")
    sync(waiting)
    assert waiting.status == "PROCESSING"
    time_machine.move_to(timezone.now() + timedelta(hours=4))

    assert order_expire(order_id=waiting.order_id) is False

    assert reread(waiting).status == "COMPLETED"
    assert paypal.cents("capture.completed") == [waiting.amount_minor]


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "error_after", "truncate", "html"])
def test_unknown_capture_is_resolved_with_the_same_request_id(waiting, paypal, time_machine, action):
    paypal.approve(waiting)
    paypal.fault(action, path="/v2/checkout/orders/*/capture")
    sync(waiting)
    assert waiting.status == "PROCESSING"

    time_machine.move_to(timezone.now() + timedelta(minutes=5))
    process_due()

    assert reread(waiting).status == "COMPLETED"
    assert paypal.cents("capture.completed") == [waiting.amount_minor]
    assert set(waiting.calls.values_list("state", flat=True)) == {CallState.DONE}


def test_order_is_not_captured_after_choosing_another_method(waiting, paypal, shopper, browser):
    paypal.approve(waiting)

    chosen = payment_choose_method(order_id=waiting.order_id, method=TRANSFER, actor=shopper)

    assert (reread(waiting).status, chosen.payment.status) == ("CANCELLED", "PENDING")
    sync(waiting)
    back = f"/shop/orders/{waiting.order.access_token}/return/?token={waiting.provider_payment_id}&PayerID=A"
    assert "This attempt was not charged." in browser().get(back, follow=True).content.decode()
    assert paypal.cents("capture.completed") == []


def test_cancelled_order_is_never_captured(waiting, paypal, shopper):
    paypal.approve(waiting)

    order_cancel(order_id=waiting.order_id, reason="", actor=shopper)
    sync(waiting)

    assert (reread(waiting).order.status, paypal.cents("capture.completed")) == ("CANCELLED", [])


def test_partial_refunds_reach_the_last_cent(waiting, paypal, staff):
    paypal.approve(waiting)
    sync(waiting)
    total = waiting.amount_minor

    for amount in (usd("10.01"), usd("0.01"), None):
        left = reread(waiting).refundable
        refund_open(payment_id=waiting.pk, amount=amount or left, reason="broken", actor=staff)
        process_due()

    assert reread(waiting).status == "REFUNDED"
    assert sum(paypal.cents("refund.completed")) == total == sum(paypal.cents("capture.completed"))


def test_payment_to_another_account_is_flagged_and_not_booked(waiting, paypal, settings):
    settings.PAYPAL_PAYEE = "someone-else@example.test"
    paypal.approve(waiting)

    sync(waiting)

    assert waiting.status != "COMPLETED"
    assert "another account" in PaymentFlag.objects.get().detail


def test_other_methods_are_available_when_paypal_is_down(shopper, paypal, browser, bowl):
    paypal.fault("drop_before", path="/v2/*", count=None)
    for _ in range(2):
        payment_ensure_at_provider(start(PAYPAL, {bowl: 1}, user=None, email=f"guest{_}@example.test"))

    other = start(TRANSFER, {bowl: 1}, email="third@example.test")
    page = browser().get(f"/shop/orders/{other.order.access_token}/pay/").content.decode()

    assert "PayPal is not responding" in page
    assert other.status == "PENDING"
