"""The addresses of the last order, filled in at the next checkout."""

import pytest
from django.urls import reverse

from orders.models import Order
from orders.tests.factories import ADDRESS
from tests.checkout_client import CheckoutClient
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

BILLING = {
    "billing_same": None,
    **{f"billing_{name}": value for name, value in ADDRESS.items() if name != "phone"},
    "billing_line1": "2 Office Park",
}
NOTE = "Details of your last order are filled in."


def filled(shop, bowl):
    """The form at the start of another checkout, and whether the page says that it is filled in."""
    shop.add(bowl)
    shown = page(shop.get("carts:checkout_details"))
    return shown.all("form")[-1].fields(), NOTE in shown.text


def test_addresses_of_the_last_order_are_filled_in(shop, bowl):
    fields, says_so = filled(shop, bowl)
    assert (fields["line1"], says_so) == ("", False)
    shop.buy("bank_transfer", bowl, **BILLING)

    fields, says_so = filled(shop, bowl)

    assert {name: fields[name] for name in ADDRESS} == ADDRESS
    assert (fields["billing_line1"], "billing_same" in fields, says_so) == ("2 Office Park", False, True)


def test_same_billing_address_stays_the_same(shop, bowl):
    shop.buy("bank_transfer", bowl)

    fields, _ = filled(shop, bowl)

    assert ("billing_same" in fields, fields["billing_line1"]) == (True, "")


def test_removed_addresses_are_not_filled_in_until_the_next_order(shop, bowl):
    order = shop.buy("bank_transfer", bowl)
    url = reverse("orders:address")
    assert ADDRESS["line1"] in page(shop.client.get(url)).text

    answer = page(shop.client.post(url, follow=True))

    assert "will not be filled in" in answer.text
    assert ADDRESS["line1"] not in answer.text
    fields, says_so = filled(shop, bowl)
    assert (fields["line1"], says_so) == ("", False)
    order.refresh_from_db()
    assert order.shipping_address["line1"] == ADDRESS["line1"]
    shop.buy("bank_transfer", bowl, line1="9 New Street")
    assert filled(shop, bowl)[0]["line1"] == "9 New Street"


def test_company_and_vat_id_of_the_last_order_are_filled_in_until_they_are_removed(shop, bowl):
    shop.buy("bank_transfer", bowl, company="Blau GmbH", vat_id="DE 136695976")
    shop.client.post(reverse("carts:country"), {"country": "DE"})  # which leaves out the address in the US

    fields, says_so = filled(shop, bowl)

    assert (fields["line1"], says_so) == ("", True)
    assert (fields["company"], fields["vat_id"]) == ("Blau GmbH", "DE136695976")
    url = reverse("orders:address")
    assert "Blau GmbH VAT ID: DE136695976" in page(shop.client.get(url)).text
    assert "Blau GmbH" not in page(shop.client.post(url, follow=True)).text
    fields, _ = filled(shop, bowl)
    assert (fields["company"], fields["vat_id"]) == ("", "")


def test_guests_and_other_users_get_an_empty_form(shop, browser, stranger, bowl):
    shop.buy("bank_transfer", bowl)
    guest = CheckoutClient(browser())
    guest.buy("bank_transfer", bowl, email="stranger@example.test")

    for other in (guest, CheckoutClient(browser(stranger))):
        assert filled(other, bowl)[0]["line1"] == ""


def test_address_that_is_a_single_text_is_not_filled_in(shop, bowl):
    shop.buy("bank_transfer", bowl)
    Order.objects.update(shipping_address={"text": "Ada, 1 Road", "country": "US"})

    assert filled(shop, bowl)[0]["line1"] == ""
    assert "Ada, 1 Road" in page(shop.client.get(reverse("orders:address"))).text
