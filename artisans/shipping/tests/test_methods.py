"""Which methods are offered at an address."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from artisans.catalog.tests.factories import ArtisanFactory
from artisans.regions.models import Place
from artisans.shipping.selectors import methods_at, shipped_countries, unshipped_areas
from artisans.shipping.tests.factories import shipping_method, shipping_zone

pytestmark = pytest.mark.django_db
FREE = (0, 0, 0)


def names(place: Place, *artisans, currency: str = "USD") -> list[str]:
    found = methods_at(place, artisan_ids=[artisan.pk for artisan in artisans], currency=currency)
    return sorted(method.name for method in found if method.tiers)


def test_methods_of_the_zone_of_the_shop_and_of_artisans_in_the_order():
    anna, ben = ArtisanFactory.create(), ArtisanFactory.create()
    zone = shipping_zone("Home", ("US",))
    shipping_method(zone, "Standard", (0, 0, 599), (0, 5000, 0))
    shipping_method(zone, "Switched off", FREE, is_active=False)
    shipping_method(zone, "In yen", FREE, currency="JPY")
    shipping_method(zone, "Anna’s", FREE, artisan=anna)
    shipping_method(zone, "Ben’s", FREE, artisan=ben)
    shipping_method(shipping_zone("Rest", ("",)), "Abroad", FREE)

    assert names(Place("US", "OR", "97103")) == ["Standard"]
    assert names(Place("US"), ben) == ["Ben’s", "Standard"]
    assert names(Place("US"), currency="JPY") == ["In yen"]
    assert names(Place("DE"), anna, ben) == ["Abroad"]
    [standard] = [
        method
        for method in methods_at(Place("US"), artisan_ids=[], currency="USD")
        if method.name == "Standard"
    ]
    assert sorted(tier.price_minor for tier in standard.tiers) == [0, 599]


def test_zone_without_methods_is_not_served_although_everywhere_else_is():
    shipping_method(shipping_zone("Rest", ("",)), "Abroad", FREE)
    ice = shipping_zone("Ice", ("AQ",))
    shipping_method(ice, "By ship", FREE, is_active=False)
    shipping_method(ice, "Of another artisan", FREE, artisan=(other := ArtisanFactory.create()))

    assert names(Place("AQ")) == []
    assert names(Place("AQ"), other) == ["Of another artisan"]
    assert names(Place("PE")) == ["Abroad"]


def test_countries_with_a_method_and_those_that_have_none_on_purpose():
    shipping_method(shipping_zone("Rest", ("",)), "Abroad", FREE)
    shipping_method(shipping_zone("Home", ("US",), ("CA", "BC")), "Standard", FREE)
    shipping_zone("Ice", ("AQ",), ("NZ", "", "9"))

    assert shipped_countries() == {"", "US", "CA"}
    assert {area.country for area in unshipped_areas()} == {"AQ"}


def test_methods_cost_one_statement():
    for country in ("", "US"):
        zone = shipping_zone(country or "Rest", (country,))
        for name in "ABC":
            shipping_method(zone, name, FREE, (0, 10, 5))
    artisans = [ArtisanFactory.create() for _ in range(3)]
    with CaptureQueriesContext(connection) as caught:
        assert names(Place("US", "OR", "97103"), *artisans) == ["A", "B", "C"]

    assert len(caught) == 1
