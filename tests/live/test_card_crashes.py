"""SIGKILL around every call to the provider: the money is captured once and booked once, without staff.

A doomed host crashes at a named point, or while the sandbox keeps its answer; the worker finds what it left.
"""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from orders.models import Order
from payments.models import CallState, Payment, PaymentRefund, ProviderCall
from tests.live.cards import (
    CONFIRM,
    INTENTS,
    PAID,
    card_order,
    confirm,
    confirm_body,
    forget_outage,
    now,
    object_of,
    pay,
    refund_begin,
    reset_sandbox,
    settle,
    status,
    time_passes,
    wait_settled,
)
from tests.live.runner import Caller, CrashHost, Sandbox, Shop, together, wait_for
from tests.live.users import order_body
from tests.provider_journal import keys_sent

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("postgres_only", "clean_database")]


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        sandbox.tell(shop)
        shop.start(worker=False)
        yield shop


@pytest.fixture
def no_worker(shop: Shop) -> None:
    """The worker does not run at first."""
    shop.worker.kill()


@pytest.fixture
def provider(request, clean_database, shop, sandbox: Sandbox) -> Iterator[Sandbox]:
    """Without objects; its webhooks are lost, so that only polling by the worker helps."""
    if "no_worker" not in request.fixturenames and shop.worker.process is None:
        shop.worker.start()
    forget_outage(shop)
    reset_sandbox(sandbox)
    sandbox.post("webhooks", mode="drop")
    yield sandbox
    sandbox.delete("faults")


@pytest.fixture(scope="module")
def crash_host(postgres_only, production, sandbox: Sandbox) -> Iterator[CrashHost]:
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000", WEB_CONCURRENCY="1") as shop:
        yield CrashHost(shop, __file__)


@pytest.fixture
def crashing_shop(crash_host: CrashHost) -> Callable[[str], AbstractContextManager[Shop]]:
    """`with crashing_shop("module:function after") as host`: another web host of this shop, which crashes there."""
    return crash_host.crash


@pytest.fixture
def bowl(clean_database) -> Product:
    return ProductFactory.create(stock=100)


@pytest.fixture
def buyer(caller, buyers) -> Caller:
    return caller(*buyers(1))


@contextmanager
def answer_kept(sandbox: Sandbox, path: str) -> Iterator[Callable[[], object]]:
    """The provider executes the request and delays its answer; the function waits until then."""
    fault = sandbox.fault("hold_after", method="POST", path=path, seconds=30)
    yield lambda: wait_for(
        lambda: (
            any(row["fault"] == fault for row in sandbox.get("requests")["rows"])
            and sandbox.get("journal")["rows"]
        ),
        detail="the request did not come",
    )
    sandbox.delete("faults")


def begin(request: Callable[[], object]) -> None:
    """Start a request whose answer is never received."""
    threading.Thread(target=request, daemon=True).start()


# ---- making the payment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "crash",
    [
        pytest.param("payments.gateway.payments:provider_call_execute before", id="K4 committed, not called"),
        pytest.param("payments.gateway.operations:execute_call before", id="claimed, not called"),
        pytest.param("payments.gateway.operations:book_object before", id="K6 answered, not booked"),
        pytest.param("payments.gateway.operations:book_object after", id="K7 booked, not answered"),
    ],
)
def test_killed_while_the_payment_is_made(crashing_shop, buyer, bowl, provider, crash):
    body = order_body((bowl, 1), method="credit_card")
    with crashing_shop(crash) as host:
        assert buyer.at(host.port).post("/orders/", body).status == 0
    payment = Payment.objects.get()

    settle(provider)

    call = ProviderCall.objects.get()
    assert (now(payment).status, now(payment).order.status) == ("PENDING", "PENDING")
    assert (call.state, call.object_id) == (CallState.DONE, object_of(payment))
    assert set(keys_sent(provider, INTENTS)) == {call.key}
    assert len(provider.journal("intent.created")) == 1
    pay(provider, payment)
    settle(provider)
    assert status(payment) == PAID


def test_killed_while_the_provider_makes_the_payment(crash_host, buyer, bowl, provider):
    """K5: it was created, but the answer was lost."""
    body = order_body((bowl, 1), method="credit_card")
    with answer_kept(provider, INTENTS) as wait_until_made:
        begin(lambda: buyer.at(crash_host.shop.port).post("/orders/", body))
        wait_until_made()
        crash_host.kill()
    payment = Payment.objects.get()

    settle(provider)

    assert now(payment).status == "PENDING"
    assert keys_sent(provider, INTENTS) == [ProviderCall.objects.get().key] * 2
    assert len(provider.journal("intent.created")) == 1


# ---- taking the money --------------------------------------------------------------------------------------------


def test_killed_before_the_confirmation_is_on_disk_nothing_happened(crashing_shop, buyer, bowl, provider):
    """K9: the buyer tries again."""
    payment = card_order(buyer, bowl)
    with crashing_shop("payments.gateway.payments:provider_call_enqueue after") as host:
        assert confirm(buyer.at(host.port), payment).status == 0
    assert ProviderCall.objects.filter(operation="confirm").count() == 0
    assert now(payment).status == "PENDING"

    assert confirm(buyer, payment).body["status"] == "COMPLETED"

    settle(provider)
    assert status(payment) == PAID


