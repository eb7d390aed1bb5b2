"""Payments in review: what they wait for, and how often the provider is asked."""

from datetime import timedelta

import pytest
from django.utils import timezone

from orders.models import Order
from orders.statuses import OrderStatus
from payments.declines import MESSAGES, WALLET_MESSAGES, decline_message
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.gateway.sync import payment_apply_remote_state
from payments.lifecycle.cancel_and_expire import orders_due_to_expire
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.providers.contract import DeclineGroup, PendingReason, RemotePayment, RemoteStatus
from payments.providers.paypal.orders import payment_of
from payments.tests.factories import reread, start
from payments.web.order_display import get_display_state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def payment(shopper, stripe) -> Payment:
    started = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(started)
    return reread(started)


def pending(payment: Payment, reason: PendingReason, code: str) -> Payment:
    remote = RemotePayment(
        payment.provider_payment_id or "",
        RemoteStatus.PROCESSING,
        payment.amount,
        str(payment.pk),
        is_live=False,
        pending=reason,
        pending_code=code,
    )
    payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="test")
    return reread(payment)


def paypal_order(reason: str) -> dict[str, object]:
    amount = {"value": "10.00", "currency_code": "USD"}
    capture = {"id": "CAP1", "status": "PENDING", "amount": amount, "status_details": {"reason": reason}}
    return {
        "id": "ORDER1",
        "status": "COMPLETED",
        "purchase_units": [{"amount": amount, "payments": {"captures": [capture]}}],
    }


# ---- what it waits for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ECHECK", PendingReason.BANK),
        ("PENDING_REVIEW", PendingReason.REVIEW),
        ("UNILATERAL", PendingReason.SHOP),
        ("VERIFICATION_REQUIRED", PendingReason.SHOP),
        ("A_REASON_OF_NEXT_YEAR", PendingReason.UNKNOWN),
    ],
)
def test_pending_reason_of_paypal_is_read(code, reason):
    remote = payment_of(paypal_order(code), is_live=False)
    assert (remote.status, remote.pending, remote.pending_code) == (RemoteStatus.PROCESSING, reason, code)


def test_buyer_reads_that_the_bank_takes_days(payment):
    waiting = pending(payment, PendingReason.BANK, "ECHECK")
    text = get_display_state(Order.objects.get(pk=payment.order_id), waiting).next_step
    assert "3 to 6 working days" in text
    assert "minutes" not in text


def test_staff_read_the_code_and_a_flag_for_what_only_the_shop_can_do(payment, client, staff):
    pending(payment, PendingReason.SHOP, "UNILATERAL")
    client.force_login(staff)
    page = client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "The provider waits for" in page
    assert "UNILATERAL" in payment.flags.get(kind="stuck").detail


def test_reason_goes_when_the_payment_is_decided(payment, stripe):
    pending(payment, PendingReason.BANK, "ECHECK")
    stripe.pay(payment)
    payment_sync(payment.pk, cause="test")
    paid = reread(payment)
    assert (paid.status, paid.pending_reason, paid.pending_code) == ("COMPLETED", "", "")


# ---- how often it is asked ---------------------------------------------------------------------------------------


def test_review_of_days_is_asked_less_and_less_often(payment, time_machine):
    """Past the order's hold: before, the order's expiry asked once a minute."""
    begin = timezone.now()
    pending(payment, PendingReason.REVIEW, "PENDING_REVIEW")
    Order.objects.filter(pk=payment.order_id).update(expires_at=begin + timedelta(minutes=1))
    asked = 0
    for minute in range(2, 3 * 24 * 60, 5):
        time_machine.move_to(begin + timedelta(minutes=minute))
        if orders_due_to_expire():
            pending(payment, PendingReason.REVIEW, "PENDING_REVIEW")
            asked += 1
    assert 15 <= asked <= 40
    assert Order.objects.get(pk=payment.order_id).status == OrderStatus.PENDING


def test_order_past_its_hold_expires_once_its_review_ends(payment, time_machine):
    pending(payment, PendingReason.REVIEW, "PENDING_REVIEW")
    Order.objects.filter(pk=payment.order_id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert orders_due_to_expire() == []
    payment_sync(payment.pk, cause="the provider reports that it is open again")
    assert orders_due_to_expire() == [payment.order_id]


# ---- decline sentences -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", DeclineGroup)
def test_every_group_has_a_sentence_for_cards_and_one_for_wallets(group):
    card = decline_message(group, PaymentMethod.CREDIT_CARD)
    wallet = decline_message(group, PaymentMethod.PAYPAL)
    assert card == str(MESSAGES[group])
    assert wallet == str(WALLET_MESSAGES[group]) % {"method": "PayPal"}
    assert "card number" not in wallet
    assert not wallet.startswith(("Your card", "This card"))


def test_owner_of_a_card_in_a_wallet_is_not_asked_to_check_its_number():
    text = decline_message(DeclineGroup.FIX_DATA, PaymentMethod.CREDIT_CARD, wallet="apple_pay")
    assert "number" not in text
