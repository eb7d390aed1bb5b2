"""Money that arrives or is missing after shipping: no email mentions packing or waiting."""

import pytest

from orders.models import Parcel
from orders.services.parcels import parcel_deliver, parcel_ship
from orders.statuses import ParcelDecision
from payments.bookkeeping.refunds import refund_finish
from payments.lifecycle.parcels import parcel_return
from payments.lifecycle.receipt_reversals import receipt_reverse
from payments.methods import PaymentMethod
from payments.models import ReversalReason
from payments.providers.contract import RemoteRefundStatus
from payments.refunds.staff import refund_open
from payments.tests.factories import apply_card_captures, record, remote_refund_of, start, usd
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def cash(bowl, scarf, shopper):
    return start(PaymentMethod.CASH_ON_DELIVERY, {bowl: 1, scarf: 1}, user=shopper)


def ship(payment) -> list[Parcel]:
    parcels = list(payment.order.parcels.select_related("artisan__user").order_by("number"))
    for parcel in parcels:
        parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking="", actor=parcel.artisan.user)
    return parcels


def test_mail_mentions_packing_only_while_something_is_to_be_packed(cash, staff, shopper, seller, mails):
    returned, kept = ship(cash)
    parcel_return(parcel_id=returned.pk, actor=seller, restock=True)
    parcel_deliver(parcel_id=kept.pk, actor=kept.artisan.user)

    record(cash, "38.34", actor=staff)

    body = mails(shopper.email)[-1].body
    assert "We received $38.34" in body
    assert "pack" not in body


def test_buyer_is_not_asked_to_wait_when_everything_was_shipped(bowl, shopper, staff, browser, mails):
    payment = start(PaymentMethod.CHECK, {bowl: 1}, user=shopper)
    receipt = record(payment, "99.99", actor=staff)
    ship(payment)

    receipt_reverse(receipt_id=receipt.pk, reason=ReversalReason.BOUNCED, actor=staff)
    record(payment, "50.00", actor=staff, reference="check 2")

    corrected, part = (mail.body for mail in mails(shopper.email)[-2:])
    shown = page(browser(shopper).get(f"/shop/orders/{payment.order.access_token}/")).text
    for text in (corrected, part, shown):
        assert "not sent wait" not in text
        assert "stay set aside" not in text


@pytest.mark.usefixtures("card_shop")
def test_page_says_refunded_only_after_the_refund(bowl, shopper, staff, browser):
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper))
    [parcel] = ship(payment)
    refund = refund_open(
        payment_id=payment.pk,
        reason="chipped",
        actor=staff,
        amount=usd("99.99"),
        parcels={parcel.pk: ParcelDecision.AWAIT_RETURN},
    )

    def shown() -> str:
        return page(browser(shopper).get(f"/shop/orders/{payment.order.access_token}/")).text

    under_way = shown()
    refund_finish(refund_id=refund.pk, remote=remote_refund_of(refund, RemoteRefundStatus.FAILED))
    for text in (under_way, shown()):
        assert "was returned" not in text
        assert "Please send it back to Harbour Pottery" in text
