"""Two people add a tax rate of the same start at the same moment, with real transactions."""

from datetime import timedelta

import pytest
from django.utils import timezone

from artisans.core.errors import Conflict
from artisans.earnings.tests.test_races import together
from artisans.regions.models import TaxRate
from artisans.regions.tests.factories import tax_class, tax_zone
from orders.services.places import NewTaxRate, tax_rate_add
from orders.services.tax_import import tax_rates_import

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


def test_one_of_two_rates_of_the_same_start_is_added_and_the_other_refused(admin_user):
    zone, start = tax_zone("Germany", ("DE",)), (timezone.now() + timedelta(days=3)).isoformat()
    rates = [NewTaxRate(zone.pk, tax_class(code).pk, 70_000, "VAT", start) for code in ("standard", "books")]

    results = together(
        lambda: tax_rate_add(rates[0], actor=admin_user),
        lambda: tax_rate_add(rates[0], actor=admin_user),
        lambda: tax_rates_import(rates, actor=admin_user),
    )

    assert len([result for result in results if isinstance(result, Conflict)]) == 2
    added = set(TaxRate.objects.filter(zone=zone).values_list("tax_class__code", flat=True))
    assert added == ({"standard", "books"} if results[2] is True else {"standard"})
