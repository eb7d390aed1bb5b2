"""Attempts to pay: each recorded once and kept, a payment closed after too many declines, and alerts for staff."""

import re
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from artisans.core.money import Money
from artisans.core.security.tokens import order_token
from orders.models import Order
from payments.bookkeeping import attempts
from payments.bookkeeping.attempts import ALARM, TOO_MANY_DECLINES, attempts_record, challenges_expire
from payments.declines import MESSAGES
from payments.errors import MethodNotOffered
from payments.gateway.connection import provider
from payments.gateway.payments import payment_check, payment_ensure_at_provider, payment_sync
from payments.gateway.sync import payment_apply_remote_state
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.offer import is_closed_after_declines
from payments.lifecycle.receipts import payment_reject
from payments.lifecycle.saved_methods import payment_pay
from payments.methods import PaymentMethod
from payments.models import AttemptOutcome, Payment, PaymentAttempt, ProviderAlert
from payments.providers.contract import (
    Action,
    ActionKind,
    DeclineGroup,
    RemoteAttempt,
    RemotePayment,
    RemoteStatus,
    Verdict,
)
from payments.providers.paypal.orders import payment_of
from payments.providers.stripe.objects import liability_of
from payments.reconciliation.runs import reconcile
from payments.tasks import check_alerts_task
from payments.tests.factories import record, reread, start
from payments.tests.periodic import process_due
from payments.tests.saved_cards import save_after_3d_secure
from payments.web.order_display import get_display_state
from tests.append_only import rewriting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

fill_migration = import_module("payments.migrations.0036_fill_attempts")
CARD, TRANSFER = PaymentMethod.CREDIT_CARD, PaymentMethod.BANK_TRANSFER
LIMIT = 5


@pytest.fixture
def payment(shopper, stripe) -> Payment:
    started = start(CARD, user=shopper)
    payment_ensure_at_provider(started)
    return reread(started)


def declined(payment: Payment, *numbers: int) -> Payment:
    """Apply a state of the provider in which these attempts were declined."""
    attempts = tuple(
        RemoteAttempt(
            f"ch_{payment.pk.hex}_{number}",
            payment.amount,
            is_success=False,
            at=timezone.now(),
            decline=DeclineGroup.FUNDS,
            decline_code="insufficient_funds",
        )
        for number in numbers
    )
    remote = RemotePayment(
        payment.provider_payment_id or "",
        RemoteStatus.FAILED,
        payment.amount,
        str(payment.pk),
        is_live=False,
        attempts=attempts,
        action=Action(ActionKind.CONFIRM, client_secret="secret"),
    )
    payment_apply_remote_state(payment_id=payment.pk, remote=remote, cause="test")
    return reread(payment)


def outcomes(payment: Payment) -> list[tuple[int, str, str]]:
    return list(payment.attempts.values_list("number", "outcome", "decline_code"))


# ---- recorded ----------------------------------------------------------------------------------------------------


def test_declines_are_kept_when_the_payment_succeeds(payment, stripe):
    for card in ("visa_chargeDeclinedInsufficientFunds", "chargeDeclinedExpiredCard", "visa"):
        stripe.pay(payment, card)
    payment_sync(payment.pk, cause="test")

    paid = reread(payment)
    assert (paid.status, paid.failure_code, paid.declines) == ("COMPLETED", "", 2)
    assert outcomes(paid) == [
        (1, "declined", "insufficient_funds"),
        (2, "declined", "expired_card"),
        (3, "succeeded", ""),
    ]
    first = paid.attempts.first()
    assert (first.method, first.brand, first.decline_group) == ("card", "visa", "funds")
    assert abs(first.tried_at - timezone.now()) < timedelta(minutes=5)


def test_attempt_is_recorded_once_however_often_it_is_read(payment):
    declined(payment, 1)
    declined(payment, 1, 2)
    assert declined(payment, 2, 1).declines == 2
    assert PaymentAttempt.objects.count() == 2


