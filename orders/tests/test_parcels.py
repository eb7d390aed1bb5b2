"""Artisans ship their parcels; the order status follows; unpaid parcels cannot be shipped."""

import pytest
from django.db import transaction

from artisans.audit.models import AuditEntry
from artisans.core.errors import Conflict, IllegalTransition
from orders.errors import NotReleased
from orders.models import ParcelTransition
from orders.selectors import parcels_of_artisan
from orders.services.parcels import parcel_deliver, parcel_report_cash, parcel_ship
from orders.services.settlement import order_release
from orders.tests.factories import place

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def released(bowl, scarf, shopper):
    placed = place({bowl: 2, scarf: 1}, user=shopper, note="ring twice")
    order_release(placed, cause="test", collect_cash=True)
    return placed


def ship(parcel, actor, **changes):
    parcel_ship(**{"parcel_id": parcel.pk, "carrier": "USPS", "tracking": "T-1", "actor": actor} | changes)


def status(placed) -> str:
    placed.order.refresh_from_db()
    return placed.order.status


def test_order_status_follows_its_parcels(released, seller, other_seller):
    mine, theirs = released.parcels
    ship(mine, seller)
    assert status(released) == "PROCESSING"
    ship(theirs, other_seller)
    assert status(released) == "SHIPPED"
    parcel_deliver(parcel_id=mine.pk, actor=seller)
    assert status(released) == "SHIPPED"
    parcel_deliver(parcel_id=theirs.pk, actor=other_seller)
    assert status(released) == "DELIVERED"

    rows = ParcelTransition.objects.filter(parcel=mine).values_list("old", "new", "actor_name")
    assert list(rows) == [
        ("NEW", "PACKED", seller.email),
        ("PACKED", "SHIPPED", seller.email),
        ("SHIPPED", "DELIVERED", seller.email),
    ]
    assert AuditEntry.objects.filter(action="parcel.move", actor=seller).count() == 2


def test_unpaid_order_is_not_shipped(bowl, seller):
    placed = place({bowl: 1})

    with pytest.raises(NotReleased), transaction.atomic():
        ship(placed.parcels[0], seller)

    assert status(placed) == "PENDING"


def test_parcel_is_shipped_and_delivered_once(released, seller):
    mine, _ = released.parcels
    with pytest.raises(IllegalTransition), transaction.atomic():
        parcel_deliver(parcel_id=mine.pk, actor=seller)
    ship(mine, seller)
    with pytest.raises(IllegalTransition), transaction.atomic():
        ship(mine, seller, tracking="T-2")

    mine.refresh_from_db()
    assert (mine.status, mine.tracking) == ("SHIPPED", "T-1")


def test_buyer_gets_a_mail_for_each_parcel_with_its_lines(released, seller, other_seller, mails, shopper):
    mine, theirs = released.parcels
    ship(mine, seller)
    ship(theirs, other_seller, tracking="T-2")

    first, second = (m for m in mails(shopper.email) if "on its way" in m.subject)
    assert ("Moss bowl" in first.body, "Tide scarf" in first.body, "T-1" in first.body) == (True, False, True)
    assert ("Moss bowl" in second.body, "Tide scarf" in second.body, "T-2" in second.body) == (
        False,
        True,
        True,
    )


def test_artisans_mail_has_only_their_lines_address_and_share(released, seller, mails, shopper):
    [result] = mails(seller.email)

    assert "2 x Moss bowl" in result.body
    assert "12 Pier Road" in result.body
    assert "ring twice" in result.body
    for secret in ("Tide scarf", shopper.email, "Loom and Light", "230.64"):
        assert secret not in result.body + result.alternatives[0].content, secret


def test_artisan_sees_only_their_parcels_that_may_be_shipped(released, bowl, scarf, seller, shopper):
    place({bowl: 1}, user=shopper)

    assert [p.pk for p in parcels_of_artisan(seller.artisan)] == [released.parcels[0].pk]
    assert not parcels_of_artisan(None)


def test_cash_is_reported_once_and_after_shipping(released, seller):
    mine, _ = released.parcels
    with pytest.raises(Conflict, match="Ship the parcel first"), transaction.atomic():
        parcel_report_cash(parcel_id=mine.pk, actor=seller)
    ship(mine, seller)

    parcel_report_cash(parcel_id=mine.pk, actor=seller)
    with pytest.raises(Conflict, match="already reported"), transaction.atomic():
        parcel_report_cash(parcel_id=mine.pk, actor=seller)

    released.order.refresh_from_db()
    assert released.order.payment_status == "UNPAID", "a report is not a receipt"
    [entry] = AuditEntry.objects.filter(action="cash.report")
    assert entry.data == {"amount": str(mine.total)}
