"""Which steps of a checkout are recorded, and that recording never stops one."""

import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from artisans.accounts.tests.factories import PASSWORD
from artisans.core.changes import day_of
from artisans.core.models import ChangeMark, Heartbeat
from artisans.core.retention import RULES, purge
from artisans.core.security.tokens import order_token
from artisans.journeys import services
from artisans.journeys.models import COLUMNS, Channel, Journey, JourneyProblem, ProblemKind, Step
from artisans.journeys.retention import JOURNEY_RULES
from artisans.journeys.selectors import recorded_since
from artisans.journeys.services import (
    Visit,
    journey_place,
    journey_problems_add,
    journey_reach,
    journey_start,
)
from carts.journeys import TASK, journeys_abandon, journeys_complete
from carts.models import Cart
from orders.models import Order
from tests.checkout_client import CheckoutClient
from tests.rows import staff as staff_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def walk(client) -> CheckoutClient:
    return CheckoutClient(client)


def reached(journey: Journey) -> list[str]:
    return [step for step, column in COLUMNS.items() if getattr(journey, column)]


def problems() -> list[tuple[str, ...]]:
    rows = JourneyProblem.objects.order_by("pk")
    return list(rows.values_list("channel", "step", "kind", "code"))


def test_pages_record_the_first_time_of_each_step(walk, bowl, time_machine):
    walk.client.defaults["HTTP_SEC_CH_UA_MOBILE"] = "?1"
    walk.add(bowl, follow=False)
    journey = Journey.objects.get()
    assert (journey.channel, journey.device, journey.currency) == ("page", "narrow", "USD")
    assert reached(journey) == ["started"]
    assert recorded_since() > timezone.localdate(journey.started_at)

    walk.get("carts:cart")
    assert reached(Journey.objects.get()) == ["started", "cart"]
    walk.get("carts:checkout_details")
    first = Journey.objects.get().details_at
    walk.details()  # shows the payment step
    walk.get("carts:checkout_details")
    journey = Journey.objects.get()
    assert reached(journey) == ["started", "cart", "details", "delivery", "payment"]
    assert (journey.details_at, journey.delivery_country, journey.order_id) == (first, "US", None)

    walk.payment("bank_transfer")
    walk.press(walk.pay_form())
    journey, order = Journey.objects.get(), Order.objects.get()
    assert reached(journey) == list(Step)
    assert (journey.order_id, journey.placed_at) == (order.pk, order.created_at)
    assert (journey.is_signed_in, journey.is_staff, journey.is_backfilled) == (False, False, False)


def test_checkout_that_goes_on_after_an_hour_was_abandoned(walk, bowl, time_machine):
    begin = timezone.now()
    time_machine.move_to(begin, tick=False)
    walk.add(bowl, follow=False)
    values = []
    for minutes in (60, 61):
        time_machine.move_to(begin + timedelta(minutes=minutes), tick=False)
        journeys_abandon()
        values.append(Journey.objects.get().abandoned_minor)
    assert values == [None, bowl.price_minor]

    walk.get("carts:cart")

    journey = Journey.objects.get()
    assert (journey.was_abandoned, journey.abandoned_minor) == (True, None)


def test_each_step_costs_one_statement_and_only_once(walk, bowl):
    walk.add(bowl, follow=False)

    def spent(call) -> int:
        with CaptureQueriesContext(connection) as caught:
            call()
        return sum("journeys_" in query["sql"] for query in caught.captured_queries)

    assert [spent(lambda: walk.get("carts:cart")) for _ in range(2)] == [1, 0]
    assert [spent(lambda: walk.get("carts:checkout_details")) for _ in range(2)] == [1, 0]
    assert spent(lambda: walk.add(bowl, follow=False)) == 0
    walk.details()
    walk.payment("bank_transfer")
    form = walk.pay_form()
    assert spent(lambda: walk.press(form)) == 1
    assert spent(lambda: walk.press(form)) == 0