def test_captures_of_paypal_are_attempts():
    order = {
        "id": "ORDER1",
        "status": "COMPLETED",
        "purchase_units": [
            {
                "amount": {"value": "10.00", "currency_code": "USD"},
                "payments": {
                    "captures": [
                        {
                            "id": "CAP1",
                            "status": "DECLINED",
                            "amount": {"value": "10.00", "currency_code": "USD"},
                            "create_time": "2026-11-28T10:00:00Z",
                            "processor_response": {
                                "avs_code": "Z",
                                "cvv_code": "M",
                                "response_code": "5120",
                            },
                        },
                        {
                            "id": "CAP2",
                            "status": "COMPLETED",
                            "amount": {"value": "10.00", "currency_code": "USD"},
                            "seller_protection": {
                                "status": "PARTIALLY_ELIGIBLE",
                                "dispute_categories": ["UNAUTHORIZED_TRANSACTION"],
                            },
                        },
                        {
                            "id": "CAP3",
                            "status": "PENDING",
                            "status_details": {"reason": "PENDING_REVIEW"},
                            "amount": {"value": "10.00", "currency_code": "USD"},
                        },
                    ]
                },
            }
        ],
    }
    first, second, third = payment_of(order, is_live=False).attempts
    assert (first.attempt_id, first.is_success, first.decline_code) == ("CAP1", False, "DECLINED")
    assert first.at is not None
    assert (first.address_check, first.postal_code_check, first.cvc_check) == ("fail", "pass", "pass")
    assert (first.verdict, first.network_decline_code, first.liability) == ("issuer_declined", "5120", "")
    assert (second.verdict, second.liability) == ("authorized", "shifted")
    assert (second.attempt_id, second.is_success, second.amount) == ("CAP2", True, Money(1000, "USD"))
    assert (third.attempt_id, third.is_pending, third.decline_code) == ("CAP3", True, "")
    assert (third.verdict, third.provider_reason) == ("manual_review", "PENDING_REVIEW")


def test_what_stripe_says_of_an_attempt_is_recorded(payment, stripe):
    for card in ("chargeDeclinedIncorrectCvc", "radarBlock", "visa_chargeDeclinedLostCard"):
        stripe.pay(payment, card)
    stripe.pay(payment, "threeDSecure2Required")
    stripe.authenticate(payment)
    payment_sync(payment.pk, cause="test")

    code, blocked, lost, paid = payment.attempts.all()
    assert (code.cvc_check, code.verdict, code.network_decline_code) == ("fail", "issuer_declined", "N7")
    assert (blocked.verdict, blocked.risk_level, blocked.risk_score) == ("blocked", "highest", 92)
    assert (blocked.network_status, blocked.provider_reason) == (
        "not_sent_to_network",
        "highest_risk_level",
    )
    assert (lost.advice_code, lost.liability, lost.three_d_secure) == ("do_not_try_again", "", "")
    assert [attempt.decline_group for attempt in (code, blocked, lost, paid)] == [
        "fix_data",
        "fraud",
        "fraud",
        "",
    ]
    assert (paid.verdict, paid.network_status) == ("authorized", "approved_by_network")
    assert (paid.three_d_secure, paid.three_d_secure_flow) == ("authenticated", "challenge")
    assert (paid.liability, paid.risk_score) == ("shifted", 12)
    hashes = {attempt.fingerprint_hash for attempt in payment.attempts.all()}
    assert len(hashes) == 4
    assert all(len(text) == 64 for text in hashes)


def test_liability_follows_the_indicator_of_the_network_then_the_result():
    def card(**fields: object) -> dict[str, object]:
        return {"three_d_secure": fields}

    cases = [
        ({}, "not_shifted"),
        ({"three_d_secure": None, "wallet": {"type": "apple_pay"}}, ""),
        (card(electronic_commerce_indicator="05", result="authenticated"), "shifted"),
        (card(electronic_commerce_indicator="07", result="authenticated"), "not_shifted"),
        (card(result="attempt_acknowledged"), "shifted"),
        (card(result="exempted"), "not_shifted"),
    ]
    assert [liability_of(fields).value for fields, _ in cases] == [wanted for _, wanted in cases]


