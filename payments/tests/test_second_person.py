"""Amounts above the store's limit need a second person's approval and are booked exactly as requested."""

import pytest
from django.urls import reverse

from artisans.approvals.errors import SecondPersonRequired
from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.approvals.statuses import ApprovalStatus
from orders.models import StoreRules
from orders.statuses import ParcelDecision
from payments.approvals import receipt_submit, refund_submit, return_submit
from payments.errors import AlreadyRecorded, OwnOrder, ReceiptExceedsDue
from payments.gateway.operations import provider_call_execute
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.lifecycle.cash import IncomingMoney
from payments.models import PaymentRefund, Receipt
from payments.refunds.staff import refund_retry
from payments.tests.factories import (
    give_back,
    paid_by_card,
    record,
    refund,
    reread,
    start,
    unit_selection,
    usd,
)

pytestmark = pytest.mark.django_db

LIMIT = 5000


@pytest.fixture(autouse=True)
def limited(store):
    StoreRules.objects.update(second_person_above_minor=LIMIT)


def submitted(payment, amount, actor, reference="STMT-1", **changes):
    amount = payment.amount.parse(amount, payment.currency)
    money = IncomingMoney(amount, payment.created_at.date(), reference)
    return receipt_submit(payment_id=payment.pk, money=money, actor=actor, **changes)


def test_receipt_above_the_limit_books_nothing_until_it_is_approved(shopper, staff, admin_user):
    payment = start(user=shopper)

    approval = submitted(payment, "99.99", staff)

    assert (approval.status, Receipt.objects.count()) == (ApprovalStatus.PENDING, 0)
    assert reread(payment).order.status == "PENDING"

    approval = approval_approve(approval_id=approval.pk, actor=admin_user)

    receipt = Receipt.objects.get()
    assert approval.status == ApprovalStatus.APPROVED
    assert (receipt.amount_minor, receipt.bank_reference, receipt.actor) == (9999, "STMT-1", staff)
    assert reread(payment).order.status == "CONFIRMED"


def test_receipt_up_to_the_limit_needs_no_approval(shopper, staff, admin_user):
    assert isinstance(submitted(start(user=shopper), "50.00", staff), Receipt)


def test_parts_are_added_up(shopper, staff, admin_user):
    payment = start(user=shopper)

    first = submitted(payment, "49.99", staff)
    second = submitted(reread(payment), "0.02", staff, "STMT-2")

    assert isinstance(first, Receipt)
    assert isinstance(second, ApprovalRequest)


@pytest.mark.parametrize("approver", ["none", "same"])
def test_service_refuses_an_unapproved_amount(shopper, staff, admin_user, approver):
    payment = start(user=shopper)

    with pytest.raises(SecondPersonRequired):
        record(payment, "99.99", actor=staff, approved_by=staff if approver == "same" else None)

    assert Receipt.objects.count() == 0


def test_checked_amount_is_booked_once_approved(shopper, staff, admin_user):
    payment = start(user=shopper)
    with pytest.raises(ReceiptExceedsDue):
        submitted(payment, "999.90", staff)
    assert not ApprovalRequest.objects.exists()

    approval = submitted(payment, "999.90", staff, beyond_due=True)
    approval_approve(approval_id=approval.pk, actor=admin_user)

    assert Receipt.objects.get().amount_minor == 99990


def test_other_errors_are_reported_before_an_approval_is_requested(shopper, staff, admin_user):
    submitted(start(user=shopper), "10.00", staff)

    with pytest.raises(AlreadyRecorded):
        submitted(start(user=shopper), "99.99", staff)

    assert not ApprovalRequest.objects.exists()


def test_approval_fails_when_the_payment_changed_since_the_request(shopper, staff, admin_user):
    payment = start(user=shopper)
    approval = submitted(payment, "99.99", staff)
    record(reread(payment), "20.00", actor=admin_user, reference="STMT-2")

    approval = approval_approve(approval_id=approval.pk, actor=admin_user)

    assert approval.status == ApprovalStatus.FAILED
    assert "20.00" in approval.note
    assert Receipt.objects.count() == 1


def test_staff_cannot_approve_for_their_own_order(staff, admin_user, shopper):
    payment = start(user=admin_user)
    approval = submitted(payment, "99.99", staff)

    with pytest.raises(OwnOrder):
        approval_approve(approval_id=approval.pk, actor=admin_user)

    assert Receipt.objects.count() == 0


def test_offline_refund_above_the_limit_waits_for_a_second_person(shopper, staff, admin_user):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff, approved_by=admin_user)
    payment = reread(payment)
    give_back(payment, "10.00", actor=staff)

    approval = return_submit(
        payment_id=payment.pk,
        amount=payment.amount.parse("45.00", payment.currency),
        value_date=payment.created_at.date(),
        bank_reference="OUT-2",
        reason="Goods came back.",
        actor=staff,
        beyond_owed=True,
    )
    assert PaymentRefund.objects.count() == 1

    approval_approve(approval_id=approval.pk, actor=admin_user)

    assert sorted(PaymentRefund.objects.values_list("amount_minor", flat=True)) == [1000, 4500]


