"""A command lists stored addresses that would no longer be accepted."""

import pytest
from django.core.management import call_command

from orders.models import Order
from orders.tests.factories import ADDRESS, place

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def store_country(order: Order, country: object) -> None:
    Order.objects.filter(pk=order.pk).update(shipping_address=ADDRESS | {"country": country})


def test_command_lists_each_invalid_address_and_reports_when_there_are_none(capsys):
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
