"""Refunds made in the provider's dashboard: booked at once; staff decide what they were for."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product
from artisans.core.errors import InvalidInput
from orders.errors import NotCancellable
from orders.services.parcels import parcel_ship
from payments.bookkeeping.refund_amounts import RefundLineInput
from payments.errors import NoPermission, NotDecidable, NotRetryable, RefundExceedsReceived
from payments.gateway.payments import payment_sync
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.models import FlagKind, Payment, PaymentFlag, PaymentRefund, RefundDecision, RefundLine
from payments.refunds.staff import refund_decide, refund_retry
from payments.selectors import refunds_to_decide
from payments.tests.factories import paid_by_card, refund, reread
from payments.tests.periodic import process_due
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "stripe")]

NOTHING, RESTOCK, CANCEL = RefundDecision.NOTHING, RefundDecision.RESTOCK, RefundDecision.CANCEL


@pytest.fixture(scope="module", autouse=True)
def shared_paid(module_db, module_stripe) -> Payment:
    rows.store()
    return paid_by_card(module_stripe, {rows.bowl(): 2}, user=rows.shopper())


@pytest.fixture
def paid(shared_paid, stripe):
    return Payment.objects.get(pk=shared_paid.pk)


def sync(payment):
    payment_sync(payment.pk, cause="test")
    return reread(payment)


def dashboard(stripe, payment, amount: int):
    stripe.post("stripe/refund", payment_intent=payment.provider_payment_id, amount=amount)
    sync(payment)
    return PaymentRefund.objects.get(origin="provider")


def stock(product) -> int:
    return Product.objects.values_list("stock", flat=True).get(pk=product.pk)


@pytest.fixture
def outside(paid, stripe):
    return dashboard(stripe, paid, 5000)


def test_external_refund_is_booked_once_and_awaits_a_decision(paid, outside, mails, shopper, bowl):
    before = stock(bowl)
    sync(paid)
    process_due()

    assert list(refunds_to_decide()) == [outside]
    assert (outside.status, outside.amount_minor, paid.refunded_minor) == ("COMPLETED", 5000, 5000)
    assert (paid.status, paid.order.payment_status) == ("PARTIALLY_REFUNDED", "PARTIALLY_REFUNDED")
    assert (paid.order.status, stock(bowl)) == ("CONFIRMED", before)
    assert ["refund of" in m.subject for m in mails(shopper.email)].count(True) == 1


def test_decision_without_consequences_resolves_the_refund(paid, outside, staff, bowl):
    before = stock(bowl)

    refund_decide(refund_id=outside.pk, decision=NOTHING, actor=staff)

    assert not refunds_to_decide().exists()
    assert (reread(paid).order.status, stock(bowl)) == ("CONFIRMED", before)
    assert AuditEntry.objects.get(action="refund.decide").actor == staff
    with pytest.raises(NotDecidable), transaction.atomic():
        refund_decide(refund_id=outside.pk, decision=NOTHING, actor=staff)


def test_decision_that_units_were_returned_restocks_them_once(paid, outside, staff, bowl):
    before, line = stock(bowl), paid.order.lines.get()

    refund_decide(refund_id=outside.pk, decision=RESTOCK, actor=staff, lines=(RefundLineInput(line.pk, 1),))
    sync(paid)

    assert stock(bowl) == before + 1
    line.refresh_from_db()
    assert (line.refundable_quantity, RefundLine.objects.get().quantity) == (1, 1)


def test_restock_needs_units_and_other_decisions_none(paid, outside, staff):
    line = RefundLineInput(paid.order.lines.get().pk, 1)

    for decision, lines in ((RESTOCK, ()), (NOTHING, (line,)), (RefundDecision.PENDING, ())):
        with pytest.raises(InvalidInput), transaction.atomic():
            refund_decide(refund_id=outside.pk, decision=decision, actor=staff, lines=lines)

    assert refunds_to_decide().count() == 1


def test_decision_to_cancel_cancels_the_order_and_leaves_the_rest_as_refund_due(
    paid, outside, staff, bowl, mails, shopper
):
    before = stock(bowl)

    refund_decide(refund_id=outside.pk, decision=CANCEL, actor=staff)

    assert (reread(paid).order.status, stock(bowl)) == ("CANCELLED", before + 2)
    assert paid.order.refund_due.minor == paid.received_minor - 5000
    outside.refresh_from_db()
    assert outside.decision == CANCEL
    assert "We will refund" in mails(shopper.email)[-1].body


def test_cancelled_fully_refunded_order_shows_the_refund(paid, stripe, staff, mails, shopper):
    whole = dashboard(stripe, paid, paid.received_minor)

    refund_decide(refund_id=whole.pk, decision=CANCEL, actor=staff)

    body = mails(shopper.email)[-1].body
    assert "We refunded $193.98" in body
    assert "not been charged" not in body


def test_shipped_order_cannot_be_cancelled_by_a_decision(paid, outside, staff, seller):
    parcel_ship(parcel_id=paid.order.parcels.get().pk, carrier="", tracking="", actor=seller)

    with pytest.raises(NotCancellable):
        refund_decide(refund_id=outside.pk, decision=CANCEL, actor=staff)

    assert refunds_to_decide().count() == 1


def test_refund_of_a_closed_order_needs_no_decision(paid, stripe, staff):
    order_cancel(order_id=paid.order_id, reason="kiln broke", actor=staff)

    whole = dashboard(stripe, paid, paid.received_minor)

    assert (whole.decision, paid.order.refund_due.minor) == ("", 0)


def test_deciding_needs_the_permission(outside, powerless_staff):
    with pytest.raises(NoPermission), transaction.atomic():
        refund_decide(refund_id=outside.pk, decision=NOTHING, actor=powerless_staff)


def test_external_refund_reduces_the_refundable_amount(paid, outside, staff, stripe):
    left = paid.received_minor - 5000
    with pytest.raises(RefundExceedsReceived), transaction.atomic():
        refund(paid, f"{(left + 1) // 100}.{(left + 1) % 100:02}", actor=staff)

    refund(paid, f"{left // 100}.{left % 100:02}", actor=staff)

    assert (paid.status, sum(stripe.refunded())) == ("REFUNDED", paid.received_minor)


def test_failed_external_refund_needs_no_decision(shopper, bowl, staff, stripe):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper, card="refundFail")
    failed = dashboard(stripe, payment, 9999)
    assert payment.status == "REFUNDED"

    stripe.run_jobs()
    sync(payment)

    failed.refresh_from_db()
    assert (failed.status, failed.decision, payment.status) == ("FAILED", "", "COMPLETED")
    assert PaymentFlag.objects.get().kind == FlagKind.REFUND_FAILED
    with pytest.raises(NotRetryable), transaction.atomic():
        refund_retry(refund_id=failed.pk, actor=staff)


def test_dashboard_and_staff_refund_at_once_never_exceed_the_captured_amount(
    paid, staff, stripe, time_machine
):
    """Our refund is decided, but someone in the dashboard is faster: ours is refused, theirs is booked."""
    stripe.fault("drop_before", path="/v1/refunds", method="POST", count=1)
    ours = refund(paid, "150", actor=staff)
    stripe.post("stripe/refund", payment_intent=paid.provider_payment_id, amount=15000)
    sync(paid)
    assert PaymentFlag.objects.get().kind == FlagKind.CONFLICT
    assert not refunds_to_decide().exists()

    time_machine.move_to(timezone.now() + timedelta(minutes=2))
    process_due()

    ours.refresh_from_db()
    assert (ours.status, stripe.refunded()) == ("FAILED", [15000])
    assert (reread(paid).refunded_minor, paid.refund_reserved_minor) == (15000, 0)
    assert refunds_to_decide().get().amount_minor == 15000
