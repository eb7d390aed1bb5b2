"""Staff reject a payment that will not arrive; the order gets at least a day to be paid by another method."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.core.errors import IllegalTransition, InvalidInput
from payments.errors import HasReceipts, NoPermission, OwnOrder
from payments.lifecycle.choose_method import payment_choose_method
from payments.lifecycle.receipts import payment_reject
from payments.methods import PaymentMethod
from payments.tests.factories import record, reread, start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def reject(payment, actor, reason="The transfer never arrived."):
    payment_reject(payment_id=payment.pk, reason=reason, actor=actor)
    return reread(payment)


def test_rejected_payment_leaves_the_order_open(shopper, staff):
    payment = start(user=shopper)
    before = payment.order.expires_at

    reject(payment, staff)

    assert (payment.status, payment.order.status) == ("FAILED", "PENDING")
    assert payment.failure_reason == "The transfer never arrived."
    assert payment.order.expires_at == before, "a longer hold is not cut short"


def test_order_about_to_expire_is_held_a_day_longer(shopper, staff, time_machine):
    payment = start(user=shopper)
    time_machine.move_to(payment.order.expires_at - timedelta(hours=1))

    reject(payment, staff)

    assert abs(payment.order.expires_at - timezone.now() - timedelta(hours=24)) < timedelta(seconds=5)


def test_payment_with_money_cannot_be_rejected(shopper, staff):
    payment = start(user=shopper)
    record(payment, "10.00", actor=staff)

    with pytest.raises(HasReceipts, match=r"10\.00 USD"), transaction.atomic():
        reject(payment, staff)

    assert reread(payment).status == "PENDING"


def test_rejection_needs_a_reason(shopper, staff):
    payment = start(user=shopper)

    with pytest.raises(InvalidInput), transaction.atomic():
        reject(payment, staff, reason="  ")

    assert reread(payment).status == "PENDING"


def test_rejection_needs_the_permission(shopper, powerless_staff):
    payment = start(user=shopper)

    with pytest.raises(NoPermission), transaction.atomic():
        reject(payment, powerless_staff)


def test_staff_cannot_reject_a_payment_of_their_own_order(staff):
    payment = start(user=staff)

    with pytest.raises(OwnOrder), transaction.atomic():
        reject(payment, staff)


def test_rejecting_twice_is_refused_and_mails_once(shopper, staff, mails):
    payment = start(user=shopper)
    reject(payment, staff)

    with pytest.raises(IllegalTransition), transaction.atomic():
        reject(payment, staff)

    assert sum("not accepted" in m.subject for m in mails(shopper.email)) == 1


def test_rejected_payment_can_be_retried_with_the_same_method(shopper, staff):
    payment = reject(start(user=shopper), staff)

    again = payment_choose_method(
        order_id=payment.order_id, method=PaymentMethod.BANK_TRANSFER, actor=shopper
    )

    assert (again.payment.pk, again.is_new, again.payment.status) == (payment.pk, False, "PENDING")
    assert reread(payment).failure_reason == ""


def test_each_rejection_sends_a_mail(shopper, staff, mails):
    payment = reject(start(user=shopper), staff, "first reason")
    payment_choose_method(order_id=payment.order_id, method=PaymentMethod.BANK_TRANSFER, actor=shopper)
    reject(payment, staff, "second reason")

    result = [m.body for m in mails(shopper.email) if "not accepted" in m.subject]
    assert ["first reason" in result[0], "second reason" in result[1]] == [True, True]