def test_api_records_carts_and_orders_in_one_call(api, shopper, bowl):
    client = api(shopper)
    rows = [{"product_id": str(bowl.pk), "quantity": 1}]
    cart = client.post("/carts/", {"items": rows}).json()["id"]
    assert reached(Journey.objects.get()) == ["started"]
    client.get(f"/carts/{cart}/checkout/summary")
    assert reached(Journey.objects.get())[-1] == "check"
    body = {"shipping_address": "1 Road", "payment_method": "bank_transfer"}
    assert client.post(f"/carts/{cart}/checkout", body).status_code == 201
    assert client.post("/orders/", body | {"order_items": rows}).status_code == 201

    journeys = {journey.cart_id: journey for journey in Journey.objects.all()}
    assert {order.pk for order in Order.objects.all()} == {row.order_id for row in journeys.values()}
    assert len(journeys) == 2
    assert all(reached(journey) == list(Step) for journey in journeys.values())
    assert {(row.channel, row.is_signed_in) for row in journeys.values()} == {("api", True)}


def test_problems_have_names_and_never_values(walk, api, shopper, bowl):
    walk.add(bowl, follow=False)
    walk.details(follow=False, email="not an address", city="")
    assert set(problems()) == {("page", "details", "form", name) for name in ("email", "city")}
    JourneyProblem.objects.all().delete()

    walk.details()
    walk.payment("bank_transfer")
    form = walk.pay_form()
    type(bowl).objects.filter(pk=bowl.pk).update(stock=0)
    assert walk.press(form).status_code == 409
    body = {"payment_method": "bank_transfer", "secret@shop.test": "x", "shipping_address": 5}
    client = api(shopper)
    cart = client.post("/carts/").json()["id"]
    assert client.post(f"/carts/{cart}/checkout", body).status_code == 400

    assert ("api", "check", "form", "validation_error") in problems()
    assert any(problem[:3] == ("page", "check", "cart_problem") for problem in problems())
    assert JourneyProblem.objects.filter(journey=None).count() == 1  # the cart never had an item


