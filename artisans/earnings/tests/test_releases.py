"""When earnings are released, and what stops it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.earnings.doctor import check_releases
from artisans.earnings.holds import HoldRequest, hold_end, hold_place
from artisans.earnings.models import Hold, HoldReason
from artisans.earnings.releases import order_release_earnings, orders_with_due_earnings
from artisans.earnings.tasks import release_task
from artisans.earnings.tests.conftest import figures
from artisans.ledger.models import EntryKind, LedgerEntry
from orders.models import Parcel
from orders.services.parcels import parcel_ship
from orders.statuses import ParcelInstruction
from payments.bookkeeping.ledger import find_ledger_errors
from payments.models import Earning, EarningStatus, PaymentRefund, RefundDecision
from payments.providers.contract import RemoteRefund, RemoteRefundStatus
from payments.refunds.staff import refund_decide
from payments.tests.factories import apply_card_captures, usd

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

WHOLE, NOTHING = "91.44", "0.00"
PENDING, RELEASED = (WHOLE, NOTHING, NOTHING), (NOTHING, WHOLE, NOTHING)


def test_earnings_are_released_some_days_after_delivery(sell, deliver, later, potter):
    deliver(sell())
    later(days=14, seconds=-1)
    assert figures(potter) == PENDING

    later(seconds=1)

    assert figures(potter) == RELEASED
    assert Earning.objects.get().released_at == timezone.now()
    assert LedgerEntry.objects.filter(kind=EntryKind.RELEASE).count() == 1


def test_earnings_are_released_later_if_nobody_reports_the_delivery(sell, later, potter):
    parcel_ship(parcel_id=sell().order.parcels.get().pk, carrier="USPS", tracking="", actor=potter.user)
    later(days=30, seconds=-1)
    assert figures(potter) == PENDING

    later(seconds=1)

    assert figures(potter) == RELEASED


def test_earnings_of_parcels_that_were_not_shipped_stay_pending(sell, later, potter):
    sell()
    later(days=400)
    assert figures(potter) == PENDING


def test_days_follow_the_store_rules(sell, deliver, later, potter, store):
    store.hold_days = store.return_days = 3
    store.save()
    deliver(sell())
    later(days=3)
    assert figures(potter) == RELEASED


def test_a_second_run_and_a_clock_that_is_set_back_change_nothing(released, later, potter):
    released()
    entries = LedgerEntry.objects.count()

    release_task()
    later(days=-20)
    later(days=40)

    assert figures(potter) == RELEASED
    assert LedgerEntry.objects.count() == entries


def test_one_artisan_is_released_before_another(sell, later, potter, other_seller, scarf):
    payment = sell(scarf=1)
    mine = payment.order.parcels.get(artisan=potter)
    parcel_ship(parcel_id=mine.pk, carrier="USPS", tracking="", actor=potter.user)
    later(days=30)

    statuses = dict(Earning.objects.values_list("parcel", "status"))

    assert statuses.pop(mine.pk) == EarningStatus.RELEASED
    assert set(statuses.values()) == {EarningStatus.PENDING}


def test_an_open_dispute_of_the_order_stops_the_release(sell, deliver, later, potter, dispute):
    payment = sell()
    deliver(payment)
    dispute(payment, "10.00", "open")
    later(days=20)
    assert figures(potter) == PENDING

    dispute(payment, "10.00", "won")
    release_task()

    assert figures(potter) == RELEASED


def test_a_refund_that_awaits_a_decision_stops_the_release(sell, deliver, later, potter, staff):
    payment = sell()
    deliver(payment)
    made = RemoteRefund("re_1", usd("10.00"), RemoteRefundStatus.SUCCEEDED)
    apply_card_captures(payment, refunds=(made,))
    later(days=20)
    assert Earning.objects.get().status == EarningStatus.PENDING

    refund_decide(refund_id=PaymentRefund.objects.get().pk, decision=RefundDecision.NOTHING, actor=staff)
    release_task()

    assert Earning.objects.get().status == EarningStatus.RELEASED


def test_a_parcel_that_is_to_come_back_is_not_released(sell, deliver, later, potter):
    deliver(sell())
    Parcel.objects.update(instruction=ParcelInstruction.RETURN)
    later(days=20)
    assert figures(potter) == PENDING


@pytest.mark.parametrize("is_about_order", [True, False])
def test_a_hold_by_staff_stops_the_release_until_it_ends(
    sell, deliver, later, potter, admin_user, is_about_order
):
    payment = sell()
    deliver(payment)
    request = HoldRequest(
        amount=usd("0"),
        reason=HoldReason.STAFF,
        note="We check the photos.",
        stops_releases=True,
        order=payment.order if is_about_order else None,
    )
    hold = hold_place(artisan_id=potter.pk, request=request, actor=admin_user)
    later(days=20)
    assert figures(potter) == PENDING

    hold_end(hold_id=hold.pk, actor=admin_user)
    release_task()

    assert figures(potter) == RELEASED


def test_a_hold_about_one_order_releases_the_others(sell, deliver, later, potter, admin_user):
    held, free = sell(), sell()
    for payment in (held, free):
        deliver(payment)
    request = HoldRequest(
        amount=usd("0"), reason=HoldReason.STAFF, note="x", stops_releases=True, order=held.order
    )
    hold_place(artisan_id=potter.pk, request=request, actor=admin_user)

    later(days=20)

    assert figures(potter) == (WHOLE, WHOLE, NOTHING)


def test_one_order_that_fails_does_not_stop_the_others(sell, deliver, later, potter, monkeypatch, caplog):
    payments = [sell() for _ in range(3)]
    for payment in payments:
        deliver(payment)
    broken = sorted(payment.order_id for payment in payments)[0]

    def release_unless_broken(order_id):
        if order_id == broken:
            raise RuntimeError("a damaged row")
        return order_release_earnings(order_id)

    with monkeypatch.context() as patch:
        patch.setattr("artisans.earnings.tasks.order_release_earnings", release_unless_broken)
        later(days=15)
        assert figures(potter) == (WHOLE, "182.88", NOTHING)
        assert "earnings_release_failed" in caplog.text
        later(hours=4)
        [result] = check_releases()
        assert (result.state, result.value) == ("problem", "1")

    release_task()

    assert list(orders_with_due_earnings()) == []
    [result] = check_releases()
    assert result.state == "ok"


def test_a_part_of_each_release_is_held_back_as_a_reserve_for_some_days(released, later, potter, store):
    store.reserve_ppm, store.reserve_days = 100_000, 90
    store.save()

    released()

    assert figures(potter) == (NOTHING, "82.30", "9.14")
    hold = Hold.objects.get()
    assert hold.until == timezone.now() + timedelta(days=90)
    later(days=90, seconds=-1)
    assert figures(potter)[2] == "9.14"
    later(seconds=1)
    assert figures(potter) == RELEASED
    assert list(find_ledger_errors()) == []