def test_attempts_are_shown_to_staff(payment, client, staff):
    declined(payment, 1)
    client.force_login(staff)
    page = client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "Attempts to pay" in page
    assert "Insufficient funds, or above a limit" in page
    assert "insufficient_funds" in page
    listed = client.get("/admin/payments/paymentattempt/").content.decode()
    assert re.search(r"Insufficient funds<.*insufficient_funds", listed)


def test_suspected_fraud_is_told_to_staff_and_not_to_the_buyer(payment, stripe, client):
    stripe.pay(payment, "visa_chargeDeclinedStolenCard")
    payment_sync(payment.pk, cause="test")

    attempt, failed = payment.attempts.get(), reread(payment)
    assert attempt.decline_reason == "Suspected fraud, or reported lost or stolen"
    assert failed.failure_reason == str(MESSAGES[DeclineGroup.DECLINED])
    shown = client.get(f"/shop/orders/{payment.order.access_token}/").content.decode()
    assert "Credit card payment declined." in shown
    assert not {word for word in ("fraud", "stolen") if word in shown.lower()}


# ---- facts beside the money --------------------------------------------------------------------------------------


def reconcile_last_hour() -> None:
    """Including the current second."""
    now, hour = timezone.now(), timedelta(hours=1)
    reconcile("stripe", since=now - hour, until=now + hour)


