"""Card payments while something else happens to the same order, against the servers of production.

Checked against the provider's journal: whatever the order of events, money and goods are consistent.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from urllib.error import HTTPError

import pytest
from django.db import transaction

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import Notification
from orders.models import Order
from orders.selectors import order_lock
from orders.services.closing import order_close
from orders.statuses import OrderStatus
from payments.models import Payment, PaymentAttempt, PaymentRefund, ProviderCall, Receipt
from payments.statuses import OPEN
from tests.live.cards import (
    INTENTS,
    PAID,
    card_order,
    confirm,
    due_to_expire,
    forget,
    now,
    object_of,
    pay,
    reset_sandbox,
    settle,
    status,
)
from tests.live.runner import Caller, HeadStart, Sandbox, Shop, after, together, wait_for
from tests.live.users import Visitor, money_staff, order_body, order_in, order_page, receipt_form
from tests.provider_journal import keys_sent

OK = 200
pytestmark = [pytest.mark.pg, pytest.mark.usefixtures("postgres_only", "clean_database")]


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        sandbox.tell(shop)
        shop.start()
        yield shop


@pytest.fixture
def provider(clean_database, shop, sandbox: Sandbox) -> Sandbox:
    """Without objects; its webhooks are sent at once."""
    reset_sandbox(sandbox)
    sandbox.post("webhooks", mode="on")
    return sandbox


@pytest.fixture
def bowl(clean_database) -> Product:
    return ProductFactory.create(stock=1000)


@pytest.fixture
def buyer(caller, buyers) -> Caller:
    return caller(*buyers(1))


@pytest.fixture
def expire(shop: Shop) -> Callable[[Order], object]:
    """Expire this order now, in the worker."""

    def enqueue(order: Order) -> None:
        due_to_expire(order)
        shop.trigger("payments.expire_orders_at_providers")

    return enqueue


def stock(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


def try_to_pay(sandbox: Sandbox, payment: Payment) -> bool:
    """Whether the provider took the money: a cancelled object cannot be paid."""
    try:
        pay(sandbox, payment)
    except HTTPError:
        return False
    return True


# ---- return and webhook --------------------------------------------------------------------------------------------


def come_back(shop: Shop, payment: Payment) -> None:
    assert Visitor(shop.url).get(f"{order_page(payment.order)}return/").status_code == 200


def test_concurrent_return_and_webhook_book_once(shop, buyer, bowl, provider):
    provider.post("webhooks", mode="hold")
    payments = []
    for round_ in range(27):  # three times each head start
        payment = card_order(buyer, bowl)
        pay(provider, payment, "pm_card_visa_chargeDeclinedInsufficientFunds")
        pay(provider, payment)
        head_start = (round_ % 9 - 4) * 0.01
        come, send = partial(come_back, shop, payment), partial(provider.post, "webhooks/send")
        together([after(max(0, head_start), come), after(max(0, -head_start), send)])
        payments.append(payment)
    settle(provider)
    assert {status(payment) for payment in payments} == {PAID}
    assert provider.captured() == [9999] * 27
    assert Notification.objects.filter(kind="payment_received").count() == 27
    attempts = Counter(PaymentAttempt.objects.values_list("payment", "outcome"))
    assert attempts == {(one.pk, outcome): 1 for one in payments for outcome in ("declined", "succeeded")}


@pytest.mark.parametrize("first", ["webhook", "return"])
def test_second_of_return_and_webhook_changes_nothing(shop, buyer, bowl, provider, first):
    provider.post("webhooks", mode="hold")
    payment = card_order(buyer, bowl)
    pay(provider, payment)
    messengers = [partial(provider.post, "webhooks/send"), partial(come_back, shop, payment)]
    for messenger in messengers if first == "webhook" else reversed(messengers):
        messenger()
        wait_for(lambda: status(payment) == PAID)
    settle(provider)
    assert (status(payment), provider.captured()) == (PAID, [9999])
    assert Notification.objects.filter(kind="payment_received").count() == 1


# ---- the same request twenty times ---------------------------------------------------------------------------------


def test_twenty_concurrent_intents_and_confirmations_are_one_of_each(buyer, bowl, provider):
    body = order_body((bowl, 1))
    del body["payment_method"]
    order = order_in(buyer.post("/orders/", body))
    request = {"order_id": str(order.pk), "payment_method": "credit_card"}

    made = together([partial(buyer.at(buyer.port).post, "/payments/intents", request) for _ in range(20)])

    assert sorted({answer.status for answer in made}) in ([200, 201], [200, 201, 409]), made
    assert Counter(answer.status for answer in made)[201] == 1
    payment = Payment.objects.get()
    wait_for(lambda: object_of(payment) != "None")
    assert len(set(keys_sent(provider, INTENTS))) == 1
    assert len(provider.journal("intent.created")) == 1

    answers = together([partial(confirm, buyer.at(buyer.port), payment) for _ in range(20)])

    assert {answer.status for answer in answers} <= {200, 409}
    assert any(answer.is_good and answer.body["status"] == "COMPLETED" for answer in answers)
    assert confirm(buyer, payment).body["status"] == "COMPLETED"
    settle(provider)
    assert provider.captured() == [9999]
    keys = keys_sent(provider, f"{INTENTS}/{object_of(payment)}/confirm")
    assert set(keys) == {ProviderCall.objects.get(operation="confirm").key}


def test_tabs_choosing_different_methods_leave_one_open_payment(buyer, bowl, provider):
    for _ in range(10):
        payment = card_order(buyer, bowl)
        methods = ["bank_transfer", "check", "credit_card", "debit_card"]
        responses = [{"order_id": str(payment.order_id), "payment_method": method} for method in methods]

        answers = together(
            [partial(buyer.at(buyer.port).post, "/payments/intents", request) for request in responses]
        )

        assert {answer.status for answer in answers} <= {200, 201, 409}, answers
        assert any(answer.is_good for answer in answers)
        wait_for(lambda: not ProviderCall.objects.filter(state="open").exists())
        [left] = Payment.objects.filter(order=payment.order_id, status__in=OPEN)
        payable = {row["id"] for row in provider.journal("intent.created")}
        payable -= {row["id"] for row in provider.journal("intent.canceled")}
        mine = payable & {
            call.object_id for call in ProviderCall.objects.filter(payment__order=payment.order_id)
        }
        assert mine == ({object_of(left)} if left.is_remote else set())
    settle(provider)


# ---- the end of the order against the money ------------------------------------------------------------------------


def test_concurrent_cancelling_and_paying_are_consistent(caller, buyers, bowl, provider):
    """Cancelling a just-paid order refunds it; while the outcome is unknown, the order stays open."""
    people = [caller(user) for user in buyers(20)]
    ways: Counter[tuple[int, bool]] = Counter()
    refused = []
    start = HeadStart(0.008)
    for round_ in start.rounds(100):
        buyer = people[round_ % 20]
        payment = card_order(buyer, bowl)
        cancel = partial(buyer.post, f"/orders/{payment.order_id}/cancel", {})
        pay_it = partial(try_to_pay, provider, payment)

        answer, taken = together([after(start.first, cancel), after(start.second, pay_it)])

        assert (answer.status, taken) in {(200, False), (200, True), (409, True)}, answer
        refused += [answer.body["code"]] if answer.status != OK else []
        ways[answer.status, taken] += 1
        start.won(by_first=not taken)
    settle(provider)
    ended, kept, return_form = (
        Counter(Order.objects.values_list("status", flat=True)),
        len(refused),
        ways[OK, True],
    )
    assert (ended["CONFIRMED"], ended["CANCELLED"]) == (kept, ways.total() - kept)
    assert stock(bowl) == 1000 - kept
    assert len(provider.captured()) == kept + return_form
    assert len(provider.journal("refund.succeeded")) == return_form
    assert set(refused) <= {"payment_under_way"}
    assert min(ways[OK, False], kept + return_form) > 0, ways


def test_concurrent_expiry_and_paying_lose_neither_money_nor_stock(buyer, bowl, provider, expire):
    ends: Counter[str] = Counter()
    start = HeadStart(0.02)  # the worker begins a little after it was notified
    for _ in start.rounds(16, each=4):
        payment = card_order(buyer, bowl)
        ring, pay_it = partial(expire, payment.order), partial(try_to_pay, provider, payment)

        _, taken = together([after(start.first, ring), after(start.second, pay_it)])

        wait_for(lambda payment=payment: status(payment)[1] != "PENDING")
        assert now(payment).order.status == ("CONFIRMED" if taken else "EXPIRED")
        ends[now(payment).order.status] += 1
        start.won(by_first=not taken)
    settle(provider)
    assert stock(bowl) == 1000 - ends["CONFIRMED"]
    assert min(ends["CONFIRMED"], ends["EXPIRED"]) > 0, ends


def test_transfer_recorded_during_a_card_payment_leaves_one_payment(shop, buyer, bowl, provider):
    """The buyer had switched to the card, and the transfer arrived anyway."""
    staff_client = Visitor(shop.url, money_staff())
    for round_ in range(8):
        order = order_in(buyer.post("/orders/", order_body((bowl, 1))))
        transfer = order.payments.get()
        path, form = f"/admin/payments/payment/{transfer.pk}/record/", receipt_form(order)
        request = {"order_id": str(order.pk), "payment_method": "credit_card"}
        assert buyer.post("/payments/intents", request).status == 201
        card = order.payments.get(payment_method="credit_card")
        head_start = (round_ % 4 - 2) * 0.02

        record, pay_it = partial(staff_client.post, path, form), partial(try_to_pay, provider, card)
        page, _ = together([after(max(0, head_start), record), after(max(0, -head_start), pay_it)])
        assert page.status_code == 302
    settle(provider)
    assert Receipt.objects.count() == 8
    orders = list(Order.objects.all())
    late = [
        order for order in orders if order.payment_status == "OVERPAID"
    ]  # recorded after the card was booked
    assert {order.status for order in orders} == {"CONFIRMED"}
    assert {order.payment_status for order in orders} - {"OVERPAID"} == {"PAID"}
    assert all(order.refund_due == order.total for order in late), "staff return these transfers"
    returned = [row["amount"] for row in provider.journal("refund.succeeded")]
    captured = provider.captured()
    assert len(returned) == len(captured) - len(late), "the surplus of the card was refunded automatically"
    assert set(returned) <= set(captured)


# ---- late, and twice -----------------------------------------------------------------------------------------------


def test_paid_order_with_a_lost_webhook_does_not_expire(buyer, bowl, provider, expire):
    provider.post("webhooks", mode="drop")
    payment = card_order(buyer, bowl)
    pay(provider, payment)

    expire(payment.order)

    wait_for(lambda: status(payment) == PAID)
    settle(provider)
    assert (stock(bowl), now(payment).order.stock_round) == (999, 0)


def expire_by_force(payment: Payment) -> None:
    """The order ends although the provider's object can still be paid."""
    forget(payment)
    with transaction.atomic():
        order_close(order_lock(payment.order_id), OrderStatus.EXPIRED, cause="test")


