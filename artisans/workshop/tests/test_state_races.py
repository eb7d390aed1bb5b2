"""A workshop closes while someone buys from it, with real transactions."""

import pytest

from artisans.catalog.statuses import ArtisanState
from artisans.earnings.tests.test_races import together
from artisans.workshop.states import closing_request, parcels_open
from artisans.workshop.tests.test_product_races import buy

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("store"),
]


@pytest.mark.parametrize("_time", range(2))
def test_a_workshop_that_closes_while_one_buys_has_no_open_parcel_once_it_is_closed(seller, bowl, _time):
    workshop = seller.artisan

    first, _asked, second = together(
        lambda: buy(bowl), lambda: closing_request(artisan=workshop, actor=seller), lambda: buy(bowl)
    )

    workshop.refresh_from_db()
    sold = [first, second].count("sold")
    assert parcels_open(workshop).count() == sold
    assert workshop.state == (ArtisanState.CLOSING if sold else ArtisanState.CLOSED)
    assert sold or buy(bowl) == "refused"
