"""One displayed state with complete texts for every combination of stored values."""

from itertools import product

import pytest
from django.utils import timezone
from django.utils.formats import date_format

from artisans.core.money import Money
from orders.models import Order
from orders.statuses import OrderPaymentStatus, OrderStatus
from payments.methods import MANUAL, OFFLINE_METHODS, PaymentMethod
from payments.models import Payment
from payments.providers.contract import RemoteDispute, RemoteDisputeStatus
from payments.refunds.staff import refund_open
from payments.statuses import PaymentStatus
from payments.tests.factories import apply_card_captures, start, usd
from payments.web.order_display import PendingMoney, get_display_state, load_pending_money
from tests.html import page

ICONS = {"clock", "alert", "check", "cash", "cross", "box", "truck", "home", "return"}
SUMS = {
    OrderPaymentStatus.UNPAID: (0, 0),
    OrderPaymentStatus.PARTIALLY_PAID: (500, 0),
    OrderPaymentStatus.PAID: (1000, 0),
    OrderPaymentStatus.OVERPAID: (1200, 0),
    OrderPaymentStatus.PARTIALLY_REFUNDED: (1000, 400),
    OrderPaymentStatus.REFUNDED: (1000, 1000),
}


def order_in(status, paid) -> Order:
    received, refunded = SUMS[paid]
    return Order(
        status=status,
        payment_status=paid,
        currency="USD",
        total_minor=1000,
        received_minor=received,
        refunded_minor=refunded,
    )


PAYMENTS = [None] + [
    Payment(status=status, payment_method=method, currency="USD", amount_minor=1000)
    for status, method in product(PaymentStatus, PaymentMethod)
]


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("paid", OrderPaymentStatus)
def test_every_combination_has_one_state_with_all_texts(status, paid):
    for payment in PAYMENTS:
        state = get_display_state(order_in(status, paid), payment)

        assert all([state.label, state.headline, state.next_step]), (status, paid, payment)
        assert state.icon in ICONS
        if not (
            status == OrderStatus.PENDING and paid in {OrderPaymentStatus.PAID, OrderPaymentStatus.OVERPAID}
        ):
            assert "$0.00" not in state.headline + state.next_step  # an order that is paid is never PENDING


def pending_state(method: str, status: str = "PENDING", **fields) -> Payment:
    provider = MANUAL if method in OFFLINE_METHODS else "stripe"
    return Payment(
        status=status,
        payment_method=method,
        payment_provider=provider,
        currency="USD",
        amount_minor=1000,
        **fields,
    )


@pytest.mark.parametrize(
    ("status", "paid", "payment", "word", "says"),
    [
        ("PENDING", "UNPAID", None, "Awaiting payment", "Amount due: $10.00."),
        ("PENDING", "UNPAID", pending_state("bank_transfer"), "Awaiting transfer", "Amount due: $10.00."),
        ("PENDING", "UNPAID", pending_state("check"), "Awaiting check", "Amount due: $10.00."),
        (
            "PENDING",
            "PARTIALLY_PAID",
            pending_state("bank_transfer"),
            "Partly paid",
            "We received $5.00. Please send the remaining $5.00",
        ),
        (
            "PENDING",
            "UNPAID",
            pending_state("bank_transfer", "FAILED", failure_reason="Bounced."),
            "Payment failed",
            "Bounced.",
        ),
        ("PENDING", "UNPAID", pending_state("credit_card", "PROCESSING"), "Checking", "Do not pay again"),
        (
            "PENDING",
            "UNPAID",
            pending_state("paypal", "PROCESSING", in_review=True),
            "In review",
            "Do not pay again. The payment is being reviewed",
        ),
        ("CONFIRMED", "UNPAID", pending_state("cash_on_delivery"), "Pay on delivery", "nothing to pay now"),
        ("CONFIRMED", "UNPAID", pending_state("bank_transfer"), "Confirmed", "Amount due: $10.00."),
        ("CONFIRMED", "PAID", pending_state("check", "COMPLETED"), "Paid", "preparing your parcels"),
        ("CONFIRMED", "OVERPAID", pending_state("check", "COMPLETED"), "Paid", "$2.00 more than the total"),
        ("CONFIRMED", "PARTIALLY_REFUNDED", pending_state("check"), "Partly refunded", "$4.00 of the $10.00"),
        ("CONFIRMED", "REFUNDED", pending_state("check", "REFUNDED"), "Refunded", "We refunded $10.00"),
        ("PROCESSING", "PAID", None, "Being prepared", "as soon as it is ready"),
        ("SHIPPED", "PAID", None, "Shipped", "tracking"),
        ("DELIVERED", "PAID", None, "Delivered", "Enjoy"),
        ("CANCELLED", "UNPAID", None, "Cancelled", "You have not been charged"),
        ("CANCELLED", "PAID", None, "Cancelled", "We will refund the $10.00"),
        ("EXPIRED", "UNPAID", None, "Expired", "You have not been charged"),
        ("EXPIRED", "PARTIALLY_PAID", None, "Expired", "We will refund the $5.00"),
    ],
)
def test_unusual_states_have_the_right_texts(status, paid, payment, word, says):
    state = get_display_state(order_in(status, paid), payment)

    assert state.label == word
    assert says in state.next_step


