"""What the payment totals mean for an order: payments report them, the order decides."""

import pytest
from django.utils import timezone

from orders.models import Order
from orders.services.closing import order_close
from orders.services.settlement import order_apply_settlement
from orders.statuses import OrderStatus
from orders.tests.factories import place

# These tests report totals without payment rows.
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "broken_books")]


def settle(order: Order, received: int, refunded: int = 0) -> tuple[str, str]:
    order_apply_settlement(order, received=received, refunded=refunded, cause="test")
    order.refresh_from_db()
    return order.status, order.payment_status


def test_paid_in_full_confirms_and_releases_once(bowl, seller, mails):
    order = place({bowl: 1}).order

    assert settle(order, 9999) == ("CONFIRMED", "PAID")
    first = order.released_at
    assert settle(order, 9999) == ("CONFIRMED", "PAID")

    assert order.released_at == first
    assert [row.new for row in order.transitions.all()] == ["PENDING", "CONFIRMED"]
    assert len(mails(seller.email)) == 1


@pytest.mark.parametrize(
    ("received", "refunded", "result"),
    [
        (9998, 0, ("PENDING", "PARTIALLY_PAID")),
        (10000, 0, ("CONFIRMED", "OVERPAID")),
        (9999, 1, ("PENDING", "PARTIALLY_REFUNDED")),
        (10000, 1, ("CONFIRMED", "PAID")),
        (0, 0, ("PENDING", "UNPAID")),
    ],
)
def test_refunded_money_does_not_count_as_received(received, refunded, result):
    assert settle(place().order, received, refunded) == result


def test_refund_of_a_confirmed_order_never_changes_its_status():
    order = place().order
    settle(order, 9999)

    assert settle(order, 9999, 9999) == ("CONFIRMED", "REFUNDED")
    assert order.balance_due.minor == 0


def test_expired_order_is_revived_only_with_stock(bowl):
    order, other = place({bowl: 6}).order, None
    order_close(order, OrderStatus.EXPIRED, cause="not paid in time")
    other = place({bowl: 5}).order

    assert settle(order, order.total_minor) == ("EXPIRED", "PAID")
    assert order.refund_due == order.total

    order_close(other, OrderStatus.EXPIRED, cause="not paid in time")
    assert settle(order, order.total_minor) == ("CONFIRMED", "PAID")
    assert order.stock_round == 1
    bowl.refresh_from_db()
    assert bowl.stock == 4


def test_cancelled_order_stays_cancelled_and_lists_the_refund_due():
    order = place().order
    order_close(order, OrderStatus.CANCELLED, cause="changed my mind")

    assert settle(order, 9999) == ("CANCELLED", "PAID")
    assert order.refund_due == order.total
    assert order.balance_due.minor == 0


def test_released_order_has_no_expiry():
    order = place().order
    assert order.expires_at > timezone.now()

    settle(order, 9999)

    assert order.expires_at is None
