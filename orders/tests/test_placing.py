"""Placing an order: all or nothing, with copies of names and prices, and stock reserved."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import transaction
from django.utils import timezone

from artisans.catalog.models import Artisan, CommissionRate, FeeTaxTreatment, StockMove
from artisans.catalog.services import OutOfStock
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.numbers import is_number
from orders.models import Order, OrderLine, OrderTransition, Parcel
from orders.tests.factories import buyer_of, place, store_of

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


def rate_of(**columns):
    """A rate that started yesterday, of the store if the columns do not name an artisan or category."""
    started = {"currency": "USD", "valid_from": timezone.now() - timedelta(days=1)}
    return CommissionRate.objects.create(**started | columns)


def fees_of(parcel):
    names = ("commission_ppm", "commission_minor", "commission_tax_minor", "remitted_tax_minor")
    return list(parcel.lines.values_list(*names))


def test_fees_of_lines_and_shipping_are_frozen_with_the_tax_on_them(bowl, scarf):
    Artisan.objects.filter(pk=scarf.artisan_id).update(fee_tax_treatment=FeeTaxTreatment.REVERSE_CHARGE)
    cup = ProductFactory.create(artisan=bowl.artisan, price_minor=1000)
    store_of(commission_tax_ppm=190_000, tax_remitter="shop")
    rate_of(rate_ppm=100_000, on_shipping=True)
    rate_of(rate_ppm=50_000, artisan=bowl.artisan, category=cup.category)

    potter, weaver = place({bowl: 1, cup: 2, scarf: 1}).order.parcels.all()

    assert fees_of(potter) == [(100_000, 855, 162, 855), (50_000, 100, 19, 200)]
    # The bowl's part of 4.55 shipping is 3.69; the rate of the cups leaves shipping out.
    assert (potter.shipping_commission_minor, potter.shipping_commission_tax_minor) == (37, 7)
    assert (potter.commission_minor, potter.commission_tax_minor) == (855 + 100 + 37, 162 + 19 + 7)
    assert (potter.commission_ppm, potter.commission_tax_ppm) == (94_073, 190_000)
    assert (potter.fee_tax_treatment, potter.tax_remitter) == ("domestic", "shop")
    assert fees_of(weaver) == [(100_000, 333, 0, 333)]
    assert (weaver.commission_minor, weaver.shipping_commission_minor) == (333 + 14, 14)
    assert (weaver.commission_ppm, weaver.commission_tax_ppm) == (100_000, 0)
    assert weaver.fee_tax_treatment == "reverse_charge"


def test_rates_that_change_later_or_are_of_another_currency_do_not_matter(bowl):
    rate_of(rate_ppm=100_000)
    rate_of(rate_ppm=200_000, currency="EUR", artisan=bowl.artisan)
    rate_of(rate_ppm=300_000, valid_from=timezone.now() + timedelta(minutes=1))
    parcel = place({bowl: 1}).order.parcels.get()
    rate_of(rate_ppm=400_000, valid_from=timezone.now())

    assert fees_of(parcel) == [(100_000, 855, 0, 0)]
    assert fees_of(place({bowl: 1}).order.parcels.get()) == [(400_000, 3418, 0, 0)]


def test_a_minimum_above_the_subtotal_takes_all_but_its_own_tax(bowl):
    store_of(commission_tax_ppm=200_000)
    rate_of(minimum_minor=10_000)

    parcel = place({bowl: 1}).order.parcels.get()

    assert (parcel.commission_minor, parcel.commission_tax_minor) == (7121, 1424)
    assert parcel.commission_minor + parcel.commission_tax_minor == parcel.subtotal_minor


def test_former_commission_of_an_artisan_counts_until_a_rate_of_theirs_starts(bowl):
    Artisan.objects.update(commission_ppm=80_000)
    rate_of(rate_ppm=100_000)
    assert fees_of(place({bowl: 1}).order.parcels.get())[0][0] == 80_000

    rate_of(is_end=True, artisan=bowl.artisan)

    assert fees_of(place({bowl: 1}).order.parcels.get())[0][0] == 100_000


def test_commissions_of_artisans_become_rates_once(bowl, scarf):
    Artisan.objects.filter(pk=bowl.artisan_id).update(commission_ppm=80_000)
    migration = import_module("orders.migrations.0012_commission_rates")

    migration.copy(apps, None)
    migration.copy(apps, None)

    [rate] = CommissionRate.objects.all()
    assert (rate.artisan, rate.category, rate.rate_ppm, rate.currency) == (bowl.artisan, None, 80_000, "USD")
    assert rate.valid_from <= timezone.now()


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
