"""The artisan pages: their parcels once they may be shipped, and the buttons that move them on."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from artisans.catalog.models import Artisan, CommissionRate
from orders.services.settlement import order_apply_settlement, order_release
from orders.tests.factories import place, store_of
from tests.dump import dump
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

LIST = "/shop/artisan/parcels/"


@pytest.fixture
def released(bowl, scarf, shopper):
    placed = place({bowl: 2, scarf: 1}, user=shopper)
    order_release(placed, cause="test", collect_cash=True)
    return placed


def url(parcel) -> str:
    return reverse("orders:parcel", args=[parcel.pk])


def test_list_shows_only_own_parcels(browser, released, seller):
    shown = page(browser(seller).get(LIST)).text

    assert "2 × Moss bowl" in shown
    assert "Tide scarf" not in shown


def test_page_shows_what_to_pack_and_where_to_send_it(browser, released, seller, shopper):
    shown = page(browser(seller).get(url(released.parcels[0]))).text

    assert ["Moss bowl" in shown, "12 Pier Road" in shown.replace("PIER ROAD", "Pier Road")] == [True, True]
    for secret in ("Tide scarf", shopper.email, "Loom and Light", "230.64"):
        assert secret not in shown


def test_parcels_of_others_and_of_unpaid_orders_do_not_exist(browser, released, seller, shopper, staff, bowl):
    unpaid = place({bowl: 1}).parcels[0]
    before = dump()

    for user, parcel in (
        (seller, released.parcels[1]),
        (seller, unpaid),
        (shopper, released.parcels[0]),
        (staff, released.parcels[0]),
    ):
        client = browser(user)
        assert client.get(url(parcel)).status_code == 404
        assert client.post(url(parcel), {"ship": "1", "carrier": "x"}).status_code == 404

    assert dump() == before


def test_pages_are_for_signed_in_artisans(browser, shopper):
    assert Client().get(LIST)["Location"].startswith(reverse("account_login"))
    assert browser(shopper).get(LIST).status_code == 404


def test_buttons_move_a_parcel_through_its_statuses(browser, released, seller):
    client, parcel = browser(seller), released.parcels[0]

    client.post(url(parcel), {"ship": "1", "carrier": "USPS", "tracking": "T-1"})
    assert "T-1" in page(client.get(url(parcel))).text
    client.post(url(parcel), {"deliver": "1"})

    parcel.refresh_from_db()
    assert parcel.status == "DELIVERED"


def test_shipping_needs_a_carrier_and_keeps_the_input(browser, released, seller):
    client, parcel = browser(seller), released.parcels[0]

    shown = page(client.post(url(parcel), {"ship": "1", "carrier": "", "tracking": "T-1"}))

    assert "Enter the carrier" in shown.one(class_="error-summary").text
    assert shown.one(id="id_tracking").attrs["value"] == "T-1"
    parcel.refresh_from_db()
    assert parcel.status == "NEW"


@pytest.mark.parametrize("button", [{"deliver": "1"}, {"report_cash": "1"}, {"nonsense": "1"}, {}])
def test_button_that_does_not_fit_the_status_changes_nothing(browser, released, seller, button):
    before = dump()

    answer = browser(seller).post(url(released.parcels[0]), button)

    assert answer.status_code == 302
    assert dump() == before


def test_cash_is_reported_once_and_only_after_shipping(browser, released, seller):
    client, parcel = browser(seller), released.parcels[0]
    assert not page(client.get(url(parcel))).all("button", name="report_cash")
    client.post(url(parcel), {"ship": "1", "carrier": "by hand"})
    assert page(client.get(url(parcel))).one("button", name="report_cash")

    client.post(url(parcel), {"report_cash": "1"})

    assert not page(client.get(url(parcel))).all("button", name="report_cash")
    again = page(client.post(url(parcel), {"report_cash": "1"}, follow=True))
    assert "already reported" in again.text


def test_cash_of_a_paid_order_is_never_reported(browser, bowl, seller, broken_books):
    placed = place({bowl: 1})
    order_apply_settlement(placed.order, received=9999, refunded=0, cause="test")
    client, parcel = browser(seller), placed.parcels[0]
    client.post(url(parcel), {"ship": "1", "carrier": "USPS"})

    client.post(url(parcel), {"report_cash": "1"})

    parcel.refresh_from_db()
    assert parcel.cash_reported_at is None


def test_second_artisan_can_report_cash_after_the_first_part_is_booked(
    browser, released, other_seller, broken_books
):
    client, parcel = browser(other_seller), released.parcels[1]
    client.post(url(parcel), {"ship": "1", "carrier": "by hand"})
    order_apply_settlement(released.order, received=released.parcels[0].total_minor, refunded=0, cause="test")

    assert page(client.get(url(parcel))).one("button", name="report_cash")


def test_filters_separate_parcels_to_ship_from_shipped_ones(browser, released, seller):
    client, number = browser(seller), released.order.order_number
    client.post(url(released.parcels[0]), {"ship": "1", "carrier": "USPS"})

    found = {
        name: number in page(client.get(LIST, {"filter": name})).text
        for name in ("to_ship", "sent", "all", "x")
    }

    assert found == {"to_ship": False, "sent": True, "all": True, "x": False}


def sums(shown) -> dict[str, str]:
    """The amounts under “Your earnings”, by label."""
    receipt = shown.one("aside")
    return dict(
        zip((dt.text for dt in receipt.all("dt")), (dd.text for dd in receipt.all("dd")), strict=True)
    )


def test_fee_is_named_and_the_share_is_the_total_less_the_fee(browser, bowl, shopper, seller):
    Artisan.objects.update(commission_ppm=125_000)
    placed = place({bowl: 2}, user=shopper)
    order_release(placed, cause="test", collect_cash=False)

    earned = sums(page(browser(seller).get(url(placed.parcels[0]))))

    assert earned["Parcel total"] == "$193.98"
    assert earned["Shop’s fee (12.50% of your items)"] == "−$21.36"
    assert earned["Your share"] == "$172.62"
    assert "Refunded items" not in earned


def test_tax_on_the_fee_and_tax_that_the_shop_pays_are_named(browser, api, bowl, shopper, seller):
    store_of(commission_tax_ppm=190_000, tax_remitter="shop")
    CommissionRate.objects.create(
        currency="USD", rate_ppm=80_000, fixed_minor=30, on_shipping=True, valid_from=timezone.now()
    )
    placed = place({bowl: 2}, user=shopper)
    order_release(placed, cause="test", collect_cash=False)
    parcel = placed.parcels[0]

    earned = sums(page(browser(seller).get(url(parcel))))

    # 8 % of $170.90 is $13.67, of $5.99 $0.48; 30 cents are spread over both.
    assert earned["Shop’s fee (8.17% of your items, and a part of the delivery)"] == "−$14.45"
    assert earned["Tax on the fee (19.00%)"] == "−$2.75"
    assert earned["Tax that the shop pays for you"] == "−$17.09"
    assert earned["Your share"] == "$159.69"
    shown = api(seller).get(f"/parcels/{parcel.pk}").json()
    names = ("commission", "commission_tax", "remitted_tax", "share")
    assert [shown[name] for name in names] == ["14.45", "2.75", "17.09", "159.69"]


def test_packing_slip_has_the_phone_number_and_no_amounts(browser, released, seller):
    shown = page(browser(seller).get(url(released.parcels[0])))

    assert "Phone for the carrier: +1 503 555 0123" in shown.text
    assert "no-print" in shown.one("aside").attrs["class"].split()
    amounts = [part for part in shown.all(class_="num") if "$" in part.text]
    assert amounts
    for amount in amounts:
        assert "no-print" in amount.attrs["class"].split() or amount in shown.one("aside").all(class_="num")
