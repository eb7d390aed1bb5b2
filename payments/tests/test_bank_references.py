"""A bank line, check or cash receipt counts once in the whole shop, whichever payment it is recorded on."""

import pytest
from django.db import transaction

from payments.bookkeeping.references import reference_key
from payments.errors import AlreadyRecorded
from payments.lifecycle.choose_method import payment_choose_method
from payments.methods import PaymentMethod
from payments.models import PaymentRefund, Receipt
from payments.tests.factories import give_back, record, reread, start, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.mark.parametrize("spelling", ["STMT-1", " stmt 1 ", "Stmt/1", "\uff33TMT\u20111", "stmt1"])
def test_bank_line_is_not_booked_again_after_the_buyer_switched_the_method(
    shopper, staff, admin_user, spelling
):
    payment = start(user=shopper)
    record(payment, "50.00", actor=staff, reference="STMT-1")
    payment_choose_method(order_id=payment.order_id, method=PaymentMethod.CHECK, actor=shopper)
    switched = payment.order.payments.get(status="PENDING")

    with pytest.raises(AlreadyRecorded) as refused, transaction.atomic():
        record(switched, "50.00", actor=admin_user, reference=spelling)

    for word in (payment.payment_number, payment.order.order_number, staff.email, "50.00 USD", "line 2"):
        assert word in refused.value.detail
    assert reread(payment).order.received == usd("50.00")


def test_bank_line_is_not_booked_on_two_orders(shopper, stranger, staff):
    record(start(user=shopper), "99.99", actor=staff, reference="LINE 7")

    with pytest.raises(AlreadyRecorded), transaction.atomic():
        record(start(user=stranger), "99.99", actor=staff, reference="line-7")

    assert Receipt.objects.count() == 1


def test_second_line_with_the_same_reference_is_recorded_with_a_suffix(shopper, stranger, staff):
    record(start(user=shopper), "99.99", actor=staff, reference="INV 12")
    other = start(user=stranger)

    record(other, "99.99", actor=staff, reference="INV 12 line 2")

    assert other.order.payment_status == "PAID"


def test_outgoing_transfer_is_not_recorded_on_two_payments(shopper, stranger, staff):
    first, second = start(user=shopper), start(user=stranger)
    for payment in (first, second):
        record(payment, "120.00", actor=staff)
    give_back(first, "20.01", actor=staff, reference="OUT 7")

    with pytest.raises(AlreadyRecorded, match=first.payment_number), transaction.atomic():
        give_back(second, "20.01", actor=staff, reference="out-7")

    assert PaymentRefund.objects.count() == 1


def test_database_refuses_a_reference_recorded_concurrently(shopper, stranger, staff, monkeypatch):
    payment = start(user=shopper)
    record(payment, "50.00", actor=staff, reference="LINE 7")
    seen = iter([None, Receipt.objects.get()])  # not there yet when we check, there when we write
    other = start(user=stranger)

    with monkeypatch.context() as patch:
        patch.setattr("payments.lifecycle.receipts.find_active_receipt", lambda key: next(seen))
        patch.setattr(Receipt.objects, "filter", lambda **_: Receipt.objects.none())
        with pytest.raises(AlreadyRecorded, match=payment.payment_number), transaction.atomic():
            record(other, "50.00", actor=staff, reference="LINE 7")


def test_normalized_key_keeps_letters_and_digits_of_every_script():
    assert [reference_key(text) for text in ("---", "", "№ 12", "ＡＢ１", "Überweisung ß")] == [
        "",
        "",
        "no12",
        "ab1",
        "überweisungss",
    ]
