"""Money and goods move, and mails go out, on orders that an operator or an earlier release could have written.

What a constraint forbids (an unknown status, method, provider) cannot be stored on either database.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import models
from django.utils import timezone

from artisans.core.admin import page_of
from artisans.notifications.models import MailState, Notification
from artisans.notifications.services import notification_send, notifications_sweep
from orders.addresses import address_lines
from orders.countries import KNOWN
from orders.models import Order, OrderTransition, Parcel
from orders.tests.factories import ADDRESS
from payments.methods import PaymentMethod
from payments.services.closing import order_cancel, order_expire, parcel_cannot_deliver
from payments.tests.factories import give_back, record, reread, start, told_by_card
from tests.test_access import clients, lines, things  # noqa: F401  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "broken_books")]

ODD = {
    "unknown words": ("Nowhere", "ZZZ", {"country": "UK", "name": {"first": None}, "$": "money"}),
    "wrong shapes, huge and hostile": ("<b>\u202e" + "x" * 20_000, "usd", [["US"], 7]),
}


def test_money_and_goods_move_on_odd_orders(bowl, shopper, staff, seller, settings):
    """Settled, expired, cancelled, refunded, not deliverable; by hand and by card."""
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    settings.MAX_OPEN_ORDERS = 99
    bowl.stock = 99
    bowl.save()
    for _, currency, address in ODD.values():
        by_hand = [start(pieces={bowl: 1}, user=shopper) for _ in range(3)]
        card = start(PaymentMethod.CREDIT_CARD, {bowl: 1}, user=shopper)
        orders = Order.objects.filter(pk__in=[payment.order_id for payment in (*by_hand, card)])
        orders.update(shipping_address=models.Value(address, models.JSONField()))
        Parcel.objects.filter(order__in=orders).update(currency=currency)
        for order in orders:
            OrderTransition.objects.create(
                order=order, old="NOWHERE", new="ELSEWHERE", cause="x", actor_name="x"
            )
        settled, expired, cancelled = by_hand

        record(settled, settled.amount, actor=staff, reference=f"STMT-{settled.pk}")
        told_by_card(card)
        give_back(settled, "1.00", actor=staff, reference=f"OUT-{settled.pk}")
        parcel_cannot_deliver(parcel_id=settled.order.parcels.get().pk, reason="kiln broke", actor=seller)
        orders.filter(pk=expired.order_id).update(expires_at=timezone.now() - timedelta(minutes=1))
        assert order_expire(order_id=expired.order_id)
        order_cancel(order_id=cancelled.order_id, reason="changed my mind", actor=shopper)

        reached = [reread(payment).order.status for payment in (*by_hand, card)]
        assert reached == ["CANCELLED", "EXPIRED", "CANCELLED", "CONFIRMED"], address
    for row in Notification.objects.filter(state=MailState.WAITING):
        assert notification_send(row.pk), row
    assert Notification.objects.exclude(state=MailState.SENT).count() == 0


@pytest.mark.parametrize(
    "context", [None, [], 7, {}, {"$": "gone"}, {"order_link": 7}, {"store": "x", "order": None}]
)
def test_mail_that_cannot_be_written_stops_no_other_and_is_shown_to_staff(
    bowl, shopper, browser, admin_user, context
):
    start(pieces={bowl: 1}, user=shopper)
    start(pieces={bowl: 1}, user=shopper)
    odd, fine = Notification.objects.order_by("created_at")[:2]
    Notification.objects.filter(pk=odd.pk).update(context=models.Value(context, models.JSONField()))

    notifications_sweep()

    fine.refresh_from_db()
    odd.refresh_from_db()
    assert fine.state == MailState.SENT
    office = browser(admin_user)
    assert office.get(page_of(odd)).status_code == 200
    assert office.get("/admin/notifications/notification/?delivery=stuck").status_code == 200
    assert odd.state == MailState.SENT or odd.last_error


def test_address_has_lines_for_every_country():
    for code in KNOWN:
        shown = " ".join(address_lines(ADDRESS | {"country": code}))  # some countries write in capitals
        assert ADDRESS["line1"].upper() in shown.upper(), code
