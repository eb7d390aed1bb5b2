"""People of one workshop, and buyers, at the same moment, with real transactions."""

import pytest
from django.db import transaction

from artisans.audit.models import AuditEntry
from artisans.catalog.models import Product
from artisans.catalog.product_versions import ProductChanged, version_of
from artisans.catalog.products import product_archive, product_change, product_publish
from artisans.catalog.services import OutOfStock
from artisans.catalog.tests.factories import ProductFactory
from artisans.catalog.variants import VariantInput, variants_change
from artisans.earnings.tests.test_races import together
from orders.models import OrderLine
from orders.tests.factories import place

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


def buy(product: Product) -> str:
    try:
        with transaction.atomic():
            place({product: 1})
    except OutOfStock:
        return "refused"
    return "sold"


@pytest.mark.parametrize("_time", range(2))
def test_variant_that_is_archived_while_it_is_bought_is_sold_before_or_not_at_all(seller, _time):
    jug = ProductFactory.create(artisan=seller.artisan, stock=0)
    own = {"artisan": seller.artisan, "product_id": jug.pk, "actor": seller}
    rows = [VariantInput((size,), 2000, counted=5) for size in ("S", "L")]
    variants_change(option_names=["Size"], variants=rows, **own)
    small, large = product_publish(**own).choices

    first, _archived, second = together(
        lambda: buy(small), lambda: product_archive(**own), lambda: buy(large)
    )

    for variant, result in ((small, first), (large, second)):
        variant.refresh_from_db()
        sold = OrderLine.objects.filter(product=variant).count()
        assert (variant.is_active, variant.stock, sold) == (False, 5 - sold, int(result == "sold"))
    assert buy(small) == buy(large) == "refused"


def test_one_of_two_prices_at_the_same_moment_is_saved_and_the_other_told(seller):
    mug = ProductFactory.create(artisan=seller.artisan, price_minor=2000)
    seen = version_of(mug)

    def change(minor: int) -> int:
        try:
            return product_change(
                artisan=seller.artisan,
                product_id=mug.pk,
                actor=seller,
                values={"price_minor": minor},
                version=seen,
            ).price_minor
        except ProductChanged:
            return 0

    results = together(lambda: change(2500), lambda: change(3000))

    mug.refresh_from_db()
    assert sorted(results) == [0, mug.price_minor]
    assert AuditEntry.objects.filter(action="product.change").count() == 1
