"""No order page says two things: all combinations of statuses are rendered, and their sentences are compared."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from itertools import product

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import strip_tags

from orders.models import Order
from orders.statuses import OrderPaymentStatus, OrderStatus
from orders.tests.factories import ADDRESS
from payments.methods import MANUAL, OFFLINE_METHODS, PaymentMethod
from payments.models import Payment
from payments.statuses import PaymentStatus
from payments.web import orders as pages
from payments.web import provider_pages
from payments.web.order_display import PendingMoney

# Classes of sentences, by what they mean to the buyer.
SENTENCES = {
    "pay now": r"Pay another way|Try again|Pay \$[\d.]+ (by card|with)|Complete your payment|Choose a payment method",
    "do not pay": r"Do not pay again",
    "nothing to pay": r"nothing to pay now|is paid\b|No further action",
    "amount due": r"Amount due|remaining \$",
    "not charged": r"You have not been charged|Nothing was charged",
    "received": r"Received \$(?!0\.00)|We received part|We received \$",
    "receipt": r"\bReceipt\b",
    "missing": r"payment for this order is missing|Payment missing",
    "thanks": r"Thank you",
    "ended": r"order was cancelled|not paid in time|back on sale",
    "reserved": r"items are reserved|keep your items reserved",
}
CONTRADICTIONS = [
    ("do not pay", "pay now"),
    ("do not pay", "amount due"),
    ("do not pay", "missing"),
    ("nothing to pay", "pay now"),
    ("not charged", "received"),
    ("receipt", "amount due"),
    ("receipt", "pay now"),
    ("receipt", "not charged"),
    ("thanks", "missing"),
    ("ended", "pay now"),
    ("ended", "amount due"),
    ("ended", "reserved"),
    ("ended", "receipt"),
]
SUMS = {
    OrderPaymentStatus.UNPAID: (0, 0),
    OrderPaymentStatus.PARTIALLY_PAID: (500, 0),
    OrderPaymentStatus.PAID: (1000, 0),
    OrderPaymentStatus.OVERPAID: (1200, 0),
    OrderPaymentStatus.PARTIALLY_REFUNDED: (1000, 400),
    OrderPaymentStatus.REFUNDED: (1000, 1000),
}
P = PaymentMethod
METHODS = (P.BANK_TRANSFER, P.CASH_ON_DELIVERY, P.CREDIT_CARD, P.PAYPAL)  # others are shown like one of these
ALIVE_AND_RELEASED = {
    OrderStatus.CONFIRMED,
    OrderStatus.PROCESSING,
    OrderStatus.SHIPPED,
    OrderStatus.DELIVERED,
}


def is_reachable(status: str, paid: str, *, is_withdrawn: bool, is_short: bool) -> bool:
    """An order that has its whole amount is not PENDING, and its payment is not withdrawn. `is_short`: an unconfirmed
    guest's hold."""
    is_released, is_pending = status in ALIVE_AND_RELEASED, status == OrderStatus.PENDING
    has_all = paid in {OrderPaymentStatus.PAID, OrderPaymentStatus.OVERPAID}
    if has_all and (is_pending or is_withdrawn):
        return False
    return (is_released or not is_withdrawn) and (is_pending or not is_short)


def orders() -> Iterator[Order]:
    now = timezone.now()
    for status, paid, withdrawn, short in product(
        OrderStatus, OrderPaymentStatus, (False, True), (False, True)
    ):
        released = status in ALIVE_AND_RELEASED
        if not is_reachable(status, paid, is_withdrawn=withdrawn, is_short=short):
            continue
        received, refunded = SUMS[paid]
        if status == OrderStatus.PENDING and refunded:
            received, refunded = 500, 500 if paid == OrderPaymentStatus.REFUNDED else 200
        yield Order(
            status=status,
            payment_status=paid,
            email="guest@example.test",
            currency="USD",
            total_minor=1000,
            subtotal_minor=1000,
            tax_minor=0,
            shipping_minor=0,
            received_minor=received,
            refunded_minor=refunded,
            goodwill_minor=refunded if released and not withdrawn else 0,
            created_at=now,
            released_at=now if released else None,
            payment_withdrawn_at=now if withdrawn else None,
            expires_at=None if released else now + timedelta(hours=2 if short else 200),
            pay_by=None if released else now + timedelta(days=5),
            shipping_address=ADDRESS,
            billing_address=ADDRESS,
        )


def payments() -> Iterator[Payment | None]:
    yield None
    for status, method, in_review in product(PaymentStatus, METHODS, (False, True)):
        is_offline = method in OFFLINE_METHODS
        if in_review and (is_offline or status != PaymentStatus.PROCESSING):
            continue
        if is_offline and status == PaymentStatus.PROCESSING:
            continue
        yield Payment(
            status=status,
            payment_method=method,
            payment_provider=MANUAL
            if is_offline
            else "paypal"
            if method == PaymentMethod.PAYPAL
            else "stripe",
            currency="USD",
            amount_minor=1000,
            in_review=in_review,
        )


def shown(order: Order, payment: Payment | None) -> str:
    context = {
        "order": order,
        "payment": payment,
        "token": "token",
        **pages.offers(order, payment, PendingMoney()),
        "provider_page": provider_pages.facts_with_page(payment),
        "thanks": pages.is_taken(order, payment),
        "parcels": [],
        "timeline": [],
        "store": {"name": "Artisans Alley", "support_email": "help@example.test"},
    }
    html = render_to_string("payments/order_detail.html", context).partition("<main")[2]
    return " ".join(unescape(strip_tags(html)).split())


def classes(text: str) -> set[str]:
    return {name for name, pattern in SENTENCES.items() if re.search(pattern, text)}


def test_no_page_says_two_things(monkeypatch):
    monkeypatch.setattr(provider_pages, "is_unavailable", lambda name: False)
    seen: set[str] = set()
    found: dict[tuple[str, str], str] = {}
    for order, payment in product(orders(), list(payments())):
        text = shown(order, payment)
        said = classes(text)
        seen |= said
        for pair in CONTRADICTIONS:
            if said.issuperset(pair):
                about = (
                    order.status,
                    order.payment_status,
                    order.is_waiting_for_payment,
                    payment and payment.status,
                )
                found.setdefault(pair, f"{about}: {text}")

    assert not found, "\n".join(f"{' and '.join(pair)}: {where}" for pair, where in found.items())
    assert seen == set(SENTENCES), "every class of sentences occurs, or its pattern is out of date"
