"""Staff record receipts: exact, short, too much, in parts; and invalid ones."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from payments.errors import AlreadyRecorded, NoPermission, OwnOrder, ReceiptExceedsDue
from payments.lifecycle.cancel_and_expire import order_expire
from payments.lifecycle.receipts import payment_reject
from payments.methods import PaymentMethod
from payments.models import Receipt
from payments.tests.factories import record, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def statuses_of(payment) -> tuple[str, str, str]:
    return payment.status, payment.order.status, payment.order.payment_status


def test_exact_amount_completes_the_payment_and_confirms_the_order(shopper, staff):
    payment = start(user=shopper)

    record(payment, "99.99", actor=staff)

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")
    assert payment.completed_at is not None
    assert payment.order.expires_at is None
    assert not payment.order.balance_due
    [entry] = AuditEntry.objects.filter(action="receipt.record")
    assert (entry.actor, entry.target_id) == (staff, payment.pk)


def test_short_amount_waits_for_the_rest_and_extends_the_deadline_once(shopper, staff):
    payment = start(user=shopper)
    pay_by, expires_at = payment.order.pay_by, payment.order.expires_at

    record(payment, "90.00", actor=staff)

    assert statuses_of(payment) == ("PENDING", "PENDING", "PARTIALLY_PAID")
    assert payment.outstanding == usd("9.99")
    assert payment.order.balance_due == usd("9.99")
    assert payment.order.expires_at - expires_at == payment.order.pay_by - pay_by == timedelta(days=7)

    record(payment, "5.00", actor=staff, reference="STMT-2")

    assert payment.order.expires_at - expires_at == timedelta(days=7), "the deadline is extended only once"

    record(payment, "4.99", actor=staff, reference="STMT-3")

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")
    assert Receipt.objects.count() == 3


def test_surplus_is_listed_as_a_refund_due(shopper, staff):
    payment = start(user=shopper)

    record(payment, "110.00", actor=staff)

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "OVERPAID")
    assert payment.order.refund_due == usd("10.01")
    assert payment.refundable == usd("110.00")


def test_receipt_for_a_paid_payment_is_booked_as_surplus(shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    record(payment, "99.99", actor=staff, reference="STMT-2")

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "OVERPAID")
    assert payment.order.refund_due == usd("99.99")


def test_amount_far_above_the_amount_due_must_have_been_checked(shopper, staff):
    payment = start(user=shopper)
    with (
        pytest.raises(ReceiptExceedsDue, match=r"110\.00 USD is far more than the 99\.99 USD due"),
        transaction.atomic(),
    ):
        record(payment, "110.00", actor=staff, beyond_due=False)
    assert not Receipt.objects.exists()

    record(payment, "109.98", actor=staff, beyond_due=False)

    with pytest.raises(AlreadyRecorded), transaction.atomic():
        record(payment, "109.98", actor=staff, reference="STMT-1", beyond_due=False)
    with pytest.raises(ReceiptExceedsDue), transaction.atomic():
        record(payment, "0.01", actor=staff, reference="STMT-2", beyond_due=False)


def test_same_bank_reference_is_booked_once(shopper, staff):
    payment = start(user=shopper)
    record(payment, "50.00", actor=staff)

    with (
        pytest.raises(AlreadyRecorded, match=r"50\.00 USD .* already recorded by staff@"),
        transaction.atomic(),
    ):
        record(payment, "50.00", actor=staff, reference=" STMT-1 ")

    assert reread(payment).received_minor == 5000
    assert Receipt.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(0, "USD")},
        {"amount": Money(-100, "USD")},
        {"amount": Money(9999, "EUR")},
        {"value_date": timezone.localdate() + timedelta(days=2)},
        {"value_date": timezone.localdate().replace(year=26, day=1)},
        {"reference": "  "},
    ],
    ids=["zero", "negative", "other currency", "future date", "year of two digits", "no reference"],
)
def test_invalid_receipt_is_refused(shopper, staff, changes):
    payment = start(user=shopper)

    with pytest.raises(InvalidInput), transaction.atomic():
        record(payment, **{"amount": "99.99", "actor": staff} | changes)

    assert statuses_of(reread(payment)) == ("PENDING", "PENDING", "UNPAID")
    assert not Receipt.objects.exists()


@pytest.mark.parametrize("who", ["powerless_staff", "shopper", "seller"])
def test_receipt_needs_the_permission(shopper, request, who):
    payment = start(user=shopper)

    with pytest.raises(NoPermission), transaction.atomic():
        record(payment, "99.99", actor=request.getfixturevalue(who))

    assert not Receipt.objects.exists()


def test_permission_is_valid_only_for_staff(shopper, staff):
    payment = start(user=shopper)
    staff.role = "shopper"
    staff.save()

    with pytest.raises(NoPermission), transaction.atomic():
        record(payment, "99.99", actor=staff)


@pytest.mark.parametrize("by", ["user", "mail address"])
def test_staff_cannot_record_money_for_their_own_order(staff, by):
    payment = start(user=staff) if by == "user" else start(email="STAFF@example.test")

    with pytest.raises(OwnOrder), transaction.atomic():
        record(payment, "99.99", actor=staff)

    assert not Receipt.objects.exists()


def test_receipt_after_a_rejection_completes_the_payment(shopper, staff):
    payment = start(user=shopper)
    payment_reject(payment_id=payment.pk, reason="not found", actor=staff)

    record(payment, "99.99", actor=staff)

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")
    assert payment.failure_reason == ""


def test_partial_receipt_after_a_rejection_reopens_the_payment(shopper, staff):
    payment = start(user=shopper)
    payment_reject(payment_id=payment.pk, reason="not found", actor=staff)

    record(payment, "10.00", actor=staff)

    assert statuses_of(payment) == ("PENDING", "PENDING", "PARTIALLY_PAID")


def test_cash_on_delivery_is_booked_on_a_released_order(shopper, staff):
    payment = start(PaymentMethod.CASH_ON_DELIVERY, user=shopper)

    record(payment, "99.99", actor=staff, reference="cash box 7")

    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")


def test_each_receipt_has_its_own_staff_member(shopper, staff, admin_user):
    payment = start(user=shopper)

    record(payment, "50.00", actor=staff)
    record(payment, "49.99", actor=admin_user, reference="STMT-2")

    names = list(Receipt.objects.order_by("created_at").values_list("actor_name", flat=True))
    assert names == ["staff@example.test", "admin@example.test"]
    assert statuses_of(payment) == ("COMPLETED", "CONFIRMED", "PAID")


def test_partial_payment_is_kept_when_the_order_expires(shopper, staff, time_machine):
    payment = start(user=shopper)
    record(payment, "90.00", actor=staff)
    time_machine.move_to(payment.order.expires_at + timedelta(seconds=1))

    assert order_expire(order_id=payment.order_id)

    assert statuses_of(reread(payment)) == ("CANCELLED", "EXPIRED", "PARTIALLY_PAID")
    assert payment.order.refund_due == usd("90.00")
