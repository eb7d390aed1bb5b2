"""Businesses with a VAT ID buy without VAT: on the pages and by API, from a shop in the United States."""

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from artisans.audit.models import AuditEntry
from artisans.privacy.exports import person_export
from artisans.privacy.models import ErasureSource
from artisans.privacy.selectors import person_find
from artisans.privacy.services import erasure_continue, erasure_start, person_export_audited, user_erase
from artisans.regions.models import TaxZone
from artisans.regions.tests.factories import tax_class, tax_rate, tax_zone
from artisans.shipping.models import ShippingMethod
from artisans.tax_ids.models import TaxId, TaxIdNotice
from artisans.tax_ids.services import tax_id_check, tax_id_decide, tax_id_record_use
from carts.tests.test_places import GERMAN, places  # noqa: F401  # a fixture
from orders.models import Order, StoreRules
from payments.lifecycle.cancel_and_expire import order_cancel
from payments.models import Payment
from payments.tests.conftest import sandbox_server  # noqa: F401  # a fixture
from payments.tests.factories import give_back, record
from tests.checkout_client import CheckoutClient, order_at
from tests.dump import raw_dump
from tests.html import page
from tests.problems import problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("reverse_charge")]

VALID, NOT_VALID, DOWN = "DE136695976", "DE100006200", "DE100008301"
BUSINESS = GERMAN | {"company": "Blau GmbH", "vat_id": VALID}
WITH_TAX, WITHOUT_TAX = "114.59", "98.35"  # a bowl for 85.45 and 12.90 to Germany


@pytest.fixture
def reverse_charge(places):  # noqa: F811
    """Without VIES: staff decide. One way of delivery, which needs no choice."""
    ShippingMethod.objects.filter(name="Express").delete()
    tax_zone("Germany", has_reverse_charge=True)


@pytest.fixture
def vies(sandbox_server, settings):  # noqa: F811
    settings.VIES_API_BASE = f"{sandbox_server.base_url}/vies"


@pytest.fixture
def walk(browser, bowl) -> CheckoutClient:
    walk = CheckoutClient(browser())
    walk.add(bowl, follow=False)
    return walk


def ask() -> TaxId:
    """The worker asks VIES as often as it does."""
    for minutes in (0, 5, 10):
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
            tax_id_check(TaxId.objects.get().pk)
    return TaxId.objects.get()


def decide(staff, *, is_valid=True):
    found = TaxId.objects.get()
    tax_id_decide(
        tax_id_id=found.pk, version=found.version, is_valid=is_valid, reason="Called them.", actor=staff
    )


def review(walk, **details):
    walk.details(follow=False, **(BUSINESS | details))
    walk.payment("bank_transfer", follow=False)
    return walk.check_page()


def total_of(shown) -> str:
    return shown.one("dd", class_="total").text.strip().removeprefix("$")


# ---- pages -----------------------------------------------------------------------------------------------------------


def test_a_german_business_buys_without_vat(walk, vies):
    pending = review(walk, vat_id=" de 136 695 976")
    ask()
    shown = walk.check_page()
    placed = order_at(walk.press(walk.pay_form())["Location"])

    assert "We are checking DE136695976" in pending.text
    assert total_of(pending) == WITH_TAX
    assert "Reverse charge: VAT is to be accounted for by the recipient." in shown.text
    assert total_of(shown) == WITHOUT_TAX
    assert (placed.is_reverse_charge, placed.tax_minor, placed.company) == (True, 0, "Blau GmbH")
    assert (placed.vat_id, placed.vat_id_check["status"]) == (VALID, "verified")
    assert placed.vat_id_check["name"] == "Sandbox Trading Company"
    order_page = page(walk.client.get(reverse("payments:order", args=[placed.access_token])))
    assert "VAT ID: DE136695976" in order_page.text
    assert "accounted for by the recipient" in order_page.text


def test_prices_with_tax_are_shown_without_it(walk, vies, store):
    store.prices_include_tax = True
    store.save()
    review(walk)
    ask()

    shown = walk.check_page()

    assert "$71.81" in shown.one("ul", class_="items").text  # 85.45 / 1.19


