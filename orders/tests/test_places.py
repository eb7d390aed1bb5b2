"""Zones, tax rates and shipping methods in the admin; what applies at an address."""

from datetime import datetime, time, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from artisans.approvals.models import ApprovalRequest
from artisans.approvals.services import approval_approve
from artisans.audit.models import AuditEntry
from artisans.catalog.tests.factories import ArtisanFactory, ProductFactory
from artisans.core.errors import InvalidInput
from artisans.regions.models import Place, ShopCurrency, TaxRate, TaxZone
from artisans.regions.selectors import taxes_at
from artisans.regions.tests.factories import tax_class, tax_rate, tax_zone
from artisans.shipping.models import ShippingMethod, ShippingZone
from artisans.shipping.selectors import methods_at
from artisans.shipping.tests.factories import shipping_method, shipping_zone
from orders.checks import check_taxed
from orders.models import StoreRules
from orders.quoting import destination_of, home, offer_products, served_countries
from orders.selectors import store_rules
from orders.services.places import areas_read, areas_text, prices_read, prices_text, shipping_method_save
from tests.html import page

pytestmark = pytest.mark.django_db


def save(client, route: str, *args: int, **fields: str):
    path = reverse(f"admin:{route}", args=args)
    shown = page(client.get(path))
    return client.post(path, shown.all("form")[-1].fields() | fields)


# ---- lines -----------------------------------------------------------------------------------------------------------


def test_areas_are_read_as_they_are_shown():
    text = "*\nGB: BT\nIE Co. Cork\nUS OR\nUS OR: 97"

    names = areas_read(f"{text}\n\n us or : 9-7 \nUS Oregon".replace(" us or", "US or"))

    zone = tax_zone("All", *names)
    assert areas_text(zone.areas.all()) == text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("UK", "GB (United Kingdom)"),
        ("us", "US"),
        ("ZZ", "two-letter"),
        ("US Atlantis", "no such state"),
        ("GB: " + "9" * 20, "too long"),
        ("* OR", ""),
    ],
)
def test_area_that_is_no_place_is_named(line, words):
    with pytest.raises(InvalidInput) as refusal:
        areas_read(f"DE\n{line}")
    assert words in refusal.value.detail
    assert line[:5] in refusal.value.detail


def test_prices_are_read_as_they_are_shown():
    text = "USD 5.99\nUSD 0.00 from 50.00\nUSD 12.00 from 2000 g\nUSD 7.00 from 2000 g and 50.00\nJPY 600"

    assert prices_text(prices_read(text.replace("0.00 from 50", "0 from 50"))) == text


@pytest.mark.parametrize(
    "line", ["5.99", "USD", "USD five", "USD 5.999", "ZZZ 5", "USD -1", "USD 1 from -5", "USD 5\nUSD 6"]
)
def test_price_that_cannot_be_read_is_named(line):
    with pytest.raises(InvalidInput) as refusal:
        prices_read(line)
    assert line.splitlines()[-1] in refusal.value.detail


def test_price_that_is_no_multiple_of_the_step_is_refused(admin_user, store):
    ShopCurrency.objects.create(code="CHF", step_minor=5, price_step_minor=5)
    method = ShippingMethod(zone=ShippingZone.objects.get())

    with pytest.raises(InvalidInput, match=r"CHF5\.99: enter a multiple of CHF0\.05"):
        shipping_method_save(method, fields={"name": "Post"}, prices="CHF 5.99", actor=admin_user)


def test_shipping_with_a_tax_class_is_taxed_at_its_rate_and_not_sold_without_one(store, bowl):
    books, zone = tax_class("books"), TaxZone.objects.get()
    StoreRules.objects.update(shipping_tax="class", shipping_tax_class=books)

    def offered():
        return offer_products([(bowl, 1)], store=store_rules(), destination=home(store_rules()))

    assert offered().unserved == {bowl.artisan_id}
    assert [error.id for error in check_taxed(None, ["default"])] == ["alley.W022"]
    tax_rate(zone, 200_000, code="books")
    quote = offered().quote
    assert (quote.parcels[0].shipping_tax.minor, quote.shipping.minor) == (120, 599)
    assert [rate.percent for rate in quote.rates] == ["10", "20"]


