"""One displayed state, complete with words, for every combination that the columns can hold."""

from itertools import product

import pytest

from orders.models import Order
from orders.statuses import OrderPaymentStatus, OrderStatus
from payments.methods import PaymentMethod
from payments.models import Payment
from payments.states import state_of
from payments.statuses import PaymentStatus

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
def test_every_combination_has_one_state_with_all_its_words(status, paid):
    for payment in PAYMENTS:
        state = state_of(order_in(status, paid), payment)

        assert all([state.word, state.headline, state.next_step]), (status, paid, payment)
        assert state.icon in ICONS
        if not (
            status == OrderStatus.PENDING and paid in {OrderPaymentStatus.PAID, OrderPaymentStatus.OVERPAID}
        ):
            assert "$0.00" not in state.headline + state.next_step  # an order that is paid is never PENDING


def pending(method: str, status: str = "PENDING", **fields) -> Payment:
    return Payment(status=status, payment_method=method, currency="USD", amount_minor=1000, **fields)


@pytest.mark.parametrize(
    ("status", "paid", "payment", "word", "says"),
    [
        ("PENDING", "UNPAID", None, "Awaiting payment", "$10.00 is to be paid"),
        ("PENDING", "UNPAID", pending("bank_transfer"), "Awaiting transfer", "$10.00 is to be paid"),
        ("PENDING", "UNPAID", pending("check"), "Awaiting check", "$10.00 is to be paid"),
        (
            "PENDING",
            "PARTIALLY_PAID",
            pending("bank_transfer"),
            "Partly paid",
            "$5.00 arrived, $5.00 is missing",
        ),
        (
            "PENDING",
            "UNPAID",
            pending("bank_transfer", "FAILED", failure_reason="Bounced."),
            "Payment failed",
            "Bounced.",
        ),
        ("PENDING", "UNPAID", pending("credit_card", "PROCESSING"), "Checking", "Do not pay again"),
        ("CONFIRMED", "UNPAID", pending("cash_on_delivery"), "Pay on delivery", "nothing to pay now"),
        ("CONFIRMED", "UNPAID", pending("bank_transfer"), "Confirmed", "$10.00 is still to be paid"),
        ("CONFIRMED", "PAID", pending("check", "COMPLETED"), "Paid", "prepare your parcels"),
        ("CONFIRMED", "OVERPAID", pending("check", "COMPLETED"), "Paid", "$2.00 more than the total"),
        ("CONFIRMED", "PARTIALLY_REFUNDED", pending("check"), "Partly refunded", "$4.00 of $10.00"),
        ("CONFIRMED", "REFUNDED", pending("check", "REFUNDED"), "Refunded", "We returned $10.00"),
        ("PROCESSING", "PAID", None, "Being prepared", "packing"),
        ("SHIPPED", "PAID", None, "Shipped", "tracking"),
        ("DELIVERED", "PAID", None, "Delivered", "Enjoy"),
        ("CANCELLED", "UNPAID", None, "Cancelled", "You have not been charged"),
        ("CANCELLED", "PAID", None, "Cancelled", "We hold $10.00 of yours and will return it"),
        ("EXPIRED", "UNPAID", None, "Expired", "You have not been charged"),
        ("EXPIRED", "PARTIALLY_PAID", None, "Expired", "We hold $5.00"),
    ],
)
def test_difficult_moments_are_told_in_the_right_words(status, paid, payment, word, says):
    state = state_of(order_in(status, paid), payment)

    assert state.word == word
    assert says in state.next_step


def test_no_reminder_to_pay_is_shown_for_cash_at_the_door():
    state = state_of(order_in("CONFIRMED", "UNPAID"), pending("cash_on_delivery"))

    assert "is to be paid" not in state.next_step
