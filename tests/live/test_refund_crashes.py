"""SIGKILL during a refund: the money is refunded once, and the reserved amount is never lost."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import Notification
from payments.models import Payment, PaymentRefund, ProviderCall
from tests.invariants import check_invariants
from tests.live.runner import Answer, Caller, CrashHost, Sandbox, wait_for
from tests.live.users import money_staff, order_body, order_in

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "clean_database")]


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox):
    with production(**sandbox.env, PAYMENT_POLL_SECONDS="1") as shop:
        shop.start()
        yield shop


@pytest.fixture
def staff_client(caller) -> Caller:
    return caller(money_staff())


@pytest.fixture
def payment(caller, buyers, sandbox: Sandbox) -> Payment:
    sandbox.post("reset")
    buyer = caller(buyers(1)[0])
    order = order_in(buyer.post("/orders/", order_body((ProductFactory.create(), 1), method="credit_card")))
    paid = order.payments.get()
    sandbox.post("stripe/pay", payment_intent=paid.provider_payment_id, payment_method="pm_card_visa")
    assert buyer.call("GET", f"/payments/{paid.pk}?expand=next_action").body["status"] == "COMPLETED"
    return paid


@pytest.fixture(scope="module")
def crash_host(postgres_only, production, sandbox: Sandbox) -> Iterator[CrashHost]:
    with production(**sandbox.env, WEB_CONCURRENCY="1") as shop:
        yield CrashHost(shop, __file__)


@pytest.fixture
def refund_and_crash(crash_host: CrashHost, staff_client: Caller, payment: Payment) -> Callable[[str], None]:
    """Staff request a refund from a host that crashes at this point; no answer is received."""

    def run(point: str) -> None:
        with crash_host.crash(point) as host:
            assert post_refund(staff_client.at(host.port), payment).status == 0

    return run


def post_refund(staff_client: Caller, payment: Payment) -> Answer:
    body = {"payment_id": str(payment.pk), "amount": "60.00", "reason": "broken"}
    return staff_client.post("/payments/refunds", body, key="refund-1")


def returned(sandbox: Sandbox) -> list[int]:
    return [row["amount"] for row in sandbox.journal("refund.succeeded")]


def check_refunded_once(sandbox: Sandbox, payment: Payment) -> None:
    wait_for(lambda: PaymentRefund.objects.filter(status="COMPLETED").count() == 1)
    payment.refresh_from_db()
    assert (payment.refunded_minor, payment.refund_reserved_minor) == (6000, 0)
    assert returned(sandbox) == [6000]
    assert Notification.objects.filter(kind="refund_completed").count() == 1
    check_invariants()


def test_killed_before_commit_nothing_is_reserved(refund_and_crash, sandbox, payment, staff_client):
    refund_and_crash("payments.bookkeeping.refunds:refund_enqueue after")

    payment.refresh_from_db()
    assert (PaymentRefund.objects.count(), payment.refund_reserved_minor) == (0, 0)
    assert returned(sandbox) == []


def test_killed_before_the_call_the_refund_is_sent_by_another(
    refund_and_crash, sandbox, payment, staff_client
):
    refund_and_crash("payments.api.refunds:refund_send before")

    check_refunded_once(sandbox, payment)
    again = post_refund(staff_client, payment)
    assert (again.status, again.body["status"]) == (201, "COMPLETED")
    assert returned(sandbox) == [6000]


def test_killed_after_the_provider_refunded_it_is_booked_and_not_repeated(
    refund_and_crash, sandbox, payment, staff_client
):
    refund_and_crash("payments.gateway.operations:book_refund before")

    assert returned(sandbox) == [6000]
    payment.refresh_from_db()
    assert (payment.refunded_minor, payment.refund_reserved_minor) == (0, 6000)
    ProviderCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))  # a minute later
    check_refunded_once(sandbox, payment)


def test_killed_before_the_answer_the_same_key_returns_the_refund(
    refund_and_crash, sandbox, payment, staff_client
):
    refund_and_crash("payments.api.refunds:refund_out before")

    again = post_refund(staff_client, payment)

    assert (again.status, again.body["id"]) == (201, str(PaymentRefund.objects.get().pk))
    check_refunded_once(sandbox, payment)
