"""Refunds through the provider: reserved first, sent once, released only by a definite refusal."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.core.errors import InvalidInput
from artisans.core.money import Money
from orders.models import Order
from payments.errors import (
    AlreadyRecorded,
    NoPermission,
    NotRetryable,
    OwnOrder,
    PaymentDisputed,
    RecordedOnly,
    RefundExceedsReceived,
)
from payments.gateway.payments import payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.methods import PaymentMethod
from payments.models import CallState, FlagKind, Payment, PaymentFlag, PaymentRefund
from payments.refunds.staff import refund_open, refund_retry, refund_send
from payments.tests.factories import paid_by_card, record, refund, reread, start, usd
from payments.tests.periodic import process_due
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]


@pytest.fixture(scope="module", autouse=True)
def shared_paid(module_db, module_stripe) -> Payment:
    rows.store()
    return paid_by_card(module_stripe, {rows.bowl(): 1}, user=rows.shopper())


@pytest.fixture
def paid(shared_paid, stripe):
    return Payment.objects.get(pk=shared_paid.pk)


def sync(payment):
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def sums(payment) -> tuple[str, int, int, int]:
    return payment.status, payment.refunded_minor, payment.refund_reserved_minor, payment.refundable.minor


def subjects(mails, person) -> list[str]:
    return [m.subject.partition(": ")[2] for m in mails(person.email)]


# ---- basic refunds ------------------------------------------------------------------------------------------


def test_full_refund_is_sent_once_and_mailed_to_the_buyer(paid, stripe, staff, mails, shopper):
    done = refund(paid, "99.99", actor=staff)

    assert (done.status, sums(paid)) == ("COMPLETED", ("REFUNDED", 9999, 0, 0))
    assert (paid.order.status, paid.order.payment_status) == ("CONFIRMED", "REFUNDED")
    assert (stripe.refunded(), done.provider_refund_id[:3]) == ([9999], "re_")
    assert subjects(mails, shopper)[-1] == "refund of $99.99 sent"
    assert "The bowl was chipped." in mails(shopper.email)[-1].body
    assert AuditEntry.objects.get(action="refund.open").actor == staff


def test_partial_refunds_reach_the_last_cent_and_no_further(paid, stripe, staff):
    for amount in ("33.33", "33.33", "33.32"):
        refund(paid, amount, actor=staff)
    assert sums(paid) == ("PARTIALLY_REFUNDED", 9998, 0, 1)
    with pytest.raises(RefundExceedsReceived, match=r"0\.01 USD can still be refunded") as refused:
        refund(paid, "0.02", actor=staff)
    assert refused.value.extra == {"left": "0.01"}

    refund(paid, "0.01", actor=staff)

    assert sums(paid) == ("REFUNDED", 9999, 0, 0)
    assert stripe.refunded() == [3333, 3333, 3332, 1]


def test_amount_is_a_multiple_of_the_orders_step_or_all_that_is_left(paid, staff):
    refund(paid, "10.00", actor=staff)
    Order.objects.filter(pk=paid.order_id).update(step_minor=3)

    with pytest.raises(InvalidInput, match=r"multiples of \$0\.03, or all that is left: \$89\.99"):
        refund(paid, "10.00", actor=staff)
    refund(paid, "9.99", actor=staff)
    refund(paid, "80.00", actor=staff)

    assert sums(paid) == ("REFUNDED", 9999, 0, 0)


def test_amount_is_reserved_before_the_provider_is_called(paid, stripe, staff):
    refund_open(payment_id=paid.pk, amount=usd("60"), reason="first", actor=staff)

    assert sums(reread(paid)) == ("COMPLETED", 0, 6000, 3999)
    with pytest.raises(RefundExceedsReceived):
        refund_open(payment_id=paid.pk, amount=usd("60"), reason="second", actor=staff)
    assert stripe.refunded() == []

    process_due()

    assert sums(reread(paid)) == ("PARTIALLY_REFUNDED", 6000, 0, 3999)


def test_double_submission_refunds_once(paid, stripe, staff):
    refund(paid, "10", actor=staff, seen_minor=0)

    with pytest.raises(AlreadyRecorded, match="has changed"):
        refund(paid, "10", actor=staff, seen_minor=0)

    assert stripe.refunded() == [1000]


@pytest.mark.parametrize("amount", [usd("0"), Money(-1, "USD"), Money(100, "EUR"), None])
def test_invalid_amount_is_refused(paid, staff, amount):
    with pytest.raises(InvalidInput), transaction.atomic():
        refund_open(payment_id=paid.pk, amount=amount, reason="x", actor=staff)


def test_reason_is_required(paid, staff):
    with pytest.raises(InvalidInput, match="reason"), transaction.atomic():
        refund_open(payment_id=paid.pk, amount=usd("1"), reason=" ", actor=staff)


def test_refunding_needs_the_permission(paid, shopper, powerless_staff):
    for person in (shopper, powerless_staff):
        with pytest.raises(NoPermission), transaction.atomic():
            refund(paid, "1", actor=person)


def test_staff_cannot_refund_their_own_order(stripe, staff):
    own = paid_by_card(stripe, user=staff)

    with pytest.raises(OwnOrder), transaction.atomic():
        refund(own, "1", actor=staff)


def test_offline_payment_cannot_be_refunded_through_a_provider(shopper, staff):
    payment = start(user=shopper)
    record(payment, "99.99", actor=staff)

    with pytest.raises(RecordedOnly), transaction.atomic():
        refund(payment, "1", actor=staff)


def test_unpaid_payment_cannot_be_refunded(stripe, shopper, staff):
    payment = start(PaymentMethod.CREDIT_CARD, user=shopper)

    with pytest.raises(RefundExceedsReceived), transaction.atomic():
        refund(payment, "0.01", actor=staff)


def test_cancelled_order_has_a_refund_due_until_the_refund_succeeds(paid, staff, bowl):
    order_cancel(order_id=paid.order_id, reason="kiln broke", actor=staff)
    assert reread(paid).order.refund_due == usd("99.99")

    refund(paid, "99.99", actor=staff)

    assert not paid.order.refund_due
    assert paid.order.status == "CANCELLED"


# ---- pending, failed and unknown ----------------------------------------------------------------------------


def test_pending_refund_is_processing_until_the_provider_finishes(
    stripe, shopper, staff, mails, time_machine
):
    payment = paid_by_card(stripe, user=shopper, card="pendingRefund")

    done = refund(payment, "40", actor=staff)

    assert (done.status, sums(payment)) == ("PROCESSING", ("COMPLETED", 0, 4000, 5999))
    assert "refund of $40.00 sent" not in subjects(mails, shopper)
    stripe.run_jobs()
    time_machine.move_to(timezone.now() + timedelta(hours=2))
    process_due()  # even without a webhook

    assert sums(reread(payment)) == ("PARTIALLY_REFUNDED", 4000, 0, 5999)
    assert payment.next_check_at is None
    assert subjects(mails, shopper)[-1] == "refund of $40.00 sent"


def test_refund_that_fails_after_succeeding_releases_the_amount(stripe, shopper, staff, mails):
    payment = paid_by_card(stripe, user=shopper, card="refundFail")
    done = refund(payment, "99.99", actor=staff)
    assert (done.status, payment.status, payment.order.payment_status) == (
        "COMPLETED",
        "REFUNDED",
        "REFUNDED",
    )

    stripe.run_jobs()
    sync(payment)

    done.refresh_from_db()
    assert (done.status, sums(payment)) == ("FAILED", ("COMPLETED", 0, 0, 9999))
    assert payment.order.payment_status == "PAID"
    assert PaymentFlag.objects.get().kind == FlagKind.REFUND_FAILED
    assert subjects(mails, shopper)[-2:] == ["refund of $99.99 sent", "refund delayed"]


def test_immediately_failed_refund_is_not_mailed_to_the_buyer(paid, stripe, staff, mails, shopper):
    stripe.post("settings", refunds="refuse")

    done = refund(paid, "99.99", actor=staff)
    sync(paid)

    done.refresh_from_db()
    assert (done.status, sums(paid)) == ("FAILED", ("COMPLETED", 0, 0, 9999))
    assert PaymentFlag.objects.get().kind == FlagKind.REFUND_FAILED
    assert not [subject for subject in subjects(mails, shopper) if "refund" in subject]


def test_failed_refund_is_retried_as_a_new_refund(paid, stripe, staff):
    stripe.post("settings", refunds="refuse")
    failed = refund(paid, "50", actor=staff)
    sync(paid)
    stripe.post("settings", refunds="succeed")

    again = refund_send(refund_retry(refund_id=failed.pk, actor=staff))

    assert (again.status, again.retry_of, again.amount, again.reason) == (
        "COMPLETED",
        failed,
        usd("50"),
        failed.reason,
    )
    assert sums(reread(paid)) == ("PARTIALLY_REFUNDED", 5000, 0, 4999)
    for old in (failed, again):
        with pytest.raises(NotRetryable), transaction.atomic():
            refund_retry(refund_id=old.pk, actor=staff)


def test_retried_refund_holds_the_parcel_while_pending(paid, stripe, staff):
    parcel = paid.order.parcels.get()
    stripe.post("settings", refunds="refuse")
    failed = refund(paid, "99.99", actor=staff)
    sync(paid)
    parcel.refresh_from_db()
    assert parcel.instruction == ""

    refund_retry(refund_id=failed.pk, actor=staff)

    parcel.refresh_from_db()
    assert parcel.instruction == "hold"


@pytest.mark.parametrize("action", ["drop_before", "drop_after", "error_after", "truncate", "html", "empty"])
def test_unknown_outcome_is_retried_with_the_same_key(paid, stripe, staff, time_machine, action):
    stripe.fault(action, path="/v1/refunds", method="POST")

    done = refund(paid, "30", actor=staff)
    assert (done.status, sums(paid)) == ("REQUESTED", ("COMPLETED", 0, 3000, 6999))

    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    process_due()

    done.refresh_from_db()
    assert (done.status, sums(reread(paid))) == ("COMPLETED", ("PARTIALLY_REFUNDED", 3000, 0, 6999))
    assert stripe.refunded() == [3000]
    keys = {row["idempotency_key"] for row in stripe.journal("refund.created")}
    assert keys == {done.calls.get().key}


def test_refund_unanswered_for_a_day_is_read_and_not_repeated(paid, stripe, staff, time_machine):
    stripe.fault("drop_after", path="/v1/refunds", method="POST")
    done = refund(paid, "30", actor=staff)

    time_machine.move_to(timezone.now() + timedelta(hours=24))
    process_due()

    done.refresh_from_db()
    assert (done.status, stripe.refunded()) == ("COMPLETED", [3000])


def test_refund_that_never_reached_the_provider_fails_after_a_day(paid, stripe, staff, time_machine):
    stripe.fault("drop_before", path="/v1/refunds", method="POST", count=None)
    done = refund(paid, "30", actor=staff)

    time_machine.move_to(timezone.now() + timedelta(hours=24))
    process_due()

    done.refresh_from_db()
    assert (done.status, sums(reread(paid))) == ("FAILED", ("COMPLETED", 0, 0, 9999))
    assert done.calls.get().state == CallState.REFUSED


def test_webhook_before_the_answer_makes_one_refund(paid, stripe, staff, time_machine):
    """The provider's webhook is processed while the answer to our call is lost."""
    stripe.fault("drop_after", path="/v1/refunds", method="POST")
    done = refund(paid, "30", actor=staff)

    sync(paid)
    assert PaymentRefund.objects.get().status == "COMPLETED"
    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    process_due()

    done.refresh_from_db()
    assert (done.status, sums(reread(paid))) == ("COMPLETED", ("PARTIALLY_REFUNDED", 3000, 0, 6999))
    assert (PaymentRefund.objects.count(), stripe.refunded()) == (1, [3000])


