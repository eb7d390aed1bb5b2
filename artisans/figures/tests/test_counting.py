"""Cells are what the facts say: after each change, in both clock changes, and whatever fails."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from artisans.core.changes import changes_note, day_of
from artisans.core.heartbeats import heartbeat_record
from artisans.core.models import ChangeMark
from artisans.figures.counting import (
    DRAIN,
    Pair,
    day_count,
    figures_check,
    find_differences,
    marked_pairs,
    marks_drain,
    recent_pairs,
    uncounted_pairs,
)
from artisans.figures.days import DAY, span_of, today
from artisans.figures.evaluate import first_days
from artisans.figures.families import FAMILIES, PAYMENTS, Family, cells_of
from artisans.figures.metrics import marks_backlog
from artisans.figures.models import CountedDay, JourneyCell, PaymentCell, ProblemCell
from artisans.journeys.models import Channel, ProblemKind, Step
from artisans.journeys.services import Visit, journey_problems_add, journey_reach, journey_start
from payments.bookkeeping.fraud_warnings import fraud_warning_record
from payments.bookkeeping.payments import payment_move
from payments.gateway.operations import mark_call_stuck
from payments.methods import PaymentMethod
from payments.statuses import PaymentStatus
from payments.tests.factories import start

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

ZONES = ("Europe/Berlin", "America/New_York")
BEGIN = datetime(
    2026, 10, 23, 20, 0, tzinfo=UTC
)  # both zones change their clocks in the ten days that follow


def all_pairs() -> list[Pair]:
    days = [BEGIN.date() - DAY + n * DAY for n in range(60)]
    return [Pair(name, day) for name in FAMILIES for day in days if day <= today()]


def test_checkouts_of_earlier_days_are_counted_after_an_outage_of_the_worker(time_machine):
    cart, visit = uuid4(), Visit(Channel.PAGE)
    time_machine.move_to(BEGIN, tick=False)
    journey_start(cart_id=cart, currency="USD", visit=visit)
    time_machine.move_to(BEGIN + timedelta(days=3), tick=False)
    marks_drain()
    heartbeat_record(DRAIN)
    time_machine.move_to(BEGIN + timedelta(days=3, minutes=1), tick=False)
    journey_reach(cart_id=cart, step=Step.CART, currency="USD", visit=visit)

    time_machine.move_to(BEGIN + timedelta(days=3, hours=5), tick=False)
    marks_drain()

    cell = JourneyCell.objects.get()
    assert (cell.day, cell.cart, cell.abandoned) == (day_of(BEGIN), 1, 1)


def test_facts_without_marks_are_counted_after_an_outage_of_days(time_machine):
    def meet(code: str) -> None:
        visit = Visit(Channel.PAGE)
        journey_problems_add(step=Step.CART, kind=ProblemKind.CART, codes=[code], visit=visit)

    time_machine.move_to(BEGIN, tick=False)
    meet("out_of_stock")
    marks_drain()
    heartbeat_record(DRAIN)
    time_machine.move_to(BEGIN + timedelta(hours=1), tick=False)
    meet("price_changed")

    time_machine.move_to(BEGIN + timedelta(days=4), tick=False)
    marks_drain()

    cells = ProblemCell.objects.order_by("code").values_list("day", "code", "problems")
    assert list(cells) == [(day_of(BEGIN), "out_of_stock", 1), (day_of(BEGIN), "price_changed", 1)]


def test_counting_after_an_outage_goes_on_where_it_was_killed(time_machine):
    time_machine.move_to(BEGIN, tick=False)
    marks_drain()
    heartbeat_record(DRAIN)
    time_machine.move_to(BEGIN + timedelta(days=4), tick=False)
    missed = [pair for pair in recent_pairs() if pair.family == "problems"]
    assert [pair.day for pair in missed] == [day_of(BEGIN) + n * DAY for n in range(-1, 5)]
    for pair in missed[:3]:
        day_count(pair)

    time_machine.move_to(BEGIN + timedelta(days=4, minutes=5), tick=False)

    assert [pair for pair in recent_pairs() if pair.family == "problems"] == missed[3:]


def test_first_day_is_that_of_the_oldest_fact_of_any_kind(bowl):
    """Warnings may come without a dispute."""
    payment = start(items={bowl: 1})
    fraud_warning_record(payment=payment, warning_id="issfr_1", fraud_type="", warned_at=BEGIN)

    assert Pair("disputes", day_of(BEGIN)) in uncounted_pairs()
    assert first_days(["disputes"]) == {"disputes": day_of(BEGIN)}


def test_payments_without_a_response_are_lost_for_that_reason(bowl, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    given_up, stuck, left = (
        start(PaymentMethod.CREDIT_CARD, {bowl: 1}, email=f"b{n}@example.test") for n in range(3)
    )
    given_up.failure_code = "given_up"
    mark_call_stuck(stuck.calls.get(), stuck)
    for payment in (given_up, stuck, left):
        payment_move(payment, PaymentStatus.CANCELLED, cause="test")

    marks_drain()

    cells = PaymentCell.objects.order_by("cause").values_list("cause", "lost")
    assert list(cells) == [("cancelled", 1), ("provider_silent", 2)]


@pytest.mark.parametrize("zone", ZONES)
def test_drained_equals_counted_anew_after_each_step(trade, at_once, settings, time_machine, zone):
    settings.TIME_ZONE = zone
    now = BEGIN
    for number in range(180):
        now += timedelta(minutes=trade.random.choice([1, 7, 50, 200]))
        if number == 90:
            now = BEGIN + timedelta(
                days=9
            )  # what follows changes facts of days that nobody counts again by itself
        time_machine.move_to(now, tick=False)
        trade.step()
        if number % 15 == 14:
            marks_drain()
            assert list(find_differences(all_pairs())) == [], number
    assert not ChangeMark.objects.exists()
    assert PaymentCell.objects.filter(switched__gt=0).exists()
    assert {cells for family in FAMILIES.values() if not (cells := family.model).objects.exists()} == set()


def test_days_have_23_24_and_25_hours(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 24), 24), (date(2026, 10, 25), 25)):
        span = span_of(day)
        assert (span.end.astimezone(UTC) - span.start.astimezone(UTC)) == timedelta(hours=hours)
        assert span.end == span_of(day + DAY).start


def test_mark_of_a_change_that_was_rolled_back_does_not_exist(bowl):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        changes_note(("payments", timezone.now()))
        raise ZeroDivisionError
    assert not ChangeMark.objects.exists()


def test_day_rests_after_it_was_counted_but_keeps_its_mark(bowl):
    start(items={bowl: 1})
    marks_drain()
    CountedDay.objects.update(milliseconds=5000)
    changes_note(("payments", timezone.now()))
    assert list(marked_pairs()) == []
    assert marks_drain() == 0
    assert ChangeMark.objects.exists()
    CountedDay.objects.update(milliseconds=0)
    assert marks_drain() == 1
    assert not ChangeMark.objects.exists()


def test_marks_of_a_newer_release_wait_for_it(at_once, monkeypatch):
    """Web workers of the new release write them while this one still drains, or it came back after a rollback."""
    family = FAMILIES["orders"]
    monkeypatch.delitem(FAMILIES, "orders")
    changes_note(("orders", BEGIN), ("payments", BEGIN))
    marks_drain()
    assert set(ChangeMark.objects.values_list("family", flat=True)) == {"orders"}
    assert marks_backlog().size == 0
    monkeypatch.setitem(FAMILIES, "orders", family)
    assert marks_backlog().size == 1
    marks_drain()
    assert not ChangeMark.objects.exists()


def test_failure_counts_other_days_and_keeps_the_mark(bowl, monkeypatch, at_once):
    start(items={bowl: 1})

    def fail(*args):
        raise ZeroDivisionError

    broken = Family("payments", 1, PaymentCell, (fail,), (PAYMENTS,))
    changes_note(("payments", timezone.now()), ("orders", timezone.now()))
    monkeypatch.setitem(FAMILIES, "payments", broken)
    marks_drain()
    assert set(ChangeMark.objects.values_list("family", flat=True)) == {"payments"}
    assert not PaymentCell.objects.exists()
    monkeypatch.undo()
    marks_drain()
    assert PaymentCell.objects.get().open == 1


def test_new_definition_or_zone_is_counted_from_the_newest_day(bowl, settings, time_machine):
    for days in (3, 1, 0):
        time_machine.move_to(BEGIN + timedelta(days=10 - days), tick=False)
        start(items={bowl: 1}, email=f"b{days}@example.test")
    marks_drain()
    assert list(uncounted_pairs()) == []
    settings.TIME_ZONE = "Asia/Tokyo"
    waiting = [pair.day for pair in uncounted_pairs() if pair.family == "payments"]
    assert waiting == sorted(waiting, reverse=True)
    assert len(waiting) == 4
    call_command("figures", "build")
    assert list(uncounted_pairs()) == []


def test_days_before_the_horizon_are_never_counted_again(settings, time_machine, trade):
    time_machine.move_to(BEGIN, tick=False)
    trade.begin()
    marks_drain()
    family, day = FAMILIES["journeys"], today()
    kept = cells_of(family, span_of(day))
    assert kept
    time_machine.move_to(BEGIN + timedelta(days=500), tick=False)
    changes_note(("journeys", day))
    trade.carts.clear()
    assert day_count(Pair("journeys", day)) is False
    assert not ChangeMark.objects.exists()
    assert family.model.objects.filter(day=day).count() == len(kept)


def test_check_names_what_differs(bowl, time_machine, caplog):
    time_machine.move_to(BEGIN, tick=False)
    start(items={bowl: 1})
    time_machine.move_to(BEGIN + timedelta(days=1), tick=False)
    marks_drain()
    assert figures_check() == []
    PaymentCell.objects.update(open=2)
    [difference] = figures_check()
    assert (difference.family, difference.stored["open"], difference.counted["open"]) == ("payments", 2, 1)
    assert "figures_differ" in caplog.text
    with pytest.raises(SystemExit):
        call_command("figures", "check")
    changes_note(("payments", BEGIN))  # is about to be counted
    assert figures_check() == []
