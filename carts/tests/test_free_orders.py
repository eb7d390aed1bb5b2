"""An order that costs nothing is paid and confirmed when it is placed, without a payment."""

import pytest

from artisans.notifications.models import Notification
from carts import checkout
from orders.models import Order
from orders.quoting import Offer
from orders.tests.factories import quoted_free
from payments.models import Earning, Payment

pytestmark = pytest.mark.django_db


@pytest.fixture
def discounted(monkeypatch, store, bowl):
    """The whole price is taken off, and the shipping."""

    def offer_without_charge(items, *, store, destination, currency):
        return Offer(quoted_free(items), destination)

    monkeypatch.setattr(checkout, "offer_products", offer_without_charge)


BODY = {
    "shipping_address": "123 Main St, City",
    "customer_email": "sam@example.test",
}


@pytest.mark.usefixtures("discounted")
@pytest.mark.parametrize("method", ["bank_transfer", None])
def test_order_without_a_price_is_confirmed_without_a_payment(client, bowl, method):
    body = BODY | {"order_items": [{"product_id": str(bowl.pk), "quantity": 1}]}
    answer = client.post(
        "/orders/", body | ({"payment_method": method} if method else {}), content_type="application/json"
    )

    assert answer.status_code == 201, answer.content
    placed = answer.json()
    assert (placed["status"], placed["payment_status"], placed["total"]) == ("CONFIRMED", "PAID", "0.00")
    assert (placed["payment_method"], placed["due_now"], placed["discount"]) == ("none", "0.00", "85.45")
    assert not Payment.objects.exists()
    order = Order.objects.get()
    assert order.paid_at is not None
    assert Earning.objects.get().net_minor == 0
    kinds = sorted(Notification.objects.values_list("kind", flat=True))
    assert kinds == ["order_confirmed", "parcel_new"]
