"""Random histories of orders (tests/order_simulation.py): a few here, thousands by `make storm`. A failure names
seed and story."""

import os

import pytest
from django.db import transaction

from artisans.accounts.models import Role
from artisans.accounts.tests.factories import UserFactory
from artisans.catalog.models import Artisan
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from orders.tests.factories import store_of
from tests.order_simulation import People, simulate_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("card_shop"), pytest.mark.timeout(600)]

FIRST, SIMULATIONS = int(os.environ.get("STORM_SEED", "1")), int(os.environ.get("STORM_LIVES", "6"))
GROUP = 20  # histories that share their users
FOUND = (30, 325, 506)  # seeds that found faults


@pytest.fixture
def people(shopper, staff, admin_user, bowl, scarf) -> People:
    potter = ArtisanFactory.create(user=UserFactory.create(role=Role.ARTISAN))
    for artisan, ppm in ((potter, 125_000), (bowl.artisan, 100_000), (scarf.artisan, 0)):
        Artisan.objects.filter(pk=artisan.pk).update(commission_ppm=ppm)
    cup = ProductFactory.create(artisan=potter, name="Cup", slug="cup", price_minor=1237)
    return People(shopper, staff, admin_user, store_of(cash_limit_minor=10**6), [bowl, scarf, cup])


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SIMULATIONS, GROUP))
def test_refund_due_equals_an_independent_calculation_in_random_histories(people, seed):
    for one in range(seed, min(seed + GROUP, FIRST + SIMULATIONS)):
        with transaction.atomic():
            simulate_once(one, people)
            transaction.set_rollback(True)


@pytest.mark.parametrize("seed", FOUND)
def test_histories_that_found_faults_find_none_now(people, seed):
    simulate_once(seed, people, at_random_prices=False)
