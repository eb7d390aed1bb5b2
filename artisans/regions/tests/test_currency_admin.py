"""Staff offer currencies, and add exchange rates."""

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile

from artisans.audit.models import AuditEntry
from artisans.audit.services import row_key
from artisans.core.admin.pages import admin_list_url, admin_page_url
from artisans.regions.models import RateSheet, ShopCurrency
from artisans.regions.tests.test_rates import DAILY, XML
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

UPLOAD, TYPE = "/admin/regions/ratesheet/upload/", "/admin/regions/ratesheet/type/"
TYPED = {"base": "EUR", "valid_on": "2026-11-30", "lines": "USD 1.0705\nJPY 171.94"}
CURRENCY = {
    "code": "KWD",
    "is_active": "on",
    "position": "1",
    "step": "0.010",
    "price_step": "0.500",
    "price_charm": "0.010",
    "rounding": "nearest",
    "cash_limit": "",
}
USD = {"code": "USD", "step": "0.01", "price_step": "1.00", "price_charm": "0.01"}


@pytest.fixture
def pricing(staff, browser):
    staff.groups.set(Group.objects.filter(name="Pricing"))
    return browser(staff)


def uploaded(raw: bytes) -> dict[str, SimpleUploadedFile]:
    return {"file": SimpleUploadedFile("eurofxref-daily.xml", raw)}


def test_a_file_is_imported_once_and_names_what_it_left_out(pricing):
    answer = pricing.post(UPLOAD, uploaded(XML), follow=True)
    sheet = RateSheet.objects.get()
    assert "QQQ" in page(answer).text
    assert "JPY 171.94" in page(pricing.get(admin_page_url(sheet))).text
    assert "imported before" in page(pricing.post(UPLOAD, uploaded(XML))).text
    assert "document type" in page(pricing.post(UPLOAD, uploaded(b"<!DOCTYPE a []><a/>"))).text


def test_cash_limit_of_the_shops_own_currency_is_in_the_store_rules_only(pricing):
    own = ShopCurrency.objects.get()

    shown = page(pricing.get(admin_page_url(own)))
    listed = page(pricing.get(admin_list_url(ShopCurrency))).text
    own.delete()
    refused = page(pricing.post("/admin/regions/shopcurrency/add/", CURRENCY | USD | {"cash_limit": "20"}))

    assert not shown.all("input", name="cash_limit")
    assert "In the store rules" in listed
    assert "is in the store rules: change it there" in refused.text


@pytest.mark.parametrize("address", [UPLOAD, TYPE])
def test_rates_that_jump_are_imported_by_a_second_press(pricing, address):
    pricing.post(UPLOAD, uploaded(DAILY.replace(b"30 November", b"27 November").replace(b"171.94", b"100")))
    sent = uploaded(DAILY) if address == UPLOAD else TYPED

    shown = page(pricing.post(address, sent))

    assert "20%" in shown.text
    assert RateSheet.objects.count() == 1
    again = {name: value or "" for name, value in shown.all("form", method="post")[-1].fields().items()}
    pricing.post(address, again)
    assert RateSheet.objects.count() == 2
    assert AuditEntry.objects.filter(action="rates.import").first().data["confirmed"] == ["JPY"]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"lines": "USD 1,0705"}, "decimal comma"),
        ({"lines": "USD"}, "not a positive number"),
        ({"lines": "USD 1\nUSD 2"}, "once"),
        ({"lines": "XXX 1"}, "currency in use"),
        ({"lines": "EUR 1"}, "Leave out EUR"),
        ({"base": "ABC"}, "three letters of a currency"),
        ({"valid_on": "2099-01-01"}, "today or an earlier date"),
    ],
)
def test_typed_rates_are_checked(pricing, typed, reason):
    assert reason in page(pricing.post(TYPE, TYPED | typed)).text
    assert not RateSheet.objects.exists()


def test_a_currency_is_added_changed_and_audited(pricing):
    pricing.post("/admin/regions/shopcurrency/add/", CURRENCY)
    currency = ShopCurrency.objects.get(code="KWD")
    assert (currency.step_minor, currency.price_step_minor, currency.price_charm_minor) == (10, 500, 10)
    assert currency.cash_limit is None
    address = admin_page_url(currency)
    form = page(pricing.get(address)).one("form", id="shopcurrency_form").fields()
    pricing.post(address, {k: v for k, v in form.items() if v is not None} | {"cash_limit": "20"})
    currency.refresh_from_db()
    assert str(currency.cash_limit) == "20.000 KWD"
    entry = AuditEntry.objects.filter(action="setting.change").first()
    assert entry.data["changes"][0]["new"] == "20.000 KWD"
    assert row_key(entry.target_type, entry.target_id) == "KWD"
    assert "KWD" in page(pricing.get(admin_list_url(ShopCurrency))).text


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"step": "0"}, "more than 0"),
        ({"price_step": "0.005"}, "multiple of"),
        ({"price_charm": "0.001"}, "multiple of"),
        ({"price_charm": "0.500"}, "less than the step"),
        ({"code": "XXX"}, "currency"),
    ],
)
def test_steps_that_do_not_fit_are_refused(pricing, typed, reason):
    answer = pricing.post("/admin/regions/shopcurrency/add/", CURRENCY | typed)
    assert reason in page(answer).text
    assert not ShopCurrency.objects.exclude(code="USD").exists()


def test_the_shops_own_currency_is_always_offered(pricing):
    own = ShopCurrency.objects.get(code="USD")
    form = page(pricing.get(admin_page_url(own))).one("form", id="shopcurrency_form").fields()
    sent = {name: value for name, value in form.items() if value is not None and name != "is_active"}
    assert "always offered" in page(pricing.post(admin_page_url(own), sent)).text