def test_tax_class_of_shipping_is_asked_for(browser, admin_user, store):
    path = reverse("admin:orders_storerules_change", args=[store.pk])
    form = page(browser(admin_user).get(path)).one("form", id="storerules_form").fields()

    answer = browser(admin_user).post(path, form | {"shipping_tax": "class"})

    assert "Choose the tax class of shipping." in page(answer).text
    assert store_rules().shipping_tax == "none"


# ---- the admin -------------------------------------------------------------------------------------------------------


def test_staff_enter_zones_methods_and_rates(browser, admin_user, store):
    client = browser(admin_user)
    assert save(client, "regions_taxzone_new", name="Germany", areas="DE", rounding="line").status_code == 302
    assert save(client, "regions_taxclass_new", name="Books", code="books").status_code == 302
    zone, books = TaxZone.objects.get(name="Germany"), tax_class("books")
    rate = {"zone": str(zone.pk), "tax_class": str(books.pk), "rate": "7", "name": "VAT"}
    assert save(client, "regions_taxrate_new", **rate).status_code == 302
    assert save(client, "shipping_shippingzone_new", name="Germany", areas="DE").status_code == 302
    shipping = str(ShippingZone.objects.get(name="Germany").pk)
    method = {"zone": shipping, "name": "Parcel", "prices": "USD 4.90\nUSD 0 from 50.00"}
    assert save(client, "shipping_shippingmethod_new", **method).status_code == 302

    taxes = taxes_at(Place("DE"))
    assert (taxes.zone, taxes.rates[books.pk].rate_ppm) == ("Germany", 70_000)
    assert None not in taxes.rates, "no rate of the standard class"
    [parcel] = methods_at(Place("DE"), artisan_ids=[], currency="USD")
    assert len(parcel.tiers) == 2

    row = ShippingMethod.objects.get(name="Parcel")
    changed = save(client, "shipping_shippingmethod_edit", row.pk, prices="USD 6", is_active="")
    assert changed.status_code == 302
    assert methods_at(Place("DE"), artisan_ids=[], currency="USD") == []
    zone_edit = save(client, "regions_taxzone_edit", zone.pk, areas="DE\nAT")
    assert zone_edit.status_code == 302
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == [
        "tax_zone.save",
        "tax_class.save",
        "tax_rate.add",
        "shipping_zone.save",
        "shipping_method.save",
        "shipping_method.save",
        "tax_zone.save",
    ]
    for name in ("regions_taxzone", "regions_taxrate", "shipping_shippingzone", "shipping_shippingmethod"):
        assert "Germany" in page(client.get(reverse(f"admin:{name}_changelist"))).text


def test_area_of_another_zone_and_a_taken_name_are_refused(browser, admin_user, store):
    client = browser(admin_user)

    taken = save(client, "regions_taxzone_new", name="Everywhere", areas="")
    double = save(client, "regions_taxzone_new", name="Other", areas="FR\n*")

    assert "another one with the name" in page(taken).text
    assert "“*” belongs to another zone" in page(double).text
    assert TaxZone.objects.count() == 1


def test_rate_starts_at_midnight_of_the_shop_and_waits_for_a_second_person(
    browser, admin_user, staff, store, django_user_model
):
    StoreRules.objects.update(second_person_for_settings=True)
    second = django_user_model.objects.create_superuser(email="second@example.test", password="x")
    zone, day = TaxZone.objects.get(), timezone.localdate() + timedelta(days=3)
    fields = {"zone": str(zone.pk), "tax_class": str(tax_class().pk), "rate": "12", "starts": day.isoformat()}

    answer = save(browser(admin_user), "regions_taxrate_new", **fields)

    assert answer.status_code == 302
    assert TaxRate.objects.count() == 1
    approval_approve(approval_id=ApprovalRequest.objects.get().pk, actor=second)
    added = TaxRate.objects.get(rate_ppm=120_000)
    assert added.valid_from == timezone.make_aware(datetime.combine(day, time.min))
    assert (added.made_by, taxes_at(Place("US")).rates[None].rate_ppm) == (admin_user, 100_000)


