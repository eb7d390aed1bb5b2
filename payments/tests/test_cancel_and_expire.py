"""Cancelling and expiring orders: permissions, returned stock, refunds and mails."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.catalog.models import StockMove
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.errors import NotFound
from orders.errors import NotCancellable, ParcelChanged
from orders.services.parcels import parcel_ship, parcel_start
from orders.tests.factories import place
from payments.bookkeeping.refunds import refund_finish
from payments.errors import AlreadyRecorded, NoPermission
from payments.lifecycle.cancel_and_expire import order_cancel, order_expire, orders_due_to_expire
from payments.methods import PaymentMethod
from payments.refunds.staff import refund_send
from payments.tests.factories import apply_card_captures, paid_by_card, record, reread, start, usd
from payments.tests.periodic import expire_orders

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

CASH = PaymentMethod.CASH_ON_DELIVERY


def cancel(payment, actor, reason=""):
    order_cancel(order_id=payment.order_id, reason=reason, actor=actor)
    return reread(payment)


def stock(product) -> int:
    product.refresh_from_db()
    return product.stock


def returns() -> int:
    return StockMove.objects.filter(kind="return").count()


def test_buyer_cancels_an_unpaid_order_and_its_stock_is_returned_once(shopper, bowl, mails):
    payment = start(items={bowl: 3}, user=shopper)
    assert stock(bowl) == 7

    cancel(payment, shopper, "too dear")
    cancel(payment, shopper, "too dear")

    assert (payment.status, payment.order.status) == ("CANCELLED", "CANCELLED")
    assert (stock(bowl), returns()) == (10, 1)
    [result] = [m for m in mails(shopper.email) if m.subject.endswith(": cancelled")]
    assert "You have not been charged." in result.body
    assert "too dear" in result.body


def test_buyer_can_cancel_cash_on_delivery_until_an_artisan_starts(shopper, bowl, seller, mails):
    payment = start(CASH, {bowl: 1}, user=shopper)

    cancel(payment, shopper)

    assert (payment.status, payment.order.status) == ("CANCELLED", "CANCELLED")
    assert stock(bowl) == 10
    assert payment.order.parcels.get().status == "CANCELLED"
    assert [m.subject.split(": ")[1] for m in mails(seller.email)] == [
        "new parcel to ship",
        "parcel cancelled, do not ship",
    ]
    assert "Reason" not in mails(shopper.email)[-1].body


def test_buyer_cannot_cancel_cash_on_delivery_after_shipping(shopper, bowl, seller):
    payment = start(CASH, {bowl: 1}, user=shopper)
    parcel_ship(parcel_id=payment.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, shopper)

    assert reread(payment).order.status == "SHIPPED"
    assert stock(bowl) == 9


@pytest.mark.parametrize("amount", ["99.99", "1.00"])
def test_buyer_cancels_a_paid_order_and_offline_money_becomes_a_refund_due(shopper, staff, bowl, amount):
    payment = start(items={bowl: 1}, user=shopper)
    record(payment, amount, actor=staff)

    cancel(payment, shopper)

    assert (payment.order.status, payment.order.refund_due) == ("CANCELLED", usd(amount))
    assert stock(bowl) == 10


def test_buyer_cannot_cancel_a_paid_order_once_an_artisan_has_started(shopper, staff, seller, bowl):
    payment = start(items={bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff)
    parcel_start(parcel_id=payment.order.parcels.get().pk, actor=seller)

    with pytest.raises(NotCancellable, match="contact us"), transaction.atomic():
        cancel(payment, shopper)

    assert reread(payment).order.status == "PROCESSING"


def test_buyer_who_cancels_gets_the_card_refund_at_the_same_time(stripe, shopper, bowl, mails):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper)

    cancel(payment, shopper, "too dear")

    refund = payment.refunds.get()
    assert (payment.order.status, refund.amount, refund.status) == ("CANCELLED", usd("99.99"), "REQUESTED")
    assert stripe.refunded() == [], "no refund is sent before the decision is committed"
    for _ in range(2):
        refund_send(refund)
    assert stripe.refunded() == [9999]
    assert (reread(payment).order.payment_status, payment.order.refund_due) == ("REFUNDED", usd("0.00"))
    cancel(payment, shopper)
    assert payment.refunds.count() == 1


def test_email_about_the_refund_of_an_order_cancelled_without_a_reason_names_none(
    stripe, shopper, bowl, mails
):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper)
    cancel(payment, shopper)

    refund = refund_send(payment.refunds.get())

    assert (refund.status, refund.reason) == ("COMPLETED", "")
    assert "Reason" not in mails(shopper.email)[-1].body


def test_staff_cancel_refund_and_restock_in_one_operation(stripe, shopper, staff, bowl, scarf, seller, mails):
    payment = paid_by_card(stripe, {bowl: 1, scarf: 1}, user=shopper)

    order_cancel(order_id=payment.order_id, reason="kiln broke", actor=staff, refund=True, seen_minor=13665)

    refund = refund_send(payment.refunds.get())
    assert (refund.status, refund.reason, refund.actor) == ("COMPLETED", "kiln broke", staff)
    assert (stock(bowl), stock(scarf), stripe.refunded()) == (10, 10, [13665])
    assert (reread(payment).order.status, payment.order.payment_status) == ("CANCELLED", "REFUNDED")
    assert [m.subject.split(": ")[1] for m in mails(seller.email)][-1] == "parcel cancelled, do not ship"
    assert AuditEntry.objects.filter(action="refund.open", actor=staff).count() == 1


def test_staff_cancel_chosen_parcels_and_refund_exactly_them(
    stripe, shopper, staff, bowl, scarf, seller, other_seller, mails
):
    payment = paid_by_card(stripe, {bowl: 1, scarf: 1}, user=shopper)
    gone, kept = (payment.order.parcels.get(artisan__user=user) for user in (seller, other_seller))

    order_cancel(order_id=payment.order_id, reason="broke", actor=staff, parcels=[gone.pk], refund=True)

    refund_send(payment.refunds.get())
    assert stripe.refunded() == [gone.total_minor]
    assert (stock(bowl), stock(scarf)) == (10, 9)
    kept.refresh_from_db()
    assert (reread(payment).order.status, kept.status, kept.instruction) == ("CONFIRMED", "NEW", "")
    assert "a parcel was cancelled" in [m.subject.split(": ")[1] for m in mails(shopper.email)]
    assert "parcel cancelled, do not ship" not in [
        m.subject.split(": ")[1] for m in mails(other_seller.email)
    ]


def test_parcel_shipped_meanwhile_stops_the_whole_operation(stripe, shopper, staff, bowl, scarf, seller):
    payment = paid_by_card(stripe, {bowl: 1, scarf: 1}, user=shopper)
    parcels = list(payment.order.parcels.values_list("pk", flat=True))
    parcel_ship(
        parcel_id=payment.order.parcels.get(artisan__user=seller).pk, carrier="x", tracking="", actor=seller
    )

    with pytest.raises(ParcelChanged), transaction.atomic():
        order_cancel(order_id=payment.order_id, reason="x", actor=staff, parcels=parcels, refund=True)

    assert not payment.refunds.exists()
    assert stock(scarf) == 9


def test_payment_changed_since_the_page_was_shown_stops_the_operation(stripe, shopper, staff, bowl):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper)

    with pytest.raises(AlreadyRecorded), transaction.atomic():
        order_cancel(order_id=payment.order_id, reason="x", actor=staff, refund=True, seen_minor=1)

    assert (reread(payment).order.status, payment.refunds.count()) == ("CONFIRMED", 0)


def test_failed_refund_after_cancelling_leaves_the_refund_due(stripe, shopper, staff, bowl):
    payment = paid_by_card(stripe, {bowl: 1}, user=shopper)
    order_cancel(order_id=payment.order_id, reason="x", actor=staff, refund=True)

    refund_finish(refund_id=payment.refunds.get().pk, remote=None, refusal="no balance")

    assert (reread(payment).order.status, payment.order.refund_due) == ("CANCELLED", payment.amount)
    assert stock(bowl) == 10


def test_cancelling_with_a_refund_needs_the_refund_permission(shopper, admin_user, bowl, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    payment = apply_card_captures(start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper))
    admin_user.is_superuser = False
    admin_user.save()
    admin_user.user_permissions.add(Permission.objects.get(codename="cancel_order"))
    clerk = type(admin_user).objects.get(pk=admin_user.pk)

    with pytest.raises(NoPermission, match="permission"), transaction.atomic():
        order_cancel(order_id=payment.order_id, reason="x", actor=clerk, refund=True)

    assert reread(payment).order.status == "CONFIRMED"


def test_staff_cancel_a_paid_order_and_the_refund_due_is_listed(shopper, staff, bowl, mails):
    payment = start(items={bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff)

    cancel(payment, staff, "kiln broke")

    assert (payment.status, payment.order.status, payment.order.payment_status) == (
        "COMPLETED",
        "CANCELLED",
        "PAID",
    )
    assert payment.order.refund_due == usd("99.99")
    assert stock(bowl) == 10
    [result] = [m for m in mails(shopper.email) if m.subject.endswith(": cancelled")]
    assert "We will refund the $99.99 that we received." in result.body
    assert AuditEntry.objects.filter(action="order.cancel", actor=staff).count() == 1


def test_staff_cannot_cancel_a_shipped_order(shopper, staff, seller, bowl):
    payment = start(items={bowl: 1}, user=shopper)
    record(payment, "99.99", actor=staff)
    parcel_ship(parcel_id=payment.order.parcels.get().pk, carrier="USPS", tracking="", actor=seller)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, staff)


def test_order_with_one_shipped_parcel_cannot_be_cancelled(shopper, staff, seller, bowl, scarf):
    payment = start(items={bowl: 1, scarf: 1}, user=shopper)
    record(payment, "136.65", actor=staff)
    mine = payment.order.parcels.get(artisan__user=seller)
    parcel_ship(parcel_id=mine.pk, carrier="USPS", tracking="", actor=seller)

    with pytest.raises(NotCancellable), transaction.atomic():
        cancel(payment, staff)

    assert reread(payment).order.status == "PROCESSING"
    assert stock(scarf) == 9


@pytest.mark.parametrize("who", ["stranger", "seller", "powerless_staff"])
def test_others_cannot_cancel(shopper, request, who, bowl):
    payment = start(items={bowl: 1}, user=shopper)

    with pytest.raises(NoPermission), transaction.atomic():
        cancel(payment, request.getfixturevalue(who))

    assert reread(payment).order.status == "PENDING"


def test_guest_order_cannot_be_cancelled_by_an_account(stranger):
    payment = start(email="guest@example.test")
    stranger.email = "guest@example.test"
    stranger.save()

    with pytest.raises(NoPermission), transaction.atomic():
        cancel(payment, stranger)


def test_cancelling_an_unknown_order_is_not_found(shopper):
    with pytest.raises(NotFound):
        order_cancel(order_id=shopper.pk, reason="", actor=shopper)


def test_order_expires_when_its_hold_ends_and_not_before(shopper, bowl, time_machine, mails):
    payment = start(items={bowl: 2}, user=shopper)
    time_machine.move_to(payment.order.expires_at - timedelta(seconds=5))
    assert not order_expire(order_id=payment.order_id)
    time_machine.move_to(payment.order.expires_at + timedelta(seconds=5))

    expired = [order_expire(order_id=payment.order_id) for _ in range(3)]

    assert expired == [True, False, False]
    assert (reread(payment).status, payment.order.status) == ("CANCELLED", "EXPIRED")
    assert (stock(bowl), returns()) == (10, 1)
    assert sum(": expired" in m.subject for m in mails(shopper.email)) == 1


def test_order_without_a_payment_expires_after_half_an_hour(bowl, time_machine):
    order = place({bowl: 1}).order
    time_machine.move_to(timezone.now() + timedelta(minutes=29))
    assert orders_due_to_expire() == []
    time_machine.move_to(timezone.now() + timedelta(minutes=2))

    expire_orders()

    order.refresh_from_db()
    assert order.status == "EXPIRED"
    assert stock(bowl) == 10


def test_unconfirmed_guest_loses_the_hold_after_two_hours(bowl, time_machine):
    payment = start(items={bowl: 1})
    time_machine.move_to(timezone.now() + timedelta(hours=2, seconds=1))

    expire_orders()

    assert reread(payment).order.status == "EXPIRED"
    assert stock(bowl) == 10


@pytest.mark.parametrize("method", [CASH, PaymentMethod.BANK_TRANSFER])
def test_confirmed_orders_never_expire(shopper, staff, method, time_machine):
    payment = start(method, user=shopper)
    if method != CASH:
        record(payment, "99.99", actor=staff)
    time_machine.move_to(timezone.now() + timedelta(days=90))

    expire_orders()

    assert reread(payment).order.status == "CONFIRMED"


def test_one_failing_order_does_not_stop_the_others(shopper, bowl, scarf, time_machine, broken_books):
    stuck, other = start(items={bowl: 1}, user=shopper), start(items={scarf: 1}, user=shopper)
    line = stuck.order.lines.get()
    StockMove.objects.create(
        product=bowl, kind="return", quantity=1, order_line=line.pk, reason="inserted by a test"
    )
    time_machine.move_to(timezone.now() + timedelta(days=11))

    expire_orders()

    assert reread(stuck).order.status == "PENDING"
    assert reread(other).order.status == "EXPIRED"


def test_products_of_all_parcels_are_locked_at_once(shopper):
    """Parcel by parcel, each other order with the same products could wait for this one, and this one for it."""
    products = [ProductFactory.create(stock=9, artisan=ArtisanFactory.create()) for _ in range(3)]
    payment = start(items=dict.fromkeys(products, 1), user=shopper)

    with CaptureQueriesContext(connection) as queries:
        order_cancel(order_id=payment.order_id, reason="", actor=shopper)

    first = next(query["sql"] for query in queries if 'FROM "catalog_product"' in query["sql"])
    assert all(product.pk.hex in first.replace("-", "") for product in products)
    assert [stock(product) for product in products] == [9, 9, 9]