def refuse(*_: object, **__: object) -> None:
    """As the database does, which then undoes all that follows until the next savepoint."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO payments_paymentattempt (number) VALUES (-1)")


def test_payment_completes_if_its_attempts_cannot_be_recorded(payment, stripe, monkeypatch, caplog):
    stripe.pay(payment, "visa_chargeDeclinedInsufficientFunds")
    stripe.pay(payment, "visa")
    monkeypatch.setattr(PaymentAttempt.objects, "bulk_create", refuse)
    with caplog.at_level("ERROR"):
        payment_sync(payment.pk, cause="test")

    paid = reread(payment)
    assert (paid.status, paid.declines, paid.attempts.count()) == ("COMPLETED", 0, 0)
    assert paid.order.status == "CONFIRMED"
    assert "attempts_not_recorded" in {record.msg for record in caplog.records}

    monkeypatch.undo()
    reconcile_last_hour()
    assert outcomes(reread(payment)) == [(1, "succeeded", ""), (2, "declined", "insufficient_funds")]


def test_reconciliation_records_declines_that_no_read_has_shown(shopper, stripe):
    payments = []
    for _ in range(2):
        started = start(CARD, user=shopper)
        payment_ensure_at_provider(started)
        payments.append(reread(started))
        stripe.pay(payments[-1], "visa_chargeDeclinedInsufficientFunds")
        stripe.pay(payments[-1], "visa")
        payment_sync(started.pk, cause="test")
    with rewriting():
        PaymentAttempt.objects.filter(outcome="declined").delete()
    Payment.objects.update(declines=0)
    before = charge_lists(stripe)

    for _ in range(2):
        reconcile_last_hour()

    assert charge_lists(stripe) - before == 2, "one of each run, for any number of payments"
    for payment in payments:
        assert outcomes(reread(payment)) == [(2, "succeeded", ""), (3, "declined", "insufficient_funds")]
        assert reread(payment).declines == 1


def test_declined_charge_may_be_reported_in_any_order_and_again(payment, stripe, deliver):
    for card in ("visa_chargeDeclinedInsufficientFunds", "chargeDeclinedExpiredCard", "visa"):
        stripe.pay(payment, card)
    events = stripe.events()
    for event in (*reversed(events), *events):
        deliver(event)
        process_due()

    paid = reread(payment)
    assert (paid.status, paid.declines) == ("COMPLETED", 2)
    assert sorted(code for _, _, code in outcomes(paid)) == ["", "expired_card", "insufficient_funds"]


# ---- in review ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "expected"),
    [("succeeded", ("succeeded", "", 0)), ("declined", ("declined", "declined", 1))],
)
def test_capture_in_review_is_decided_once(payment, time_machine, result, expected):
    now = timezone.now()

    def attempt(**state: object) -> RemoteAttempt:
        return RemoteAttempt("CAP1", payment.amount, at=now, **{"is_success": False} | state)

    pending = attempt(is_pending=True, verdict=Verdict.MANUAL_REVIEW, provider_reason="PENDING_REVIEW")
    decided = attempt(is_success=result == "succeeded")
    for _ in range(2):
        assert not attempts_record(payment, payment.order, [pending])
    row = payment.attempts.get()
    assert (row.outcome, row.decided_at, row.verdict) == ("pending", None, "manual_review")

    time_machine.move_to(now + timedelta(days=2))
    challenges_expire()
    attempts_record(payment, payment.order, [decided])
    for late in (pending, decided):
        assert not attempts_record(payment, payment.order, [late])

    row = payment.attempts.get()
    assert (row.outcome, row.decline_group, payment.declines) == expected
    assert row.provider_reason == "PENDING_REVIEW"
    assert row.decided_at - row.tried_at >= timedelta(days=2)


# ---- offline -----------------------------------------------------------------------------------------------------


def test_receipts_and_rejections_are_attempts(shopper, staff, client):
    payment = start(TRANSFER, user=shopper)
    payment_reject(payment_id=payment.pk, reason="No money came", actor=staff)
    record(payment, "90.00", actor=staff)
    record(payment, "9.99", actor=staff, reference="STMT-2")

    facts = list(payment.attempts.values_list("outcome", "decline_group", "amount_minor", "method"))
    assert facts == [
        ("declined", "rejected", 9999, "bank_transfer"),
        ("succeeded", "", 9000, "bank_transfer"),
        ("succeeded", "", 999, "bank_transfer"),
    ]
    assert reread(payment).declines == 0
    client.force_login(staff)
    page = client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    assert "Attempts to pay" not in page, "it lists the receipts"


def test_receipt_is_recorded_if_its_attempt_cannot_be(shopper, staff, monkeypatch):
    payment = start(TRANSFER, user=shopper)
    monkeypatch.setattr(attempts, "build_offline", lambda *_: 1 / 0)
    record(payment, "99.99", actor=staff)
    assert (reread(payment).status, payment.attempts.count()) == ("COMPLETED", 0)


def test_attempts_of_earlier_payments_are_filled_in(shopper, staff, stripe, monkeypatch):
    offline = start(TRANSFER, user=shopper)
    payment_reject(payment_id=offline.pk, reason="No money came", actor=staff)
    record(offline, "99.99", actor=staff)
    card = start(CARD, user=shopper)
    payment_ensure_at_provider(card)
    stripe.pay(reread(card), "visa")
    payment_sync(card.pk, cause="test")
    columns = ("payment", "number", "outcome", "decline_group", "amount_minor", "decided_at")
    before = {row[:5] for row in PaymentAttempt.objects.values_list(*columns)}
    with rewriting():
        PaymentAttempt.objects.all().delete()

    monkeypatch.setattr(fill_migration, "CHUNK", 1)
    for _ in range(2):  # it can be run again after it was interrupted
        fill_migration.fill(apps, None)

    assert {row[:5] for row in PaymentAttempt.objects.values_list(*columns)} == before
    assert PaymentAttempt.objects.filter(decided_at=None).count() == 0
    payment_sync(card.pk, cause="test")
    assert card.attempts.count() == 1


# ---- 3-D Secure --------------------------------------------------------------------------------------------------


@pytest.fixture
def challenge(payment, stripe):
    """Pay with a card whose bank requires 3-D Secure; returns the attempt."""

    def begin(card: str = "threeDSecure2Required") -> PaymentAttempt:
        stripe.pay(payment, card)
        payment_sync(payment.pk, cause="test")
        return payment.attempts.last()

    return begin


def test_attempt_that_requires_3d_secure_is_decided_once(payment, challenge, stripe, client, staff):
    left = challenge("authenticationRequired")
    pending = challenge()
    payment_sync(payment.pk, cause="test")
    assert (pending.outcome, pending.decided_at, pending.three_d_secure_flow) == (
        "challenged",
        None,
        "challenge",
    )
    assert pending.attempt_id.startswith(f"{payment.provider_payment_id}:")
    assert "pm_" not in pending.attempt_id
    assert (payment.attempts.count(), reread(payment).declines) == (2, 0)
    client.force_login(staff)
    assert (
        "3-D Secure pending" in client.get(f"/admin/payments/payment/{payment.pk}/change/").content.decode()
    )

    stripe.authenticate(payment)
    for _ in range(2):
        payment_sync(payment.pk, cause="test")

    paid = reread(payment)
    assert [(a.pk, a.outcome) for a in paid.attempts.all()] == [
        (left.pk, "abandoned"),
        (pending.pk, "succeeded"),
    ]
    attempt = paid.attempts.last()
    assert (attempt.attempt_id[:3], attempt.brand, attempt.liability) == ("ch_", "visa", "shifted")
    assert pending.tried_at == attempt.tried_at <= attempt.decided_at
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        PaymentAttempt.objects.update(outcome="declined")


def test_same_card_fails_3d_secure_and_then_passes(stripe, shopper):
    card = save_after_3d_secure(shopper, stripe, "pm_card_authenticationRequired")
    payment = start(CARD, user=shopper)
    payment_ensure_at_provider(payment)
    for passed in (False, False, True):
        payment_pay(payment.pk, user=shopper, method_reference=str(card.pk))
        assert payment.attempts.last().outcome == "challenged"
        stripe.authenticate(reread(payment), passed=passed)
        payment_sync(payment.pk, cause="test")

    paid = reread(payment)
    assert [(a.number, a.outcome, a.decline_group) for a in paid.attempts.all()] == [
        (1, "declined", "authentication"),
        (2, "declined", "authentication"),
        (3, "succeeded", ""),
    ]
    assert paid.declines == 2


def test_challenge_is_abandoned_after_an_hour_or_with_its_payment(payment, challenge, stripe, time_machine):
    first = challenge()
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    for _ in range(2):
        payment_sync(payment.pk, cause="test")
    first.refresh_from_db()
    assert (first.outcome, payment.attempts.count()) == ("abandoned", 1)

    PaymentAttempt.objects.filter(pk=challenge().pk).update(attempt_id="pi_of_a_card_that_0_1_0_charged")
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    challenges_expire()
    assert payment.attempts.last().outcome == "abandoned"

    second = challenge()
    payment_choose_method(order_id=payment.order_id, method=TRANSFER, actor=None)
    second.refresh_from_db()
    assert (second.number, second.outcome, second.decided_at is None) == (3, "abandoned", False)


# ---- too many ----------------------------------------------------------------------------------------------------


def test_payment_is_closed_after_too_many_declines(payment, stripe):
    declined(payment, *range(1, LIMIT))
    payment_check(payment.pk)
    assert reread(payment).status in {"FAILED", "PENDING"}

    declined(payment, *range(1, LIMIT + 1))
    process_due()

    closed = reread(payment)
    assert (closed.status, closed.failure_code) == ("CANCELLED", TOO_MANY_DECLINES)
    assert provider("stripe").read(payment.provider_payment_id).status == RemoteStatus.CANCELLED


def test_order_then_offers_other_methods_and_says_why(payment):
    declined(payment, *range(LIMIT))
    process_due()
    order = Order.objects.get(pk=payment.order_id)

    state = get_display_state(order, reread(payment))
    assert (
        "Too many attempts to pay this way were declined. Please choose another payment method. Your items are reserved"
        in state.next_step
    )
    assert is_closed_after_declines(CARD, {"stripe"})
    with pytest.raises(MethodNotOffered):
        payment_choose_method(order_id=order.pk, method=CARD, actor=None)
    assert payment_choose_method(order_id=order.pk, method=TRANSFER, actor=None).payment.status == "PENDING"


def test_page_of_the_order_does_not_offer_the_closed_method(payment, client):
    declined(payment, *range(LIMIT))
    process_due()
    client.force_login(payment.user)
    order = Order.objects.get(pk=payment.order_id)
    page = client.get(f"/shop/orders/{order_token(order.pk, order.token_version)}/pay/").content.decode()
    assert "Too many attempts to pay this way were declined" in page
    assert "Back to the order" in page
    assert "Keep current payment method" not in page
    assert "already sent the money" not in page


def test_number_of_declines_is_a_setting(payment, settings):
    settings.MAX_DECLINES_PER_PAYMENT = 2
    declined(payment, 1, 2)
    process_due()
    assert reread(payment).status == "CANCELLED"


# ---- alerts ------------------------------------------------------------------------------------------------------


def test_many_declines_of_one_network_raise_an_alert_that_ends(payment, settings, time_machine):
    settings.DECLINES_PER_NETWORK_ALARM, settings.MAX_DECLINES_PER_PAYMENT = 3, 100
    declined(payment, 1, 2, 3)
    assert not ProviderAlert.objects.filter(part=ALARM).exists()  # no network is known

    Order.objects.filter(pk=payment.order_id).update(network="n" * 64)
    declined(payment, 4)
    assert payment.order.order_number in ProviderAlert.objects.get(part=ALARM, resolved_at=None).detail

    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    check_alerts_task()
    assert not ProviderAlert.objects.filter(part=ALARM, resolved_at=None).exists()


def test_declines_of_an_earlier_hour_raise_no_alert(payment, settings, time_machine):
    settings.DECLINES_PER_NETWORK_ALARM, settings.MAX_DECLINES_PER_PAYMENT = 3, 100
    Order.objects.filter(pk=payment.order_id).update(network="n" * 64)
    declined(payment, 1, 2)
    time_machine.move_to(timezone.now() + timedelta(minutes=61))
    declined(payment, 3)
    assert PaymentAttempt.objects.filter(outcome=AttemptOutcome.DECLINED).count() == 3
    assert not ProviderAlert.objects.filter(part=ALARM).exists()


# ---- read --------------------------------------------------------------------------------------------------------


def charge_lists(stripe) -> int:
    return len([row for row in stripe.get("requests")["rows"] if row["path"] == "/v1/charges"])


def test_charges_are_listed_only_for_a_new_attempt(payment, stripe):
    cards = ("visa_chargeDeclinedInsufficientFunds", "chargeDeclinedExpiredCard", "visa")
    for expected, card in enumerate(cards, 1):
        stripe.pay(payment, card)
        for _ in range(2):
            payment_sync(payment.pk, cause="test")
            assert charge_lists(stripe) == expected

    assert [code for _, _, code in outcomes(payment)] == ["insufficient_funds", "expired_card", ""]


def test_reconciliation_lists_payments_without_a_request_for_each(stripe, shopper):
    for _ in range(3):
        started = start(CARD, user=shopper)
        payment_ensure_at_provider(started)
        stripe.pay(reread(started), "visa_chargeDeclinedInsufficientFunds")
        stripe.pay(reread(started), "visa")
    before, now = len(stripe.get("requests")["rows"]), timezone.now()

    found = list(provider("stripe").list_payments(now - timedelta(hours=1), now + timedelta(hours=1)))

    assert [len(payment.captures) for payment in found] == [1] * 3
    assert len(stripe.get("requests")["rows"]) - before == 3  # sessions, intents and disputes


def test_history_keeps_declines_after_the_method_is_changed(client, payment):
    declined(payment, 1)
    payment_choose_method(order_id=payment.order_id, method=TRANSFER, actor=None)

    shown = client.get(f"/shop/orders/{payment.order.access_token}/")

    texts = [event.text for event in shown.context["timeline"]]
    assert texts == [
        "You placed the order.",
        "Payment method: Credit card.",
        "Credit card payment declined: insufficient funds, or a limit was exceeded.",
        "Payment method changed to: Bank transfer.",
    ]


def test_staff_see_the_last_four_digits_of_the_card(payment):
    attempt = RemoteAttempt("ch_1", payment.amount, is_success=True, brand="visa", last_four="4242")

    attempts_record(payment, payment.order, [attempt])

    assert payment.attempts.get().details == "visa •••• 4242"
