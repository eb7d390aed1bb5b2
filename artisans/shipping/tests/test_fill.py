"""The one rate and charge of a shop of release 0.1.0 become rows by place, and back."""

from importlib import import_module

import pytest
from django.apps import apps

from artisans.regions.models import Place, ShopCurrency, TaxZone
from artisans.regions.selectors import taxes_at
from artisans.regions.tests.factories import tax_rate
from artisans.shipping.models import ShippingRate, ShippingZone
from artisans.shipping.selectors import methods_at
from orders.models import StoreRules
from orders.tests.factories import RULES

pytestmark = pytest.mark.django_db
migration = import_module("artisans.shipping.migrations.0002_fill_places")


def test_prices_stay_for_everybody_and_go_back():
    StoreRules.objects.create(pk=1, **RULES | {"currency": "EUR", "country": "DE", "tax_rate_ppm": 190_000})

    for _ in range(2):  # the second time changes nothing
        migration.copy(apps, None)

    for country in ("DE", "AQ"):
        [method] = methods_at(Place(country), artisan_ids=[], currency="EUR")
        assert taxes_at(Place(country)).rates[None].rate_ppm == 190_000
        assert (method.name, method.tiers[0].price_minor) == ("Standard", 599)
    assert str(ShopCurrency.objects.get().cash_limit) == "150.00 EUR"

    tax_rate(TaxZone.objects.get(), 200_000, start=TaxZone.objects.get().rates.get().created_at)
    ShippingRate.objects.update(price_minor=700)
    ShopCurrency.objects.update(cash_limit_minor=None)
    migration.copy_back(apps, None)
    store = StoreRules.objects.get()
    assert (store.tax_rate_ppm, store.shipping_minor, store.cash_limit_minor) == (200_000, 700, 0)


@pytest.mark.parametrize("rules", [None, {"tax_is_set": False, "shipping_is_set": False}])
def test_shop_that_is_not_set_up_gets_no_places(rules):
    if rules:
        StoreRules.objects.create(pk=1, **RULES | rules)
    migration.copy(apps, None)

    assert not TaxZone.objects.exists()
    assert not ShippingZone.objects.exists()
    migration.copy_back(apps, None)
