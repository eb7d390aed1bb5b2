"""A shop that trades by chance, and how it counts. Other tests of figures need the providers of the payments' tests."""

from datetime import timedelta

import pytest

from artisans.catalog.models import Product
from artisans.figures import counting
from artisans.figures.tests.trade import Trade
from payments.tests.conftest import card_shop  # noqa: F401  # pytest finds fixtures by their import here


@pytest.fixture
def trade(staff, bowl, scarf, settings) -> Trade:
    settings.STRIPE_SECRET_KEY = "sk_test_of_nobody"
    settings.MAX_OPEN_ORDERS = 10_000
    settings.MAX_HELD_UNITS = settings.MAX_HELD_OF_PRODUCT = 10_000
    settings.MAX_HELD_VALUE_MINOR = 10**12
    Product.objects.update(stock=100_000)
    return Trade(20261123, staff=staff, products=[bowl, scarf])


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Count without rests, all days that were never counted, and today as often as asked."""
    monkeypatch.setattr(counting, "REST", 0)
    monkeypatch.setattr(counting, "BUILD_SECONDS", 600)
    monkeypatch.setattr(counting, "REFRESH", timedelta(0))
    monkeypatch.setattr(counting, "RECENT", timedelta(days=11))  # there it runs every five seconds
