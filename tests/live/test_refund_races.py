"""Many refunds at once, against the servers of production and the provider as a process of its own: its journal says
what was really returned."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.notifications.models import Notification
from orders.models import Order
from payments.models import Payment, PaymentRefund, ProviderCall
from tests.invariants import check_invariants
from tests.live.runner import Answer, Caller, Sandbox, Shop, together, wait_for
from tests.live.users import Visitor, money_staff, order_body, order_in

pytestmark = [pytest.mark.pg, pytest.mark.usefixtures("postgres_only", "clean_database")]


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox):
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000", PAYMENT_POLL_SECONDS="1") as shop:
        shop.start()
        yield shop


@pytest.fixture(autouse=True)
def forgetful(sandbox: Sandbox, shop) -> None:
    """A provider without memory of the test before; it sends no messages here."""
    sandbox.post("reset")


@pytest.fixture
def staff_clients(caller) -> Callable[[int], list[Caller]]:
    return lambda count: [caller(money_staff()) for _ in range(count)]


@pytest.fixture
def paid(caller, buyers, sandbox: Sandbox) -> Callable[..., Payment]:
    """`paid((product, quantity))`: an order paid by card, as the shop's own processes booked it."""

    def make(*goods: tuple[Product, int], card: str = "visa") -> Payment:
        buyer = caller(buyers(1)[0])
        order = order_in(buyer.post("/orders/", order_body(*goods, method="credit_card")))
        payment = order.payments.get()
        request = {"payment_intent": payment.provider_payment_id, "payment_method": f"pm_card_{card}"}
        sandbox.post("stripe/pay", **request)
        assert buyer.call("GET", f"/payments/{payment.pk}?expand=next_action").body["status"] == "COMPLETED"
        return Payment.objects.get(pk=payment.pk)

    return make


def body(payment: Payment, **request: object) -> dict[str, object]:
    return {"payment_id": str(payment.pk), "reason": "broken", **request}


def statuses(answers: list[Answer]) -> dict[int, int]:
    return dict(Counter(answer.status for answer in answers))


def settled(payment: Payment) -> Payment:
    """After every call that is under way has its answer."""
    wait_for(lambda: not ProviderCall.objects.filter(state="open").exists())
    check_invariants()
    return Payment.objects.get(pk=payment.pk)


def returned(sandbox: Sandbox) -> list[int]:
    return [row["amount"] for row in sandbox.journal("refund.succeeded")]


def stock(product: Product) -> int:
    return Product.objects.get(pk=product.pk).stock


def test_one_of_eight_refunds_over_sixty_percent_is_made(paid, staff_clients, sandbox):
    payment = paid((ProductFactory.create(), 1))

    answers = together(
        [
            partial(staff_client.post, "/payments/refunds", body(payment, amount="60.00"))
            for staff_client in staff_clients(8)
        ]
    )

    assert statuses(answers) == {201: 1, 409: 7}
    assert {answer.body["code"] for answer in answers if answer.status == 409} == {"refund_exceeds_received"}
    after = settled(payment)
    assert (after.refunded_minor, after.refund_reserved_minor) == (6000, 0)
    assert returned(sandbox) == [6000]
    assert Notification.objects.filter(kind="refund_completed").count() == 1


def test_one_of_eight_unanswered_refunds_is_reserved_and_made(paid, staff_clients, sandbox):
    """The provider makes the refund and its answer is lost: it still happens once."""
    payment = paid((ProductFactory.create(), 1))
    sandbox.fault("drop_after", path="/v1/refunds", method="POST")

    answers = together(
        [
            partial(staff_client.post, "/payments/refunds", body(payment, amount="60.00"))
            for staff_client in staff_clients(8)
        ]
    )

    assert statuses(answers) == {201: 1, 409: 7}
    assert settled(payment).refunded_minor == 6000
    assert returned(sandbox) == [6000]
    assert PaymentRefund.objects.get().status == "COMPLETED"


