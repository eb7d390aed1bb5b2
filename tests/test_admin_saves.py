"""Saving in the admin writes only the changed fields; concurrent changes by others are kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from artisans.accounts.models import User
from artisans.catalog.models import Artisan, Category, Product
from artisans.core.admin.pages import EditAdmin, ReadOnlyAdmin, admin_page_url
from artisans.core.admin.seen_forms import SeenForm
from artisans.regions.models import ShopCurrency
from orders.models import Carrier, StoreRules
from tests.html import Node, page
from tests.rows import carriers

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Case:
    """Two fields of a form: one changed by the user, one changed by a colleague in the meantime."""

    typed: dict[str, Any]
    stored: dict[str, Any]
    behind: dict[str, Any]


CASES: dict[type[Model], Case] = {
    Artisan: Case(
        {"town": "Seaside"}, {"town": "Seaside"}, {"commission_ppm": 250_000, "email": "new@example.test"}
    ),
    Category: Case({"name": "Bowls"}, {"name": "Bowls"}, {"position": 9}),
    Carrier: Case({"countries": "US CA"}, {"countries": "US CA"}, {"tracking_url": ""}),
    ShopCurrency: Case(
        {"price_step": "10"}, {"price_step_minor": 10}, {"position": 3, "cash_limit_minor": 500}
    ),
    Product: Case({"description": "Two\nlines"}, {}, {"stock": 3, "price_minor": 9900, "is_active": False}),
    StoreRules: Case(
        {"commission_tax": "8.875"},
        {"commission_tax_ppm": 88_750},
        {"account_iban": "GB82WEST12345698765432", "shipping_minor": 1},
    ),
    User: Case({"name": "Sam"}, {"name": "Sam"}, {"role": "artisan", "is_active": False}),
    Group: Case({"name": "Night shift"}, {"name": "Night shift"}, {}),
}
EDITABLE = {
    model
    for model, page_ in admin.site._registry.items()
    if not isinstance(page_, ReadOnlyAdmin)
    and any(str(url.name).endswith("_change") for url in page_.get_urls())
}


@pytest.fixture
def row(bowl: Product, shopper: User) -> Callable[[type[Model]], Model]:
    rows = [bowl, bowl.artisan, bowl.category, StoreRules.objects.get(), shopper, Group.objects.first()]
    rows += [carriers()[0], ShopCurrency.objects.create(code="JPY")]
    return lambda model: next(row for row in rows if type(row) is model)


def form_of(client: Client, row: Model) -> dict[str, Any]:
    return page(client.get(admin_page_url(row))).one("form", id=f"{row._meta.model_name}_form").fields()


def save(client: Client, row: Model, form: dict[str, Any]) -> HttpResponse:
    return client.post(
        admin_page_url(row), {name: value for name, value in form.items() if value is not None}
    )


def test_every_editable_page_is_covered_and_uses_the_common_base_class():
    assert set(CASES) == EDITABLE
    for model in EDITABLE:
        model_admin = admin.site._registry[model]
        assert isinstance(model_admin, EditAdmin), model
        assert not model_admin.list_editable, model
        assert not model_admin.inlines, (
            f"{model}: an inline writes whole rows; give it a form that knows what was seen"
        )


@pytest.mark.parametrize("model", CASES, ids=lambda model: model.__name__)
def test_save_keeps_what_others_changed_when_the_page_is_stale(browser, admin_user, row, model):
    client, one, case = browser(admin_user), row(model), CASES[model]
    form = form_of(client, one)
    model.objects.filter(pk=one.pk).update(**case.behind)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = save(client, one, form | case.typed)

    assert answer.status_code == 302, page(answer).text
    one.refresh_from_db()
    assert {name: getattr(one, name) for name in case.stored | case.behind} == case.stored | case.behind
    table = f'UPDATE "{model._meta.db_table}" SET'
    for update in (query["sql"] for query in queries if query["sql"].startswith(table)):
        for name in case.behind:
            assert f'"{model._meta.get_field(name).column}" =' not in update, update


@pytest.mark.parametrize("model", CASES, ids=lambda model: model.__name__)
def test_save_writes_nothing_when_nothing_was_changed(browser, admin_user, row, model):
    client, one, case = browser(admin_user), row(model), CASES[model]
    form = form_of(client, one)
    model.objects.filter(pk=one.pk).update(**case.behind)
    before = model.objects.filter(pk=one.pk).values().get()

    assert save(client, one, form).status_code == 302
    assert model.objects.filter(pk=one.pk).values().get() == before


@pytest.mark.parametrize(
    ("model", "field", "typed", "behind", "words"),
    [
        (Product, "price", "80.00", {"price_minor": 9900}, ["“85.45”", "“99.00”", "“80.00”"]),
        (
            Product,
            "name",
            "Fern bowl",
            {"name": "Mossy bowl"},
            ["“Moss bowl”", "“Mossy bowl”", "“Fern bowl”"],
        ),
        (StoreRules, "commission_tax", "12", {"commission_tax_ppm": 88_750}, ["“0”", "“8.875”", "“12”"]),
        (StoreRules, "cash_limit", "7", {"cash_limit_minor": 999}, ["“150.00”", "“9.99”", "“7”"]),
        (StoreRules, "check_address", "Here", {"check_address": "There\nnow"}, ["There", "“Here”"]),
        (
            Artisan,
            "fee_tax_treatment",
            "outside",
            {"fee_tax_treatment": "reverse_charge"},
            ["“Domestic:", "“Reverse charge:", "“Outside"],
        ),
        (User, "role", "staff", {"role": "artisan"}, ["“Shopper”", "“Artisan”", "“Staff”"]),
    ],
)
def test_conflict_is_shown_with_all_values_and_must_be_confirmed(
    browser, admin_user, row, model, field, typed, behind, words
):
    client, one = browser(admin_user), row(model)
    form = form_of(client, one)
    model.objects.filter(pk=one.pk).update(**behind)
    other = model.objects.filter(pk=one.pk).values().get()

    answer = save(client, one, form | {field: typed})

    shown = page(answer)
    for word in words:
        assert word in shown.text
    assert model.objects.filter(pk=one.pk).values().get() == other
    again = shown.one("form", id=f"{model._meta.model_name}_form").fields()
    assert again[field] == typed
    assert save(client, one, again).status_code == 302
    assert model.objects.filter(pk=one.pk).values().get() != other


def test_different_group_changes_are_a_conflict(browser, admin_user, shopper):
    client = browser(admin_user)
    mine, theirs = Group.objects.order_by("name")[:2]
    form = form_of(client, shopper)
    shopper.groups.add(theirs)

    shown = page(save(client, shopper, form | {"groups": [str(mine.pk)]}))

    assert f"It was empty and is now “{theirs.name}”; you entered “{mine.name}”" in shown.text
    assert list(shopper.groups.all()) == [theirs]


def test_equal_changes_are_not_a_conflict(browser, admin_user, store):
    client = browser(admin_user)
    form = form_of(client, store)
    StoreRules.objects.update(commission_tax_ppm=120_000)

    assert save(client, store, form | {"commission_tax": "12"}).status_code == 302


def test_amount_is_refused_when_the_currency_was_changed_meanwhile(browser, admin_user, bowl):
    client = browser(admin_user)
    form = form_of(client, bowl)
    Product.objects.update(currency="EUR")

    assert "The currency has changed to EUR" in page(save(client, bowl, form | {"price": "90.00"})).text
    bowl.refresh_from_db()
    assert bowl.price_minor == 8545


def test_new_currency_reads_the_amounts_again(browser, admin_user, bowl):
    client = browser(admin_user)

    assert save(client, bowl, form_of(client, bowl) | {"currency": "KWD"}).status_code == 302
    bowl.refresh_from_db()
    assert (bowl.price_minor, bowl.currency) == (85_450, "KWD")


@pytest.mark.parametrize("seen", [None, "", "forged", "of another row"])
def test_save_is_refused_without_the_displayed_values(browser, admin_user, bowl, scarf, seen):
    client = browser(admin_user)
    token = form_of(client, scarf)["_seen"] if seen == "of another row" else seen

    shown: Node = page(save(client, bowl, form_of(client, bowl) | {"name": "Mine", "_seen": token}))

    assert "nothing was saved" in shown.text
    assert shown.all("input", name="_seen") == []
    bowl.refresh_from_db()
    assert bowl.name == "Moss bowl"


def test_database_error_on_save_is_explained(browser, admin_user, bowl, scarf, monkeypatch):
    """Two people take one slug at the same moment: both forms have found it free."""
    client = browser(admin_user)
    monkeypatch.setattr(SeenForm, "validate_unique", lambda form: None)

    answer = client.post(admin_page_url(bowl), form_of(client, bowl) | {"slug": scarf.slug}, follow=True)

    assert "Someone else saved this at the same time" in page(answer).text
    bowl.refresh_from_db()
    assert bowl.slug == "moss-bowl"
