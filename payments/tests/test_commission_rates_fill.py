"""Commissions that a process of release 0.1.0 changes while it is replaced become rates."""

import pytest
from django.utils import timezone

from artisans.catalog.models import Artisan, CommissionRate
from payments.bookkeeping.deployment import JUST_NOW, commission_rates_fill
from payments.tasks import expire_orders_task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def change(artisan: Artisan, commission_ppm: int) -> list[int]:
    """As release 0.1.0 does; returns the artisan's rates, the latest first."""
    artisan.commission_ppm = commission_ppm
    artisan.save()
    expire_orders_task()
    commission_rates_fill(JUST_NOW)
    return list(artisan.rates.values_list("rate_ppm", flat=True))


def test_a_changed_commission_becomes_a_rate_once(bowl, scarf):
    assert change(bowl.artisan, 80_000) == [80_000]
    assert change(bowl.artisan, 0) == [0, 80_000]
    assert not CommissionRate.objects.exclude(artisan=bowl.artisan).exists()


def test_a_rate_that_staff_added_stays_while_the_commission_is_the_same(bowl, staff):
    change(bowl.artisan, 80_000)

    CommissionRate.objects.create(
        artisan=bowl.artisan, currency="USD", rate_ppm=50_000, valid_from=timezone.now(), made_by=staff
    )

    assert change(bowl.artisan, 80_000) == [50_000, 80_000]