@pytest.mark.parametrize("is_stock_there", [True, False])
def test_late_payment_revives_the_order_or_is_refunded(buyer, caller, buyers, provider, is_stock_there):
    vase = ProductFactory.create(stock=1)
    payment = card_order(buyer, vase)
    expire_by_force(payment)
    if not is_stock_there:
        order_in(caller(*buyers(1)).post("/orders/", order_body((vase, 1))))

    pay(provider, payment)

    ended = PAID if is_stock_there else ("REFUNDED", "EXPIRED", "REFUNDED")
    wait_for(lambda: status(payment) == ended, detail=str(status(payment)))
    settle(provider)
    assert stock(vase) == 0
    assert len(provider.journal("refund.succeeded")) == (0 if is_stock_there else 1)


def test_second_paid_intent_of_an_order_is_refunded(buyer, bowl, provider):
    first = card_order(buyer, bowl)
    forget(first)
    request = {"order_id": str(first.order_id), "payment_method": "credit_card"}
    assert buyer.post("/payments/intents", request).status == 201
    second = Payment.objects.get(order=first.order_id, status="PENDING")

    together([partial(pay, provider, payment) for payment in (first, second)])

    wait_for(lambda: PaymentRefund.objects.filter(status="COMPLETED").exists())
    settle(provider)
    assert provider.captured() == [9999, 9999]
    assert [row["amount"] for row in provider.journal("refund.succeeded")] == [9999]
    assert {now(first).status, now(second).status} == {"COMPLETED", "REFUNDED"}
    assert (now(first).order.status, now(first).order.payment_status) == ("CONFIRMED", "PAID")
    assert stock(bowl) == 999


def test_repeated_webhooks_in_any_order_lead_to_the_same_result(buyer, bowl, provider):
    """Declined, paid, partly refunded at the provider; then every message three times, mixed."""
    provider.post("webhooks", mode="hold")
    payments = [card_order(buyer, bowl) for _ in range(3)]
    for payment in payments:
        pay(provider, payment, "pm_card_visa_chargeDeclined")
        pay(provider, payment)
        provider.post("stripe/refund", payment_intent=object_of(payment), amount=1000)

    sent = provider.post("webhooks/send", copies=3, shuffle=7)["sent"]

    assert {row["response"] for row in sent} == {200}
    settle(provider)
    assert {status(payment) for payment in payments} == {
        ("PARTIALLY_REFUNDED", "CONFIRMED", "PARTIALLY_REFUNDED")
    }