@pytest.mark.parametrize(
    ("includes", "with_tax", "without"), [(False, "117.04", WITHOUT_TAX), (True, "98.35", "82.65")]
)
def test_shipping_with_a_tax_class_is_without_tax_too(walk, staff, includes, with_tax, without):
    """A bowl for 85.45 and 12.90 to Germany, both at 19 %, with and without tax in the prices."""
    StoreRules.objects.update(
        prices_include_tax=includes, shipping_tax="class", shipping_tax_class=tax_class("freight")
    )
    for zone in TaxZone.objects.all():
        tax_rate(zone, 190_000, code="freight")
    taxed = review(walk)
    decide(staff)

    placed = order_at(walk.press(walk.pay_form())["Location"])

    assert (total_of(taxed), placed.total.amount) == (with_tax, without)
    assert (placed.tax_minor, placed.parcels.get().shipping_tax_minor) == (0, 0)


def test_a_vat_id_that_could_not_be_checked_is_said_and_decided_by_staff(walk, vies, staff, mailoutbox):
    review(walk, vat_id=DOWN)
    ask()
    waiting = walk.check_page()
    decide(staff)

    assert "could not be checked just now. You can order with VAT now, or wait" in waiting.text
    assert total_of(waiting) == WITH_TAX
    assert total_of(walk.check_page()) == WITHOUT_TAX


@pytest.mark.parametrize(("changes", "words"), [({"vat_id": NOT_VALID}, "is not valid")])
def test_a_vat_id_that_is_not_valid_is_said(walk, vies, changes, words):
    review(walk, **changes)
    ask()

    shown = walk.check_page()

    assert words in shown.text
    assert total_of(shown) == WITH_TAX


def test_an_old_check_does_not_count(walk, staff):
    review(walk)
    decide(staff)

    with time_machine.travel(timezone.now() + timedelta(days=29)):
        assert total_of(walk.check_page()) == WITHOUT_TAX
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        shown = walk.check_page()
    assert "was not checked recently" in shown.text
    assert total_of(shown) == WITH_TAX


def test_in_its_own_country_the_shop_charges_its_tax(walk, staff, store):
    store.country = "DE"
    store.save()

    shown = review(walk)
    decide(staff)

    assert "We charge VAT on orders from or to businesses in our own country." in shown.text
    assert total_of(walk.check_page()) == WITH_TAX


def test_a_zone_without_reverse_charge_says_so(walk, staff):
    TaxZone.objects.update(has_reverse_charge=False)

    assert "Tax is charged on orders to this address" in review(walk).text


def test_nothing_is_ordered_if_the_vat_id_was_found_valid_meanwhile(walk, staff):
    review(walk)
    form = walk.pay_form()
    decide(staff)

    answer = walk.press(form)

    assert answer.status_code == 409
    assert "The total has changed from $114.59 to $98.35" in page(answer).text
    assert not Order.objects.exists()
    assert walk.press(walk.pay_form()).status_code == 302


def test_nothing_is_ordered_if_the_vat_id_lost_its_validity_meanwhile(walk, staff):
    review(walk)
    decide(staff)
    form = walk.pay_form()
    decide(staff, is_valid=False)

    assert walk.press(form).status_code == 409
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"vat_id": "DE136695975"}, "This is not a VAT ID of the European Union"),
        ({"company": ""}, "Enter the name of the company"),
    ],
)
def test_a_wrong_vat_id_is_refused_at_its_field(walk, changes, error):
    answer = walk.details(**(BUSINESS | changes))

    assert error in page(answer).text
    assert page(answer).one("details", class_="business").attrs.get("open") is not None
    assert not TaxId.objects.exists()


def test_checks_are_limited(walk, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"tax_ids_network": (1, 3600)}
    review(walk)

    answer = walk.details(**(BUSINESS | {"vat_id": NOT_VALID}))

    assert "Too many requests" in page(answer).text
    assert TaxId.objects.count() == 1
    assert walk.details(follow=False, **BUSINESS).status_code == 302  # known, so that nothing is checked


