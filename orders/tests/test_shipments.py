"""A parcel is shipped in several parts: units, mails, statuses, and what is refused."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import Client

from artisans.core.errors import IllegalTransition, InvalidInput
from orders.errors import AlreadyShipped, NotCancellable
from orders.models import Carrier, Parcel, Shipment, ShipmentCorrection, ShipmentLine
from orders.models.carrier import validate_tracking_url
from orders.parcel_display import load_displays
from orders.selectors import lines_by_parcel, order_lock
from orders.services.closing import order_cancel_parcels
from orders.services.moves import order_recompute_status, parcel_move
from orders.services.parcels import parcel_cancel, parcel_deliver, parcel_ship
from orders.services.settlement import order_release
from orders.shipments import progress_of
from orders.statuses import ParcelStatus
from orders.tests.factories import place
from tests import rows
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def released(bowl, scarf, shopper):
    placed = place({bowl: 3, scarf: 1}, user=shopper)
    order_release(placed, cause="test", collect_cash=True)
    return placed


@pytest.fixture(autouse=True)
def carriers(db) -> list[Carrier]:
    return rows.carriers()


@pytest.fixture
def mine(released) -> Parcel:
    return released.parcels[0]


def url(parcel) -> str:
    return f"/shop/artisan/parcels/{parcel.pk}/"


def ship(parcel, actor, quantity=None, **changes):
    units = None if quantity is None else {parcel.lines.get().pk: quantity}
    asked = {"carrier": "USPS", "tracking": "T-1", "units": units, "actor": actor}
    parcel_ship(**{"parcel_id": parcel.pk} | asked | changes)
    parcel.refresh_from_db()


def label(released, parcel) -> str:
    [shown] = load_displays([parcel], lines_by_parcel(released.order))
    return shown.status_label


def test_parcel_is_shipped_with_its_last_unit(released, mine, seller, shopper, mails):
    ship(mine, seller, 2)
    assert (mine.status, mine.tracking) == ("PACKED", "T-1")
    assert label(released, mine) == "Packed, 2 of 3 units shipped"
    ship(mine, seller, 1, carrier="DHL", tracking="T-2")
    assert (mine.status, mine.carrier, mine.tracking) == ("SHIPPED", "DHL", "T-2")
    assert label(released, mine) == "On its way"

    found = ShipmentLine.objects.values_list("shipment__number", "quantity", "shipment__shipped_by")
    assert list(found.order_by("id")) == [(1, 2, seller.pk), (2, 1, seller.pk)]
    first, second = (mail.body for mail in mails(shopper.email) if "on its way" in mail.subject)
    assert ["2 x Moss bowl" in first, "1 more unit of this parcel will follow." in first] == [True, True]
    assert ["1 x Moss bowl" in second, "will follow" in second, "T-1" in second] == [True, False, False]


def test_units_are_shipped_once(released, mine, seller):
    ship(mine, seller, 2)
    scarf_line = released.parcels[1].lines.get().pk
    for units, error in (
        ({mine.lines.get().pk: 2}, "1 is left"),
        ({mine.lines.get().pk: 0}, "at least one item"),
        ({}, "at least one item"),
        ({scarf_line: 1}, "does not belong"),
    ):
        with pytest.raises(InvalidInput, match=error), transaction.atomic():
            ship(mine, seller, units=units)
    with pytest.raises(AlreadyShipped), transaction.atomic():
        ship(mine, seller, 1, seen=0)
    ship(mine, seller, seen=1)
    with pytest.raises(IllegalTransition), transaction.atomic():
        ship(mine, seller, 1)

    assert sum(ShipmentLine.objects.values_list("quantity", flat=True)) == 3


def test_partly_shipped_parcel_is_not_cancelled(released, mine, seller):
    ship(mine, seller, 2)
    order = released.order
    order.refresh_from_db()

    with pytest.raises(NotCancellable, match="2 of 3 units shipped"), transaction.atomic():
        parcel_cancel(mine, order=order, lines=list(mine.lines.all()), cause="x", actor=None)
    with pytest.raises(NotCancellable, match="already shipped"), transaction.atomic():
        order_cancel_parcels(order, cause="x", actor=None)

    mine.refresh_from_db()
    assert mine.status == "PACKED"


def test_page_ships_a_part_and_then_the_rest(browser, mine, seller):
    client, line = browser(seller), mine.lines.get()
    form = {"ship": "1", "carrier": "USPS", "tracking": "T-1", "seen": "0"}
    field = f"units-{line.pk}"
    assert page(client.get(url(mine))).one(id=f"id_{field}").attrs["value"] == "3"

    shown = page(client.post(url(mine), form | {field: "4"}))
    assert shown.one(class_="error-summary")
    assert shown.one(id="id_tracking").attrs["value"] == "T-1"
    client.post(url(mine), form | {field: "2"})
    shown = page(client.get(url(mine)))
    assert "Packed, 2 of 3 units shipped" in shown.text
    items = shown.one("ul", class_="items")
    assert items.text == f"1 × {line.product_name} 2 already shipped ${line.unit_price.amount}"
    again = page(client.post(url(mine), form | {field: "1"}, follow=True))  # the page shown before
    assert "Another shipment of this parcel was entered meanwhile" in again.text
    client.post(url(mine), form | {"seen": "1"})  # one unit is left, so that the page does not ask

    mine.refresh_from_db()
    assert mine.status == "SHIPPED"
    late = page(client.post(url(mine), form, follow=True))
    assert "This parcel is on its way. Nothing was changed." in late.text


def test_api_shows_shipments_to_the_artisan_and_the_buyer(api, mine, seller, shopper):
    line = str(mine.lines.get().pk)
    body = {"carrier": "USPS", "tracking": "T-1", "units": [{"line": line, "quantity": 2}], "seen": 0}

    answer = api(seller).post(f"/parcels/{mine.pk}/ship", body)
    repeated = api(seller).post(f"/parcels/{mine.pk}/ship", body)

    assert (answer.status_code, answer.json()["status"]) == (200, "PACKED")
    [shipment] = answer.json()["shipments"]
    assert shipment["items"] == [{"line": line, "quantity": 2}]
    assert (repeated.status_code, repeated.json()["code"]) == (409, "already_shipped")
    [parcel, other] = api(shopper).get(f"/orders/{mine.order_id}").json()["parcels"]
    assert (parcel["shipments"], other["shipments"]) == ([shipment], [])


def ship_as_release_0_1_0(parcel, tracking: str) -> None:
    parcel.carrier, parcel.tracking = "USPS", tracking
    if parcel.status == ParcelStatus.NEW:
        parcel_move(parcel, ParcelStatus.PACKED, cause="packed", actor=None)
    parcel_move(parcel, ParcelStatus.SHIPPED, cause="handed to the carrier", actor=None)
    order_recompute_status(order_lock(parcel.order_id), actor=None)


def test_shipment_entered_by_release_0_1_0_is_shown_and_taken_over(released, mine, seller, api):
    ship_as_release_0_1_0(mine, "OLD-1")
    [shown] = api(seller).get(f"/parcels/{mine.pk}").json()["shipments"]
    assert (shown["shipped_at"], shown["tracking"], shown["items"]) == (None, "OLD-1", [])

    fill = import_module("orders.migrations.0015_fill_shipments").fill
    fill(apps, None)
    fill(apps, None)

    [stored] = Shipment.objects.all()
    assert (stored.parcel, stored.tracking) == (mine, "OLD-1")
    assert stored.shipped_at == mine.transitions.get(new="SHIPPED").at
    assert progress_of(list(mine.lines.all())).left_units == 0


def test_release_0_1_0_ships_the_rest_of_a_partly_shipped_parcel(mine, seller, api):
    ship(mine, seller, 2)
    ship_as_release_0_1_0(mine, "OLD-2")

    shown = api(seller).get(f"/parcels/{mine.pk}").json()["shipments"]

    assert [one["tracking"] for one in shown] == ["T-1", "OLD-2"]


# ---- carriers and corrections ----------------------------------------------------------------------------------


def test_tracking_link_is_https_and_the_number_is_encoded(released, mine, seller, shopper, mails, api):
    ship(mine, seller, carrier="usps", tracking="94 00/<1>&x=é")

    link = "https://tools.usps.com/go/TrackConfirmAction?tLabels=9400%2F%3C1%3E%26x%3D%C3%A9"
    assert mine.carrier == "USPS"
    assert mine.shipments.get().tracking_url == link
    [mail] = [mail for mail in mails(shopper.email) if "on its way" in mail.subject]
    assert link in mail.body
    order = page(Client().get(f"/shop/orders/{released.order.access_token}/"))
    assert order.one("a", href=link).text == "Track it"
    shown = api(seller).get(f"/parcels/{mine.pk}").json()["shipments"][0]
    assert shown["tracking_url"] == link


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "http://a.test/{number}",
            "https://a.test/",
            "https://{number}.test/",
            "https://a.test/{number}{number}",
        ),
        *("javascript:{number}", "https:///{number}", "https://me@a.test/{number}", "https://[/{number}"),
    ],
)
def test_tracking_address_is_checked(pattern):
    with pytest.raises(ValidationError):
        validate_tracking_url(pattern)


def test_listed_carriers_are_valid_and_suggested_by_country(browser, mine, seller, carriers):
    for carrier in carriers:
        carrier.full_clean()

    shown = page(browser(seller).get(url(mine)))

    names = {option.attrs["value"] for option in shown.all("option")}
    assert ({"USPS", "UPS"} <= names, "Royal Mail" in names) == (True, False)


def test_number_is_corrected_and_the_old_one_is_kept(browser, mine, seller, other_seller, shopper, mails):
    ship(mine, seller, 2)
    client, address = browser(seller), f"{url(mine)}shipments/1/"
    form = page(client.get(address)).one("form", method="post").fields()
    assert (form["tracking"], form["seen"]) == ("T-1", "0")

    client.post(address, form)  # nothing was changed
    assert not ShipmentCorrection.objects.exists()
    client.post(address, form | {"tracking": "T-9"})
    again = page(client.post(address, form | {"tracking": "T-8"}))
    assert "Someone else corrected this shipment meanwhile" in again.text

    mine.refresh_from_db()
    assert (mine.tracking, mine.shipments.get().tracking) == ("T-9", "T-9")
    assert list(ShipmentCorrection.objects.values_list("tracking", "actor")) == [("T-1", seller.pk)]
    [mail] = [mail for mail in mails(shopper.email) if "corrected" in mail.subject]
    assert "T-9" in mail.body
    assert "Was USPS T-1 until" in page(client.get(url(mine))).text
    assert browser(other_seller).get(address).status_code == 404
    assert client.get(f"{url(mine)}shipments/2/").status_code == 404


def test_number_is_corrected_by_api_also_of_release_0_1_0_and_not_mailed_after_arrival(
    api, mine, seller, shopper, mails
):
    ship_as_release_0_1_0(mine, "OLD-1")
    parcel_deliver(parcel_id=mine.pk, actor=seller)

    answer = api(seller).patch(f"/parcels/{mine.pk}/shipments/1", {"carrier": "Bike", "tracking": ""})

    assert answer.status_code == 200
    [shown] = answer.json()["shipments"]
    assert (shown["carrier"], shown["tracking"], shown["tracking_url"]) == ("Bike", "", "")
    assert shown["items"] == [{"line": str(mine.lines.get().pk), "quantity": 3}]
    assert not [mail for mail in mails(shopper.email) if "corrected" in mail.subject]
    assert api(seller).patch(f"/parcels/{mine.pk}/shipments/7", {"carrier": "Bike"}).status_code == 404
    assert {
        "name": "USPS",
        "countries": ["US"],
        "tracking_url": Carrier.objects.get(name="USPS").tracking_url,
    } in api(seller).get("/parcels/carriers").json()