def test_unexpected_error_is_recorded_and_passed_on(walk, bowl, monkeypatch):
    walk.add(bowl, follow=False)
    walk.details()
    walk.payment("bank_transfer")
    form = walk.pay_form()

    def fail(**kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("carts.views.cart_checkout", fail)
    walk.client.raise_request_exception = False
    assert walk.press(form).status_code == 500
    assert problems()[-1] == ("page", "check", "server", "zerodivisionerror")


def test_failing_to_record_stops_nothing_and_is_logged(walk, bowl, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise DatabaseError

    monkeypatch.setattr(services, "insert", fail)
    monkeypatch.setattr(Journey.objects, "filter", fail)
    with caplog.at_level(logging.WARNING):
        order = walk.buy("bank_transfer", bowl)
    monkeypatch.undo()

    assert {record.message for record in caplog.records} >= {"journey_not_recorded"}
    assert not Journey.objects.exists()
    # Added at night, with what is known of it.
    Order.objects.filter(pk=order.pk).update(created_at=timezone.now() - overdue())
    assert journeys_complete() == 1
    journey = Journey.objects.get()
    assert (journey.is_backfilled, reached(journey), journey.order_id) == (True, ["placed"], order.pk)
    assert (journey.cart_id, recorded_since()) == (Cart.objects.get(order=order).pk, None)
    assert journeys_complete() == 0


def overdue():
    return timedelta(minutes=11)


def test_journey_that_misses_only_its_order_is_completed(walk, bowl):
    order = walk.buy("bank_transfer", bowl)
    Journey.objects.update(placed_at=None, order_id=None)
    Order.objects.filter(pk=order.pk).update(created_at=timezone.now() - overdue())
    ChangeMark.objects.all().delete()

    journeys_complete()

    journey = Journey.objects.get()
    assert [(mark.family, mark.day) for mark in ChangeMark.objects.all()] == [
        ("journeys", day_of(journey.started_at))
    ]
    assert (journey.order_id, journey.is_backfilled, reached(journey)) == (order.pk, False, list(Step))


def test_problems_stay_when_their_journey_is_purged_before_them():
    """Their figures are kept for as long as they are."""
    cart, visit = uuid4(), Visit(Channel.PAGE)
    journey_start(cart_id=cart, currency="USD", visit=visit)
    journey_problems_add(step=Step.CART, kind=ProblemKind.CART, codes=["x"], visit=visit, cart_id=cart)
    Journey.objects.update(last_at=timezone.now() - RULES["journeys"].kept - timedelta(days=1))

    assert [purge(rule).removed for rule in JOURNEY_RULES] == [1, 0]
    assert JourneyProblem.objects.get().journey is None


def test_completing_looks_no_further_back_than_needed(walk, bowl):
    walk.buy("bank_transfer", bowl)
    Journey.objects.all().delete()
    now = timezone.now()
    Order.objects.update(created_at=now - RULES["journeys"].kept - timedelta(days=1))
    assert journeys_complete() == 0
    Order.objects.update(created_at=now - timedelta(days=5))
    Heartbeat.objects.create(name=TASK, at=now, succeeded_at=now)
    assert journeys_complete() == 0
    Heartbeat.objects.all().delete()
    assert journeys_complete() == 1


def test_signing_in_continues_the_journey(client, shopper, bowl, scarf):

    walk = CheckoutClient(client)
    walk.add(bowl, follow=False)
    walk.details()
    began = Journey.objects.get()
    client.post(reverse("account_login"), {"login": shopper.email, "password": PASSWORD})

    journey = Journey.objects.get()
    assert (journey.pk, journey.started_at, journey.is_signed_in) == (began.pk, began.started_at, True)
    assert journey.cart_id == Cart.objects.get(user=shopper).pk

    client.post(reverse("account_logout"))
    other = CheckoutClient(type(client)())
    other.add(scarf, follow=False)
    other.client.post(reverse("account_login"), {"login": shopper.email, "password": PASSWORD})
    assert sorted(Journey.objects.values_list("is_merged", flat=True)) == [False, True]
    assert Journey.objects.get(is_merged=False).started_at == began.started_at


def test_carts_of_staff_are_marked(browser, bowl):
    walk = CheckoutClient(browser(staff_user()))
    walk.add(bowl, follow=False)
    assert Journey.objects.get().is_staff


@pytest.mark.parametrize("code", ["script_blocked", "script_slow", "offline", "element_error"])
def test_browser_reports_a_known_code(walk, bowl, code):
    order = walk.buy("bank_transfer", bowl)
    token = order_token(order.pk, order.token_version)
    answer = walk.client.post(reverse("carts:browser_problem"), {"code": code, "order": token})

    assert answer.status_code == 204
    assert problems() == [("page", "placed", "script", code)]
    assert JourneyProblem.objects.get().journey.order_id == order.pk


def test_browser_reports_are_limited_and_need_a_token(walk, client, settings):
    address = reverse("carts:browser_problem")
    assert client.post(address, {"code": "4242 4242"}).status_code == 400
    strict = type(client)(enforce_csrf_checks=True)
    assert strict.post(address, {"code": "offline"}).status_code == 403
    assert problems() == []
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"journey_problems_network": (1, 600)}
    answers = [client.post(address, {"code": "offline"}).status_code for _ in range(2)]
    assert (answers, len(problems())) == ([204, 429], 1)


def test_step_of_a_cart_without_a_journey_starts_one(shopper):
    """A cart that was filled by an earlier release, or whose first item was not recorded."""
    cart, visit = Cart.objects.create(user=shopper, currency="USD"), Visit("page")
    journey_reach(cart_id=cart.pk, step=Step.DETAILS, currency="USD", visit=visit)
    assert reached(Journey.objects.get()) == ["started", "cart", "details"]


def test_order_is_recorded_once(shopper):
    cart = Cart.objects.create(user=shopper, currency="USD")
    facts = {"placed_at": timezone.now(), "currency": "USD", "country": "US", "visit": Visit("page")}
    for _ in range(2):
        journey_place(cart_id=cart.pk, order_id=cart.pk, **facts)
    assert Journey.objects.count() == 1
