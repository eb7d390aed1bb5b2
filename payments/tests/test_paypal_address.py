"""PayPal gets the shipping address; an address that it refuses does not stop the sale."""

import pytest

from orders.models import Order
from payments.gateway.connection import provider
from payments.gateway.payments import payment_ensure_at_provider, payment_sync
from payments.methods import PaymentMethod
from payments.models import FlagKind
from payments.tests.factories import reread, start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
ADDRESS = {
    "name": "Ann Lee",
    "line1": "1 Mill Lane",
    "city": "Austin",
    "region": "TX",
    "postal_code": "73301",
    "country": "US",
}


def pay(paypal, shopper, address) -> tuple[object, str]:
    """The paid payment, and PayPal's seller protection status."""
    payment = start(PaymentMethod.PAYPAL, user=shopper)
    Order.objects.filter(pk=payment.order_id).update(shipping_address=address)
    payment.calls.update(
        request={"token_version": 1}
    )  # as release 0.1.0 wrote it: the address is the order's
    payment.order.refresh_from_db()
    payment_ensure_at_provider(payment)
    paypal.approve(payment)
    payment_sync(payment.pk, cause="test")
    capture = reread(payment).captures.get().provider_capture_id
    result = provider("paypal")._client.request("GET", f"/v2/payments/captures/{capture}")
    return payment, result["seller_protection"]["status"]


def test_order_with_its_address_is_protected(paypal, shopper):
    payment, protection = pay(paypal, shopper, ADDRESS)

    assert (payment.status, protection) == ("COMPLETED", "ELIGIBLE")
    assert not payment.flags.exists()


@pytest.mark.parametrize(
    "change",
    [{"country": "ZZ"}, {"country": "UK"}, {"city": ""}, {"region": ""}, {"postal_code": ""}],
    ids=str,
)
def test_address_that_paypal_refuses_is_left_out_and_flagged(paypal, shopper, change):
    payment, protection = pay(paypal, shopper, ADDRESS | change)

    assert (payment.status, protection) == ("COMPLETED", "NOT_ELIGIBLE")
    assert payment.flags.get().kind == FlagKind.UNPROTECTED
    assert len(paypal.journal("order.created", provider="paypal")) == 1


@pytest.mark.parametrize(
    "address",
    [
        {"text": "Ann Lee\n1 Mill Lane", "country": "US"},
        {},
        "1 Mill Lane",
        {"country": None, "name": 7},
        [1],
        None,
    ],
    ids=str,
)
def test_unstructured_address_is_not_sent(paypal, shopper, address):
    payment, protection = pay(paypal, shopper, address if address is not None else {"name": None})

    assert (payment.status, protection) == ("COMPLETED", "NOT_ELIGIBLE")
