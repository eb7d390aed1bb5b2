"""Whatever a buyer enters is part of what they confirm: if it changes after the review page, nothing is ordered."""

from dataclasses import fields

import pytest
from django.forms import BooleanField

from carts.fingerprint import ANSWERS, page_fingerprint
from carts.forms import DetailsForm
from carts.models import Cart
from carts.serializers import AssertionsIn, OrderIn, ShippingIn
from carts.views import CHANGES, summary_of
from orders.services.placing import Buyer
from orders.tests.factories import ADDRESS
from tests.checkout_client import CheckoutClient

BILLING = {f"billing_{name}": text for name, text in ADDRESS.items() if name != "phone"}
OTHER = {
    "email": "other@example.test",
    "country": "DE",
    "region": "CA",
    "postal_code": "90210",
    "phone": "+1 202 555 0199",
}
ANSWER_OF = {  # by field of the API and of Buyer
    "customer_email": "email",
    "email": "email",
    "shipping_address": "shipping",
    "billing_address": "billing",
    "note": "note",
    "payment_method": "method",
    "company": "company",
    "vat_id": "vat_id",
}
NOT_ON_PAGES = {
    "payment_provider",
    "order_items",
    *ShippingIn().fields,
}  # the shop chooses the provider; items are compared as "items", methods as "delivery"
NOT_ENTERED = {"user", "network"}


@pytest.fixture
def fingerprint(db, store, browser, bowl):
    """The fingerprint of the review page after the details were entered with these changes."""
    walk = CheckoutClient(browser())
    walk.add(bowl)

    def enter(**changes: str | None) -> str:
        walk.details(**{"billing_same": None, "note": "", **BILLING} | changes)
        cart = Cart.objects.get()
        return page_fingerprint(summary_of(cart), cart.draft)

    return enter


def test_every_field_of_the_details_form_changes_the_fingerprint(fingerprint):
    before = fingerprint()
    unchanged = set()
    for name, field in DetailsForm().fields.items():
        if isinstance(field, BooleanField):
            continue  # the test below
        changed = fingerprint(**{name: OTHER.get(name.removeprefix("billing_"), "Somewhere else")})
        unchanged |= {name} if changed == before else set()

    assert unchanged == set()
    assert fingerprint() == before


def test_same_billing_address_changes_the_fingerprint(fingerprint):
    other = fingerprint(billing_city="Salem")

    assert fingerprint(billing_city="Salem", billing_same="on") != other


def test_every_answer_of_the_pages_is_in_the_fingerprint(fingerprint):
    fingerprint()
    stored = set(Cart.objects.get().draft) - {
        "billing_same",
        "delivery",
    }  # compared as "billing" and with the amounts

    assert stored | {"method"} == set(ANSWERS)


def test_every_field_of_placing_an_order_is_an_answer():
    """A new field of the API needs its answer on the pages, and is added to ANSWERS."""
    entered = set(OrderIn().fields) - set(AssertionsIn().fields) - NOT_ON_PAGES
    of_buyer = {field.name for field in fields(Buyer)} - NOT_ENTERED

    assert entered | of_buyer == set(ANSWER_OF)
    assert set(ANSWER_OF.values()) == set(ANSWERS)


def test_every_answer_has_its_sentence():
    assert set(CHANGES) == {"items", "amounts", "delivery", "names", *ANSWERS}
