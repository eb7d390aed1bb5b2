"""The demo's year is trade as the shop would have done it: its books add up, and nobody hears of it."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Max, Min
from django.utils import timezone

from artisans.catalog.models import Product, StockMove, StockMoveKind
from artisans.core.invariants import find_violations
from artisans.journeys.models import Journey
from artisans.notifications.models import Notification
from carts.management.commands import demo_data
from carts.management.demo_year import DemoYear
from orders.models import Order
from payments.models import (
    Earning,
    PaymentAttempt,
    PaymentRefund,
    ProviderCall,
    ProviderRequest,
    WebhookEvent,
)
from payments.tests.factories import start
from tests import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def year(bowl, scarf, settings, time_machine) -> DemoYear:
    time_machine.move_to("2026-11-30 12:00:00", tick=False)  # the year depends on the day
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    for product in (bowl, scarf):
        kind, units = StockMoveKind.ADJUST, product.stock
        StockMove.objects.create(product=product, kind=kind, quantity=units, reason="opening stock")
    staff = rows.superuser()
    staff.email = "admin@demo.test"
    staff.save(update_fields=["email"])
    return DemoYear(orders=60, say=[].append)


def stock() -> dict[Any, int]:
    return dict(Product.objects.values_list("pk", "stock"))


def test_year_of_trade(year):
    before, now = stock(), timezone.now()

    made = year.make()

    assert (made, Order.objects.count()) == ({"orders": 60, "abandoned": 90}, 60)
    assert Journey.objects.filter(order_id__isnull=False).count() == 60
    assert Journey.objects.filter(order_id__isnull=False, was_abandoned=True).exists()
    assert Journey.objects.filter(abandoned_minor__gt=0).count() == 90
    first, last = Order.objects.aggregate(first=Min("created_at"), last=Max("created_at")).values()
    assert first < now - timedelta(days=180) < last <= now
    assert timezone.now() == now
    assert set(Earning.objects.values_list("status", flat=True)) >= {"pending", "released"}
    assert PaymentRefund.objects.filter(status="COMPLETED").exists()
    assert set(PaymentAttempt.objects.values_list("outcome", flat=True)) >= {"succeeded", "declined"}
    assert PaymentAttempt.objects.filter(three_d_secure="authenticated").exists()
    assert ProviderRequest.objects.exists()
    assert WebhookEvent.objects.exists()
    assert not ProviderCall.objects.filter(state="open").exists()  # nothing is asked of the provider
    assert not Notification.objects.exists()
    assert stock() == before
    call_command("ledger", "check")
    assert list(find_violations()) == []


def test_year_that_fails_leaves_nothing(year, monkeypatch):
    monkeypatch.setattr(year, "abandon", lambda: 1 / 0)
    before = stock()

    with pytest.raises(ZeroDivisionError):
        year.make()

    assert (stock(), Order.objects.count(), Notification.objects.count()) == (before, 0, 0)
    assert timezone.now() == year.end


@pytest.mark.parametrize(
    ("age", "orders", "text"), [(8, 10, "has orders of the past already"), (0, 0, "one order at least")]
)
def test_year_is_refused(settings, time_machine, age, orders, text):
    time_machine.move_to(timezone.now() - timedelta(days=age), tick=False)
    start()
    time_machine.shift(timedelta(days=age))
    with pytest.raises(CommandError, match=text):
        demo_data.Command().year(orders)


def test_year_is_only_for_the_demo(settings):
    with pytest.raises(CommandError, match="DEMO=true"):
        call_command("demo_data", year=True)
