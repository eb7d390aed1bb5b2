"""The card provider times out, is slow or overloaded, or answers strangely, while the shop keeps selling."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import connection

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from payments.gateway.connection import DOWN_SECONDS
from payments.models import Payment
from tests.live.cards import (
    INTENTS,
    PAID,
    cache_of,
    card_order,
    confirm,
    confirm_body,
    forget_outage,
    now,
    object_of,
    pay,
    reset_sandbox,
    settle,
    status,
    time_passes,
)
from tests.live.runner import Answer, Caller, Sandbox, Shop, meanwhile, together, wait_for
from tests.live.users import Visitor, order_body, order_in, order_page
from tests.provider_journal import keys_sent

AT_ONCE = 5  # seconds, even on a busy machine; asking a silent provider takes ten
pytestmark = [
    pytest.mark.crash,
    pytest.mark.alone,
    pytest.mark.usefixtures("postgres_only", "clean_database"),
]


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Iterator[Sandbox]:
    """PayPal, which goes on whatever happens to Stripe."""
    with Sandbox(tmp_path_factory.mktemp("paypal")) as program:
        yield program


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox, other: Sandbox) -> Iterator[Shop]:
    env = sandbox.env | {name: value for name, value in other.env.items() if name.startswith("PAYPAL")}
    with production(**env, MAX_OPEN_ORDERS="1000") as shop:
        sandbox.tell(shop)
        other.tell(shop)
        shop.start()
        yield shop


@pytest.fixture
def provider(clean_database, shop, sandbox: Sandbox) -> Iterator[Sandbox]:
    reset_sandbox(sandbox)
    sandbox.post("webhooks", mode="on")
    yield sandbox
    sandbox.delete("faults")
    forget_outage(shop)


@pytest.fixture
def bowl(clean_database) -> Product:
    return ProductFactory.create(stock=1000)


@pytest.fixture
def buyer(caller, buyers) -> Caller:
    return caller(*buyers(1))


def order_by(buyer: Caller, product: Product, method: str) -> Answer:
    return buyer.at(buyer.port).post("/orders/", order_body((product, 1), method=method))


# ---- silent ------------------------------------------------------------------------------------------------------


@contextmanager
def stopped(sandbox: Sandbox) -> Iterator[None]:
    """It accepts connections and does not answer."""
    process = sandbox.process.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_hanging_provider_is_not_called_for_half_a_minute(shop, buyer, bowl, provider):
    """The first buyers wait for the timeout and keep their orders; all others get an error at once."""
    known = card_order(buyer, bowl)
    with stopped(provider):
        first = together([partial(order_by, buyer, bowl, "credit_card") for _ in range(2)])
        assert [(a.status, a.body["payment"]["status"]) for a in first] == [(201, "PROCESSING")] * 2
        assert max(answer.seconds for answer in first) < 19, "one time-out, not two"

        result = [order_by(buyer, bowl, "credit_card"), confirm(buyer, known)]
        assert [(a.status, a.body["code"]) for a in result] == [(503, "provider_unavailable")] * 2
        assert max(answer.seconds for answer in result) < AT_ONCE
    cache = cache_of(shop)
    assert 0 < cache._cache.get_client().ttl(cache.make_key("provider:stripe:down")) <= DOWN_SECONDS

    forget_outage(shop)

    assert order_by(buyer, bowl, "credit_card").body["payment"]["client_secret"]
    assert confirm(buyer, known).body["status"] == "COMPLETED"
    settle(provider)
    assert {now(payment).status for payment in Payment.objects.exclude(pk=known.pk)} == {"PENDING"}
    assert provider.captured() == [9999]


def test_other_methods_work_during_an_outage(shop, buyer, bowl, provider, other):
    known = card_order(buyer, bowl)
    provider.fault("drop_before", path="/v1/*", count=None)
    first = [order_by(buyer, bowl, "credit_card") for _ in range(2)]
    assert order_by(buyer, bowl, "credit_card").status == 503

    page = Visitor(shop.url).get(f"{order_page(known.order)}pay/")
    assert (page.status_code, "is not responding" in page.text) == (200, True)
    offline, at_paypal = order_by(buyer, bowl, "bank_transfer"), order_by(buyer, bowl, "paypal")
    assert (offline.status, at_paypal.status) == (201, 201)
    other.post("paypal/approve", order=object_of(Payment.objects.get(payment_method="paypal")))
    wait_for(lambda: status(Payment.objects.get(payment_method="paypal")) == PAID)
    unseen, kept = (Payment.objects.get(order_id=answer.body["order"]["id"]) for answer in first)
    instead = buyer.post("/payments/intents", {"order_id": str(unseen.order_id), "payment_method": "check"})
    assert (instead.status, instead.seconds < AT_ONCE) == (201, True), (
        "an unseen payment cannot have been paid"
    )

    provider.delete("faults")
    forget_outage(shop)
    settle(provider)
    assert (now(unseen).status, now(kept).status, now(known).status) == ("CANCELLED", "PENDING", "PENDING")
    assert provider.captured() == []


def test_timed_out_confirmation_is_resolved(buyer, bowl, provider):
    """The money was taken, and the answer came too late."""
    payment = card_order(buyer, bowl)
    provider.post("webhooks", mode="drop")
    path = f"{INTENTS}/{object_of(payment)}/confirm"
    provider.fault("hold_after", method="POST", path=path, seconds=20)

    answer = confirm(buyer, payment)

    assert (answer.status, answer.body["status"]) == (200, "PROCESSING")
    assert answer.body["next_action"]["type"] == "wait"
    assert answer.seconds < 19, "one time-out, not two"
    settle(provider)
    assert (status(payment), provider.captured()) == (PAID, [9999])
    assert len(set(keys_sent(provider, path))) == 1


# ---- busy --------------------------------------------------------------------------------------------------------


def test_requested_pause_applies_to_all_processes(shop, buyer, bowl, provider):
    """Neither the periodic task, each second, nor a polling buyer calls the provider before the time is over."""
    provider.fault("rate_limit", method="POST", path=INTENTS, retry_after=5)
    asked_at = time.monotonic()
    answer = order_by(buyer, bowl, "credit_card")
    payment = Payment.objects.get()
    assert (answer.status, answer.body["payment"]["status"]) == (201, "PROCESSING")

    def look(stop: threading.Event) -> None:
        visitor = Visitor(shop.url)
        while not stop.wait(0.3):
            assert visitor.get(order_page(payment.order)).status_code == 200
            buyer.at(buyer.port).call("GET", f"/payments/{payment.pk}?expand=next_action")

    with meanwhile(look):
        wait_for(lambda: len(keys_sent(provider, INTENTS)) == 2)
    assert time.monotonic() - asked_at >= 5
    wait_for(lambda: now(payment).status == "PENDING")
    assert len(set(keys_sent(provider, INTENTS))) == 1


# ---- slow --------------------------------------------------------------------------------------------------------


def longest_idle_transaction() -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        )
        return float(cursor.fetchone()[0])


def test_slow_provider_holds_no_transaction_and_does_not_slow_other_pages(caller, buyers, bowl, provider):
    """Twenty confirmations at once, five seconds each."""
    people = [caller(user) for user in buyers(20)]
    payments = [card_order(buyer, bowl) for buyer in people]
    provider.fault("delay", method="POST", path=f"{INTENTS}/*/confirm", count=None, seconds=5)
    usual = max(Caller(people[0].port).call("GET", "/products/").seconds for _ in range(3))
    longest: list[float] = []
    browsed: list[Answer] = []

    def watch(stop: threading.Event) -> None:
        while not stop.wait(0.1):
            longest.append(longest_idle_transaction())
        connection.close()

    def browse(stop: threading.Event) -> None:
        guest = Caller(people[0].port)
        while not stop.wait(0.1):
            browsed.append(guest.call("GET", "/products/"))

    with meanwhile(watch), meanwhile(browse):
        answers = together([partial(confirm, *pair) for pair in zip(people, payments, strict=True)])

    assert {answer.status for answer in answers} == {200}
    assert {answer.body["status"] for answer in answers} <= {"COMPLETED", "PROCESSING"}
    assert max(longest) < 3, "a transaction waited for the provider"
    assert {answer.status for answer in browsed} == {200}
    assert max(answer.seconds for answer in browsed) < 4 + 2 * usual, "a page waited for the provider"
    assert len(browsed) > 10
    provider.delete("faults")
    settle(provider)
    assert {status(payment) for payment in payments} == {PAID}
    assert provider.captured() == [9999] * 20


# ---- strange -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["truncate", "garbage", "html", "empty"])
def test_unreadable_answer_is_read_again(buyer, bowl, provider, action):
    payment = card_order(buyer, bowl)
    provider.post("webhooks", mode="drop")
    provider.fault(action, method="POST", path=f"{INTENTS}/*/confirm", status=200)

    answer = buyer.post("/payments/confirm", confirm_body(payment))

    assert (answer.status, answer.body["status"]) == (200, "PROCESSING")
    settle(provider)
    assert (status(payment), provider.captured()) == (PAID, [9999])


def flags(payment: Payment) -> list[str]:
    return list(payment.flags.values_list("kind", flat=True))


def test_payment_of_another_amount_is_flagged_and_not_booked(buyer, bowl, provider):
    """Someone changed the amount at the provider, and the buyer paid that."""
    payment = card_order(buyer, bowl)
    key = {"Authorization": f"Bearer {provider.env['STRIPE_SECRET_KEY']}"}
    changed = provider.raw("POST", f"{INTENTS}/{object_of(payment)}", "amount=500", **key)
    assert changed[0] == 200
    pay(provider, payment)
    assert provider.captured() == [500]

    wait_for(lambda: flags(payment) == ["mismatch"])
    time_passes()
    wait_for(lambda: now(payment).checks > 0)

    assert status(payment) == ("PENDING", "PENDING", "UNPAID")
    assert (now(payment).received_minor, flags(payment)) == (0, ["mismatch"])


def test_message_with_another_amount_is_flagged_and_changes_nothing(buyer, bowl, provider):
    payment = card_order(buyer, bowl)
    claim = {"object": {"amount": 1, "amount_received": 1, "status": "succeeded"}}
    provider.post("stripe/event", type="payment_intent.succeeded", id=object_of(payment), changes=claim)

    wait_for(lambda: flags(payment) == ["mismatch"])

    assert status(payment) == ("PENDING", "PENDING", "UNPAID")
    assert order_in(order_by(buyer, bowl, "credit_card")).status == "PENDING"
