"""Staff cannot decide about their own order or book what a colleague has just booked."""

import pytest

from orders.errors import NotCancellable
from orders.services.parcels import parcel_start
from payments.errors import AlreadyRecorded
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.models import Receipt
from payments.tests.factories import record, reread, start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_staff_cannot_cancel_their_own_started_order(staff, admin_user):
    """Until then they cancel like any buyer; afterwards staff cannot cancel their own order."""
    payment = start(user=staff)
    record(payment, "99.99", actor=admin_user)
    parcel_start(parcel_id=payment.order.parcels.get().pk, actor=admin_user)

    with pytest.raises(NotCancellable):
        order_cancel(order_id=payment.order_id, reason="changed my mind", actor=staff)

    assert reread(payment).order.status == "PROCESSING"


def test_staff_can_cancel_their_own_unpaid_order_like_any_buyer(staff):
    payment = start(user=staff)

    order_cancel(order_id=payment.order_id, reason="", actor=staff)

    assert reread(payment).order.status == "CANCELLED"


def test_booking_is_stopped_when_a_colleague_was_faster(shopper, staff, admin_user):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff, reference="STMT-1", seen_minor=0)

    with pytest.raises(AlreadyRecorded):
        record(payment, "99.99", actor=admin_user, reference="slip 1", seen_minor=0)

    assert Receipt.objects.count() == 1
    assert reread(payment).received_minor == 9999
