"""Stored countries: what is certain was mended by a migration, what is not is listed by a command."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command

from orders.models import Order, StoreRules
from orders.tests.factories import ADDRESS, place

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

migration = import_module("orders.migrations.0013_countries_by_their_code")


def store_country(order: Order, country: object) -> None:
    Order.objects.filter(pk=order.pk).update(shipping_address=ADDRESS | {"country": country})


@pytest.mark.parametrize(
    ("stored", "after"),
    [
        ("UK", "GB"),
        ("uk", "GB"),
        ("gb", "GB"),
        ("EL", "GR"),
        ("US", "US"),
        ("ZZ", "ZZ"),
        ("GBR", "GBR"),
        (7, 7),
    ],
)
def test_migration_mends_a_country_that_means_one_for_certain(stored, after):
    order = place().order
    store_country(order, stored)

    migration.mend(apps, None)

    order.refresh_from_db()
    assert order.shipping_address == ADDRESS | {"country": after}


def test_migration_leaves_addresses_of_another_shape_and_mends_the_store(store):
    order = place().order
    Order.objects.filter(pk=order.pk).update(
        shipping_address=["US"], billing_address={"text": "x", "country": "uk"}
    )
    StoreRules.objects.update(country="uk")

    migration.mend(apps, None)

    order.refresh_from_db()
    store.refresh_from_db()
    assert (order.shipping_address, order.billing_address["country"], store.country) == (["US"], "GB", "GB")


def test_command_lists_each_odd_address_and_says_when_there_is_none(capsys):
    fine, odd = place().order, place().order
    call_command("check_addresses")
    assert "All addresses are valid." in capsys.readouterr().out

    store_country(odd, "ZZ")
    call_command("check_addresses")

    result = capsys.readouterr().out
    assert f"{odd.order_number}: shipping country:" in result
    assert "1 × shipping country" in result
    assert fine.order_number not in result
    assert ADDRESS["line1"] not in result