def test_the_buyer_is_refunded_what_they_paid(walk, staff):
    review(walk)
    decide(staff)
    placed = order_at(walk.press(walk.pay_form())["Location"])
    payment = Payment.objects.get()
    record(payment, WITHOUT_TAX, actor=staff)

    give_back(payment, WITHOUT_TAX, actor=staff)

    placed.refresh_from_db()
    assert placed.refunded.amount == WITHOUT_TAX


# ---- the API ---------------------------------------------------------------------------------------------------------


def cart_of(client, bowl) -> str:
    return client.post("/carts/", {"items": [{"product_id": str(bowl.pk), "quantity": 1}]}).json()["id"]


def address():
    return {name: value for name, value in GERMAN.items() if value}


def test_a_business_buys_by_api(api, shopper, bowl, vies):
    client = api(shopper)
    cart = cart_of(client, bowl)
    begun = client.post(f"/carts/{cart}/vat_id", {"vat_id": "de136695976"}).json()
    asked = {"country": "DE", "vat_id": VALID}
    before = client.get(f"/carts/{cart}/checkout/summary", asked).json()
    ask()
    known = client.post(f"/carts/{cart}/vat_id", {"vat_id": VALID}).json()
    after = client.get(f"/carts/{cart}/checkout/summary", asked).json()
    body = {
        "shipping_address": address(),
        "payment_method": "bank_transfer",
        "company": "Blau GmbH",
        "vat_id": VALID,
        "fingerprint": after["fingerprint"],
        "amount": after["total"],
    }

    placed = client.post(f"/carts/{cart}/checkout", body).json()["order"]

    assert (begun["status"], begun["is_verified"], begun["country"]) == ("pending", False, "DE")
    assert (known["status"], known["is_verified"]) == ("verified", True)
    assert (before["total"], before["vat_id_effect"]) == (WITH_TAX, "pending")
    assert (after["total"], after["vat_id_effect"]) == (WITHOUT_TAX, "reverse_charge")
    assert (placed["total"], placed["is_reverse_charge"]) == (WITHOUT_TAX, True)
    assert (placed["company"], placed["vat_id"]) == ("Blau GmbH", VALID)
    assert placed["vat_id_status"] == "verified"
    assert placed["vat_id_checked_at"] == known["checked_at"]


def test_an_expected_total_without_tax_is_not_charged_with_it(api, shopper, bowl):
    body = {
        "order_items": [{"product_id": str(bowl.pk), "quantity": 1}],
        "shipping_address": address(),
        "payment_method": "bank_transfer",
        "company": "Blau GmbH",
        "vat_id": VALID,
    }
    client = api(shopper)

    problem(client.post("/orders/", body | {"amount": WITHOUT_TAX}), 409, "quote_changed")
    taxed = client.post("/orders/", body | {"amount": WITH_TAX}).json()

    assert (taxed["is_reverse_charge"], taxed["vat_id_status"]) == (False, "unavailable")


@pytest.mark.parametrize("changes", [{"vat_id": "DE1"}, {"company": ""}, {"vat_id": 5}, {"company": "a\nb"}])
def test_a_wrong_vat_id_is_refused_by_api(api, shopper, bowl, changes):
    body = {
        "order_items": [{"product_id": str(bowl.pk), "quantity": 1}],
        "shipping_address": address(),
        "company": "Blau GmbH",
        "vat_id": VALID,
    }

    assert api(shopper).post("/orders/", body | changes).status_code == 400
    assert not Order.objects.exists()


# ---- staff and personal data -----------------------------------------------------------------------------------------


def test_staff_try_an_address_with_a_vat_id(admin_user, browser):
    path = reverse("admin:regions_taxzone_try")
    client = browser(admin_user)

    found = {
        country: page(client.get(path, {"country": country, "vat_id": VALID})).text
        for country in ("DE", "US", "FR")
    }
    wrong = client.get(path, {"country": "DE", "vat_id": "DE1"})

    assert "No tax: reverse charge" in found["DE"]
    assert "of your own country" in found["US"]
    assert "the zone has no reverse charge" in found["FR"]
    assert wrong.status_code == 400


def test_the_order_of_staff_shows_the_evidence(walk, staff, browser):
    review(walk)
    decide(staff)
    placed = order_at(walk.press(walk.pay_form())["Location"])

    shown = page(browser(staff).get(reverse("admin:orders_order_change", args=[placed.pk]))).text

    assert "Blau GmbH" in shown
    assert "Valid, decided by staff" in shown