def test_small_concurrent_refunds_never_exceed_the_payment(paid, staff_clients, sandbox):
    payment = paid((ProductFactory.create(), 1))

    answers = together(
        [
            partial(staff_client.post, "/payments/refunds", body(payment, amount="7.77"))
            for staff_client in staff_clients(20)
        ]
    )

    assert statuses(answers) == {201: 12, 409: 8}  # 12 × 7.77 = 93.24 of 99.99
    assert settled(payment).refundable.minor == 675
    assert returned(sandbox) == [777] * 12


def test_units_refunded_concurrently_are_refunded_and_restocked_once(paid, staff_clients, sandbox):
    bowl = ProductFactory.create(stock=10)
    payment = paid((bowl, 4))
    line = str(payment.order.lines.get().pk)
    request = body(payment, lines=[{"line": line, "quantity": 1}], restock=True)

    answers = together(
        [partial(staff_client.post, "/payments/refunds", request) for staff_client in staff_clients(8)]
    )

    assert statuses(answers) == {201: 4, 409: 4}
    assert {answer.body["code"] for answer in answers if answer.status == 409} == {"refund_exceeds_quantity"}
    settled(payment)
    assert stock(bowl) == 10
    whole = payment.order.lines.get()
    assert sum(returned(sandbox)) == whole.line_total_minor + whole.tax_minor


def test_concurrent_restock_and_cancelling_return_each_unit_once(paid, staff_clients, shop: Shop):
    """Ten rounds: a refund with restock is under way while a colleague cancels the order."""
    bowl = ProductFactory.create(stock=100)
    [staff_client] = staff_clients(1)
    page = Visitor(shop.url, money_staff())
    for round_ in range(10):
        payment = paid((bowl, 3))
        line = str(payment.order.lines.get().pk)
        request = body(payment, lines=[{"line": line, "quantity": 2}], restock=True)
        cancel = {"preset": "The buyer requested it.", "text": ""}
        head_start = (round_ % 5) * 0.01

        def refund(request: dict[str, object] = request) -> Answer:
            return staff_client.post("/payments/refunds", request)

        def call_off(order: Order = payment.order, wait: float = head_start) -> int:
            time.sleep(wait)
            return page.post(f"/admin/orders/order/{order.pk}/cancel/", cancel).status_code

        answer, status = together([refund, call_off])
        assert (answer.status in {201, 409}, status) == (True, 302)
        settled(payment)
        assert stock(bowl) == 100, round_


def test_eight_concurrent_submissions_send_one_refund(paid, shop: Shop, sandbox):
    payment = paid((ProductFactory.create(), 1))
    worker = money_staff()
    form = {
        "mode": "amount",
        "amount": "10.00",
        "preset": "An item arrived damaged.",
        "text": "",
        "seen": "0",
    }
    tabs = [Visitor(shop.url, worker) for _ in range(8)]

    pages = together(
        [partial(tab.post, f"/admin/payments/payment/{payment.pk}/refund/", form) for tab in tabs]
    )

    assert Counter(page.status_code for page in pages) == {302: 1, 200: 7}
    settled(payment)
    assert returned(sandbox) == [1000]


def test_staff_and_dashboard_refunds_never_exceed_the_captured_amount(paid, staff_clients, sandbox):
    """A person at the provider refunds in the same moment: whoever is second is refused there, and both are booked."""
    [staff_client] = staff_clients(1)
    for _ in range(5):
        payment = paid((ProductFactory.create(), 1))
        outside = {"payment_intent": payment.provider_payment_id, "amount": 6000}

        def at_the_provider(request: dict[str, object] = outside) -> bool:
            try:
                sandbox.post("stripe/refund", **request)
            except OSError:
                return False  # refused: ours was first
            return True

        together(
            [partial(staff_client.post, "/payments/refunds", body(payment, amount="60.00")), at_the_provider]
        )
        staff_client.call("GET", f"/payments/refunds?payment={payment.pk}")
        wait_for(lambda payment=payment: Payment.objects.get(pk=payment.pk).refunded_minor == 6000)
        assert settled(payment).refund_reserved_minor == 0
        made = sandbox.journal("refund.succeeded", payment_intent=payment.provider_payment_id)
        assert [row["amount"] for row in made] == [6000]
