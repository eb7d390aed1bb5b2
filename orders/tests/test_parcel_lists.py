"""Artisans find their parcels, do the oldest promise first, and print packing slips."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from artisans.catalog.models import Product
from orders.models import Order
from orders.parcel_lists import ParcelList, parcels_listed
from orders.selectors import order_lock, parcels_of_artisan
from orders.services.moves import order_recompute_status, parcel_move
from orders.services.parcels import parcel_cancel, parcel_deliver, parcel_ship
from orders.services.settlement import order_release
from orders.statuses import ParcelStatus
from orders.tests.factories import place
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

LIST, NEXT, SLIPS = (f"/shop/artisan/parcels/{name}" for name in ("", "next/", "slips/"))


@pytest.fixture
def parcel_of(bowl, scarf, shopper):
    """Of an order that was released so many days ago."""
    Product.objects.update(stock=99)

    def make(units: int = 3, *, days: int = 0, **changes):
        placed = place({bowl: units, scarf: 1}, user=shopper, **changes)
        order_release(placed, cause="test", collect_cash=True)
        released_at = timezone.now() - timedelta(days=days)
        Order.objects.filter(pk=placed.order.pk).update(released_at=released_at)
        return placed.parcels[0]

    return make


def ship(parcel, actor, quantity=None, tracking="T-1"):
    units = {parcel.lines.get().pk: quantity} if quantity else None
    parcel_ship(parcel_id=parcel.pk, carrier="USPS", tracking=tracking, units=units, actor=actor)


def test_lists_search_and_next_parcel(browser, api, parcel_of, seller, bowl):
    client = browser(seller)
    assert client.get(NEXT).url == LIST, "nothing is waiting"
    old, new, partly, sent, delivered = (parcel_of(days=days) for days in (9, 1, 3, 0, 0))
    ship(partly, seller, 1, "PART-1")
    ship(partly, seller, 1, "PART-2")
    for parcel in (sent, delivered):
        ship(parcel, seller)
    parcel_deliver(parcel_id=delivered.pk, actor=seller)

    own = parcels_of_artisan(seller.artisan)
    found = {name: set(parcels_listed(own, name).values_list("pk", flat=True)) for name in ParcelList.values}
    by_api = {
        name: {row["id"] for row in api(seller).get("/parcels/", {"list": name}).json()["results"]}
        for name in ParcelList.values
    }
    assert by_api == {name: set(map(str, keys)) for name, keys in found.items()}
    assert {name: len(keys) for name, keys in found.items() if keys} == {
        "to_ship": 3,
        "partly": 1,
        "sent": 2,
        "delivered": 1,
        "all": 5,
    }
    assert "Packed, 2 of 3 units shipped" in page(client.get(LIST)).text

    for term, wanted in ((old.order.order_number[:7], old), ("part-1", partly), ("  T-1 ", sent)):
        shown = page(client.get(LIST, {"q": term})).text
        assert (wanted.order.order_number in shown, new.order.order_number in shown) == (True, False), term
        answer = api(seller).get("/parcels/", {"q": term}).json()["results"]
        assert str(wanted.pk) in {row["id"] for row in answer}
    assert "No parcel matches “zz”" in page(client.get(LIST, {"q": "zz"})).text
    assert client.get(LIST, {"q": "\x00", "filter": "x", "page": "x"}).status_code == 200

    assert client.get(NEXT).url == f"{LIST}{old.pk}/"
    assert client.get(NEXT, {"after": old.pk}).url == f"{LIST}{partly.pk}/"
    assert client.get(NEXT, {"after": "x"}).url == f"{LIST}{old.pk}/"


def test_oldest_promise_is_first(parcel_of, seller, bowl):
    early, late = parcel_of(days=9), parcel_of(days=5)

    def listed():
        return list(parcels_listed(parcels_of_artisan(seller.artisan), ParcelList.TO_SHIP))

    assert listed() == [early, late]
    line = early.lines.get()
    other = Product.objects.exclude(pk=bowl.pk).first()
    Product.objects.filter(pk=other.pk).update(lead_days=6)
    early.lines.update(product=other)

    try:
        assert listed() == [late, early], "it is made to order in six days"
        assert listed()[1].promised_at - listed()[1].order.released_at == timedelta(days=6)
    finally:
        early.lines.update(product=line.product)


def test_waiting_and_returned_parcels_have_lists(parcel_of, seller):
    parcel = parcel_of()
    ship(parcel, seller)
    parcel.refresh_from_db()
    parcel_move(parcel, ParcelStatus.DELIVERED, cause="x", actor=seller)
    type(parcel).objects.filter(pk=parcel.pk).update(instruction="return")
    order_recompute_status(order_lock(parcel.order_id), actor=None)
    held = parcel_of()
    type(held).objects.filter(pk=held.pk).update(instruction="hold")

    own = parcels_of_artisan(seller.artisan)

    assert [list(parcels_listed(own, name)) for name in ("returns", "waiting", "to_ship")] == [
        [parcel],
        [held],
        [],
    ]


def test_list_and_slips_take_the_same_queries_for_any_number_of_parcels(browser, parcel_of, seller):
    client, numbers = browser(seller), []
    parcels = []
    for count in (2, 4):
        parcels += [parcel_of() for _ in range(count)]
        for parcel in parcels[-count // 2 :]:
            ship(parcel, seller, 2)
        for path in (f"{LIST}?filter=all", SLIPS + "?" + "&".join(f"parcel={one.pk}" for one in parcels)):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                assert client.get(path).status_code == 200
            numbers.append(len(queries))

    assert numbers[:2] == numbers[2:]


def test_slips_have_units_address_and_phone_but_no_amounts(browser, parcel_of, seller, other_seller, shopper):
    first, second, other = parcel_of(), parcel_of(2), parcel_of().order.parcels.get(number=2)
    ship(first, seller, 1)
    client = browser(seller)

    shown = page(client.get(SLIPS, {"parcel": [first.pk, second.pk, other.pk, "x"]}))

    slips = shown.all(class_="packing-slip")
    assert len(slips) == 2, "another artisan's parcel is left out"
    left = {slip.one("h2").text: slip.one("ul").text for slip in slips}
    assert "2 ×" in left[f"Order {first.order.order_number}"]
    assert "2 ×" in left[f"Order {second.order.order_number}"]
    for text in ("Moss bowl", "Harbour Pottery", "Phone for the carrier: +1 503 555 0123"):
        assert text in slips[0].text
    for secret in ("$", "Tide scarf", shopper.email, "share"):
        assert secret not in "".join(slip.text for slip in slips), secret
    [one] = page(client.get(SLIPS, {"parcel": first.pk, "shipment": "1"})).all(class_="packing-slip")
    assert "1 ×" in one.one("ul").text
    assert client.get(SLIPS, {"parcel": "x"}).url == LIST


def test_parcels_that_must_not_be_packed_have_no_slip_and_are_named(browser, parcel_of, seller):
    parcels = {name: parcel_of() for name in ("Cancelled", "On hold", "Awaiting payment", "", "shipment")}
    for name, parcel in parcels.items():
        parcel.order.refresh_from_db()
        if name == "shipment":
            ship(parcel, seller, 1)
        if name in {"On hold", "shipment"}:
            type(parcel).objects.filter(pk=parcel.pk).update(instruction="hold")
        if name == "Awaiting payment":
            Order.objects.filter(pk=parcel.order_id).update(payment_withdrawn_at=timezone.now())
    gone, client = parcels["Cancelled"], browser(seller)
    parcel_cancel(gone, order=gone.order, lines=list(gone.lines.all()), cause="x", actor=None)

    shown = page(client.get(SLIPS, {"parcel": [parcel.pk for parcel in parcels.values()]}))
    assert f"Order {parcels[''].order.order_number}" in shown.one(class_="packing-slip").text
    named = shown.one(class_="messages").text
    for name in ("Cancelled", "On hold", "Awaiting payment"):
        assert f"{parcels[name].order.order_number} ({name})" in named
        only = client.get(SLIPS, {"parcel": parcels[name].pk}, follow=True)
        assert only.redirect_chain, name
        assert f"({name})" in page(only).one(class_="messages").text
        assert "slips/" not in "".join(
            link.attrs["href"] for link in page(client.get(f"{LIST}{parcels[name].pk}/")).all("a")
        )
    part = page(client.get(SLIPS, {"parcel": parcels["shipment"].pk, "shipment": "1"}))
    assert "1 ×" in part.one(class_="packing-slip").text, "that was shipped"
