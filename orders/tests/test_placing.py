"""Placing an order: all or nothing, with copies of names and prices, and stock reserved."""

import pytest
from django.db import transaction

from artisans.catalog.models import StockMove
from artisans.catalog.services import OutOfStock
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.numbers import is_number
from orders.models import Order, OrderLine, OrderTransition, Parcel
from orders.tests.factories import buyer_of, place

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_order_stores_what_was_agreed(shopper, bowl, scarf):
    placed = place({bowl: 2, scarf: 1}, user=shopper, note="leave it at the door")

    order = Order.objects.get()
    assert is_number(order.order_number)
    assert (order.status, order.payment_status, order.user) == ("PENDING", "UNPAID", shopper)
    assert (order.subtotal_minor, order.tax_minor, order.shipping_minor, order.total_minor) == (
        20423,
        2042,
        599,
        23064,
    )
    assert (order.delivery_note, order.phone) == ("leave it at the door", "15035550123")
    assert [(line.product_name, line.quantity, line.unit_price_minor) for line in placed.lines] == [
        ("Moss bowl", 2, 8545),
        ("Tide scarf", 1, 3333),
    ]
    assert [parcel.number for parcel in order.parcels.all()] == [1, 2]
    [row] = OrderTransition.objects.all()
    assert (row.old, row.new, row.actor_name) == ("", "PENDING", shopper.email)


def test_later_changes_of_the_product_do_not_change_the_order(bowl):
    order = place({bowl: 1}).order
    bowl.name, bowl.price_minor = "Renamed", 1
    bowl.save()
    bowl.artisan.name = "Sold on"
    bowl.artisan.save()

    [line] = order.lines.all()
    assert (line.product_name, line.artisan_name, line.unit_price.amount) == (
        "Moss bowl",
        "Harbour Pottery",
        "85.45",
    )


def test_commission_is_stored_on_the_parcel():
    artisan = ArtisanFactory.create(commission_ppm=125_000)
    order = place({ProductFactory.create(artisan=artisan): 1}).order
    artisan.commission_ppm = 0
    artisan.save()

    parcel = order.parcels.get()
    assert (parcel.commission_ppm, parcel.commission_minor) == (125_000, 1068)
    assert parcel.share.minor == 9999 - 1068


def test_nothing_is_written_when_one_product_is_unavailable(bowl, scarf):
    scarf.stock = 1
    scarf.save()

    with pytest.raises(OutOfStock), transaction.atomic():
        place({bowl: 1, scarf: 2})

    bowl.refresh_from_db()
    assert bowl.stock == 10
    for model in (Order, OrderLine, Parcel, OrderTransition, StockMove):
        assert not model.objects.exists(), model


def test_stock_is_reduced_with_the_order(bowl):
    order = place({bowl: 3}).order

    bowl.refresh_from_db()
    assert bowl.stock == 7
    [move] = StockMove.objects.all()
    assert (move.quantity, move.order_line) == (-3, order.lines.get().pk)


@pytest.mark.parametrize(
    ("phone", "kept"),
    [("+1 (503) 555-0123", "15035550123"), ("", ""), ("9" * 40, "9" * 20), ("no phone", "")],
)
def test_phone_numbers_are_normalized(phone, kept):
    assert buyer_of(shipping_address={"phone": phone}).phone == kept


def test_order_numbers_are_not_sequential():
    numbers = {place().order.order_number for _ in range(5)}

    assert len(numbers) == 5
    assert all(is_number(number) for number in numbers)