def test_rate_does_not_start_in_the_past(browser, admin_user, store):
    fields = {"zone": str(TaxZone.objects.get().pk), "tax_class": str(tax_class().pk), "rate": "12"}

    answer = save(browser(admin_user), "regions_taxrate_new", **fields, starts="2020-01-01")

    text = "A rate cannot start in the past. Leave the start empty to apply it immediately."
    assert text in page(answer).text


def test_address_is_tried(browser, admin_user, store):
    shipping_zone("Ice", ("AQ",))
    client, path = browser(admin_user), reverse("admin:regions_taxzone_try")

    found = page(client.get(path, {"country": "us", "region": "Oregon", "goods": "10", "weight": "5"})).text

    assert all(text in found for text in ("Everywhere", "10 %", "Standard", "$5.99"))
    assert "No shipping method" in page(client.get(path, {"country": "AQ"})).text
    for wrong in ({"country": "UK"}, {"country": "US", "goods": "x"}, {"country": "US", "weight": "-1"}):
        assert client.get(path, wrong).status_code == 400


# ---- offers ----------------------------------------------------------------------------------------------------------


def test_products_without_a_rate_or_a_method_are_not_sold_there(store):
    books = tax_class("books")
    plain, book = ProductFactory.create(), ProductFactory.create(tax_class=books)
    own = ProductFactory.create(artisan=ArtisanFactory.create())
    zone = ShippingZone.objects.get()
    shipping_method(zone, "In yen only", (0, 0, 5), currency="JPY", artisan=own.artisan)

    offer = offer_products([(plain, 1), (book, 1), (own, 1)], store=store, destination=home(store))

    assert offer.unserved == {book.artisan_id, own.artisan_id}


def test_countries_that_are_served(store):
    assert served_countries() is None
    shipping_zone("Ice", ("AQ",))
    assert "AQ" not in served_countries()
    assert {"US", "DE"} <= served_countries()
    tax_zone("Everywhere").areas.all().delete()
    tax_zone("Europe", ("DE",), ("FR",), rates={"standard": 0})
    assert served_countries() == {"DE", "FR"}


def test_country_whose_tax_zone_has_no_rate_in_force_is_not_served_although_everywhere_else_is(store):
    zone = tax_zone("Ice", ("AQ",))
    tax_rate(zone, 0, start=timezone.now() + timedelta(days=1))
    product = ProductFactory.create()

    def is_sold() -> bool:
        offer = offer_products([(product, 1)], store=store_rules(), destination=home(store_rules(), "AQ"))
        return not offer.unserved

    assert "AQ" not in served_countries()
    assert not is_sold()
    StoreRules.objects.update(tax_by="origin")
    assert served_countries() is None, "the rate of the shop's own country counts"
    assert is_sold()
    StoreRules.objects.update(country="AQ")
    assert served_countries() == set()
    assert not is_sold()
    StoreRules.objects.update(tax_by="destination")
    tax_rate(zone, 0)
    assert served_countries() is None
    assert is_sold()


def test_address_in_one_text_is_known_by_its_country(store):
    assert destination_of({"text": "1 Road, OR", "country": "US"}, store=store_rules()).place == Place("US")


def test_check_names_classes_that_are_shipped_somewhere_without_a_rate(store):
    ProductFactory.create()
    assert check_taxed(None, ["default"]) == []
    ProductFactory.create(tax_class=tax_class("books"))
    tax_zone("Japan", ("JP",))
    shipping_method(shipping_zone("Japan", ("JP",)), "Airmail", (0, 0, 1))

    found = [warning.msg for warning in check_taxed(None, ["default"])]

    assert [text.partition(". ")[0] for text in found] == [
        "The shop ships to everywhere else, but has no tax rate there for: books",
        "The shop ships to JP, but has no tax rate there for: books, standard",
    ]
    StoreRules.objects.update(tax_by="origin")
    found = [warning.msg for warning in check_taxed(None, ["default"])]
    assert ["there for: books. " in text for text in found] == [True, True], (
        "by the rates of the shop’s country"
    )
