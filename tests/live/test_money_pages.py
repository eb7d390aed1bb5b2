"""Payment pages in every state: no axe violations, nothing wider than 320 px.

The worker does not run, so that pending states stay pending.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Product
from artisans.catalog.tests.factories import ProductFactory
from artisans.core.money import Money
from orders.tests.factories import store_of
from payments.bookkeeping.review_flags import flag_raise
from payments.gateway.payments import payment_mark_processing
from payments.methods import PaymentMethod
from payments.models import EventState, FlagKind, Payment, ReconciliationRun, WebhookEvent
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus, RemoteRefund, RemoteRefundStatus
from payments.reconciliation.runs import Kind
from payments.refunds.staff import refund_open
from payments.tests.factories import apply_card_captures, remote_refund_of, start
from tests.live.browser import PHONE, WIDE, Window
from tests.live.cards import CONFIRM, card_order, confirm_body
from tests.live.conftest import empty_database
from tests.live.runner import Caller, Sandbox, Shop
from tests.live.users import money_staff, order_body, order_in, order_page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("postgres_only", "transactional_db")]
THREE = Money(300, "USD")


@pytest.fixture(scope="module")
def shop(postgres_only, production, sandbox: Sandbox) -> Iterator[Shop]:
    empty_database()
    store_of()
    with production(**sandbox.env, MAX_OPEN_ORDERS="1000") as shop:
        shop.start(worker=False)
        yield shop


@pytest.fixture(scope="module")
def bowl(shop) -> Product:
    return ProductFactory.create(name="Moss bowl", stock=500)


# ---- payments in all states ------------------------------------------------------------------------------------

Make = Callable[[Caller, Product], Payment]


def declined(buyer: Caller, bowl: Product) -> Payment:
    payment = card_order(buyer, bowl)
    assert buyer.post(CONFIRM, confirm_body(payment, "pm_card_chargeDeclined")).status == 402
    return payment


def paid(buyer: Caller, bowl: Product) -> Payment:
    payment = card_order(buyer, bowl)
    assert buyer.post(CONFIRM, confirm_body(payment)).is_good
    return payment


def unknown(buyer: Caller, bowl: Product) -> Payment:
    payment = card_order(buyer, bowl)
    payment_mark_processing(payment.pk, is_forced=True)
    return payment


def reviewed(buyer: Caller, bowl: Product) -> Payment:
    payment = unknown(buyer, bowl)
    Payment.objects.filter(pk=payment.pk).update(in_review=True)
    return payment


def by_paypal(buyer: Caller, bowl: Product) -> Payment:
    return order_in(buyer.post("/orders/", order_body((bowl, 1), method="paypal"))).payments.get()


def simulate_payment(_buyer: Caller, bowl: Product, **news: object) -> Payment:
    """Paid according to Stripe, with further changes."""
    with override_settings(STRIPE_SECRET_KEY="sk_test_of_nobody"), transaction.atomic():
        return apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1}), **news)


def refunding(buyer: Caller, bowl: Product) -> Payment:
    payment = simulate_payment(buyer, bowl)
    with override_settings(STRIPE_SECRET_KEY="sk_test_of_nobody"):
        refund_open(payment_id=payment.pk, amount=THREE, reason="The rim is chipped.", actor=money_staff())
    return payment


def refunded_in_part(
    buyer: Caller, bowl: Product, status: RemoteRefundStatus = RemoteRefundStatus.SUCCEEDED
) -> Payment:
    payment = refunding(buyer, bowl)
    return apply_card_captures(payment, refunds=(remote_refund_of(payment.refunds.get(), status),))


def refund_failed(buyer: Caller, bowl: Product) -> Payment:
    return refunded_in_part(buyer, bowl, RemoteRefundStatus.FAILED)


def refunded_outside(buyer: Caller, bowl: Product) -> Payment:
    payment = simulate_payment(buyer, bowl)
    return apply_card_captures(
        payment, refunds=(RemoteRefund(f"re_{payment.pk.hex}", THREE, RemoteRefundStatus.SUCCEEDED),)
    )


def refunded(buyer: Caller, bowl: Product) -> Payment:
    payment = simulate_payment(buyer, bowl)
    whole = RemoteRefund(f"re_{payment.pk.hex}", payment.amount, RemoteRefundStatus.SUCCEEDED)
    return apply_card_captures(payment, refunds=(whole,))


def disputed(buyer: Caller, bowl: Product) -> Payment:
    payment = simulate_payment(buyer, bowl)
    question = RemoteDispute(f"dp_{payment.pk.hex}", payment.amount, RemoteDisputeStatus.OPEN, "fraudulent")
    return apply_card_captures(payment, disputes=(question,))


STATES: dict[str, tuple[Make, str]] = {
    "card to be entered": (card_order, "Complete your payment"),
    "to be agreed at PayPal": (by_paypal, "Complete your payment"),
    "declined": (declined, "Your payment did not go through"),
    "paid": (paid, "Your order is paid"),
    "not known": (unknown, "We are checking your payment"),
    "in review": (reviewed, "Your payment is being reviewed"),
    "refund on its way": (refunding, "Your refund is on its way"),
    "refunded in part": (refunded_in_part, "Your payment was partly refunded"),
    "refunded": (refunded, "Your payment was refunded"),
    "disputed": (disputed, "This payment was disputed with your bank"),
}


def visit(one: Window) -> None:
    assert one.violations() == []
    one.page.set_viewport_size(PHONE)
    assert one.overflow() == ""


@pytest.mark.parametrize("state", STATES)
def test_order_page_is_accessible(shared_window, caller, bowl, state):
    make, headline = STATES[state]
    payment = make(caller(UserFactory.create()), bowl)

    one = shared_window().go(order_page(payment.order))

    assert headline in one.page.locator("h2").first.inner_text()
    visit(one)


@pytest.mark.parametrize(("make", "has_scripts"), [(card_order, True), (declined, True), (card_order, False)])
def test_card_page_is_accessible(window, caller, bowl, make, has_scripts):
    payment = make(caller(UserFactory.create()), bowl)

    one = window(viewport=WIDE, java_script_enabled=has_scripts)
    one.go(f"{order_page(payment.order)}card/")

    if has_scripts:
        one.page.locator("#card-element iframe").wait_for()
        visit(one)
    else:
        one.page.get_by_role("button", name="Continue to pay").wait_for()


def test_method_page_with_providers_is_accessible(shared_window, caller, bowl):
    payment = declined(caller(UserFactory.create()), bowl)

    one = shared_window().go(f"{order_page(payment.order)}pay/")

    assert {"Card", "PayPal", "Bank transfer"} <= set(one.page.locator("main label strong").all_inner_texts())
    visit(one)


# ---- staff pages -----------------------------------------------------------------------------------------------


def message(payment: Payment, state: EventState) -> WebhookEvent:
    content = {
        "object_ids": [payment.provider_payment_id],
        "is_live": False,
        "status": "succeeded",
        "payload": {"reference": payment.order.order_number},
    }
    return WebhookEvent.objects.create(
        provider="stripe",
        event_id=f"evt_{state}_{payment.pk.hex}",
        kind="payment_intent.succeeded",
        content=content,
        state=state,
        payment=payment,
        note="Given up after three days.",
    )


def compared(payment: Payment) -> ReconciliationRun:
    """A reconciliation run with every kind of difference."""
    now = timezone.now()
    rows = [
        {
            "kind": kind,
            "object_id": f"pi_{number:027}",
            "payment": str(payment.pk) if number else "",
            "detail": kind,
        }
        for number, kind in enumerate(Kind)
    ]
    return ReconciliationRun.objects.create(
        provider="stripe", since=now - timedelta(days=1), until=now, differences=rows, finished_at=now
    )


def staff_pages(buyer: Caller, bowl: Product) -> list[str]:
    waiting, whole, failed = (
        card_order(buyer, bowl),
        simulate_payment(buyer, bowl),
        refund_failed(buyer, bowl),
    )
    outside, asked = refunded_outside(buyer, bowl), disputed(buyer, bowl)
    dead, left = (message(whole, state) for state in (EventState.DEAD, EventState.STAFF))
    flag_raise(waiting, FlagKind.MISMATCH, "pi_1 is for $1.00, the payment for $99.99.")
    rows = [
        *((payment, page) for payment in (waiting, whole, asked) for page in ("change", "refund", "sync")),
        *((failed.refunds.get(), page) for page in ("change", "retry", "decide")),
        *((outside.refunds.get(), page) for page in ("change", "decide")),
        *((dead, page) for page in ("change", "replay")),
        *((left, page) for page in ("change", "close")),
        (waiting.flags.get(), "resolve"),
        (asked.order, "change"),
        (compared(waiting), "change"),
    ]
    lists = ("payment/", "paymentrefund/", "paymentflag/", "webhookevent/", "reconciliationrun/", "receipt/")
    return [f"/admin/payments/{name}" for name in lists] + [
        f"/admin/{row._meta.label_lower.replace('.', '/')}/{row.pk}/{page}/" for row, page in rows
    ]


def test_staff_pages_have_no_errors_and_fit_a_phone(window, caller, bowl):
    staff_client = window(UserFactory.create(is_superuser=True, role=Role.STAFF))
    problems = []
    for address in staff_pages(caller(UserFactory.create()), bowl):
        staff_client.page.set_viewport_size(WIDE)
        staff_client.responses.clear()
        staff_client.go(address)
        assert staff_client.responses[0].status == 200, address
        staff_client.page.set_viewport_size(PHONE)
        problems += [wide for wide in [staff_client.overflow()] if wide]
    assert not problems, "\n".join(problems)
