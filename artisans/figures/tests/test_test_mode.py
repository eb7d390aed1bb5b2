"""Test money counts while the shop has nothing else, and is left out once it is live."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from artisans.core.models import ChangeMark
from artisans.core.test_mode import is_test_mode
from artisans.figures.counting import find_differences, is_purged, marks_drain
from artisans.figures.days import Period, today
from artisans.figures.evaluate import days_uncounted
from artisans.figures.families import FAMILIES
from artisans.figures.registry import METRICS
from artisans.figures.tests import test_values
from artisans.figures.tests.test_counting import BEGIN, ZONES, all_pairs
from artisans.figures.tests.test_rows import check_rows
from artisans.figures.tests.test_values import check_all, tables_of_live_mode
from artisans.journeys.models import Journey, JourneyProblem
from carts.journeys import journeys_abandon
from orders.models import Order
from payments.gateway.connection import provider
from payments.methods import PaymentMethod
from payments.models import Payment, ProviderRequest, WebhookEvent
from payments.providers.contract import ProviderEvent
from payments.tests.factories import apply_card_captures, start
from payments.webhooks.inbox import webhook_receive

migration = import_module("payments.migrations.0049_fill_test_mode")
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def go_live(settings):
    def switch() -> None:
        settings.STRIPE_SECRET_KEY = "sk_live_of_nobody"

    return switch


def test_figures_before_and_after_the_shop_goes_live(
    trade,
    at_once,
    go_live,
    settings,
    time_machine,
    monkeypatch,
    admin_user,
):
    settings.TIME_ZONE = ZONES[0]
    now = BEGIN

    def work(steps: int) -> None:
        nonlocal now
        for _ in range(steps):
            now += timedelta(minutes=trade.random.choice([10, 90, 200]))
            time_machine.move_to(now, tick=False)
            trade.step()
            journeys_abandon()  # as the worker does every five seconds
        marks_drain()

    work(320)
    check_all(ZONES[0], has_all_facts=False)
    check_rows(admin_user, has_all_facts=False)

    go_live()
    trade.is_live = True
    whole = Period(BEGIN.date(), today())
    assert days_uncounted(METRICS["payment_success_rate"], whole) > 1
    work(320)

    for model in (Payment, Order, Journey, JourneyProblem, ProviderRequest, WebhookEvent):
        assert set(model.objects.values_list("is_test", flat=True)) == {True, False}, model
    monkeypatch.setattr(test_values, "TABLES", tables_of_live_mode())
    check_all(ZONES[0], has_all_facts=False)
    check_rows(admin_user, has_all_facts=False)
    kept = [pair for pair in all_pairs() if not is_purged(FAMILIES[pair.family], pair.day)]
    assert list(find_differences(kept)) == []


@pytest.mark.parametrize(
    ("keys", "is_test"),
    [
        ({}, False),
        ({"DEMO": True}, True),
        ({"STRIPE_SECRET_KEY": "sk_test_x"}, True),
        ({"STRIPE_SECRET_KEY": "sk_live_x"}, False),
        ({"STRIPE_SECRET_KEY": "sk_live_x", "DEMO": True}, False),
    ],
)
def test_offline_payment_is_of_the_mode_of_the_shop(bowl, settings, keys, is_test):
    for name, value in keys.items():
        setattr(settings, name, value)

    payment = start(items={bowl: 1})

    assert (is_test_mode(), payment.is_test, payment.order.is_test) == (is_test,) * 3


def test_provider_with_test_keys_moves_test_money_in_a_live_shop(bowl, settings):
    settings.PAYPAL_CLIENT_ID = settings.PAYPAL_CLIENT_SECRET = "live"
    settings.PAYPAL_MODE = "live"
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    assert not is_test_mode()

    card = start(PaymentMethod.CREDIT_CARD, {bowl: 1})
    offline = start(items={bowl: 1}, email="b@example.test")

    assert (card.is_test, card.order.is_test) == (True, True)
    assert (offline.is_test, offline.order.is_test) == (False, False)


def test_payment_that_was_started_with_test_keys_and_paid_with_live_ones_is_real(bowl, settings, go_live):
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    payment = start(PaymentMethod.CREDIT_CARD, {bowl: 1})
    assert payment.is_test

    go_live()
    assert provider("stripe").is_live
    payment = apply_card_captures(payment, is_live=True)

    assert (payment.is_test, payment.order.is_test) == (False, False)


def fill() -> None:
    """As the migration does, for rows of the release before."""
    for model in (Payment, Order, Journey, JourneyProblem, ProviderRequest, WebhookEvent):
        model.objects.update(is_test=False)
    ChangeMark.objects.all().delete()
    for operation in migration.Migration.operations:
        if isinstance(operation, migration.Fill):
            operation.run(connection)
    migration.note_days(apps, None)


def hear_of(payment: Payment, *, is_live: bool) -> None:
    event = ProviderEvent(f"evt_{payment.pk.hex}", "charge.updated", ("pi",), is_live=is_live)
    webhook_receive(name="stripe", provider_event=event)
    WebhookEvent.objects.filter(event_id=event.event_id).update(payment=payment)


def test_earlier_rows_of_a_live_shop_are_known_by_their_events(bowl, go_live):
    go_live()
    test, real = (start(PaymentMethod.CREDIT_CARD, {bowl: 1}, email=f"{n}@example.test") for n in range(2))
    hear_of(test, is_live=False)
    hear_of(real, is_live=True)

    fill()

    for model in (Payment, WebhookEvent, Order):
        assert model.objects.filter(is_test=True).count() == 1, model
    assert Payment.objects.get(is_test=True) == test
    assert set(ChangeMark.objects.values_list("family", "day")) == {("messages", today())}


def test_earlier_rows_of_a_test_shop_are_test_money(bowl, settings):
    start(items={bowl: 1})
    settings.STRIPE_SECRET_KEY = "sk_test_x"

    fill()

    assert (Payment.objects.get().is_test, Order.objects.get().is_test) == (True, True)
