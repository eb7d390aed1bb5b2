"""401, 403 and timeouts on each part of a provider's API: the money is booked correctly and staff are alerted."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import PaymentRefund
from payments.providers.stripe import reading
from payments.reconciliation.runs import reconcile
from payments.selectors import alerts_open
from payments.tasks import check_alerts_task
from payments.tests.factories import paid_by_card, refund, reread, start
from payments.tests.periodic import process_due

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("store")]
REFUSALS = ("forbidden", "unauthorized")


@pytest.fixture
def wallet(paypal, shopper):
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    return payment


def later(time_machine, **time: int) -> None:
    time_machine.move_to(timezone.now() + timedelta(**time))


@pytest.mark.parametrize("action", REFUSALS)
def test_card_payment_is_booked_with_a_key_that_cannot_list_disputes(stripe, shopper, action):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)
    stripe.pay(reread(payment))
    stripe.fault(action, path="/v1/disputes", count=None)

    payment_sync(payment.pk, cause="test")

    assert (reread(payment).status, payment.order.payment_status) == ("COMPLETED", "PAID")
    assert [alert.part for alert in alerts_open()] == ["disputes"]
    stripe.delete("faults")
    payment_sync(payment.pk, cause="test")
    assert not alerts_open().exists()


@pytest.mark.parametrize("action", REFUSALS)
def test_paypal_payment_is_booked_with_an_app_that_cannot_read_disputes(paypal, wallet, action):
    payment_sync(wallet.pk, cause="test")
    paypal.fault(action, path="/v1/customer/disputes", count=None)

    payment_sync(wallet.pk, cause="test")

    assert reread(wallet).status == "COMPLETED"
    assert [alert.part for alert in alerts_open()] == ["disputes"]


@pytest.mark.parametrize("action", [*REFUSALS, "drop_before", "drop_after"])
@pytest.mark.parametrize(
    "path", ["/v1/payment_intents", "/v1/payment_intents/*", "/v1/charges", "/v1/disputes"]
)
def test_card_purchase_recovers_after_each_endpoint_failed(stripe, shopper, time_machine, action, path):
    stripe.fault(action, path=path, count=None)
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)
    payment_ensure_at_provider(payment)

    is_refused = action in REFUSALS and path == "/v1/payment_intents"
    assert reread(payment).status in ({"FAILED"} if is_refused else {"PENDING", "PROCESSING"})
    assert alerts_open().exists() or not is_refused
    stripe.delete("faults")
    later(time_machine, minutes=5)
    process_due()
    payment_ensure_at_provider(payment)  # the buyer opens the page again
    stripe.pay(reread(payment))
    later(time_machine, minutes=40)
    process_due()

    assert (reread(payment).status, stripe.captured()) == ("COMPLETED", [9999])
    assert stripe.made() == 1
    assert not alerts_open().exists()


@pytest.mark.parametrize("action", REFUSALS)
def test_refund_is_made_once_after_its_endpoint_was_refused(stripe, shopper, staff, time_machine, action):
    payment = paid_by_card(stripe, user=shopper)
    stripe.fault(action, path="/v1/refunds", method="POST", count=None)
    made = refund(payment, "20.00", actor=staff)
    assert (made.status, [alert.part for alert in alerts_open()]) == ("REQUESTED", ["refund"])

    stripe.delete("faults")
    later(time_machine, minutes=20)
    process_due()

    assert (PaymentRefund.objects.get().status, stripe.refunded()) == ("COMPLETED", [2000])
    assert not alerts_open().exists()


@pytest.mark.parametrize("action", REFUSALS)
def test_dispute_webhook_waits_while_disputes_cannot_be_read(stripe, shopper, time_machine, deliver, action):
    payment = paid_by_card(stripe, user=shopper)
    stripe.post("stripe/dispute", payment_intent=payment.provider_payment_id)
    stripe.fault(action, path="/v1/disputes", count=None)
    deliver(*stripe.events("charge.dispute.created"))
    process_due()
    assert (payment.disputes.count(), alerts_open().count()) == (0, 1)

    stripe.delete("faults")
    later(time_machine, minutes=5)
    process_due()

    assert payment.disputes.get().status == "OPEN"
    assert not alerts_open().exists()


def test_refund_made_with_a_lost_answer_is_not_refused_by_a_later_403(paypal, wallet, staff, time_machine):
    payment_sync(wallet.pk, cause="test")
    path = "/v2/payments/captures/*/refund"
    paypal.fault("drop_after", path=path)
    made = refund(reread(wallet), "20.00", actor=staff)
    paypal.fault("forbidden", path=path, count=None)
    later(time_machine, minutes=20)
    process_due()
    assert (PaymentRefund.objects.get().status, paypal.cents("refund.completed")) == (made.status, [2000])

    paypal.delete("faults")
    later(time_machine, minutes=20)
    process_due()

    assert (PaymentRefund.objects.get().status, paypal.cents("refund.completed")) == ("COMPLETED", [2000])


def test_alert_is_resolved_without_a_purchase(stripe, shopper, time_machine):
    stripe.fault("forbidden", path="/v1/disputes", count=None)
    paid_by_card(stripe, user=shopper)
    check_alerts_task()
    assert [alert.part for alert in alerts_open()] == ["disputes"]

    stripe.delete("faults")
    later(time_machine, minutes=15)
    check_alerts_task()

    assert not alerts_open().exists()


# ---- found by date --------------------------------------------------------------------------------------


def test_refund_and_dispute_of_an_old_payment_are_found_without_webhooks(stripe, shopper, time_machine):
    payment = paid_by_card(stripe, user=shopper)
    stripe.run_jobs()
    later(time_machine, days=3)
    since, until = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    stripe.post("stripe/refund", payment_intent=payment.provider_payment_id, amount=1000)
    dispute = stripe.post("stripe/dispute", payment_intent=payment.provider_payment_id)

    look = reconcile("stripe", since=since, until=until)

    assert (look.seen, look.synced_count, look.differences, look.error) == (1, 1, [], "")
    assert (reread(payment).refunded_minor, payment.disputes.get().status) == (1000, "OPEN")
    stripe.post("stripe/close_dispute", dispute=dispute["id"], outcome="lost")
    reconcile("stripe", since=since, until=until)
    assert (reread(payment).status, payment.disputed_minor) == ("REFUNDED", 8999)


@pytest.mark.parametrize("path", ["/v1/refunds", "/v1/disputes", "/v1/balance_transactions"])
def test_refused_list_does_not_stop_the_others_and_is_compared_again(stripe, shopper, time_machine, path):
    payment = paid_by_card(stripe, user=shopper)
    later(time_machine, days=3)
    since, until = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    stripe.post("stripe/refund", payment_intent=payment.provider_payment_id, amount=1000)
    stripe.fault("forbidden", path=path, count=None)

    look = reconcile("stripe", since=since, until=until)

    assert reread(payment).refunded_minor == 1000
    assert look.error
    assert alerts_open().exists()


def test_refused_list_of_fraud_warnings_is_an_alert_and_the_period_is_compared(stripe, shopper):
    """Keys of before have no permission for it, and no money depends on it."""
    paid_by_card(stripe, user=shopper)
    since, until = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    fault = stripe.fault("forbidden", path="/v1/radar/early_fraud_warnings", count=None)

    assert reconcile("stripe", since=since, until=until).error == ""
    assert [alert.part for alert in alerts_open()] == ["fraud warnings"]

    stripe.delete(f"faults/{fault}")
    reconcile("stripe", since=since, until=until)
    assert not alerts_open().exists()


def test_fraud_warning_that_cannot_be_read_is_an_alert(stripe, shopper, monkeypatch):
    paid_by_card(stripe, user=shopper)
    [charge] = {row["id"] for row in stripe.journal("charge.captured")}
    stripe.post("stripe/warn", charge=charge, fraud_type="misc")
    since, until = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    monkeypatch.setattr(reading, "an_id", {}.__getitem__)

    assert reconcile("stripe", since=since, until=until).error == ""

    assert [alert.part for alert in alerts_open()] == ["fraud warnings"]


def test_paypal_dispute_is_found_by_its_update_time(paypal, wallet, time_machine):
    payment_sync(wallet.pk, cause="test")
    later(time_machine, days=3)
    capture = reread(wallet).captures.get().provider_capture_id
    paypal.post("paypal/dispute", capture=capture, amount="40.00")

    look = reconcile(
        "paypal", since=timezone.now() - timedelta(hours=1), until=timezone.now() + timedelta(hours=1)
    )

    assert look.error == ""
    assert wallet.disputes.get().amount_minor == 4000


# ---- permissions of the keys ----------------------------------------------------------------------------


def test_command_names_the_missing_permission(stripe, paypal):
    out = StringIO()
    call_command("check_providers", stdout=out)
    assert "denied" not in out.getvalue()

    stripe.fault("forbidden", path="/v1/disputes", count=None)
    paypal.fault("forbidden", path="/v1/reporting/transactions", count=None)
    with pytest.raises(CommandError, match="Access denied: 2"):
        call_command("check_providers", stdout=out)

    assert "Disputes: Read" in out.getvalue()
    assert "Transaction search" in out.getvalue()
    assert {(alert.provider, alert.part) for alert in alerts_open()} == {
        ("stripe", "disputes"),
        ("paypal", "reports"),
    }