def test_page_and_api_say_that_nothing_is_booked_yet(shopper, staff, admin_user, browser, api):
    payment = start(user=shopper)
    page = browser(staff).get(reverse("admin:payments_payment_record", args=[payment.pk]))
    form = page.context["form"]
    data = {name: form[name].value() for name in form.fields}
    posted = browser(staff).post(
        reverse("admin:payments_payment_record", args=[payment.pk]),
        {name: "" if value is None else value for name, value in data.items()} | {"bank_reference": "STMT-9"},
        follow=True,
    )
    assert "this needs a second person’s approval" in posted.content.decode()
    shown = browser(staff).get(reverse("admin:payments_payment_change", args=[payment.pk])).content.decode()
    assert "is awaiting approval by a second person" in shown

    ApprovalRequest.objects.all().delete()
    answer = api(staff).post(
        f"/payments/{payment.pk}/approve",
        {"amount": "99.99", "value_date": f"{payment.created_at:%Y-%m-%d}", "bank_reference": "STMT-8"},
    )

    assert answer.status_code == 202
    assert answer.json()["approval_id"] == str(ApprovalRequest.objects.get().pk)
    assert Receipt.objects.count() == 0


# ---- refunds through a provider ----------------------------------------------------------------------------


@pytest.fixture
def by_card(stripe, shopper, bowl):
    return paid_by_card(stripe, {bowl: 1}, user=shopper)


def refund_requested(payment, actor, **changes):
    return refund_submit(payment_id=payment.pk, reason="It broke.", actor=actor, **changes)


def worker(payment):
    """Execute the provider call that the approval's task would execute."""
    for call in payment.calls.filter(state="open"):
        provider_call_execute(call.pk)
    return reread(payment)


def test_refund_above_the_limit_is_sent_when_it_is_approved(by_card, stripe, staff, admin_user):
    parcel = by_card.order.parcels.get()
    amount = by_card.amount

    approval = refund_requested(by_card, staff, amount=amount, parcels={parcel.pk: ParcelDecision.CANCEL})

    assert (stripe.refunded(), PaymentRefund.objects.count()) == ([], 0)
    parcel.refresh_from_db()
    assert parcel.status == "NEW"
    assert "Cancel and restock" in approval.details

    approval_approve(approval_id=approval.pk, actor=admin_user)
    worker(by_card)

    parcel.refresh_from_db()
    assert (stripe.refunded(), parcel.status) == ([9999], "CANCELLED")
    assert PaymentRefund.objects.get().actor == staff


def test_refund_by_units_is_approved_as_it_was_requested(by_card, stripe, staff, admin_user):
    line = by_card.order.lines.get()

    approval = refund_requested(by_card, staff, items=unit_selection((line, 1), shipping=True))
    approval_approve(approval_id=approval.pk, actor=admin_user)
    worker(by_card)

    assert stripe.refunded() == [9999]
    assert PaymentRefund.objects.get().lines.get().order_line == line


def test_small_refunds_of_one_order_are_added_up(by_card, stripe, staff, admin_user):
    refund(by_card, "30.00", actor=staff)

    assert isinstance(refund_requested(by_card, staff, amount=usd("20.01")), ApprovalRequest)
    assert isinstance(refund_requested(by_card, staff, amount=usd("20.00")), PaymentRefund)


def refund_that_failed(payment, stripe, amount, actor):
    stripe.post("settings", refunds="refuse")
    failed = refund(payment, amount, actor=actor)
    worker(payment)
    stripe.post("settings", refunds="succeed")
    failed.refresh_from_db()
    assert failed.status == "FAILED"
    return failed


def test_failed_refund_is_not_retried_when_a_later_one_exceeds_the_limit_with_it(
    by_card, stripe, staff, admin_user
):
    failed = refund_that_failed(by_card, stripe, "49.00", staff)
    refund(by_card, "49.00", actor=staff)

    with pytest.raises(SecondPersonRequired):
        refund_retry(refund_id=failed.pk, actor=staff)

    assert sorted(PaymentRefund.objects.values_list("status", flat=True)) == ["COMPLETED", "FAILED"]
    assert reread(by_card).refunded == usd("49.00")


def test_failed_approved_refund_is_retried_without_another_approval(by_card, stripe, staff, admin_user):
    approval = refund_requested(by_card, staff, amount=by_card.amount)
    stripe.post("settings", refunds="refuse")
    approval_approve(approval_id=approval.pk, actor=admin_user)
    worker(by_card)
    stripe.post("settings", refunds="succeed")

    refund_retry(refund_id=PaymentRefund.objects.get().pk, actor=staff)

    assert worker(by_card).refunded == by_card.amount


def test_refund_is_not_approved_after_the_money_was_refunded_otherwise(by_card, stripe, staff, admin_user):
    approval = refund_requested(by_card, staff, amount=by_card.amount)
    refund(by_card, "10.00", actor=staff)

    approval = approval_approve(approval_id=approval.pk, actor=admin_user)

    assert approval.status == ApprovalStatus.FAILED
    assert stripe.refunded() == [1000]


def test_cancelling_a_paid_order_requests_approval_for_its_refund(by_card, stripe, staff, admin_user):
    order_cancel(order_id=by_card.order_id, reason="Kiln broke.", actor=staff, refund=True)

    assert (reread(by_card).order.status, stripe.refunded()) == ("CANCELLED", [])
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=admin_user)
    worker(by_card)

    assert stripe.refunded() == [9999]


def test_buyer_can_cancel_without_a_second_person(by_card, stripe, shopper, admin_user):
    order_cancel(order_id=by_card.order_id, reason="", actor=shopper)

    assert (PaymentRefund.objects.get().amount_minor, ApprovalRequest.objects.count()) == (9999, 0)


def test_refund_page_and_api_say_that_nothing_is_sent_yet(by_card, stripe, staff, admin_user, api):
    create_request = {"payment_id": str(by_card.pk), "amount": "99.99", "reason": "It broke."}
    headers = {"HTTP_IDEMPOTENCY_KEY": "one"}

    answers = [api(staff).post("/payments/refunds", create_request, **headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert (stripe.refunded(), ApprovalRequest.objects.count()) == ([], 1)
