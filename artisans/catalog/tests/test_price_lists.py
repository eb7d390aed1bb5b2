"""Prices in other currencies: entered by artisans, converted by staff."""

from datetime import date

import pytest
from django.contrib.auth.models import Group

from artisans.audit.models import AuditEntry
from artisans.catalog.models import PriceOrigin, Product, ProductPrice
from artisans.catalog.price_lists import (
    InvalidPrice,
    Scope,
    price_version,
    prices_change,
    prices_convert,
    prices_of,
    products_to_convert,
    proposals,
)
from artisans.catalog.prices import load_prices
from artisans.catalog.product_versions import ProductChanged, version_of
from artisans.catalog.products import product_duplicate
from artisans.catalog.variants import VariantInput, variants_change
from artisans.core.money import Money
from artisans.regions.models import ExchangeRate, RateSheet, ShopCurrency
from tests.html import page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]
CONVERT = "/admin/catalog/productprice/convert/"


@pytest.fixture
def yen() -> ShopCurrency:
    return ShopCurrency.objects.create(code="JPY", step_minor=10, price_step_minor=100, price_charm_minor=20)


@pytest.fixture
def sheet() -> RateSheet:
    found = RateSheet.objects.create(source="manual", base="USD", valid_on=date(2026, 11, 30), sha256="1")
    for code, rate in (("USD", 10**10), ("JPY", 150 * 10**10)):
        ExchangeRate.objects.create(sheet=found, currency=code, rate_e10=rate)
    return found


@pytest.fixture
def accepting(bowl, scarf) -> None:
    for product in (bowl, scarf):
        product.artisan.converted_currencies = ["JPY"]
        product.artisan.save(update_fields=["converted_currencies"])


def enter(product: Product, minor: int | None, *, version: str | None = None, currency: str = "JPY") -> None:
    prices_change(
        artisan=product.artisan,
        product_id=product.parent_id or product.pk,
        actor=product.artisan.user,
        prices={(product.pk, currency): minor},
        version=price_version(prices_of([product])) if version is None else version,
    )


def preview(yen: ShopCurrency, sheet: RateSheet, scope: Scope | None = None):
    return list(proposals(yen, sheet, products_to_convert("JPY", sheet, scope or Scope())))


def convert(yen: ShopCurrency, sheet: RateSheet, actor, found=None):
    shown = preview(yen, sheet) if found is None else found
    return prices_convert(currency=yen, sheet=sheet, found=shown, actor=actor)


def price(product: Product) -> tuple[int, str] | None:
    row = ProductPrice.objects.filter(product=product, currency="JPY").first()
    return (row.price_minor, row.origin) if row else None


def two_sizes(product: Product) -> list[Product]:
    sizes = [VariantInput((size,), minor) for size, minor in (("S", 1000), ("L", 2000))]
    variants_change(
        artisan=product.artisan,
        product_id=product.pk,
        actor=product.artisan.user,
        option_names=["Size"],
        variants=sizes,
    )
    return list(product.variants.order_by("price_minor"))


# ---- own prices ------------------------------------------------------------------------------------------------


def test_prices_are_entered_removed_and_audited(bowl, yen):
    enter(bowl, 12_000)
    assert bowl.price_in("JPY") == Money(12_000, "JPY")
    assert bowl.price_in("USD") == bowl.price
    entry = AuditEntry.objects.get(action="prices.change")
    assert entry.data["prices"] == [{"product": str(bowl.pk), "currency": "JPY", "old": None, "new": 12_000}]
    enter(bowl, 12_000)
    assert AuditEntry.objects.filter(action="prices.change").count() == 1
    enter(bowl, None)
    assert price(bowl) is None


@pytest.mark.parametrize(
    ("minor", "currency", "reason"),
    [
        (12_005, "JPY", "multiple of ¥10"),
        (0, "JPY", "multiple of"),
        (-10, "JPY", "multiple of"),
        (100, "USD", "does not sell in USD"),
        (100, "EUR", "does not sell in EUR"),
    ],
)
def test_prices_that_cannot_be_charged_are_refused(bowl, yen, minor, currency, reason):
    with pytest.raises(InvalidPrice, match=reason):
        enter(bowl, minor, currency=currency)


def test_two_people_do_not_undo_each_others_prices(bowl, yen):
    seen = price_version(prices_of([bowl]))
    enter(bowl, 12_000)
    with pytest.raises(ProductChanged, match="¥12,000"):
        enter(bowl, 13_000, version=seen)
    enter(bowl, None, version=seen)  # as it was seen: what the other entered stays
    assert price(bowl) == (12_000, PriceOrigin.MANUAL)