STANDING = {"aria-label": "Order status"}
BACK = PendingMoney(returning=Money(300, "USD"))


@pytest.mark.parametrize(
    ("status", "paid", "under_way", "word", "says"),
    [
        ("CONFIRMED", "PAID", BACK, "Refund on its way", "$3.00 is being refunded"),
        ("CANCELLED", "PAID", BACK, "Refund on its way", "$3.00 is being refunded"),
        ("SHIPPED", "PAID", BACK, "Shipped", "below. $3.00 is being refunded"),
        ("SHIPPED", "PAID", PendingMoney(is_disputed=True), "Disputed", "We are answering your bank"),
        ("CANCELLED", "REFUNDED", PendingMoney(came_back=True), "Returned", "We refunded $10.00"),
        ("PROCESSING", "REFUNDED", PendingMoney(is_on_hold=True), "Refunded", "are on hold"),
        ("PROCESSING", "PAID", PendingMoney(is_on_hold=True), "Being prepared", "are on hold"),
        ("CONFIRMED", "PAID", PendingMoney(returning=Money(0, "USD")), "Paid", "preparing your parcels"),
    ],
)
def test_money_in_progress_is_shown(status, paid, under_way, word, says):
    state = get_display_state(order_in(status, paid), pending_state("credit_card", "COMPLETED"), under_way)

    assert state.label == word
    assert says in state.next_step


@pytest.mark.django_db
def test_page_shows_a_refund_and_a_dispute(store, settings, staff, browser):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    returning, asked, quiet = (apply_card_captures(start(PaymentMethod.CREDIT_CARD)) for _ in range(3))
    refund_open(payment_id=returning.pk, amount=usd("3.00"), reason="chipped", actor=staff)
    question = RemoteDispute("dp_1", asked.amount, RemoteDisputeStatus.OPEN, reason="fraudulent")
    apply_card_captures(asked, disputes=(question,))

    orders = [returning.order, asked.order, quiet.order]
    words = [
        page(browser().get(f"/shop/orders/{order.access_token}/")).one("section", **STANDING).text
        for order in orders
    ]

    assert "Refund on its way" in words[0]
    assert "$3.00 is being refunded" in words[0]
    assert "This payment was disputed with your bank" in words[1]
    assert "fraud" not in words[1]
    assert "Your order is paid" in words[2]
    assert {row.is_disputed for row in load_pending_money(orders).values()} == {True, False}


@pytest.mark.django_db
def test_order_history_shows_a_refund_in_progress(store, settings, staff, shopper, browser):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, user=shopper))
    refund_open(payment_id=payment.pk, amount=usd("3.00"), reason="chipped", actor=staff)

    assert "Refund on its way" in page(browser(shopper).get("/shop/account/orders/")).text


def test_page_shows_how_long_the_order_is_held():
    order, soon = order_in("PENDING", "UNPAID"), timezone.localtime().replace(hour=23, minute=58)
    order.expires_at = soon
    failed = pending_state("credit_card", "FAILED", failure_reason="Your bank said no.")
    assert get_display_state(order, failed).next_step.endswith(
        f"reserved until {date_format(soon, 'DATETIME_FORMAT')}."
    )


def test_no_payment_reminder_is_shown_for_cash_on_delivery():
    state = get_display_state(order_in("CONFIRMED", "UNPAID"), pending_state("cash_on_delivery"))

    assert "Amount due" not in state.next_step
