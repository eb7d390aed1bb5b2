import pytest
from django.urls import reverse

from artisans.tax_ids.models import TaxId
from artisans.tax_ids.services import tax_id_record_use

pytestmark = pytest.mark.django_db


def page(tax_id, name="change"):
    return reverse(f"admin:tax_ids_taxid_{name}", args=[tax_id.pk])


@pytest.fixture
def tax_id(store):
    return tax_id_record_use(value="DE136695976")


def test_staff_find_what_they_have_to_decide_and_decide_it(tax_id, staff, browser):
    client = browser(staff)

    listed = client.get(reverse("admin:tax_ids_taxid_changelist"), {"status__exact": "unavailable"})
    shown = client.get(page(tax_id, "decide"))
    answer = client.post(
        page(tax_id, "decide"),
        {"version": tax_id.version, "decision": "unverified", "reason": "The office says no."},
        follow=True,
    )

    assert tax_id.value in listed.content.decode()
    assert f'name="version" value="{tax_id.version}"' in shown.content.decode()
    assert "The office says no." in answer.content.decode()
    assert TaxId.objects.get().status == "unverified"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"decision": ""}, "Choose whether the VAT ID is valid"),
        ({"reason": " "}, "Enter a reason"),
        ({"version": 0}, "has changed since this page was shown"),
    ],
)
def test_a_wrong_decision_is_refused_on_the_page(tax_id, staff, browser, changes, error):
    sent = {"version": tax_id.version, "decision": "verified", "reason": "Called."} | changes

    answer = browser(staff).post(page(tax_id, "decide"), sent)

    assert error in answer.content.decode()
    assert TaxId.objects.get().status == "unavailable"


def test_asking_vies_again_says_when_the_shop_does_not(tax_id, staff, browser):
    answer = browser(staff).post(page(tax_id, "ask-again"), {"version": tax_id.version})

    assert "VIES_API_BASE" in answer.content.decode()


def test_other_staff_see_no_vat_ids(tax_id, powerless_staff, browser):
    client = browser(powerless_staff)

    for address in (page(tax_id), page(tax_id, "decide"), page(tax_id, "ask-again")):
        assert client.get(address).status_code == 403
