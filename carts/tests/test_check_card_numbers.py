"""A command lists stored texts that hold a card number."""

import pytest
from django.core.management import call_command

from orders.models import Order
from orders.tests.factories import ADDRESS, place

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def test_command_lists_rows_with_a_card_number_and_reports_when_there_are_none(capsys):
    fine, odd = place().order, place().order
    call_command("check_card_numbers")
    assert capsys.readouterr().out == "No card numbers are stored.\n"

    Order.objects.filter(pk=odd.pk).update(
        delivery_note="VI4242424242424242",
        shipping_address=ADDRESS | {"line2": "4242&nbsp;4242&nbsp;4242&nbsp;4242"},
        billing_address=ADDRESS | {"line1": "4242 4242", "line2": "4242 4242"},
    )
    call_command("check_card_numbers")

    result = capsys.readouterr().out
    assert f"orders.Order {odd.pk}: delivery_note\n" in result
    assert "1 × orders.Order shipping_address\n3 found.\n" in result
    assert f"{odd.pk}: billing_address" in result
    assert str(fine.pk) not in result
    assert "4242" not in result.replace(str(odd.pk), "")
