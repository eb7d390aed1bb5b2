"""The amount due changes while a payment over the former amount is open: that amount is never charged."""

import pytest

from payments.bookkeeping.provider_calls import BUYER_RETURN
from payments.errors import AmountMismatch
from payments.gateway.payments import (
    payment_confirm,
    payment_ensure_at_provider,
    payment_replace_at_provider,
    payment_sync,
)
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.lifecycle.saved_methods import (
    method_save,
    method_setup_finish,
    method_setup_start,
    payment_pay,
)
from payments.methods import PaymentMethod
from payments.models import Operation, Payment, PaymentMethodInfo
from payments.tests.factories import record, reread, start, usd
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

CARD, PAYPAL = PaymentMethod.CREDIT_CARD, PaymentMethod.PAYPAL


@pytest.fixture
def transfer(shopper) -> Payment:
    return start(user=shopper)


@pytest.fixture
def paid_in_part(transfer, staff, shopper):
    """The buyer changes to another method over all of 99.99; then staff record 60.00 of the transfer."""

    def run(method: PaymentMethod, *, amount: str = "60.00") -> Payment:
        payment = payment_choose_method(order_id=transfer.order_id, method=method, actor=shopper).payment
        record(transfer, amount, actor=staff)
        return reread(payment)

    return run


def test_approval_of_the_former_amount_is_not_captured(paid_in_part, paypal, browser):
    payment = paid_in_part(PAYPAL)
    paypal.approve(payment)

    back = browser().get(f"/shop/orders/{payment.order.access_token}/return/", follow=True)

    assert reread(payment).status == "CANCELLED"
    assert "The amount due has changed. Nothing was charged." in back.content.decode()
    assert (payment.order.due_now, payment.order.status) == (usd("39.99"), "PENDING")
    process_due()
    assert paypal.cents("capture.completed") == []


@pytest.mark.parametrize("method", [PAYPAL, PaymentMethod.CHECK])
def test_buyer_then_pays_what_is_due(paid_in_part, paypal, shopper, staff, method):
    former = paid_in_part(PAYPAL)
    paypal.approve(former)
    payment_sync(former.pk, cause="came back", approval=BUYER_RETURN)

    payment = payment_choose_method(order_id=former.order_id, method=method, actor=shopper).payment

    assert payment.amount == usd("39.99")
    if method == PAYPAL:
        paypal.approve(payment)
        payment_sync(payment.pk, cause="came back", approval=BUYER_RETURN)
    else:
        record(payment, "39.99", actor=staff, reference="check 1")
    assert (reread(payment).status, payment.order.payment_status) == ("COMPLETED", "PAID")
    assert paypal.cents("capture.completed") == ([3999] if method == PAYPAL else [])


def test_approval_is_not_captured_once_the_order_is_paid(paid_in_part, paypal, browser):
    payment = paid_in_part(PAYPAL, amount="99.99")
    paypal.approve(payment)

    browser().get(f"/shop/orders/{payment.order.access_token}/return/")

    assert (reread(payment).status, payment.order.payment_status) == ("CANCELLED", "PAID")
    assert paypal.cents("capture.completed") == []


def test_approval_of_less_than_is_due_by_now_is_not_captured(transfer, paypal, shopper, staff):
    receipt = record(transfer, "60.00", actor=staff)
    payment = payment_choose_method(order_id=transfer.order_id, method=PAYPAL, actor=shopper).payment
    assert payment.amount == usd("39.99")
    receipt_reverse(receipt_id=receipt.pk, reason="bounced", actor=staff)
    paypal.approve(payment)

    payment_sync(payment.pk, cause="came back", approval=BUYER_RETURN)

    assert (reread(payment).status, payment.order.due_now) == ("CANCELLED", usd("99.99"))
    assert paypal.cents("capture.completed") == []


def test_rest_of_an_order_paid_in_part_is_captured(transfer, paypal, shopper, staff):
    record(transfer, "60.00", actor=staff)
    payment = payment_choose_method(order_id=transfer.order_id, method=PAYPAL, actor=shopper).payment
    paypal.approve(payment)

    payment_sync(payment.pk, cause="came back", approval=BUYER_RETURN)

    assert (reread(payment).status, payment.order.payment_status) == ("COMPLETED", "PAID")
    assert paypal.cents("capture.completed") == [3999]


def test_card_is_not_charged_the_former_amount(paid_in_part, stripe, shopper, api):
    payment = paid_in_part(CARD)

    with pytest.raises(AmountMismatch):
        payment_confirm(payment.pk, method_id="pm_card_visa")
    answer = api(shopper).post(
        "/payments/confirm",
        {"payment_intent_id": payment.provider_payment_id, "payment_method_id": "pm_card_visa"},
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "amount_mismatch")
    assert (answer.json()["sent"], answer.json()["amount"]) == ("99.99", "39.99")
    process_due()
    assert (reread(payment).status, stripe.captured()) == ("CANCELLED", [])


def test_saved_card_is_not_charged_the_former_amount(paid_in_part, stripe, shopper):
    card = method_save(user=shopper, provider="stripe", token="pm_card_visa")
    payment = paid_in_part(CARD)

    with pytest.raises(AmountMismatch):
        payment_pay(payment.pk, user=shopper, method_reference=str(card.pk))

    assert stripe.captured() == []


def test_saved_wallet_is_not_charged_the_former_amount(paid_in_part, paypal, shopper):
    setup = method_setup_start(user=shopper, provider="paypal")
    paypal.post("paypal/approve", setup_token=setup.setup_id)
    method_setup_finish(setup.setup_id, user=shopper)
    payment = paid_in_part(PAYPAL)

    with pytest.raises(AmountMismatch):
        payment_pay(payment.pk, user=shopper, method_reference=str(PaymentMethodInfo.objects.get().pk))

    assert paypal.cents("capture.completed") == []


def test_former_amount_gets_no_new_object(paid_in_part, stripe, shopper):
    payment = paid_in_part(CARD)
    with pytest.raises(AmountMismatch):
        payment_replace_at_provider(payment.pk, Operation.HOSTED)
    assert payment.calls.filter(operation=Operation.RELEASE).count() == 0
    Payment.objects.filter(pk=payment.pk).update(provider_payment_id=None)  # released, and no successor yet

    assert payment_ensure_at_provider(payment).action is None

    assert (reread(payment).status, stripe.made()) == ("CANCELLED", 1)