# ---- disputes -----------------------------------------------------------------------------------------------


def dispute(stripe, payment):
    return stripe.post("stripe/dispute", payment_intent=payment.provider_payment_id, reason="fraudulent")


def close(stripe, row, verdict: str):
    stripe.post("stripe/close_dispute", dispute=row["id"], outcome=verdict)


def test_open_dispute_blocks_refunds_and_is_flagged(paid, stripe, staff):
    dispute(stripe, paid)
    sync(paid)

    with pytest.raises(PaymentDisputed), transaction.atomic():
        refund(paid, "1", actor=staff)

    assert PaymentFlag.objects.get().kind == FlagKind.DISPUTE
    assert sums(paid) == ("COMPLETED", 0, 0, 9999)


def test_lost_dispute_counts_like_a_refund_until_won(paid, stripe, staff):
    row = dispute(stripe, paid)
    close(stripe, row, "lost")
    sync(paid)

    assert (sums(paid), paid.disputed_minor) == (("REFUNDED", 0, 0, 0), 9999)
    assert (paid.order.payment_status, paid.order.status) == ("REFUNDED", "CONFIRMED")
    with pytest.raises(RefundExceedsReceived), transaction.atomic():
        refund(paid, "0.01", actor=staff)


def test_refund_and_lost_dispute_never_exceed_the_captured_amount(paid, stripe, staff):
    """The bank takes the rest while our refund is waiting for its answer."""
    stripe.fault("drop_before", path="/v1/refunds", method="POST", count=1)
    refund(paid, "60", actor=staff)
    close(stripe, dispute(stripe, paid), "lost")

    sync(paid)

    assert (paid.disputed_minor, paid.refund_reserved_minor) == (3999, 6000)
    assert set(PaymentFlag.objects.values_list("kind", flat=True)) == {FlagKind.DISPUTE, FlagKind.CONFLICT}


def test_refund_refused_after_a_lost_dispute_leaves_the_full_loss_counted(paid, stripe, staff, time_machine):
    stripe.fault("drop_before", path="/v1/refunds", method="POST", count=1)
    refund(paid, "60", actor=staff)
    close(stripe, dispute(stripe, paid), "lost")
    sync(paid)

    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    process_due()

    assert PaymentRefund.objects.get().status == "FAILED"
    assert (reread(paid).disputed_minor, sums(paid)) == (9999, ("REFUNDED", 0, 0, 0))
    assert stripe.refunded() == []