@pytest.mark.parametrize(
    "crash",
    [
        pytest.param(
            "payments.gateway.payments:provider_call_execute before", id="K10 committed, not called"
        ),
        pytest.param("payments.gateway.operations:execute_call before", id="claimed, not called"),
        pytest.param("payments.gateway.operations:book_answer before", id="K11 captured, not booked"),
        pytest.param("payments.gateway.operations:book_answer after", id="K12 booked, not answered"),
    ],
)
def test_killed_while_the_money_is_taken(crashing_shop, buyer, bowl, provider, crash):
    payment = card_order(buyer, bowl)
    with crashing_shop(crash) as host:
        assert confirm(buyer.at(host.port), payment).status == 0

    settle(provider)

    assert status(payment) == PAID
    again = confirm(buyer, payment)
    assert (again.status, again.body["status"]) == (200, "COMPLETED")
    assert provider.captured() == [9999]
    call = ProviderCall.objects.get(operation="confirm")
    assert set(keys_sent(provider, f"{INTENTS}/{object_of(payment)}/confirm")) == {call.key}


def test_killed_while_the_provider_takes_the_money(crash_host, buyer, bowl, provider):
    """K5 of the confirmation. Until it is known how it went, the payment cannot be begun again."""
    payment = card_order(buyer, bowl)
    path = f"{INTENTS}/{object_of(payment)}/confirm"
    with answer_kept(provider, path) as wait_until_taken:
        begin(lambda: buyer.at(crash_host.shop.port).post(CONFIRM, confirm_body(payment)))
        wait_until_taken()
        crash_host.kill()
    assert confirm(buyer, payment).status == 409
    other = {"order_id": str(payment.order_id), "payment_method": "bank_transfer"}
    assert buyer.post("/payments/intents", other).status == 409

    settle(provider)

    assert status(payment) == PAID
    assert provider.captured() == [9999]
    assert keys_sent(provider, path) == [ProviderCall.objects.get(operation="confirm").key] * 2


# ---- giving it back ----------------------------------------------------------------------------------------------


@pytest.fixture
def paid(buyer, bowl, provider) -> Payment:
    payment = card_order(buyer, bowl)
    assert confirm(buyer, payment).body["status"] == "COMPLETED"
    return now(payment)


@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize(
    ("crash", "sent"),
    [
        pytest.param("payments.gateway.operations:execute_call before", 0, id="K21 reserved, not called"),
        pytest.param("payments.gateway.operations:book_refund before", 1, id="K22 refunded, not booked"),
        pytest.param("payments.gateway.operations:book_refund after", 1, id="K23 booked, not answered"),
    ],
)
def test_killed_during_a_refund(shop, paid, provider, crash, sent):
    refund = refund_begin(paid, 4000)
    shop.worker.start(crash)
    assert shop.worker.wait_gone() == -signal.SIGKILL
    assert now(paid).refundable.minor == 5999, "what is on its way cannot go back a second time"
    assert len(provider.journal("refund.created")) == sent

    shop.worker.start()
    settle(provider)

    refund.refresh_from_db()
    assert (refund.status, status(paid)) == (
        "COMPLETED",
        ("PARTIALLY_REFUNDED", "CONFIRMED", "PARTIALLY_REFUNDED"),
    )
    assert set(keys_sent(provider, "/v1/refunds")) == {refund.calls.get().key}
    assert len(provider.journal("refund.succeeded")) == 1


@pytest.mark.usefixtures("no_worker")
def test_call_of_a_killed_worker_is_continued_after_its_lease(shop, buyer, bowl, paid, provider):
    another = card_order(buyer, bowl)
    confirm(buyer, another)
    refund = refund_begin(paid)
    with answer_kept(provider, "/v1/refunds") as wait_until_made:
        shop.worker.start()
        wait_until_made()
        shop.worker.kill()
    call = refund.calls.get()
    assert (call.state, call.lease_until > timezone.now() + timedelta(seconds=20)) == (CallState.OPEN, True)

    refund_begin(another)
    shop.worker.start()
    wait_for(lambda: now(another).status == "REFUNDED")
    assert keys_sent(provider, "/v1/refunds").count(call.key) == 1, "not claimed while the lease lasts"
    settle(provider)

    assert keys_sent(provider, "/v1/refunds").count(call.key) == 2
    assert len(provider.journal("refund.succeeded", payment_intent=object_of(paid))) == 1
    assert status(paid) == ("REFUNDED", "CONFIRMED", "REFUNDED")


# ---- two workers -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_worker")
def test_two_workers_with_two_schedulers_execute_each_call_once(
    production, sandbox, shop, buyer, bowl, provider
):
    """Twelve payments of unknown outcome and six refunds, found by both workers at the same moment."""
    paid = [card_order(buyer, bowl) for _ in range(6)]
    for payment in paid:
        assert confirm(buyer, payment).body["status"] == "COMPLETED"
    provider.fault("html", method="POST", path=INTENTS, count=12)
    lost = [card_order(buyer, bowl) for _ in range(12)]
    assert {now(payment).status for payment in lost} == {"PROCESSING"}
    provider.fault("delay", method="POST", count=None, seconds=0.2)
    refunds = [refund_begin(payment) for payment in paid]

    time_passes()  # before they start: it would end the leases of calls under way
    with production(**sandbox.env) as other:
        together([shop.worker.start, other.worker.start])
        wait_settled(provider)

    assert {now(payment).status for payment in lost} == {"PENDING"}
    assert {refund.status for refund in PaymentRefund.objects.all()} == {"COMPLETED"}
    asked = [keys_sent(provider, INTENTS).count(payment.calls.get().key) for payment in lost]
    assert asked == [2] * len(lost), "once lost, once found out"
    sent = Counter(keys_sent(provider, "/v1/refunds"))
    assert sent == Counter({call.key: call.tries for call in (refund.calls.get() for refund in refunds)}), (
        "no call made by both"
    )
    assert Order.objects.count() == 18
