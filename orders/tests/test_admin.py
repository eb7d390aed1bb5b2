import pytest

from artisans.core.admin.pages import admin_page_url
from orders.models import StoreRules
from tests.html import page

pytestmark = pytest.mark.django_db


def rules(shown) -> dict[str, str]:
    return shown.one("form", id="storerules_form").fields()


def test_store_rules_are_entered_as_decimals_and_percentages(browser, admin_user, store):
    client = browser(admin_user)
    fields = rules(page(client.get(admin_page_url(store))))
    assert (fields["commission_tax"], fields["cash_limit"]) == ("0", "150.00")

    answer = client.post(admin_page_url(store), fields | {"commission_tax": "8.875", "cash_limit": "99.50"})

    assert answer.status_code == 302
    store.refresh_from_db()
    assert (store.commission_tax_ppm, store.cash_limit_minor) == (88_750, 9_950)


def test_rules_about_commission_and_earnings(browser, admin_user, store):
    client = browser(admin_user)
    fields = rules(page(client.get(admin_page_url(store))))
    days = {"return_days": "30", "hold_days": "30", "longest_hold_days": "60"}
    choices = {"tax_remitter": "shop", "commission_on_refund": "kept", "cash_holder": "artisan"}
    choices |= {"payment_fee_bearer": "artisan"}
    percents = {"commission_tax": "19", "reserve": "2.5"}

    answer = client.post(admin_page_url(store), fields | days | choices | percents | {"reserve_days": "90"})

    assert answer.status_code == 302
    store.refresh_from_db()
    assert {name: getattr(store, name) for name in choices} == choices
    assert (store.return_days, store.hold_days, store.longest_hold_days, store.reserve_days) == (
        30,
        30,
        60,
        90,
    )
    assert (store.commission_tax_ppm, store.reserve_ppm) == (190_000, 25_000)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("commission_tax", "101"),
        ("commission_tax", "-1"),
        ("commission_tax", "1.23456"),
        ("reserve", "-1"),
        ("hold_days", "13"),
        ("return_days", "15"),
        ("longest_hold_days", "13"),
        ("cash_holder", "nobody"),
        ("cash_limit", "5.999"),
        ("cash_limit", "-1"),
        ("country", "UK"),
        ("country", "ZZ"),
        ("currency", "XXX"),
        ("account_iban", "abc"),
        ("account_iban", "DE89 3704 0044 0532 0130 01"),
        ("account_bic", "021000022"),
    ],
)
def test_wrong_rules_change_nothing(browser, admin_user, store, field, value):
    client = browser(admin_user)
    fields = rules(page(client.get(admin_page_url(store))))

    answer = client.post(admin_page_url(store), fields | {field: value})
    assert answer.status_code == 200
    assert "is violated" not in answer.content.decode(), "a constraint is named instead of the remedy"
    store.refresh_from_db()
    assert (store.tax_rate_ppm, store.shipping_minor) == (100_000, 599)


def test_store_rules_cannot_be_added_or_deleted(browser, admin_user, store):
    client = browser(admin_user)

    assert client.get("/admin/orders/storerules/add/").status_code == 403
    assert client.post(admin_page_url(store, "delete"), {"post": "yes"}).status_code == 403
    assert StoreRules.objects.count() == 1


def test_rules_need_the_permission(browser, staff, store):
    assert browser(staff).get(admin_page_url(store)).status_code == 403
