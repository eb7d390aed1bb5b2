"""Recording offline refunds: booked once, never more than was received."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from payments.errors import AlreadyRecorded, NoPermission, OwnOrder, RefundExceedsReceived, ReturnExceedsOwed
from payments.lifecycle.choose_method import payment_choose_method
from payments.methods import PaymentMethod
from payments.models import PaymentRefund
from payments.refunds.manual import money_return_record
from payments.tests.factories import give_back, record, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def paid(shopper, staff):
    payment = start(user=shopper)
    record(payment, "110.00", actor=staff)
    return payment


def statuses_of(payment) -> tuple[str, str, str]:
    return payment.status, payment.order.status, payment.order.payment_status


def test_refunding_the_surplus_leaves_the_order_paid(paid, staff, mails, shopper):
    refund = give_back(paid, "10.01", actor=staff, reference="OUT-9")

    assert statuses_of(paid) == ("COMPLETED", "CONFIRMED", "PAID")
    assert (refund.status, paid.refunded) == ("COMPLETED", usd("10.01"))
    assert not paid.order.refund_due
    mail = mails(shopper.email)[-1]
    assert ("$10.01" in mail.body, "OUT-9" in mail.body) == (True, True)
    assert AuditEntry.objects.filter(action="money.return", actor=staff, target_id=paid.pk).exists()


def test_partial_and_full_refund_update_the_statuses(paid, staff):
    give_back(paid, "60.00", actor=staff)
    assert statuses_of(paid) == ("PARTIALLY_REFUNDED", "CONFIRMED", "PARTIALLY_REFUNDED")

    give_back(paid, "50.00", actor=staff, reference="OUT-2")

    assert statuses_of(paid) == ("REFUNDED", "CONFIRMED", "REFUNDED")
    assert not paid.refundable


def test_more_than_was_received_is_refused(paid, staff):
    give_back(paid, "100.00", actor=staff)

    with (
        pytest.raises(RefundExceedsReceived, match=r"10\.00 USD can still be refunded"),
        transaction.atomic(),
    ):
        give_back(paid, "10.01", actor=staff, reference="OUT-2")

    assert reread(paid).refunded == usd("100.00")
    assert PaymentRefund.objects.count() == 1


def test_more_than_the_refund_due_needs_confirmation(paid, staff):
    with pytest.raises(ReturnExceedsOwed, match=r"the 10\.01 USD due to the buyer"), transaction.atomic():
        give_back(paid, "10.02", actor=staff, beyond_owed=False)
    give_back(paid, "10.01", actor=staff, beyond_owed=False)

    with pytest.raises(ReturnExceedsOwed), transaction.atomic():
        give_back(paid, "0.01", actor=staff, beyond_owed=False)

    assert reread(paid).refunded == usd("10.01")


def test_surplus_of_two_payments_is_refunded_once(shopper, staff):
    first = start(user=shopper)
    record(first, "50.00", actor=staff)
    payment_choose_method(order_id=first.order_id, method=PaymentMethod.CHECK, actor=shopper)
    second = first.order.payments.get(status="PENDING")
    record(second, "60.00", actor=staff)
    give_back(second, "10.01", actor=staff, beyond_owed=False)

    with pytest.raises(ReturnExceedsOwed), transaction.atomic():
        give_back(first, "10.01", actor=staff, beyond_owed=False)

    assert reread(first).order.refunded == usd("10.01")


def test_same_reference_is_booked_once(paid, staff):
    give_back(paid, "10.00", actor=staff, reference="OUT-1")

    with pytest.raises(AlreadyRecorded), transaction.atomic():
        give_back(paid, "10.00", actor=staff, reference="OUT-1")

    assert reread(paid).refunded == usd("10.00")


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(0, "USD")},
        {"amount": Money(-1, "USD")},
        {"amount": Money(100, "EUR")},
        {"bank_reference": " "},
        {"reason": " "},
        {"value_date": timezone.localdate() + timedelta(days=2)},
    ],
    ids=["zero", "negative", "other currency", "no reference", "no reason", "future date"],
)
def test_invalid_refund_is_refused(paid, staff, changes):
    right = {
        "payment_id": paid.pk,
        "amount": usd("1"),
        "value_date": timezone.localdate(),
        "bank_reference": "OUT-1",
        "reason": "surplus",
        "actor": staff,
    }

    with pytest.raises(InvalidInput), transaction.atomic():
        money_return_record(**right | changes)

    assert not PaymentRefund.objects.exists()


def test_recording_a_refund_needs_the_permission(paid, powerless_staff):
    with pytest.raises(NoPermission), transaction.atomic():
        give_back(paid, "10.00", actor=powerless_staff)


def test_staff_cannot_record_a_refund_to_themselves(staff, admin_user):
    payment = start(user=staff)
    record(payment, "99.99", actor=admin_user)

    with pytest.raises(OwnOrder), transaction.atomic():
        give_back(payment, "10.00", actor=staff)


def test_unpaid_payment_cannot_be_refunded(shopper, staff):
    payment = start(user=shopper)

    with pytest.raises(RefundExceedsReceived), transaction.atomic():
        give_back(payment, "0.01", actor=staff)


def test_refunded_partial_payment_leaves_the_order_open_and_unpaid(shopper, staff):
    payment = start(user=shopper)
    record(payment, "40.00", actor=staff)

    give_back(payment, "40.00", actor=staff)

    assert statuses_of(payment) == ("PENDING", "PENDING", "REFUNDED")
    assert payment.order.balance_due == usd("99.99")

    record(payment, "99.98", actor=staff, reference="STMT-2")

    assert payment.status == "PENDING", "refunded money does not count"
    assert payment.order.balance_due == usd("0.01")
