"""Warnings about settings by which the shop would lose money."""

import pytest
from django.utils import timezone

from artisans.catalog.models import CommissionRate
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.regions.models import ShopCurrency
from artisans.regions.tests.factories import tax_class
from orders.checks import check_commission, check_taxed

pytestmark = pytest.mark.django_db


def add_rate(currency: str, **fields: object) -> None:
    CommissionRate.objects.create(currency=currency, rate_ppm=100_000, valid_from=timezone.now(), **fields)


def test_currency_without_a_commission_rate_of_the_store_is_named(store):
    ShopCurrency.objects.create(code="JPY")
    ShopCurrency.objects.create(code="EUR", is_active=False)
    assert check_commission(None, ["default"]) == []  # the shop takes none at all

    add_rate("USD")
    add_rate("JPY", artisan=ArtisanFactory.create())
    (warning,) = check_commission(None, ["default"])
    assert (warning.id, "JPY" in warning.msg) == ("alley.W023", True)

    add_rate("JPY")
    assert check_commission(None, ["default"]) == []


def test_country_that_is_shipped_to_without_a_rate_for_goods_on_sale_is_named(store):
    assert check_taxed(None, ["default"]) == []

    ProductFactory.create(tax_class=tax_class("books"))
    (warning,) = check_taxed(None, ["default"])
    assert (warning.id, "books" in warning.msg) == ("alley.W022", True)
