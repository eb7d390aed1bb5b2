"""Two people convert prices, and an artisan enters one, at the same moment, with real transactions."""

from datetime import date

import pytest

from artisans.audit.models import AuditEntry
from artisans.catalog.models import PriceOrigin, ProductPrice
from artisans.catalog.price_lists import (
    Scope,
    price_version,
    prices_change,
    prices_convert,
    prices_of,
    products_to_convert,
    proposals,
)
from artisans.catalog.product_versions import ProductChanged
from artisans.catalog.tests.factories import ProductFactory
from artisans.earnings.tests.test_races import together
from artisans.regions.models import ExchangeRate, RateSheet, ShopCurrency

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


@pytest.fixture
def convert(seller, admin_user):
    """Write the prices of a preview, in yen, of what the seller sells."""
    yen = ShopCurrency.objects.create(code="JPY", step_minor=10, price_step_minor=100, price_charm_minor=20)
    sheet = RateSheet.objects.create(source="manual", base="USD", valid_on=date(2026, 11, 30), sha256="1")
    for code, rate in (("USD", 10**10), ("JPY", 150 * 10**10)):
        ExchangeRate.objects.create(sheet=sheet, currency=code, rate_e10=rate)
    seller.artisan.converted_currencies = ["JPY"]
    seller.artisan.save(update_fields=["converted_currencies"])

    def preview():
        found = list(proposals(yen, sheet, products_to_convert("JPY", sheet, Scope())))
        return lambda: prices_convert(currency=yen, sheet=sheet, found=found, actor=admin_user)

    return preview


def test_two_people_who_convert_at_once_write_each_price_once(seller, convert):
    for _ in range(3):
        ProductFactory.create(artisan=seller.artisan, price_minor=2000)

    done = together(convert(), convert())

    assert sum(each.written for each in done) == 3
    assert list(ProductPrice.objects.values_list("price_minor", "origin")) == [(2980, "converted")] * 3
    assert AuditEntry.objects.filter(action="prices.convert").count() == 1


@pytest.mark.parametrize("_time", range(2))
def test_price_that_an_artisan_enters_during_a_conversion_stays_or_is_refused(seller, convert, _time):
    mug = ProductFactory.create(artisan=seller.artisan, price_minor=2000)
    seen = price_version(prices_of([mug]))

    def enter() -> None:
        prices_change(
            artisan=seller.artisan,
            product_id=mug.pk,
            actor=seller,
            prices={(mug.pk, "JPY"): 12_000},
            version=seen,
        )

    done, entered = together(convert(), enter)

    row = ProductPrice.objects.get()
    if isinstance(entered, ProductChanged):
        assert (row.price_minor, row.origin, done.written) == (2980, PriceOrigin.CONVERTED, 1)
    else:
        assert (row.price_minor, row.origin, done.written) == (12_000, PriceOrigin.MANUAL, 0)
