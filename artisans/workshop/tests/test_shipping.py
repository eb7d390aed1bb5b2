"""An owner enters the workshop's own shipping methods."""

import pytest
from django.urls import reverse

from artisans.audit.models import AuditEntry
from artisans.regions.models import Place
from artisans.shipping.models import ShippingMethod, ShippingZone
from artisans.shipping.selectors import methods_at
from artisans.shipping.tests.factories import shipping_method
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


def save(client, path: str, **fields: str):
    form = page(client.get(path)).all("form")[-1].fields()
    return client.post(path, form | fields)


def test_own_methods_are_added_changed_and_switched_off(browser, seller):
    client, new = browser(seller), reverse("workshop:shipping_new")
    zone = ShippingZone.objects.get()

    fields = {"zone": str(zone.pk), "name": "By bike", "prices": "USD 9\nUSD 0 from 50.00"}
    assert save(client, new, **fields).status_code == 302

    method = ShippingMethod.objects.get(name="By bike")
    assert (method.artisan, method.charged_per) == (seller.artisan, "parcel")
    assert "By bike" in page(client.get(reverse("workshop:shipping_list"))).text
    own = reverse("workshop:shipping", args=[method.pk])
    assert save(client, own, prices="USD 8").status_code == 302
    assert [rate.price_minor for rate in method.rates.all()] == [800]
    assert save(client, own, is_active="").status_code == 302
    found = methods_at(Place("US"), artisan_ids=[seller.artisan.pk], currency="USD")
    assert [one.name for one in found] == ["Standard"]
    assert AuditEntry.objects.filter(action="shipping_method.save").count() == 3


def test_own_method_is_deleted_after_a_question(browser, seller):
    client, zone = browser(seller), ShippingZone.objects.get()
    method = shipping_method(zone, "By bike", (0, 0, 900), artisan=seller.artisan)
    path = reverse("workshop:shipping_delete", args=[method.pk])
    form = page(client.get(reverse("workshop:shipping", args=[method.pk])))
    assert form.one("a", href=path)

    question = page(client.get(path)).text
    assert "Delete “By bike”?" in question
    assert "It will no longer be offered to buyers in Everywhere, and its prices will be deleted." in question
    assert ShippingMethod.objects.filter(pk=method.pk).exists()
    answer = client.post(path, follow=True)

    assert "Deleted." in page(answer).text
    found = methods_at(Place("US"), artisan_ids=[seller.artisan.pk], currency="USD")
    assert [one.name for one in found] == ["Standard"]
    assert AuditEntry.objects.filter(action="shipping_method.delete").count() == 1
    assert client.post(path).status_code == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prices": "five"}, "“five”"),
        ({"min_days": "5", "max_days": "2"}, "shorter"),
        ({"min_days": "5"}, "both days"),
        ({"name": ""}, "required"),
        ({"zone": "999"}, "valid choice"),
    ],
)
def test_wrong_method_is_not_saved(browser, seller, fields, words):
    answer = save(
        browser(seller), reverse("workshop:shipping_new"), **{"name": "Mine", "prices": "USD 1"} | fields
    )

    assert words in page(answer).text
    assert not ShippingMethod.objects.filter(artisan=seller.artisan).exists()


def test_methods_of_others_and_of_the_shop_are_not_found(browser, seller):
    path = reverse("workshop:shipping", args=[ShippingMethod.objects.get().pk])

    assert browser(seller).get(path).status_code == 404
    assert browser(seller).post(f"{path}delete/").status_code == 404
    assert ShippingMethod.objects.exists()
