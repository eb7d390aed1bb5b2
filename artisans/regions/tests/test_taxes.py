"""Which zone an address lies in, and which rates apply there."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from artisans.regions.models import Place, TaxZoneArea
from artisans.regions.selectors import taxed_countries, taxes_at, untaxed_areas
from artisans.regions.tests.factories import tax_class, tax_rate, tax_zone

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def world() -> None:
    """Zones whose standard rate is that of their name, in percent."""
    for percent, areas in {
        1: [("",)],
        2: [("US",)],
        3: [("US", "OR")],
        4: [("US", "", "97")],
        5: [("US", "", "9710")],
        6: [("US", "OR", "97")],
        7: [("IE", "Co. Cork")],
        8: [("GB", "", "SW1A")],
    }.items():
        tax_zone(str(percent), *areas, rates={"standard": percent * 10_000})


@pytest.mark.parametrize(
    ("address", "percent"),
    [
        (("JP", "", "100-0001"), 1),
        (("US", "", ""), 2),
        (("US", "CA", "90210"), 2),
        (("US", "OR", ""), 3),
        (("US", "or", "96000"), 3),
        (("US", "CA", "97999"), 4),
        (("US", "OR", "97999"), 6),
        (("US", "OR", "97103"), 5),  # the longer prefix is more exact than the region
        (("IE", " co. cork ", "T12"), 7),  # typed in words
        (("IE", "Dublin", ""), 1),
        (("GB", "", "sw1a 2aa"), 8),  # spaces, and small letters
        (("GB", "", "SW1"), 1),
    ],
)
def test_most_exact_area_decides(world, address, percent):
    assert taxes_at(Place(*address)).rates[None].rate_ppm == percent * 10_000


def test_without_an_area_there_are_no_taxes():
    tax_zone("Germany", ("DE",), rates={"standard": 190_000})

    assert taxes_at(Place("AQ")) is None
    assert taxed_countries() == {"DE"}


def test_zone_without_rates_takes_the_place_of_everywhere_else():
    tax_zone("Everywhere", ("",), rates={"standard": 100_000})
    tax_zone("Antarctica", ("AQ",), ("NZ", "", "9"))
    later = tax_zone("Japan", ("JP",))
    tax_rate(later, 100_000, start=timezone.now() + timedelta(days=1))

    assert taxes_at(Place("AQ")).rates == {}
    assert taxed_countries() == {""}
    assert {area.country for area in untaxed_areas()} == {"AQ", "JP"}


def test_rates_are_those_in_force_by_class_at_the_second_of_their_start():
    zone = tax_zone("Germany", ("DE",), rates={"standard": 190_000, "books": 70_000})
    tax_rate(zone, 200_000, start=MIDNIGHT)
    books = tax_class("books").pk

    def rates(at: datetime) -> dict[int | None, int]:
        found = taxes_at(Place("DE"), at=at).rates
        return {key: found[key].rate_ppm for key in (None, books)}

    assert rates(MIDNIGHT - timedelta(microseconds=1)) == {None: 190_000, books: 70_000}
    assert rates(MIDNIGHT) == {None: 200_000, books: 70_000}


def test_taxes_cost_one_statement_however_many_prefixes_a_country_has():
    zone = tax_zone("States", ("US",), rates={"standard": 0})
    TaxZoneArea.objects.bulk_create(
        TaxZoneArea(zone=zone, country="US", postal_prefix=f"{code:05}") for code in range(2000)
    )
    with CaptureQueriesContext(connection) as caught:
        assert taxes_at(Place("US", "OR", "01234-5678")).rates[None].name == "VAT"

    assert len(caught) == 1
