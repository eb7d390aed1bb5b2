"""How many SQL statements paying, a webhook and a refund may cost; the cart's steps: carts/tests/test_queries.py."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.core.money import Money
from payments.gateway.payments import payment_confirm, payment_ensure_at_provider
from payments.methods import PaymentMethod
from payments.models import Payment, WebhookEvent
from payments.refunds.staff import refund_open, refund_send
from payments.tests.factories import start
from payments.webhooks.inbox import webhook_process

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

FREE = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")


def statements(journey: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as caught:
        journey()
    return len([q for q in caught.captured_queries if not q["sql"].startswith(FREE)])


@pytest.fixture
def payment(shopper) -> Payment:
    return start(PaymentMethod.CREDIT_CARD, user=shopper)


def pay(payment: Payment) -> None:
    payment_ensure_at_provider(payment)
    payment_confirm(payment.pk, method_id="pm_card_visa")


def test_paying_by_card(payment):
    assert statements(lambda: pay(payment)) <= 54

    payment.refresh_from_db()
    assert payment.status == "COMPLETED"


def test_webhook(payment, stripe, deliver):
    payment_ensure_at_provider(payment)
    stripe.pay(payment)

    assert statements(lambda: deliver(*stripe.events("payment_intent.succeeded"))) <= 2
    assert statements(lambda: webhook_process(WebhookEvent.objects.get().pk)) <= 41

    payment.refresh_from_db()
    assert payment.status == "COMPLETED"


def test_refund(payment, staff):
    pay(payment)
    amount = Money.parse("10.00", "USD")

    def refund() -> None:
        refund_send(refund_open(payment_id=payment.pk, reason="broken", actor=staff, amount=amount))

    staff.get_all_permissions()  # cached on the user, as by the page or API before it
    assert statements(refund) <= 74
    assert payment.refunds.get().status == "COMPLETED"