def test_erasure_removes_company_and_vat_id(api, shopper, bowl, staff):
    client = api(shopper)
    client.post(f"/carts/{cart_of(client, bowl)}/vat_id", {"vat_id": VALID})
    decide(staff)
    body = {
        "order_items": [{"product_id": str(bowl.pk), "quantity": 1}],
        "shipping_address": address(),
        "company": "Blau GmbH",
        "vat_id": VALID,
    }
    placed = client.post("/orders/", body).json()
    order_cancel(order_id=placed["id"], reason="", actor=shopper)

    erasure_continue(user_erase(shopper).pk)

    order = Order.objects.get(pk=placed["id"])
    assert (order.company, order.vat_id, order.is_reverse_charge) == ("", "[erased]", True)
    assert set(order.vat_id_check) == {"status", "checked_at", "is_decided_by_staff"}
    assert not TaxId.objects.exists()


@pytest.fixture
def entered(walk, vies) -> str:
    """The address of a guest who entered a VAT ID, found to be valid, and did not order."""
    email = "trader@example.test"
    walk.details(follow=False, **BUSINESS, email=email)
    ask()
    return email


def vat_ids_in(email: str) -> list[str]:
    return [row["value"] for row in person_export(person_find(email))["data"]["vat_ids"]]


def erase_guest(email: str) -> None:
    erasure_continue(erasure_start(email=email, source=ErasureSource.COMMAND, actor=None).pk)


def test_erasure_removes_a_vat_id_that_was_entered_without_ordering(entered):
    assert TaxId.objects.get().verified_name
    assert not TaxIdNotice.objects.exists()
    assert vat_ids_in(entered) == [VALID]

    erase_guest(entered)

    assert not TaxId.objects.exists()
    assert VALID not in raw_dump()


def test_erasure_removes_the_vat_id_of_an_account_that_did_not_order(browser, shopper, bowl):
    walk = CheckoutClient(browser(shopper))
    walk.add(bowl, follow=False)
    walk.details(follow=False, **BUSINESS, email="another@example.test")

    erasure_continue(user_erase(shopper).pk)

    assert not TaxId.objects.exists()
    assert not TaxIdNotice.objects.exists()


def test_erasure_removes_a_vat_id_whose_check_somebody_waits_for():
    """Also of a cart that is purged already, or that has another VAT ID by now."""
    tax_id_record_use(value=VALID, email="trader@example.test")
    tax_id_record_use(value=NOT_VALID, email="other@example.test")
    person = person_find("trader@example.test")
    person_export_audited(person, actor=None)
    assert vat_ids_in("trader@example.test") == [VALID]

    erase_guest("trader@example.test")

    assert TaxId.objects.get().value == NOT_VALID
    assert TaxIdNotice.objects.get().email == "other@example.test"
    assert AuditEntry.objects.get(action="person.export").target_type == "tax_ids.TaxId"


def test_a_vat_id_that_others_use_too_is_checked_again(entered, walk, browser, bowl):
    other = CheckoutClient(browser())
    other.add(bowl, follow=False)
    other_page = review(other)
    TaxIdNotice.objects.create(tax_id=TaxId.objects.get(), email="other@example.test")

    erase_guest(entered)

    assert total_of(other_page) == WITHOUT_TAX
    assert "was not checked recently" in other.check_page().text
    other.details(follow=False, **BUSINESS)
    ask()
    assert total_of(other.check_page()) == WITHOUT_TAX


def test_staff_switch_reverse_charge_of_a_zone(admin_user, browser):
    client, zone = browser(admin_user), TaxZone.objects.get(name="Germany")
    path = reverse("admin:regions_taxzone_edit", args=[zone.pk])
    fields = page(client.get(path)).all("form")[-1].fields()

    client.post(path, {name: value for name, value in fields.items() if name != "has_reverse_charge"})

    assert fields["has_reverse_charge"] == "on"
    zone.refresh_from_db()
    assert not zone.has_reverse_charge
    assert AuditEntry.objects.get(action="tax_zone.save").data["has_reverse_charge"] is False