def test_a_product_with_options_costs_what_its_cheapest_variant_does(bowl, yen):
    small, large = two_sizes(bowl)
    with pytest.raises(InvalidPrice, match="of its variants"):
        enter(bowl, 100)
    enter(large, 3000)
    assert price(bowl) == (3000, PriceOrigin.MANUAL)
    enter(small, 1500)
    assert price(bowl) == (1500, PriceOrigin.MANUAL)
    variants_change(
        artisan=bowl.artisan,
        product_id=bowl.pk,
        actor=bowl.artisan.user,
        option_names=["Size"],
        variants=[
            VariantInput(("S",), 1000, variant_id=small.pk, version=version_of(small), is_archived=True)
        ],
    )
    assert price(bowl) == (3000, PriceOrigin.MANUAL)
    enter(large, None)
    assert price(bowl) is None


def test_copies_have_the_prices_that_were_entered(bowl, yen):
    small, _large = two_sizes(bowl)
    enter(small, 1500)
    copy = product_duplicate(artisan=bowl.artisan, product_id=bowl.pk, actor=bowl.artisan.user)
    assert price(copy) == (1500, PriceOrigin.MANUAL)
    assert price(copy.variants.order_by("price_minor").first()) == (1500, PriceOrigin.MANUAL)


def test_prices_of_many_are_read_at_once(bowl, scarf, yen, django_assert_num_queries):
    enter(bowl, 12_000)
    found = list(Product.objects.order_by("name"))
    with django_assert_num_queries(1):
        load_prices(found, "JPY")
        assert [product.price_in("JPY") for product in found] == [Money(12_000, "JPY"), None]
    with django_assert_num_queries(0):
        load_prices(found, "USD")


# ---- conversion ------------------------------------------------------------------------------------------------


def test_only_what_artisans_accept_is_converted(bowl, scarf, yen, sheet, admin_user):
    assert preview(yen, sheet) == []
    bowl.artisan.converted_currencies = ["JPY", "EUR"]
    bowl.artisan.save(update_fields=["converted_currencies"])
    done = convert(yen, sheet, admin_user)
    assert (done.written, done.skipped) == (1, 0)
    row = ProductPrice.objects.get()
    assert (row.product, row.price_minor, row.from_minor, row.sheet) == (bowl, 12_780, 8545, sheet)
    entry = AuditEntry.objects.get(action="prices.convert")
    assert (entry.target_id, entry.data["count"], entry.data["currency"]) == (bowl.artisan_id, 1, "JPY")
    assert convert(yen, sheet, admin_user).written == 0


@pytest.mark.usefixtures("accepting")
def test_entered_prices_are_never_touched_nor_those_entered_meanwhile(bowl, scarf, yen, sheet, admin_user):
    enter(bowl, 9000)
    shown = preview(yen, sheet)
    assert {each.product: each.is_manual for each in shown} == {bowl: True, scarf: False}
    enter(scarf, 50)
    done = convert(yen, sheet, admin_user, shown)
    assert (done.written, done.skipped) == (0, 1)
    assert (price(bowl), price(scarf)) == ((9000, "manual"), (50, "manual"))


@pytest.mark.usefixtures("accepting")
def test_two_people_convert_the_same_and_a_changed_product_is_left_out(
    bowl, scarf, yen, sheet, admin_user, staff
):
    first, second = preview(yen, sheet), preview(yen, sheet)
    Product.objects.filter(pk=scarf.pk).update(price_minor=100)
    done = convert(yen, sheet, admin_user, first)
    assert (done.written, done.skipped) == (1, 1)
    done = convert(yen, sheet, staff, second)
    assert (done.written, done.skipped) == (0, 2)
    assert (price(bowl), price(scarf)) == ((12_780, "converted"), None)


@pytest.mark.usefixtures("accepting")
def test_variants_are_converted_and_their_product_follows(bowl, yen, sheet, admin_user):
    small, large = two_sizes(bowl)
    convert(yen, sheet, admin_user, preview(yen, sheet, Scope(artisan_id=bowl.artisan_id)))
    assert (price(small), price(large)) == ((1480, "converted"), (2980, "converted"))
    assert price(bowl) == (1480, "converted")


# ---- page of staff ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("accepting")
def test_staff_see_every_change_before_it_is_written(bowl, scarf, yen, sheet, staff, browser):
    staff.groups.set(Group.objects.filter(name="Pricing"))
    client, sent = browser(staff), {"currency": "JPY", "sheet": sheet.pk}
    enter(scarf, 5000)

    shown = page(client.post(CONVERT, sent))

    assert "Changes: 1." in shown.text
    assert "¥12,780" in shown.text
    assert price(bowl) is None
    again = {name: value or "" for name, value in shown.all("form", method="post")[-1].fields().items()}
    enter(bowl, 100)
    changed = page(client.post(CONVERT, again))
    assert "Prices changed after the preview" in changed.text
    enter(bowl, None)
    client.post(CONVERT, again)
    assert price(bowl) == (12_780, "converted")
    assert "12780 JPY" in page(client.get("/admin/catalog/productprice/")).text


def test_a_sheet_without_the_currency_is_refused(yen, sheet, admin_user, browser):
    ShopCurrency.objects.create(code="KWD")
    answer = browser(admin_user).post(CONVERT, {"currency": "KWD", "sheet": sheet.pk})
    assert "no exchange rate for KWD" in page(answer).text
